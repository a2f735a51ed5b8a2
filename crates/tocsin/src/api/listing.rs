//! Lists as programs ask for them: the query grammar of the pages, an order, and pages or a stream of lines.

use axum::extract::{FromRequestParts, Query as Parameters};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tocsin_core::Error;
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::query::Rows;
use tocsin_model::query::{Query, Schema, parse};
use utoipa::IntoParams;

use super::page::{Page, Paging};
use super::stream;
use crate::server::{ApiError, App, Kind};

/// What of a list is wanted, and in which order.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asking {
    /// Only what this query finds, in the grammar of the pages: fields with `:`, `=`, `<`, `>=` …, `-` for not, `OR`,
    /// brackets; a word alone is looked for in names. What cannot be read is refused (422) with its place.
    #[param(example = "severity>=high -status:fixed age>30d")]
    pub q: Option<String>,
    /// Name of an order, as in `sort:` of the pages; `-` before it turns it round.
    #[param(example = "-epss")]
    pub sort: Option<String>,
}

/// A list that is asked for: query, order, page, and whether as lines.
pub struct Ask {
    asking: Asking,
    paging: Paging,
    more: Vec<String>,
    lines: bool,
    uri: Uri,
}

impl<S: Sync> FromRequestParts<S> for Ask {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Ask, ApiError> {
        let bad = |e: axum::extract::rejection::QueryRejection| ApiError::bad(e.body_text());
        let Parameters(asking) = Parameters::try_from_uri(&parts.uri).map_err(bad)?;
        let Parameters(paging) = Parameters::try_from_uri(&parts.uri).map_err(bad)?;
        let lines = stream::wanted(&parts.headers);
        Ok(Ask { asking, paging, more: Vec::new(), lines, uri: parts.uri.clone() })
    }
}

impl Ask {
    /// Adds a condition that is asked for by a parameter of its own: `status:affected`.
    pub fn and(&mut self, condition: impl Into<String>) {
        self.more.push(condition.into());
    }

    /// Other words for the order of this name.
    pub fn order_means(&mut self, name: &str, order: &str) {
        if self.asking.sort.as_deref() == Some(name) {
            self.asking.sort = Some(order.to_owned());
        }
    }

    /// The query over what may be asked.
    fn query(&self, schema: &Schema) -> Result<Query, ApiError> {
        let wrong = |field: &str, message: String| -> ApiError {
            Error::Rejected { field: field.to_owned(), message }.into()
        };
        let mut query = parse(self.asking.q.as_deref().unwrap_or_default(), schema)
            .map_err(|e| wrong("q", e.to_string()))?;
        if let Some(sort) = self.asking.sort.as_deref().filter(|s| !s.trim().is_empty()) {
            let asked =
                parse(&format!("sort:{}", sort.trim()), schema).map_err(|e| wrong("sort", e.to_string()))?;
            if asked.filter.is_some() {
                return Err(wrong("sort", "it is the name of one order".to_owned()));
            }
            query.sort = asked.sort;
        }
        for condition in &self.more {
            let asked = parse(condition, schema).map_err(|e| ApiError::bad(format!("`{condition}`: {e}")))?;
            if let Some(filter) = asked.filter {
                query = query.and(filter);
            }
        }
        Ok(query)
    }

    /// The list as a reply: `page` gives the rows of a query behind a place.
    ///
    /// # Errors
    /// The query, the order or the cursor cannot be read; what `page` refuses.
    pub async fn reply<T, P, Next>(
        self,
        app: App,
        actor: Actor,
        list: &'static str,
        schema: Schema,
        page: P,
    ) -> Result<Response, ApiError>
    where
        T: Serialize + Send + 'static,
        P: Fn(App, Actor, Query, Option<String>, u64) -> Next + Send + Sync + 'static,
        Next: Future<Output = tocsin_core::Result<Rows<T>>> + Send + 'static,
    {
        let query = self.query(&schema)?;
        if self.lines {
            // what is refused is refused before the stream begins
            page(app.clone(), actor.clone(), query.clone(), None, 1).await?;
            return Ok(stream::lines(move |place| {
                let next = page(app.clone(), actor.clone(), query.clone(), place, stream::BATCH);
                async move { next.await.map(|found| (found.rows, found.next)) }
            }));
        }
        let most = match (self.paging.limit, query.limit) {
            (None, Some(limit)) => u64::from(limit),
            _ => self.paging.most(),
        };
        let place = self.paging.place(list)?;
        let found = page(app, actor, query, place, most).await.map_err(|e| match e {
            Error::Rejected { field, message } if field == "after" => ApiError::new(Kind::CURSOR, message),
            other => other.into(),
        })?;
        Ok(Page::new(list, found.rows, found.next).reply(&self.uri))
    }
}
