//! An SBOM that comes in, by page or API: read and matched off the network threads, then put in place.

use tocsin_core::inventory::{self, Prepared, Unusual, Uploaded};
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

/// Where an upload stands when it is answered.
pub enum Taken {
    /// It is the content of its release.
    Now(Box<Uploaded>),
    /// It was kept for its release; a job reads it.
    Later {
        /// The job.
        job: i64,
        /// The release.
        release: i64,
    },
}

impl Taken {
    /// The release.
    pub fn release(&self) -> i64 {
        match self {
            Taken::Now(done) => done.release,
            Taken::Later { release, .. } => *release,
        }
    }
}

/// Takes a document: a small one is read at once, a large one, or one for a release whose documents still wait to be
/// read, is kept and read by a job.
///
/// # Errors
/// As [`take`]; for a large document nothing is said of what is in it.
pub async fn receive(app: &App, actor: &Actor, place: Place, name: String, bytes: Vec<u8>) -> Result<Taken> {
    receive_confirmed(app, actor, place, name, bytes, None).await
}

/// As [`receive`], with the answer to the question whether an unusual upload is meant, which is read at once.
///
/// # Errors
/// As [`take_confirmed`].
pub async fn receive_confirmed(
    app: &App,
    actor: &Actor,
    place: Place,
    name: String,
    bytes: Vec<u8>,
    confirm: Option<String>,
) -> Result<Taken> {
    if confirm.is_some() {
        let done = take_confirmed(app, actor, place, name, bytes, confirm).await?;
        return Ok(Taken::Now(Box::new(done)));
    }
    let release = match &place {
        Place::Release(id) => Some(*id),
        Place::Named { product, version, .. } => {
            match inventory::release_named(app.db(), actor, product, version).await {
                Ok(release) => Some(release.id),
                Err(Error::NotFound(_)) => None,
                Err(e) => return Err(e),
            }
        }
    };
    let behind = match release {
        Some(id) => inventory::waits(app.db(), id).await?,
        None => false,
    };
    if bytes.len() <= app.large() && !behind {
        return take(app, actor, place, name, bytes).await.map(|done| Taken::Now(Box::new(done)));
    }
    let _turn = app.turn().await;
    let packed = blocking("compressing a document", move || inventory::pack(&bytes)).await?;
    let mut change = Change::begin(app.db(), actor).await?;
    let release = placed(&mut change, place).await?;
    let job = inventory::receive(&mut change, release, &name, packed).await?;
    change.commit().await?;
    Ok(Taken::Later { job, release })
}

async fn blocking<T: Send + 'static>(
    doing: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::Internal { doing: doing.to_owned(), cause: Box::new(e) })?
}

/// Reads a document and matches it against the index of this moment.
///
/// # Errors
/// As [`inventory::prepare`]; [`Error::Refused`]: it cannot be read.
pub async fn prepare(app: &App, name: String, bytes: Vec<u8>) -> Result<Prepared> {
    let opened = app.index();
    blocking("reading a document", move || {
        let bom = document(&name, &bytes)?;
        inventory::prepare_with(&name, bytes, bom, opened)
    })
    .await
}

/// Makes what is missing of a place; the release.
async fn placed(change: &mut Change<'_>, place: Place) -> Result<i64> {
    match place {
        Place::Release(id) => Ok(id),
        Place::Named { line, product, version } => {
            let line = inventory::make_line(change, &line).await?;
            let product = inventory::make_product(change, line, &product).await?;
            inventory::make_release(change, product, &version).await
        }
    }
}

/// Reads, matches and stores a document.
///
/// # Errors
/// As [`inventory::prepare`] and [`inventory::upload`]. Nothing is changed then: no release is made for a document
/// that cannot be read.
pub async fn take(app: &App, actor: &Actor, place: Place, name: String, bytes: Vec<u8>) -> Result<Uploaded> {
    take_confirmed(app, actor, place, name, bytes, None).await
}

/// As [`take`], with the answer to the question whether an unusual upload is meant. One that is unusual and was not
/// confirmed is kept until somebody says a word.
///
/// # Errors
/// As [`take`]; [`Error::Unusual`].
pub async fn take_confirmed(
    app: &App,
    actor: &Actor,
    place: Place,
    name: String,
    bytes: Vec<u8>,
    confirm: Option<String>,
) -> Result<Uploaded> {
    let _turn = app.turn().await;
    let prepared = prepare(app, name, bytes).await?.confirmed(confirm);
    let mut change = Change::begin(app.db(), actor).await?;
    let release = placed(&mut change, place).await?;
    match inventory::apply(&mut change, release, &prepared).await {
        Ok(done) => {
            change.commit().await?;
            Ok(done)
        }
        Err(Error::Unusual(question)) => {
            drop(change);
            hold(app, actor, &prepared, &question).await?;
            Err(Error::Unusual(question))
        }
        Err(e) => Err(e),
    }
}

/// Keeps an unusual upload until somebody says a word.
///
/// # Errors
/// As [`inventory::hold_upload`].
pub async fn hold(app: &App, actor: &Actor, prepared: &Prepared, question: &Unusual) -> Result<()> {
    let mut change = Change::begin(app.db(), actor).await?;
    inventory::hold_upload(&mut change, prepared, question).await?;
    change.commit().await
}

/// The one document of an upload.
///
/// # Errors
/// It cannot be read, or holds several.
pub fn document(name: &str, bytes: &[u8]) -> Result<Bom> {
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
