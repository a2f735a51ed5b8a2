//! Findings for people: dense tables that can be read at 100 columns.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use tocsin_model::finding::Verdict;

use super::text::{clip, plain};
use super::{Item, Scan, is_open};

/// Writes the findings, the inferred ones apart, and a summary line.
///
/// # Errors
/// The writer fails.
pub fn write(out: &mut dyn Write, scan: &Scan<'_>) -> io::Result<()> {
    rows(out, &scan.findings, scan.explain)?;
    if let Some(inferred) = scan.inferred.as_ref().filter(|i| !i.is_empty()) {
        writeln!(out, "\nInferred (the identity of the component was guessed; never gated):")?;
        rows(out, inferred, scan.explain)?;
    }
    summary(out, scan)
}

fn rows(out: &mut dyn Write, items: &[Item<'_>], explain: bool) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["SEVERITY", "VULNERABILITY", "COMPONENT", "FIXED IN", "STATUS", "MARKS"]);
    for item in items {
        table.add_row(cells(item));
    }
    writeln!(out, "{}", table.trim_fmt())?;
    if explain {
        writeln!(out)?;
        for item in items {
            evidence(out, item)?;
        }
    }
    Ok(())
}

fn cells(item: &Item<'_>) -> [String; 6] {
    let (c, f) = (item.component, item.finding);
    let v = &f.vulnerability;
    let name = match &c.version {
        Some(version) => format!("{} {version}", c.full_name()),
        None => c.full_name(),
    };
    [
        v.score.map_or_else(|| v.severity.to_owned(), |s| format!("{} {s:.1}", v.severity)),
        clip(&v.id, 20),
        clip(&name, 34),
        clip(f.fixed_versions.first().map_or("-", String::as_str), 14),
        f.status.as_str().to_owned(),
        marks(item),
    ]
}

fn marks(item: &Item<'_>) -> String {
    let v = &item.finding.vulnerability;
    let mut marks = Vec::new();
    if v.kev.is_some() {
        marks.push("KEV".to_owned());
    }
    if let Some((score, _)) = v.epss {
        marks.push(format!("{:.0}%", score * 100.0));
    }
    if v.kind == "malware" {
        marks.push("MALWARE".to_owned());
    }
    marks.join(" ")
}

fn evidence(out: &mut dyn Write, item: &Item<'_>) -> io::Result<()> {
    let f = item.finding;
    writeln!(out, "{} {}", plain(&f.vulnerability.id), plain(&item.component.full_name()))?;
    for e in &f.evidence {
        let reason = if e.reason.is_empty() { String::new() } else { format!(" ({})", plain(&e.reason)) };
        writeln!(
            out,
            "  {} {}: {} in {} -> {}{reason}",
            e.source,
            plain(&e.record),
            plain(&e.identifier),
            plain(&e.range),
            e.verdict.as_str(),
        )?;
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
        assert!(text.lines().all(|l| l.chars().count() <= 112), "{text}");
        assert!(text.contains("Inferred"));
        assert!(
            text.contains(
                "2 components, 2 open findings (0 critical, 1 high, 0 medium, 1 low; 1 conditional)"
            )
        );
    }
}
