//! `tocsin serve`: state, routes and what surrounds every request.

mod assets;
mod caller;
pub mod cookie;
mod events;
pub mod guard;
mod limit;
mod problem;
pub mod request;
pub mod site;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use sea_orm::DatabaseConnection;
use tocsin_core::desk::Memory;
use tocsin_core::intel::{Opened, Store};
use tocsin_core::platform::db::{self, Place};
use tocsin_core::platform::people::{Door, Environment, From};
use tocsin_core::platform::vault::Vault;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;

pub use caller::{Browser, Client, Guest, Origin, key, key_text};
pub use cookie::Cookies;
pub use events::{JOBS, Told, stream};
pub use limit::REQUESTS;
pub use problem::{ApiError, KINDS, Kind, PageError, Problem, Remark};

use crate::error::Error;
use crate::outbound::Outbound;
use crate::{api, ui};
use site::Site;

/// Largest upload taken.
pub const UPLOAD_BYTES: usize = 256 << 20;
/// Uploads of more bytes are read by a job, unless told otherwise.
pub const LARGE_UPLOAD: usize = 4 << 20;
/// Documents read at once.
const TURNS: usize = 4;

/// What every request needs. Cheap to clone.
#[derive(Clone)]
pub struct App(pub Arc<Parts>);

/// See [`App`].
pub struct Parts {
    /// Database of people, inventory and findings.
    pub db: DatabaseConnection,
    /// The matching index and stored VEX statements; replaced whole when intelligence changes.
    index: RwLock<Option<Arc<Opened>>>,
    data_dir: PathBuf,
    place: Place,
    vault: Vault,
    /// Cookies are sent over TLS alone.
    pub secure: bool,
    /// Tries to sign in.
    pub sign_ins: limit::Limiter,
    /// Uploads of more bytes are read by a job.
    large: AtomicUsize,
    /// Documents that are read at once, so that many uploads share memory and processors.
    turns: Semaphore,
    /// Streams of events that are open at once.
    streams: Arc<Semaphore>,
    /// Turns true when the server is told to stop.
    stop: watch::Sender<bool>,
    /// Requests of programs.
    pub rate: limit::Rate,
    /// The provider of identities that the environment names, for the first workspace.
    pub oidc: Option<Environment>,
    /// The one door out.
    pub outbound: Outbound,
    site: OnceLock<Site>,
    /// What sorting news keeps from one run to the next.
    desk: Memory,
}

/// What the operator gives a server beside its data.
#[derive(Debug, Default)]
pub struct Means {
    /// Cookies are sent over TLS alone.
    pub secure: bool,
    /// Where people reach it, where that is told.
    pub site: Option<Site>,
    /// A provider of identities for the first workspace.
    pub oidc: Option<Environment>,
    /// Hosts that may be called although they are private, by name.
    pub allowed: Vec<String>,
}

/// Now, RFC 3339 in UTC with milliseconds.
pub fn now() -> String {
    later(0)
}

