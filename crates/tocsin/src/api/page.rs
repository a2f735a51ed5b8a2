//! Pages of lists: how many, where the next one begins, links to it (RFC 8288).

use axum::Json;
use axum::http::header::LINK;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::server::{ApiError, Kind};
use crate::ui::encode;

/// Items on a page where nobody says how many.
const USUAL: u64 = 100;
/// Most items on a page.
const MOST: u64 = 1_000;

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u64>,
    /// Where the page begins: `next` of the page before. Nothing is to be read from it.
    pub cursor: Option<String>,
}

impl Paging {
    /// Items on the page.
    pub fn most(&self) -> u64 {
        self.limit.unwrap_or(USUAL).clamp(1, MOST)
    }

    /// The place that the cursor names in the list of this name.
    ///
    /// # Errors
    /// It is damaged or of another list.
    pub fn place(&self, list: &str) -> Result<Option<String>, ApiError> {
        self.cursor.as_deref().map(|text| open(list, text)).transpose()
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T: Serialize> Page<T> {
    /// A page whose following one begins at `place` in the list of this name.
    pub fn new(list: &str, items: Vec<T>, place: Option<String>) -> Page<T> {
        Page { items, next: place.map(|place| seal(list, &place)) }
    }

    /// The page as a reply, with links to the first page and the next.
    pub fn reply(self, uri: &Uri) -> Response {
        let rest: Vec<&str> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|p| !p.is_empty() && !p.starts_with("cursor="))
            .collect();
        let address = |cursor: Option<&str>| {
            let mut parts: Vec<String> = rest.iter().map(|p| (*p).to_owned()).collect();
            parts.extend(cursor.map(|c| format!("cursor={}", encode(c))));
            let mark = if parts.is_empty() { "" } else { "?" };
            format!("<{}{mark}{}>", uri.path(), parts.join("&"))
        };
        let mut links = format!("{}; rel=\"first\"", address(None));
        if let Some(next) = &self.next {
            links.push_str(&format!(", {}; rel=\"next\"", address(Some(next))));
        }
        let mut response = Json(self).into_response();
        if let Ok(links) = HeaderValue::from_str(&links) {
            response.headers_mut().insert(LINK, links);
        }
        response
    }
}

/// Cuts a page out of a whole list that is sorted by `key`; the key is unique.
///
/// # Errors
/// The cursor cannot be used.
pub fn cut<T: Serialize>(
    list: &str,
    all: Vec<T>,
    paging: &Paging,
    key: impl Fn(&T) -> (String, i64),
) -> Result<Page<T>, ApiError> {
    let place = match paging.place(list)? {
        Some(place) => {
            let bad = || ApiError::new(Kind::CURSOR, "it names no place in this list");
            let (id, text) = place.split_once(' ').ok_or_else(bad)?;
            Some((text.to_owned(), id.parse::<i64>().map_err(|_| bad())?))
        }
        None => None,
    };
    let mut rest = all.into_iter().filter(|t| place.as_ref().is_none_or(|p| key(t) > *p)).peekable();
    let items: Vec<T> = rest.by_ref().take(paging.most() as usize).collect();
    let more = rest.peek().is_some();
    let place = items.last().filter(|_| more).map(|t| {
        let (text, id) = key(t);
        format!("{id} {text}")
    });
    Ok(Page::new(list, items, place))
}

fn seal(list: &str, place: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}\n{place}"))
}

fn open(list: &str, text: &str) -> Result<String, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let whole = bytes.and_then(|b| String::from_utf8(b).ok());
    let place = whole.as_deref().and_then(|w| w.split_once('\n')).filter(|(of, _)| *of == list);
    let bad = || ApiError::new(Kind::CURSOR, format!("`cursor` is damaged or of another list than {list}"));
    place.map(|(_, place)| place.to_owned()).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_without_gap() {
        let all = || (0..7_i64).map(|n| (format!("n{}", n / 3), n)).collect::<Vec<_>>();
        let mut paging = Paging { limit: Some(2), cursor: None };
        let mut seen = Vec::new();
        loop {
            let page = cut("things", all(), &paging, |t| (t.0.clone(), t.1)).unwrap();
            seen.extend(page.items);
            match page.next {
                Some(next) => paging.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all());
        assert!(cut("others", all(), &paging, |t| (t.0.clone(), t.1)).is_err(), "a cursor is of one list");
        for text in ["", "%", "bm90aGluZw"] {
            let paging = Paging { limit: None, cursor: Some(text.to_owned()) };
            assert!(paging.place("things").is_err(), "{text}");
        }
    }

    #[test]
    fn links_keep_the_filter() {
        let uri: Uri = "/api/v2/things?limit=2&cursor=old&q=a%20b".parse().unwrap();
        let response = Page::new("things", vec![1], Some("7 x".to_owned())).reply(&uri);
        let link = response.headers()["link"].to_str().unwrap();
        let next = seal("things", "7 x");
        let want = format!(
            "</api/v2/things?limit=2&q=a%20b>; rel=\"first\", </api/v2/things?limit=2&q=a%20b&cursor={next}>; rel=\"next\""
        );
        assert_eq!(link, want);
        let uri: Uri = "/api/v2/things".parse().unwrap();
        let response = Page::new("things", vec![1], None).reply(&uri);
        assert_eq!(response.headers()["link"], "</api/v2/things>; rel=\"first\"");
    }
}
