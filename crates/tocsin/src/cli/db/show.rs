//! `tocsin db show` for people: what is known of one vulnerability, then every source's own words.

use std::io::{self, Write};

use tocsin_core::intel::{Shown, ShownRecord};
use tocsin_model::record::{CatalogueEntry, Fact, RecordKind, RecordState};

use super::json::{cwes, kind, state};
use super::tables::{Page, WIDTH};
use crate::output::said::{affected, matched};
use crate::output::text::{clip, grouped, plain, wrap};

/// Lines of a description, and items of a list, that are shown; the whole is in the JSON and the raw record.
const LINES: usize = 16;
const ITEMS: usize = 12;

/// Writes everything known of a vulnerability.
pub(super) fn write(out: &mut dyn Write, page: &Page, s: &Shown, known: &[CatalogueEntry]) -> io::Result<()> {
    let title = s.records.iter().map(|r| r.record.title.as_str()).find(|t| !t.is_empty()).unwrap_or("");
    writeln!(out, "{}", page.heading(&plain(&s.id)))?;
    write!(out, "{}", wrap(title, "", WIDTH))?;
    writeln!(out)?;
    if !s.aliases.is_empty() {
        field(out, "Aliases", &s.aliases.join(", "))?;
    }
    states(out, page, s)?;
    for r in &s.records {
        for score in &r.record.scores {
            let c = &score.cvss;
            let text = format!("{} {:.1}  {}  ({})", c.severity(), c.score, c.vector, score.by);
            field(out, "Severity", &text)?;
        }
    }
    facts(out, page, s)?;
    for id in cwes(s) {
        field(out, "Weakness", &named(id, known))?;
    }
    for (r, m) in s.records.iter().flat_map(|r| r.record.remediations.iter().map(move |m| (r, m))).take(ITEMS)
    {
        let of = if m.products.is_empty() {
            String::new()
        } else {
            format!(" [{}]", clip(&m.products.join(", "), 120))
        };
        field(out, "Remedy", &format!("{} ({}): {}{of}", m.category, r.record_id, clip(&m.details, 300)))?;
    }
    for (how, id, main) in s.see_also.iter().take(ITEMS) {
        let known = match main {
            Some(main) if main != id => format!(" (as {main})"),
            Some(_) => String::new(),
            None => " (not in the store)".to_owned(),
        };
        field(out, "See also", &format!("{id}{known}, {how}"))?;
    }
    more(out, "See also", s.see_also.len())?;
    for v in s.vex.iter().take(ITEMS) {
        let why = v.justification.as_deref().map_or(String::new(), |j| format!(" ({j})"));
        let who = v.author.as_deref().or(v.document.as_deref()).unwrap_or("unknown author");
        let of: Vec<&str> =
            v.products.iter().flat_map(|p| p.identifiers.first()).map(String::as_str).collect();
        field(out, "VEX", &format!("{}{why} by {who}: {}", v.status.as_str(), of.join(", ")))?;
    }
    more(out, "VEX", s.vex.len())?;
    for p in &s.problems {
        field(out, "Problem", &format!("{}: {} ({})", p.place, p.message, p.code))?;
    }
    for r in &s.records {
        writeln!(out)?;
        record(out, page, r)?;
    }
    Ok(())
}

/// An id with the name the catalogue has for it.
fn named(id: &str, known: &[CatalogueEntry]) -> String {
    let entry = known.iter().find(|k| k.id.eq_ignore_ascii_case(id));
    entry.map_or_else(|| id.to_owned(), |k| format!("{id} {}", k.name))
}

/// Writes an entry of the catalogue of weaknesses or attack patterns.
pub(super) fn weakness(
    out: &mut dyn Write,
    page: &Page,
    e: &CatalogueEntry,
    parents: &[CatalogueEntry],
    needs: &[CatalogueEntry],
) -> io::Result<()> {
    writeln!(out, "{}", page.heading(&plain(&e.id)))?;
    write!(out, "{}", wrap(&e.name, "", WIDTH))?;
    writeln!(out)?;
    for (name, text) in [
        ("Kind", &e.abstraction),
        ("Status", &e.status),
        ("Mapping", &e.usage),
        ("Release", &e.release),
        ("Date", &e.date),
    ] {
        if !text.is_empty() {
            field(out, name, text)?;
        }
    }
    for id in &e.parents {
        field(out, "Child of", &named(id, parents))?;
    }
    for id in &e.weaknesses {
        field(out, "Needs", &named(id, needs))?;
    }
    Ok(())
}

/// A line `name  text`, wrapped under itself.
fn field(out: &mut dyn Write, name: &str, text: &str) -> io::Result<()> {
    const INDENT: &str = "           ";
    let wrapped = wrap(text, INDENT, WIDTH);
    let rest = wrapped.strip_prefix(INDENT).unwrap_or(&wrapped);
    write!(out, "{name:<width$}{rest}", width = INDENT.len())
}

