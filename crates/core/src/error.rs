//! Errors of the crate: few kinds, each saying what was being done.

use tocsin_model::diagnostic::Diagnostic;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing asked for does not exist.
    #[error("{0} was not found")]
    NotFound(String),
    /// The input cannot be used.
    #[error("{doing}: {diagnostic}")]
    Invalid {
        /// What was being done.
        doing: String,
        /// Why it failed.
        diagnostic: Diagnostic,
    },
    /// The actor may not do this; the text names the permission.
    #[error("not allowed: {0}")]
    Denied(String),
    /// A field of what was sent does not do.
    #[error("{field}: {message}")]
    Rejected {
        /// The field.
        field: String,
        /// What is wanted.
        message: String,
    },
    /// A document cannot be used; the diagnostics say why.
    #[error("the document cannot be used: {}", .0.first().map_or(String::new(), ToString::to_string))]
    Refused(Vec<Diagnostic>),
    /// Another process holds what is needed.
    #[error("{0}")]
    Conflict(String),
    /// The disk, the database file or another means did not answer.
    #[error("{doing}: {cause}")]
    Unavailable {
        /// What was being done.
        doing: String,
        /// Why it failed.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A fault of the program or a broken database.
    #[error("{doing}: {cause} (internal error)")]
    Internal {
        /// What was being done.
        doing: String,
        /// Why it failed.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Puts what was being done to an error of another crate.
pub(crate) trait Doing<T> {
    /// The error becomes [`Error::Unavailable`] (I/O, a busy or full database) or [`Error::Internal`].
    fn doing(self, what: &str) -> Result<T>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|e| Error::Unavailable { doing: what.to_owned(), cause: Box::new(e) })
    }
}

impl<T> Doing<T> for std::result::Result<T, sea_orm::DbErr> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|e| Error::Unavailable { doing: what.to_owned(), cause: Box::new(e) })
    }
}

impl<T> Doing<T> for std::result::Result<T, sea_orm::sqlx::Error> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|e| Error::Unavailable { doing: what.to_owned(), cause: Box::new(e) })
    }
}
