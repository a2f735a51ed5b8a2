//! `tocsin serve`: state, routes and what surrounds every request.

mod assets;
mod caller;
mod limit;
mod problem;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use sea_orm::DatabaseConnection;
use tocsin_core::intel::{Opened, Store};
use tocsin_core::platform::db::{self, Place};
use tower_http::compression::CompressionLayer;

pub use caller::{Browser, COOKIE_NAME, Client, Origin, key};
pub use problem::{ApiError, PageError};

use crate::error::Error;
use crate::{api, ui};

/// Largest upload taken.
pub const UPLOAD_BYTES: usize = 256 << 20;

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
    /// Cookies are sent over TLS alone.
    pub secure: bool,
    /// Tries to sign in.
    pub sign_ins: limit::Limiter,
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

/// Randomness of the operating system.
pub fn random(bytes: &mut [u8]) {
    if let Err(e) = getrandom::fill(bytes) {
        // A key made of anything else would be worse than no program.
        crate::cli::say(&format!("the operating system gives no randomness: {e}"));
        std::process::abort()
    }
}

impl App {
    /// Opens the database and the index under a data directory.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub async fn open(data_dir: PathBuf, place: Place, secure: bool) -> Result<App, Error> {
        std::fs::create_dir_all(&data_dir).map_err(|e| Error::io(data_dir.display().to_string(), e))?;
        let db = db::open(&place).await?;
        let app = App(Arc::new(Parts {
            db,
            index: RwLock::new(None),
            data_dir,
            place,
            secure,
            sign_ins: limit::Limiter::default(),
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
        let opened = tokio::task::spawn_blocking(move || Store::open_at(&dir, place)?.open_index());
        let index = opened.await.map_err(|e| Error::io("opening the index", std::io::Error::other(e)))??;
        *self.0.index.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(index));
        Ok(())
    }

    /// The index of this moment.
    pub fn index(&self) -> Option<Arc<Opened>> {
        self.0.index.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The database.
    pub fn db(&self) -> &DatabaseConnection {
        &self.0.db
    }
}

/// All routes.
pub fn router(app: App) -> Router {
    Router::new()
        .merge(ui::routes())
        .merge(api::routes())
        .merge(assets::routes())
        .fallback(problem::not_found)
        .layer(DefaultBodyLimit::max(UPLOAD_BYTES))
        .layer(middleware::from_fn(surround))
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

/// Serves until the process is told to stop; `ready` is called with the address once it listens.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(app: App, listen: SocketAddr, ready: impl FnOnce(SocketAddr)) -> Result<(), Error> {
    let listener =
        tokio::net::TcpListener::bind(listen).await.map_err(|e| Error::io(listen.to_string(), e))?;
    ready(listener.local_addr().map_err(|e| Error::io(listen.to_string(), e))?);
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await
        .map_err(|e| Error::io(listen.to_string(), e))
}