fn more(out: &mut dyn Write, name: &str, all: usize) -> io::Result<()> {
    if all > ITEMS { field(out, name, &format!("… and {} more", all - ITEMS)) } else { Ok(()) }
}

/// What is not plainly a published vulnerability is told first.
fn states(out: &mut dyn Write, page: &Page, s: &Shown) -> io::Result<()> {
    for r in &s.records {
        if r.record.state != RecordState::Published {
            let word = page.warning(&state(r.record.state).to_uppercase());
            writeln!(out, "State      {word} by {} ({})", plain(&r.source), plain(&r.record_id))?;
        }
        if r.record.kind != RecordKind::Vulnerability {
            field(out, "Kind", &format!("{} ({})", kind(r.record.kind), r.source))?;
        }
    }
    Ok(())
}

fn facts(out: &mut dyn Write, page: &Page, s: &Shown) -> io::Result<()> {
    let mut exploits = 0;
    for fact in &s.facts {
        match fact {
            Fact::Kev { date_added, due_date, ransomware, .. } => {
                let due = due_date.as_deref().map_or(String::new(), |d| format!(", due {d}"));
                let ransom = if *ransomware { ", used by ransomware" } else { "" };
                let word = page.warning("known exploited");
                writeln!(out, "KEV        {word}: added {}{}{ransom}", plain(date_added), plain(&due))?;
            }
            Fact::Epss { score, percentile, date, .. } => {
                let before = s.epss_history.iter().rev().nth(1);
                let was =
                    before.map_or(String::new(), |(d, s, _)| format!("; was {:.1} % on {d}", s * 100.0));
                let (score, rank) = (score * 100.0, percentile * 100.0);
                let text = format!("{score:.1} % in 30 days, higher than {rank:.1} % of all, on {date}{was}");
                field(out, "EPSS", &text)?;
            }
            Fact::Exploit { origin, id, title, date, .. } => {
                exploits += 1;
                if exploits <= ITEMS {
                    let date = date.as_deref().map_or(String::new(), |d| format!(" ({d})"));
                    let title = if title.is_empty() { String::new() } else { format!(": {title}") };
                    field(out, "Exploit", &format!("{origin} {id}{title}{date}"))?;
                }
            }
            Fact::Catalogue(_) => {}
        }
    }
    more(out, "Exploit", exploits)
}

fn record(out: &mut dyn Write, page: &Page, r: &ShownRecord) -> io::Result<()> {
    let d = &r.record;
    writeln!(out, "{}", page.heading(&format!("{} {}", plain(&r.source), plain(&r.record_id))))?;
    let day = |t: &Option<String>| t.as_deref().map_or("-".to_owned(), |t| t.chars().take(10).collect());
    let seen = r.first_seen.get(..10).unwrap_or(&r.first_seen);
    let text = format!("published {}, modified {}, here since {seen}", day(&d.published), day(&d.modified));
    write!(out, "{}", wrap(&text, "  ", WIDTH))?;
    for (until, modified) in &r.history {
        let until = until.get(..10).unwrap_or(until);
        write!(
            out,
            "{}",
            wrap(&format!("changed {until}; before: modified {}", day(modified)), "  ", WIDTH)
        )?;
    }
    if !d.title.is_empty() {
        write!(out, "{}", wrap(&d.title, "  ", WIDTH))?;
    }
    let description = wrap(&d.description, "  ", WIDTH);
    let lines: Vec<&str> = description.lines().collect();
    for line in lines.iter().take(LINES) {
        writeln!(out, "{line}")?;
    }
    if lines.len() > LINES {
        let rest = lines.len() - LINES;
        writeln!(out, "  … {rest} more lines: tocsin db raw {} {}", plain(&r.source), plain(&r.record_id))?;
    }
    if let Some(word) = &d.severity_word {
        write!(out, "{}", wrap(&format!("severity: {word}"), "  ", WIDTH))?;
    }
    let ssvc: Vec<String> = d.ssvc.iter().map(|(k, v)| format!("{k}: {v}")).collect();
    if !ssvc.is_empty() {
        write!(out, "{}", wrap(&format!("SSVC {}", ssvc.join(", ")), "  ", WIDTH))?;
    }
    let mut lines: Vec<String> = d.affected.iter().map(affected).collect();
    for c in &d.configurations {
        let and = c.and && c.nodes.len() > 1;
        lines.extend(c.nodes.iter().flat_map(|n| &n.matches).map(|m| matched(m, and)));
    }
    for line in lines.iter().take(ITEMS) {
        write!(out, "{}", wrap(line, "  ", WIDTH))?;
    }
    if lines.len() > ITEMS {
        writeln!(
            out,
            "  … {} more statements of versions (--format json)",
            grouped((lines.len() - ITEMS) as u64)
        )?;
    }
    Ok(())
}
