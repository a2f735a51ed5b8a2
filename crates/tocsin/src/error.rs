//! One map from what can go wrong to the exit code of the program.

use std::io;
use std::process::ExitCode;

use tocsin_model::diagnostic::Diagnostic;

/// The command did what was asked.
pub const EXIT_OK: u8 = 0;
/// A gate the user set (`--fail-on`) did not hold.
pub const EXIT_GATE: u8 = 1;
/// Wrong use, unreadable input, or a store that cannot be used.
pub const EXIT_FAULT: u8 = 2;

/// Why a command could not give its result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input could not be used; each diagnostic says what and where.
    #[error("{}", list(.0))]
    Input(Vec<Diagnostic>),
    /// The command line contradicts itself or names something that is not there.
    #[error("{0}")]
    Usage(String),
    /// A file or the terminal could not be written or read.
    #[error("{path}: {source}")]
    Io {
        /// What was being read or written.
        path: String,
        /// The system's word on it.
        source: io::Error,
    },
    /// The matching index cannot be used.
    #[error(transparent)]
    Index(#[from] tocsin_engine::index::IndexError),
    /// The intelligence store cannot be used.
    #[error("intelligence store: {0}")]
    Store(#[from] tocsin_core::error::Error),
}

impl Error {
    /// An I/O error at a named place.
    pub fn io(path: impl Into<String>, source: io::Error) -> Self {
        Error::Io { path: path.into(), source }
    }

    /// Whether the reader of stdout went away, which is no fault (`tocsin … | head`).
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code of the program.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.is_broken_pipe() { EXIT_OK } else { EXIT_FAULT })
    }
}

fn list(diagnostics: &[Diagnostic]) -> String {
    if diagnostics.is_empty() {
        return "the input could not be read".to_owned();
    }
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
