//! Tables of `tocsin db` for people: at most 100 columns, no lines but what is told.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use tocsin_core::intel::{Counts, Hits, ImportReport, IndexStatus, Problem, RunRow, Status};

use crate::output::text::{clip, grouped, plain, size, wrap};

/// Columns of everything.
pub(super) const WIDTH: usize = 100;

/// How things are shown.
pub(super) struct Page {
    /// Colour may be used.
    pub lively: bool,
    /// The time now.
    pub now: String,
}

/// A table of at most [`WIDTH`] columns; the columns named stand to the right.
fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(WIDTH as u16).force_no_tty();
    table.set_header(header.iter().map(|h| (*h).to_owned()));
    for n in right {
        if let Some(column) = table.column_mut(*n) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

impl Page {
    /// A heading.
    pub(super) fn heading(&self, text: &str) -> String {
        if self.lively { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A word that warns.
    pub(super) fn warning(&self, text: &str) -> String {
        if self.lively { format!("\u{1b}[31m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn put(&self, out: &mut dyn Write, table: &Table) -> io::Result<()> {
        for (n, line) in table.trim_fmt().lines().enumerate() {
            // The cells have a space before them, the first one too.
            let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
            if n == 0 { writeln!(out, "{}", self.heading(line))? } else { writeln!(out, "{line}")? }
        }
        Ok(())
    }

    /// A moment without its seconds and fractions.
    fn moment(text: &str) -> String {
        plain(text.get(..16).unwrap_or(text)).replace('T', " ")
    }

    /// How long ago, in words.
    pub(super) fn age(&self, seconds: u64) -> String {
        let now = self.now.parse::<jiff::Timestamp>().map_or(0, |t| t.as_second());
        let ago = u64::try_from(now).unwrap_or(0).saturating_sub(seconds);
        match ago {
            0..60 => "just now".to_owned(),
            60..3600 => format!("{} min ago", ago / 60),
            3600..172_800 => format!("{} h ago", ago / 3600),
            _ => format!("{} days ago", ago / 86_400),
        }
    }

    fn counts<'a>(&self, sources: impl Iterator<Item = (&'a String, &'a Counts)>) -> Table {
        let header = ["SOURCE", "READ", "NEW", "CHANGED", "UNCHANGED", "OLDER", "REFUSED"];
        let mut table = table(&header, &[1, 2, 3, 4, 5, 6]);
        for (source, c) in sources {
            let mut row = vec![plain(source)];
            row.extend([c.read, c.new, c.changed, c.unchanged, c.older, c.refused].map(grouped));
            table.add_row(row);
        }
        table
    }

    /// What an import did.
    pub(super) fn report(&self, out: &mut dyn Write, r: &ImportReport) -> io::Result<()> {
        if !r.sources.is_empty() {
            self.put(out, &self.counts(r.sources.iter()))?;
            writeln!(out)?;
        }
        let files = if r.files == 1 { "file" } else { "files" };
        let (read, skipped, problems) = (grouped(r.files), grouped(r.skipped), grouped(r.problems));
        writeln!(out, "{read} {files} read, {skipped} of no known format passed over, {problems} problems")?;
        if r.interrupted {
            writeln!(out, "broken off; give the same command again to go on")?;
        }
        Ok(())
    }

    /// Numbers of the store.
    pub(super) fn status(&self, out: &mut dyn Write, s: &Status) -> io::Result<()> {
        if s.sources.is_empty() && s.imports.is_empty() {
            return writeln!(out, "Nothing was imported yet: tocsin db import PATH…");
        }
        let mut sources = table(&["SOURCE", "RECORDS", "NEWEST", "IMPORTED", "PROBLEMS"], &[1, 4]);
        for source in &s.sources {
            sources.add_row([
                plain(&source.source),
                grouped(source.records),
                source.newest.as_deref().map_or("-".to_owned(), Page::moment),
                source.imported.as_deref().map_or("-".to_owned(), Page::moment),
                grouped(source.problems),
            ]);
        }
        self.put(out, &sources)?;
        writeln!(out, "\n{}", self.heading("CATALOGUES"))?;
        let newest = |date: &Option<String>| {
            date.as_deref().map_or(String::new(), |d| format!(", newest {}", clip(d, 10).replace('…', "")))
        };
        let day = |date: &Option<String>| date.as_deref().map(|d| d.chars().take(10).collect::<String>());
        let rows = [
            ("EPSS scores", s.epss.0, newest(&day(&s.epss.1))),
            ("known exploited (KEV)", s.kev.0, newest(&day(&s.kev.1))),
            ("public exploits", s.exploits, String::new()),
            ("weaknesses (CWE)", s.cwes, String::new()),
            ("VEX statements", s.vex, String::new()),
        ];
        for (what, n, more) in rows {
            writeln!(out, "{what:<22} {:>11}{more}", grouped(n))?;
        }
        writeln!(out)?;
        self.index(out, &s.index)?;
        let database =
            if s.database_bytes == 0 { String::new() } else { format!(", {}", size(s.database_bytes)) };
        writeln!(
            out,
            "{} {} vulnerabilities{database}",
            self.heading("DATABASE"),
            grouped(s.vulnerabilities)
        )?;
        let see = if s.problems > 0 { "; see `tocsin db problems`" } else { "" };
        writeln!(out, "{} {} kept{see}", self.heading("PROBLEMS"), grouped(s.problems))?;
        let see = if s.remarks > 0 { "; see `tocsin db problems --remarks`" } else { "" };
        writeln!(out, "{} {} on records{see}", self.heading("REMARKS"), grouped(s.remarks))?;
        if !s.imports.is_empty() {
            writeln!(out, "\n{}", self.heading("LAST IMPORTS"))?;
            for run in &s.imports {
                self.run(out, run)?;
            }
        }
        Ok(())
    }

    fn run(&self, out: &mut dyn Write, r: &RunRow) -> io::Result<()> {
        let sum = |f: fn(&Counts) -> u64| r.sources.values().map(f).sum::<u64>();
        let outcome =
            if r.outcome == "complete" { r.outcome.clone() } else { self.warning(&plain(&r.outcome)) };
        let (read, new, changed) =
            (grouped(sum(|c| c.read)), grouped(sum(|c| c.new)), grouped(sum(|c| c.changed)));
        let refused = grouped(sum(|c| c.refused));
        writeln!(
            out,
            "{}  {outcome}: {read} read, {new} new, {changed} changed, {refused} refused",
            Page::moment(&r.started),
        )?;
        write!(out, "{}", wrap(&clip(&r.paths.join(" "), 400), "    ", WIDTH))
    }

    /// The state of the index.
    pub(super) fn index(&self, out: &mut dyn Write, i: &IndexStatus) -> io::Result<()> {
        let heading = self.heading("INDEX");
        if !i.usable {
            let what = self.warning("missing or damaged");
            return writeln!(out, "{heading} {what}; it is built by the next scan, or by `tocsin db index`");
        }
        let segments = if i.segments == 1 { "segment" } else { "segments" };
        writeln!(
            out,
            "{heading} {} vulnerabilities, {}, {} {segments}, written {}",
            grouped(i.vulnerabilities),
            size(i.bytes),
            i.segments,
            i.written.map_or("-".to_owned(), |w| self.age(w)),
        )?;
        if i.behind > 0 {
            let what = self.warning(&format!("{} changes are not in the index yet", grouped(i.behind)));
            writeln!(out, "      {what}; `tocsin db index` or the next import puts them in")?;
        }
        Ok(())
    }

    /// A page of a search.
    pub(super) fn hits(&self, out: &mut dyn Write, h: &Hits) -> io::Result<()> {
        if h.hits.is_empty() {
            return writeln!(out, "Nothing was found.");
        }
        let mut table = table(&["VULNERABILITY", "PACKAGES", "TITLE"], &[]);
        for hit in &h.hits {
            table.add_row([clip(&hit.id, 24), clip(&hit.packages, 28), clip(&hit.title, 140)]);
        }
        self.put(out, &table)?;
        self.next(out, h.next)
    }

    fn next(&self, out: &mut dyn Write, next: Option<i64>) -> io::Result<()> {
        match next {
            Some(next) => writeln!(out, "\nMore: --after {next}"),
            None => Ok(()),
        }
    }

    /// A page of problems.
    pub(super) fn problems(
        &self,
        out: &mut dyn Write,
        list: &[Problem],
        next: Option<i64>,
    ) -> io::Result<()> {
        if list.is_empty() {
            return writeln!(out, "No problems.");
        }
        for p in list {
            let source = if p.source.is_empty() { String::new() } else { format!("  {}", plain(&p.source)) };
            let number = self.heading(&p.id.to_string());
            writeln!(out, "{number}  {}{source}  first met {}", plain(&p.code), Page::moment(&p.seen))?;
            write!(out, "{}", wrap(&p.place, "    ", WIDTH))?;
            write!(out, "{}", wrap(&clip(&p.message, 400), "    ", WIDTH))?;
        }
        self.next(out, next)
    }
}
