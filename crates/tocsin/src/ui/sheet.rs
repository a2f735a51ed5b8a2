//! Tables as CSV files, out and in.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use tocsin_core::Error;

/// A CSV file in the making.
pub struct Sheet(csv::Writer<Vec<u8>>);

fn bad(e: csv::Error) -> Error {
    Error::Internal { doing: "writing CSV".to_owned(), cause: Box::new(e) }
}

impl Sheet {
    /// A file with its header.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(head: &[&str]) -> Result<Sheet, Error> {
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(head).map_err(bad)?;
        Ok(Sheet(out))
    }

    /// Adds a row. Texts from outside go through [`cell`].
    ///
    /// # Errors
    /// It cannot be written, or has another number of cells than the header.
    pub fn row(&mut self, row: &[String]) -> Result<(), Error> {
        self.0.write_record(row).map_err(bad)
    }

    /// The file as a download, `NAME.csv`.
    pub fn file(self, name: &str) -> Response {
        let bytes = self.0.into_inner().unwrap_or_default();
        let headers = [
            (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")),
        ];
        (headers, bytes).into_response()
    }
}

/// A text that a spreadsheet does not take for a formula.
pub fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
