//! Findings for people: dense tables that can be read at 100 columns.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use tocsin_model::finding::Verdict;

use super::text::{clip, plain, wrap};
use super::{Item, Scan, is_open};

/// Writes the findings, the inferred ones apart, and a summary line.
///
/// # Errors
/// The writer fails.
pub fn write(out: &mut dyn Write, scan: &Scan<'_>) -> io::Result<()> {
    rows(out, &scan.findings, scan)?;
    if let Some(inferred) = scan.inferred.as_ref().filter(|i| !i.is_empty()) {
        writeln!(out, "\nInferred (the identity of the component was guessed; never gated):")?;
        rows(out, inferred, scan)?;
    }
    documents(out, scan)?;
    summary(out, scan)
}

fn rows(out: &mut dyn Write, items: &[Item<'_>], scan: &Scan<'_>) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let several = scan.documents.len() > 1;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let header = ["SEVERITY", "VULNERABILITY", "COMPONENT", "FIXED IN", "STATUS", "MARKS", "IN"];
    table.set_header(header.iter().take(if several { 7 } else { 6 }));
    for item in items {
        let mut row = cells(item, several).to_vec();
        if several {
            row.push(number(item.document));
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    writeln!(out, "{}", table.trim_fmt())?;
    if scan.explain {
        writeln!(out)?;
        for item in items {
            evidence(out, item)?;
        }
    }
    Ok(())
}

/// The number under which a document is listed below the tables.
fn number(document: usize) -> String {
    format!("[{}]", document + 1)
}

/// Which documents the numbers mean, where there are several.
fn documents(out: &mut dyn Write, scan: &Scan<'_>) -> io::Result<()> {
    if scan.documents.len() < 2 {
        return Ok(());
    }
    let mut named: Vec<usize> = scan.all().map(|i| i.document).collect();
    named.sort_unstable();
    named.dedup();
    for document in &named {
        let place = scan.places.get(*document).map_or("", String::as_str);
        writeln!(out, "{} {}", number(*document), plain(place))?;
    }
    if named.is_empty() { Ok(()) } else { writeln!(out) }
}

fn cells(item: &Item<'_>, several: bool) -> [String; 6] {
    let (c, f) = (item.component, item.finding);
    let v = &f.vulnerability;
    let name = match &c.version {
        Some(version) => format!("{} {version}", c.full_name()),
        None => c.full_name(),
    };
    // Malware has no score, and counts as critical.
    let severity = if v.kind == "malware" { "malware" } else { v.severity };
    [
        v.score.map_or_else(|| severity.to_owned(), |s| format!("{severity} {s:.1}")),
        clip(&v.id, 19),
        clip(&name, if several { 21 } else { 26 }),
        clip(f.fixed_versions.first().map_or("-", String::as_str), 12),
        f.status.as_str().to_owned(),
        marks(item),
    ]
}

fn marks(item: &Item<'_>) -> String {
    let v = &item.finding.vulnerability;
    let kev = v.kev.is_some().then(|| "KEV".to_owned());
    let epss = v.epss.map(|(score, _)| format!("{:.0}%", score * 100.0));
    kev.into_iter().chain(epss).collect::<Vec<_>>().join(" ")
}

fn evidence(out: &mut dyn Write, item: &Item<'_>) -> io::Result<()> {
    let f = item.finding;
    writeln!(out, "{} {}", plain(&f.vulnerability.id), plain(&item.component.full_name()))?;
    for e in &f.evidence {
        let reason = if e.reason.is_empty() { String::new() } else { format!(" ({})", e.reason) };
        let word = format!(
            "{} {}: {} in {} -> {}{reason}",
            e.source,
            e.record,
            e.identifier,
            e.range,
            e.verdict.as_str(),
        );
        write!(out, "{}", wrap(&word, "  ", 98))?;
    }
    Ok(())
}

fn summary(out: &mut dyn Write, scan: &Scan<'_>) -> io::Result<()> {
    let count = |word: &str| {
        scan.findings
            .iter()
            .filter(|i| is_open(i.finding) && i.finding.vulnerability.severity == word)
            .count()
    };
    let open = scan.findings.iter().filter(|i| is_open(i.finding)).count();
    let conditional = scan.findings.iter().filter(|i| i.finding.status == Verdict::Conditional).count();
    writeln!(
        out,
        "{} components, {open} open findings ({} critical, {} high, {} medium, {} low; {conditional} conditional)",
        scan.components(),
        count("critical"),
        count("high"),
        count("medium"),
        count("low"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_a_hundred_columns_and_tells_the_inferred_apart() {
        let data = crate::output::sample::data();
        let mut out = Vec::new();
        write(&mut out, &data.scan()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
        assert!(text.contains("Inferred"));
        assert!(
            text.contains(
                "2 components, 2 open findings (0 critical, 1 high, 0 medium, 1 low; 1 conditional)"
            )
        );
    }
}
