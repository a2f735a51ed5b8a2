//! Findings of a filter as CSV, JSON, SARIF and NDJSON: streams that hold a page in memory, whatever their length.

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tocsin_core::Error;
use tocsin_core::detection::Export;
use tocsin_core::platform::access::{Actor, Permission};

use super::super::asked::{Pairs, param};
use super::asked;
use crate::output::findings::{Form, Writer};
use crate::server::{App, Browser, PageError};

pub fn routes() -> Router<App> {
    let as_form = |form: Form| {
        get(move |State(app): State<App>, browser: Browser, Query(pairs): Query<Pairs>| async move {
            export(app, browser, &pairs, form)
        })
    };
    Router::new()
        .route("/findings.csv", as_form(Form::Csv))
        .route("/findings.json", as_form(Form::Json))
        .route("/findings.ndjson", as_form(Form::Ndjson))
        .route("/findings.sarif", as_form(Form::Sarif))
}

fn export(app: App, browser: Browser, pairs: &Pairs, form: Form) -> Result<Response, PageError> {
    let a = asked("/findings", pairs);
    let actor = browser.actor().clone();
    actor.need(Permission::FindingRead)?;
    if !a.wrong.is_empty() {
        return Err(Error::Rejected { field: "q".to_owned(), message: a.wrong }.into());
    }
    let release = param(pairs, "release").parse().ok();
    let (kind, ending) = match form {
        Form::Csv => ("text/csv; charset=utf-8", "csv"),
        Form::Json => ("application/json", "json"),
        Form::Ndjson => ("application/x-ndjson", "ndjson"),
        Form::Sarif => ("application/sarif+json", "sarif"),
    };
    let disposition = format!("attachment; filename=\"findings.{ending}\"");
    let body = stream(app, actor, Export::new(a.query, release), form);
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], body).into_response())
}

/// The export as it is read; where reading fails midway the connection breaks, so that no one takes a part for all.
fn stream(app: App, actor: Actor, export: Export, form: Form) -> Body {
    let state = Some((export, Writer::new(form)));
    let pages = futures_util::stream::try_unfold(state, move |state| {
        let (app, actor) = (app.clone(), actor.clone());
        async move {
            let Some((mut export, mut writer)) = state else { return Ok::<_, std::io::Error>(None) };
            let page = export.next(app.db(), &actor).await.map_err(std::io::Error::other)?;
            let over = page.is_empty();
            let bytes = if over { writer.end() } else { writer.page(&page) }?;
            Ok(Some((bytes, (!over).then_some((export, writer)))))
        }
    });
    Body::from_stream(pages)
}