/// Some hours from now, in the form of [`now`].
pub fn later(hours: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Some minutes before now, in the form of [`now`].
pub fn minutes_ago(minutes: i64) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Randomness of the operating system.
pub fn random(bytes: &mut [u8]) {
    if let Err(e) = getrandom::fill(bytes) {
        // A key made of anything else would be worse than no program.
        crate::cli::say(&format!("the operating system gives no randomness: {e}"));
        std::process::abort()
    }
}

/// Random letters, digits, `-` and `_`.
pub fn letters(count: usize) -> String {
    use base64::Engine as _;
    let mut bytes = vec![0; count];
    random(&mut bytes);
    let mut text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    text.truncate(count);
    text
}

impl App {
    /// Opens the database and the index under a data directory.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub async fn open(data_dir: PathBuf, place: Place, secure: bool) -> Result<App, Error> {
        App::open_with(data_dir, place, Means { secure, ..Means::default() }).await
    }

    /// As [`App::open`], with all that the operator gives.
    ///
    /// # Errors
    /// As [`App::open`].
    pub async fn open_with(data_dir: PathBuf, place: Place, means: Means) -> Result<App, Error> {
        std::fs::create_dir_all(&data_dir).map_err(|e| Error::io(data_dir.display().to_string(), e))?;
        let db = db::open(&place).await?;
        let app = App(Arc::new(Parts {
            db,
            index: RwLock::new(None),
            vault: Vault::new(&data_dir),
            data_dir,
            place,
            secure: means.secure,
            sign_ins: limit::Limiter::default(),
            large: AtomicUsize::new(LARGE_UPLOAD),
            turns: Semaphore::new(TURNS),
            streams: Arc::new(Semaphore::new(events::MOST)),
            stop: watch::Sender::new(false),
            rate: limit::Rate::default(),
            oidc: means.oidc,
            outbound: Outbound::new(means.allowed),
            site: means.site.map_or_else(OnceLock::new, OnceLock::from),
            desk: Memory::default(),
        }));
        app.load_index().await?;
        Ok(app)
    }

    /// Opens the index anew, where there is intelligence.
    ///
    /// # Errors
    /// It cannot be built or opened.
    pub async fn load_index(&self) -> Result<(), Error> {
        let (dir, place) = (self.0.data_dir.clone(), self.0.place.clone());
        let opened = tokio::task::spawn_blocking(move || match Opened::at(&dir) {
            Some(opened) => Ok(opened),
            None => Store::open_at(&dir, place)?.open_index(),
        });
        let index = opened.await.map_err(|e| Error::io("opening the index", std::io::Error::other(e)))??;
        *self.0.index.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(index));
        Ok(())
    }

    /// The index of this moment.
    pub fn index(&self) -> Option<Arc<Opened>> {
        self.0.index.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What sorting news keeps from one run to the next.
    pub fn desk(&self) -> &Memory {
        &self.0.desk
    }

    /// Folder of the data, and the database.
    pub fn home(&self) -> (&std::path::Path, &Place) {
        (&self.0.data_dir, &self.0.place)
    }

    /// Seals and opens secrets.
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// Bytes above which an upload is read by a job.
    pub fn large(&self) -> usize {
        self.0.large.load(Ordering::Relaxed)
    }

    /// Sets [`App::large`].
    pub fn set_large(&self, bytes: usize) {
        self.0.large.store(bytes, Ordering::Relaxed);
    }

    /// Waits for the turn to read a document; it is over when this is dropped.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // it is never closed
        self.0.turns.acquire().await.ok()
    }

    /// Turns true when the server stops: streams end then, and workers take no more jobs.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stop.subscribe()
    }

    /// Begins to stop.
    pub fn stop(&self) {
        self.0.stop.send_replace(true);
    }

    /// Where people reach this server; the machine itself until it is known.
    pub fn site(&self) -> &Site {
        static UNKNOWN: LazyLock<Site> = LazyLock::new(Site::default);
        self.0.site.get().unwrap_or(&UNKNOWN)
    }

    /// What somebody needs who is not known yet.
    pub fn door<'a>(&'a self, from: &'a From, now: &'a str) -> Door<'a> {
        Door { db: self.db(), vault: self.vault(), random, from, now }
    }

    /// The database.
    pub fn db(&self) -> &DatabaseConnection {
        &self.0.db
    }
}

/// All routes, without what surrounds them.
pub fn routes() -> Router<App> {
    Router::new().merge(ui::routes()).merge(api::routes()).merge(assets::routes())
}

/// All routes behind the guard.
pub fn router(app: App) -> Router {
    api::surround(routes().route_layer(middleware::from_fn_with_state(app.clone(), guard::guard)), &app)
        .fallback(problem::not_found)
        .layer(DefaultBodyLimit::max(UPLOAD_BYTES))
        .layer(RequestDecompressionLayer::new().gzip(true).zstd(true))
        .layer(middleware::from_fn(surround))
        .layer(middleware::from_fn(request::named))
        .layer(CompressionLayer::new().gzip(true))
        .with_state(app)
}

/// Headers that every reply carries: no script but ours, no frame, no sniffing, no referrer to others, and nothing
/// of a page is kept by caches.
async fn surround(request: Request<axum::body::Body>, next: Next) -> Response {
    const HEADERS: [(&str, &str); 6] = [
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; \
             connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
        ("cache-control", "no-store"),
    ];
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Waits for the interrupt key or, where there are such signals, SIGTERM.
async fn told_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}

/// Serves until the process is told to stop; `ready` is called with the address once it listens.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(app: App, listen: SocketAddr, ready: impl FnOnce(SocketAddr)) -> Result<(), Error> {
    let listener =
        tokio::net::TcpListener::bind(listen).await.map_err(|e| Error::io(listen.to_string(), e))?;
    let address = listener.local_addr().map_err(|e| Error::io(listen.to_string(), e))?;
    let _ = app.0.site.set(Site::of(address, app.0.secure)); // stays what the operator told
    ready(address);
    let service = router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            told_to_stop().await;
            app.stop();
        })
        .await
        .map_err(|e| Error::io(listen.to_string(), e))
}
