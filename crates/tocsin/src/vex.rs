//! VEX documents from files, pages and API: read, taken in as decisions, and written.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use tocsin_core::detection::{self, Export, Finding, Imported, Place};
use tocsin_core::inventory;
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::change::Change;
use tocsin_formats::input::ReadOptions;
use tocsin_formats::vex::{Format, read as read_bytes, write};
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::query::Query;
use tocsin_model::vex::VexStatement;

use crate::error::Error;
use crate::server::App;

/// Reads one file's statements, in the order of the file.
///
/// # Errors
/// The file cannot be read or is none of the formats.
pub fn read(path: &Path, options: &ReadOptions) -> Result<(Vec<VexStatement>, Vec<Diagnostic>), Error> {
    let name = path.display().to_string();
    let fault = |code, message: String| Error::Input(vec![Diagnostic::new(code, name.clone(), message)]);
    let limit = options.limits.document_bytes;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|f| f.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|e| fault("input-unreadable", e.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(fault("limit-size", format!("the file is larger than {limit} bytes")));
    }
    let document = read_bytes(&bytes, options)
        .map_err(|why| Error::Input(why.into_iter().map(|d| d.within(&name)).collect()))?;
    Ok((document.statements, document.diagnostics))
}

/// Whose findings: `workspace`, `product-7`, `release-9`.
pub fn place(text: &str) -> Option<Place> {
    match text.split_once('-') {
        None => (text == "workspace").then_some(Place::Workspace),
        Some(("product", id)) => id.parse().ok().map(Place::Product),
        Some(("release", id)) => id.parse().ok().map(Place::Release),
        Some(_) => None,
    }
}

/// Takes a document in.
///
/// # Errors
/// [`tocsin_core::Error::Refused`]: it is no VEX document; as [`detection::import`].
pub async fn take(
    app: &App,
    actor: &Actor,
    place: Place,
    name: String,
    bytes: Vec<u8>,
) -> tocsin_core::Result<Imported> {
    let work = tokio::task::spawn_blocking(move || {
        let document = read_bytes(&bytes, &ReadOptions::default());
        (document, bytes)
    });
    let (document, bytes) = work.await.map_err(|e| tocsin_core::Error::Internal {
        doing: "reading a VEX document".to_owned(),
        cause: Box::new(e),
    })?;
    let document = document.map_err(tocsin_core::Error::Refused)?;
    let index = app.index();
    let mut change = Change::begin(app.db(), actor).await?;
    let index = index.as_deref().map(|o| &o.index);
    let done = detection::import(&mut change, place, &name, &bytes, &document, index).await?;
    change.commit().await?;
    Ok(done)
}

/// A document that was written.
pub struct Made {
    /// Name of a file for it.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Most findings of one document.
const MOST: usize = 200_000;

/// VEX of the open findings of a release.
///
/// # Errors
/// As [`detection::export`]; more than 200,000 findings.
pub async fn of_release(app: &App, actor: &Actor, release: i64, format: Format) -> tocsin_core::Result<Made> {
    let r = inventory::release_of(app.db(), actor, release).await?;
    let title = format!("{} {}", r.product_name, r.version);
    made(app, actor, &title, Export::new(Query::default(), Some(release)), format).await
}

/// VEX of the findings that a query gives.
///
/// # Errors
/// As [`of_release`].
pub async fn of_findings(
    app: &App,
    actor: &Actor,
    query: Query,
    format: Format,
) -> tocsin_core::Result<Made> {
    made(app, actor, "findings", Export::new(query, None), format).await
}

async fn made(
    app: &App,
    actor: &Actor,
    title: &str,
    mut wanted: Export,
    format: Format,
) -> tocsin_core::Result<Made> {
    let mut findings: Vec<Finding> = Vec::new();
    loop {
        let page = wanted.next(app.db(), actor).await?;
        if page.is_empty() {
            break;
        }
        findings.extend(page);
        if findings.len() > MOST {
            let message = format!("a VEX document has at most {MOST} findings; narrow the filter");
            return Err(tocsin_core::Error::Rejected { field: "filter".to_owned(), message });
        }
    }
    let export = detection::export(app.db(), actor, title, &findings, env!("CARGO_PKG_VERSION")).await?;
    let name = format!("{}.{}", export.id, format.extension());
    Ok(Made { name, bytes: write(format, &export) })
}
