//! Errors of the crate: few kinds, each saying what was being done.

use std::io::ErrorKind;

use sea_orm::{DbErr, RuntimeErr, sqlx};
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
    /// An upload moves far more of a release than usual, and was not confirmed.
    #[error("the upload is unusual: {}", .0.reasons.join("; "))]
    Unusual(Box<crate::inventory::Unusual>),
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

impl Error {
    /// Whether the disk is full, or cannot be written for another reason of its own.
    pub fn is_full(&self) -> bool {
        let Error::Unavailable { cause, .. } = self else { return false };
        if let Some(e) = cause.downcast_ref::<std::io::Error>() {
            return matches!(
                e.kind(),
                ErrorKind::StorageFull | ErrorKind::FileTooLarge | ErrorKind::QuotaExceeded
            );
        }
        let e: Option<&sqlx::Error> = match cause.downcast_ref::<DbErr>() {
            Some(
                DbErr::Conn(RuntimeErr::SqlxError(e))
                | DbErr::Exec(RuntimeErr::SqlxError(e))
                | DbErr::Query(RuntimeErr::SqlxError(e)),
            ) => Some(e),
            _ => cause.downcast_ref::<sqlx::Error>(),
        };
        let Some(e) = e.and_then(sqlx::Error::as_database_error) else { return false };
        // PostgreSQL: class 53100, disk_full. SQLite: FULL (13), IOERR (10) with what it adds in higher bits.
        let code = e.code().unwrap_or_default();
        let sqlite = |n: i64| matches!(n & 0xff, 10 | 13);
        code == "53100" || (code.len() < 5 && code.parse().is_ok_and(sqlite))
    }
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
