//! An SBOM that comes in, by page or API: read and matched off the network threads, then put in place.

use tocsin_core::inventory::{self, Uploaded};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::change::Change;
use tocsin_core::{Error, Result};
use tocsin_formats::input::ReadOptions;
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use crate::server::App;
use crate::target;

/// Which release a document is for.
pub enum Place {
    /// One that is there.
    Release(i64),
    /// By names; made where missing and allowed.
    Named {
        /// Product line.
        line: String,
        /// Product.
        product: String,
        /// Version.
        version: String,
    },
}

/// Reads, matches and stores a document.
///
/// # Errors
/// As [`inventory::prepare`] and [`inventory::upload`]. Nothing is changed then: no release is made for a document
/// that cannot be read.
pub async fn take(app: &App, actor: &Actor, place: Place, name: String, bytes: Vec<u8>) -> Result<Uploaded> {
    let index = app.index();
    let work = tokio::task::spawn_blocking(move || {
        let bom = document(&name, &bytes)?;
        let (index, vex) = index.as_deref().map_or((None, &[][..]), |o| (Some(&o.index), &o.vex[..]));
        inventory::prepare(&name, bytes, bom, index, vex)
    });
    let prepared = work
        .await
        .map_err(|e| Error::Internal { doing: "reading a document".to_owned(), cause: Box::new(e) })??;
    let mut change = Change::begin(app.db(), actor).await?;
    let release = match place {
        Place::Release(id) => id,
        Place::Named { line, product, version } => {
            let line = inventory::make_line(&mut change, &line).await?;
            let product = inventory::make_product(&mut change, line, &product).await?;
            inventory::make_release(&mut change, product, &version).await?
        }
    };
    let done = inventory::apply(&mut change, release, &prepared).await?;
    change.commit().await?;
    Ok(done)
}

/// The one document of an upload.
fn document(name: &str, bytes: &[u8]) -> Result<Bom> {
    let mut input = target::read_bytes(name, bytes, &ReadOptions::default()).map_err(|e| match e {
        crate::error::Error::Input(why) => Error::Refused(why),
        other => Error::Internal { doing: "reading a document".to_owned(), cause: Box::new(other) },
    })?;
    match (input.documents.pop(), input.documents.is_empty()) {
        (Some(mut bom), true) => {
            bom.diagnostics.append(&mut input.diagnostics);
            Ok(bom)
        }
        _ => {
            let message = "it holds several documents; a release has one: upload each for its own release";
            Err(Error::Refused(vec![Diagnostic::new("input-several", name, message)]))
        }
    }
}
