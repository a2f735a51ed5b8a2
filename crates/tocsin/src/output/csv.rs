//! Findings as CSV (RFC 4180), safe to open in a spreadsheet.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{Item, Scan};

const HEADER: [&str; 17] = [
    "vulnerability",
    "aliases",
    "severity",
    "score",
    "kev",
    "epss",
    "component",
    "version",
    "purl",
    "cpe",
    "ref",
    "status",
    "justification",
    "confidence",
    "fixed_versions",
    "title",
    "document",
];

/// Writes one row per finding, inferred ones last (the column `confidence` tells them apart).
///
/// # Errors
/// The writer fails.
pub fn write(out: &mut dyn Write, scan: &Scan<'_>) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(HEADER).map_err(io_error)?;
    for item in scan.all() {
        csv.write_record(row(item, scan).iter().map(|cell| safe(cell).into_owned())).map_err(io_error)?;
    }
    csv.flush()
}

fn row(item: &Item<'_>, scan: &Scan<'_>) -> [String; 17] {
    let (c, f) = (item.component, item.finding);
    let v = &f.vulnerability;
    [
        v.id.clone(),
        v.aliases.join(" "),
        v.severity.to_owned(),
        v.score.map(|s| s.to_string()).unwrap_or_default(),
        v.kev.is_some().to_string(),
        v.epss.map(|(s, _)| s.to_string()).unwrap_or_default(),
        c.full_name(),
        c.version.clone().unwrap_or_default(),
        c.purl.as_ref().map(ToString::to_string).unwrap_or_default(),
        c.cpes.first().map(ToString::to_string).unwrap_or_default(),
        c.reference.clone(),
        f.status.as_str().to_owned(),
        f.justification.clone().unwrap_or_default(),
        f.confidence.as_str().to_owned(),
        f.fixed_versions.join(" "),
        v.title.clone(),
        scan.place(item).unwrap_or_default().to_owned(),
    ]
}

/// A cell a spreadsheet would take for a formula (after `=`, `+`, `-`, `@`, tab or return at its start) gets an
/// apostrophe in front, as OWASP advises against CSV injection.
fn safe(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(e) => e,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused() {
        for cell in ["=1+1", "+1", "-1", "@scope/name", "\tx", "\rx"] {
            assert_eq!(safe(cell), format!("'{cell}"));
        }
        assert_eq!(safe("a=b"), "a=b");
    }

    #[test]
    fn one_row_per_finding() {
        let data = crate::output::sample::data();
        let mut out = Vec::new();
        write(&mut out, &data.scan()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 4);
        assert!(text.contains("'@scope/web"));
    }
}
