//! What the commands share in showing results: tables of at most 100 columns, or one JSON object on one line.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::error::Error;
use crate::output::text::plain;

/// Columns of everything.
const WIDTH: u16 = 100;

/// Writes a table; the columns named stand to the right.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn table(
    out: &mut dyn Write,
    header: &[&str],
    right: &[usize],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Result<(), Error> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(WIDTH).force_no_tty();
    table.set_header(header.iter().map(|h| (*h).to_owned()));
    for n in right {
        if let Some(column) = table.column_mut(*n) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)).collect::<Vec<_>>());
    }
    for line in table.trim_fmt().lines() {
        // the cells have a space before them, the first one too
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        writeln!(out, "{line}").map_err(stdout)?;
    }
    Ok(())
}

/// Writes names and what they stand for, one a line; what is empty is left out.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn list(out: &mut dyn Write, rows: &[(&str, String)]) -> Result<(), Error> {
    let rows: Vec<_> = rows.iter().filter(|r| !r.1.is_empty()).collect();
    let width = rows.iter().map(|r| r.0.chars().count()).max().unwrap_or(0);
    for (name, value) in rows {
        writeln!(out, "{name:<width$}  {}", plain(value)).map_err(stdout)?;
    }
    Ok(())
}

/// Writes one JSON object on one line.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn json(out: &mut dyn Write, schema: &str, value: impl serde::Serialize) -> Result<(), Error> {
    let mut object = serde_json::Map::new();
    object.insert("schema".to_owned(), schema.into());
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(fields)) => object.extend(fields),
        Ok(other) => drop(object.insert("value".to_owned(), other)),
        Err(e) => return Err(stdout(e.into())),
    }
    writeln!(out, "{}", serde_json::Value::Object(object)).map_err(stdout)
}

fn stdout(e: io::Error) -> Error {
    Error::io("stdout", e)
}
