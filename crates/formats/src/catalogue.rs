//! The catalogues of weaknesses (CWE) and attack patterns (CAPEC) in their published forms: XML of a release,
//! CSV of a view, CAPEC as STIX 2.1, and tab-separated lists of id, status and name.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

use quick_xml::events::{BytesStart, Event};
use serde_json::Value;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::record::{CatalogueEntry, Fact};

use crate::exploitation::Sink;
use crate::input::unpack_error;
use crate::intel::Item;

/// A form of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `Weakness_Catalog` or `Attack_Pattern_Catalog`, XML.
    Xml,
    /// A view as CSV, with a header line.
    Csv,
    /// Lines of id, status, name and more, separated by tabs, without a header.
    List,
}

/// The words of the catalogues for the state of an entry (CWE schema 7, `StatusEnumeration`).
const STATUS: &[&str] = &["Deprecated", "Draft", "Incomplete", "Obsolete", "Stable", "Usable"];

/// Most entries that one is related to; looking for repeated ones compares each with each.
const MOST_RELATED: usize = 1000;

/// The form of an input that begins with `head`, or none of these.
pub fn recognise(head: &[u8]) -> Option<Format> {
    let text = String::from_utf8_lossy(head.get(..head.len().min(8192)).unwrap_or(head));
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('<') {
        let catalogue = text.contains("<Weakness_Catalog") || text.contains("<Attack_Pattern_Catalog");
        return catalogue.then_some(Format::Xml);
    }
    let first = text.lines().next()?;
    if first.starts_with("CWE-ID,Name,") || first.trim_start_matches('\'').starts_with("ID,Name,Abstraction,")
    {
        return Some(Format::Csv);
    }
    let mut cells = first.split('\t');
    let number = cells.next().is_some_and(is_number);
    (number && cells.next().is_some_and(|s| STATUS.contains(&s)) && cells.next().is_some())
        .then_some(Format::List)
}

/// Reads an input recognised as `format`. `place` names it in problems; only the last part of it tells the
/// release of the forms that do not name theirs (`cwe_4.20_2026-04-30.csv`).
///
/// # Errors
/// The input could not be read further; what came before was handed on.
pub fn read(
    format: Format,
    input: &mut dyn Read,
    place: &str,
    sink: &mut Sink<'_>,
) -> Result<(), Diagnostic> {
    let input = BufReader::with_capacity(1 << 16, input);
    match format {
        Format::Xml => xml(input, place, sink),
        Format::Csv => csv(input, place, sink),
        Format::List => list(input, place, sink),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Release and day in a file's name: the first word of digits and dots, the first word that is a date.
fn release_of(place: &str) -> (String, String) {
    let name = place.rsplit(['/', '\\', '!']).next().unwrap_or(place);
    let mut found = (String::new(), String::new());
    for word in name.split(|c: char| !c.is_ascii_digit() && c != '.' && c != '-') {
        let word = word.trim_matches(['.', '-']);
        let date = word.len() == 10 && word.bytes().filter(|b| *b == b'-').count() == 2;
        if date && found.1.is_empty() {
            word.clone_into(&mut found.1);
        } else if found.0.is_empty() && word.contains('.') && word.split('.').all(is_number) {
            word.clone_into(&mut found.0);
        }
    }
    found
}

fn unreadable(place: &str, e: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::new("input-unreadable", place, e.to_string())
}

fn problem(place: String, text: &str) -> Item {
    let message = format!("no number or no name of a catalogue entry: {}", excerpt(text));
    Item::Problem(Diagnostic::new("record-invalid", place, message), text.bytes().take(64 << 10).collect())
}

fn list(mut input: impl BufRead, place: &str, sink: &mut Sink<'_>) -> Result<(), Diagnostic> {
    const LONGEST: u64 = 1 << 16;
    let (release, date) = release_of(place);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read =
            (&mut input).take(LONGEST).read_until(b'\n', &mut line).map_err(|e| unreadable(place, &e))?;
        if read == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        if text.trim().is_empty() {
            continue;
        }
        let cells: Vec<&str> = text.trim_end_matches(['\r', '\n']).split('\t').map(str::trim).collect();
        let cell = |n: usize| cells.get(n).copied().unwrap_or_default();
        let item = if is_number(cell(0)) && STATUS.contains(&cell(1)) && !cell(2).is_empty() {
            Item::Fact(Fact::Catalogue(Box::new(CatalogueEntry {
                id: format!("CWE-{}", cell(0)),
                name: cell(2).to_owned(),
                status: cell(1).to_owned(),
                usage: cell(4).to_owned(),
                release: release.clone(),
                date: date.clone(),
                ..CatalogueEntry::default()
            })))
        } else {
            problem(format!("{place} line {number}"), &text)
        };
        if sink(item).is_break() {
            break;
        }
    }
    Ok(())
}

fn csv(input: impl BufRead, place: &str, sink: &mut Sink<'_>) -> Result<(), Diagnostic> {
    let (release, date) = release_of(place);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let mut row = csv::ByteRecord::new();
    let bad = |e: csv::Error| unpack_error(place, &io::Error::from(e));
    reader.read_byte_record(&mut row).map_err(bad)?;
    let names: Vec<String> = row
        .iter()
        .map(|c| String::from_utf8_lossy(c).trim_start_matches(['\u{feff}', '\'']).trim().to_owned())
        .collect();
    let family = if names.first().is_some_and(|n| n == "CWE-ID") { "CWE" } else { "CAPEC" };
    let at = |any: &[&str]| names.iter().position(|n| any.contains(&n.as_str())).unwrap_or(usize::MAX);
    let (abstraction, status) = (at(&["Weakness Abstraction", "Abstraction"]), at(&["Status"]));
    let (weaknesses, patterns) = (at(&["Related Weaknesses"]), at(&["Related Attack Patterns"]));
    while reader.read_byte_record(&mut row).map_err(bad)? {
        let cell = |n: usize| row.get(n).map_or("".into(), String::from_utf8_lossy);
        let (number, name) = (cell(0), cell(1));
        let related = if family == "CWE" { cell(weaknesses) } else { cell(patterns) };
        let item = if is_number(number.trim()) && !name.trim().is_empty() {
            Item::Fact(Fact::Catalogue(Box::new(CatalogueEntry {
                id: format!("{family}-{}", number.trim()),
                name: name.trim().to_owned(),
                abstraction: cell(abstraction).trim().to_owned(),
                status: cell(status).trim().to_owned(),
                parents: parents(&related, family),
                weaknesses: if family == "CAPEC" { numbers(&cell(weaknesses)) } else { Vec::new() },
                release: release.clone(),
                date: date.clone(),
                ..CatalogueEntry::default()
            })))
        } else {
            let line = row.position().map_or(0, csv::Position::line);
            let cells: Vec<_> = row.iter().map(String::from_utf8_lossy).collect();
            problem(format!("{place} line {line}"), &cells.join(","))
        };
        if sink(item).is_break() {
            break;
        }
    }
    Ok(())
}

/// The parents in a cell: `::NATURE:ChildOf:CWE ID:74:VIEW ID:1000:ORDINAL:Primary::…`.
fn parents(cell: &str, family: &str) -> Vec<String> {
    let mut out = Vec::new();
    for part in cell.split("::").filter(|p| p.starts_with("NATURE:ChildOf:")) {
        let words: Vec<&str> = part.split(':').collect();
        let number = words.windows(2).find_map(|w| match w {
            [key, n] if key.strip_suffix(" ID") == Some(family) => Some(*n),
            _ => None,
        });
        push(&mut out, family, number.unwrap_or_default());
    }
    out
}

/// The weaknesses in a cell: `::276::285::`.
fn numbers(cell: &str) -> Vec<String> {
    let mut out = Vec::new();
    cell.split("::").for_each(|n| push(&mut out, "CWE", n));
    out
}

fn push(list: &mut Vec<String>, family: &str, number: &str) {
    let id = format!("{family}-{number}");
    if is_number(number) && list.len() < MOST_RELATED && !list.contains(&id) {
        list.push(id);
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> String {
    let found = tag.attributes().with_checks(false).flatten().find(|a| a.key.as_ref() == name);
    found
        .and_then(|a| quick_xml::escape::unescape(&a.value).map(|v| v.trim().to_owned()).ok())
        .unwrap_or_default()
}

/// The XML of a release (CWE schema 5 to 7, CAPEC schema 3). Categories and views are entries too.
fn xml(input: impl BufRead, place: &str, sink: &mut Sink<'_>) -> Result<(), Diagnostic> {
    let mut reader = quick_xml::Reader::from_reader(input);
    let mut buf = Vec::new();
    let (mut release, mut date, mut family) = (String::new(), String::new(), "CWE");
    let mut entry: Option<(CatalogueEntry, String)> = None;
    let mut in_usage = false;
    let mut any = 0_u64;
    loop {
        buf.clear();
        let event = match reader.read_event_into(&mut buf) {
            Ok(event) => event,
            Err(e) => {
                let here = format!("{place} byte {}", reader.error_position());
                return Err(unpack_error(&here, &io::Error::other(e)));
            }
        };
        let (tag, whole) = match &event {
            Event::Start(t) => (t, false),
            Event::Empty(t) => (t, true),
            Event::Text(t) => {
                if let (true, Some((e, _))) = (in_usage, &mut entry) {
                    e.usage.push_str(t.trim());
                }
                continue;
            }
            Event::End(t) => {
                in_usage = false;
                let ends = entry.as_ref().is_some_and(|(_, tag)| tag == t.local_name().as_ref());
                if let (true, Some((e, _))) = (ends, entry.take_if(|_| ends))
                    && put(e, place, any, sink).is_break()
                {
                    return Ok(());
                }
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        let name = tag.local_name().as_ref().to_owned();
        match (name.as_str(), &mut entry) {
            ("Weakness_Catalog" | "Attack_Pattern_Catalog", None) => {
                release = attribute(tag, "Version");
                date = attribute(tag, "Date");
                family = if name == "Weakness_Catalog" { "CWE" } else { "CAPEC" };
            }
            ("Weakness" | "Attack_Pattern" | "Category" | "View", None) => {
                any += 1;
                let kind = match name.as_str() {
                    "Category" | "View" => name.clone(),
                    _ if attribute(tag, "Structure") == "Composite" => "Compound".to_owned(),
                    _ => attribute(tag, "Abstraction"),
                };
                let e = CatalogueEntry {
                    id: format!("{family}-{}", attribute(tag, "ID")),
                    name: attribute(tag, "Name"),
                    abstraction: kind,
                    status: attribute(tag, "Status"),
                    release: release.clone(),
                    date: date.clone(),
                    ..CatalogueEntry::default()
                };
                if !whole {
                    entry = Some((e, name));
                } else if put(e, place, any, sink).is_break() {
                    return Ok(());
                }
            }
            ("Related_Weakness", Some((e, _))) if family == "CAPEC" => {
                push(&mut e.weaknesses, "CWE", &attribute(tag, "CWE_ID"));
            }
            ("Related_Weakness" | "Related_Attack_Pattern", Some((e, _)))
                if attribute(tag, "Nature") == "ChildOf" =>
            {
                push(&mut e.parents, family, &attribute(tag, &format!("{family}_ID")));
            }
            ("Usage", Some((e, _))) => in_usage = e.usage.is_empty() && !whole,
            _ => {}
        }
    }
    if entry.is_some() {
        return Err(Diagnostic::new("input-syntax", place, "the catalogue breaks off inside an entry"));
    }
    Ok(())
}

fn put(entry: CatalogueEntry, place: &str, number: u64, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let good = entry.id.split_once('-').is_some_and(|(_, n)| is_number(n)) && !entry.name.is_empty();
    if good {
        sink(Item::Fact(Fact::Catalogue(Box::new(entry))))
    } else {
        sink(problem(format!("{place} entry {number}"), &format!("{} {}", entry.id, entry.name)))
    }
}

/// One STIX 2.1 attack pattern of CAPEC.
///
/// # Errors
/// It is no JSON, or bears no CAPEC id or no name.
pub fn stix(bytes: &[u8]) -> Result<CatalogueEntry, Diagnostic> {
    let v: Value =
        serde_json::from_slice(bytes).map_err(|e| Diagnostic::new("input-syntax", "", e.to_string()))?;
    let text = |key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let outside = |source: &'static str| {
        let list = v.get("external_references").and_then(Value::as_array).into_iter().flatten();
        list.filter(move |r| r.get("source_name").and_then(Value::as_str) == Some(source))
            .filter_map(|r| r.get("external_id").and_then(Value::as_str).map(str::to_owned))
    };
    let refs = v.get("x_capec_child_of_refs").and_then(Value::as_array).into_iter().flatten();
    let entry = CatalogueEntry {
        id: outside("capec").next().unwrap_or_default(),
        name: text("name"),
        abstraction: text("x_capec_abstraction"),
        status: text("x_capec_status"),
        usage: String::new(),
        parents: refs.filter_map(|r| r.as_str().map(str::to_owned)).collect(),
        weaknesses: outside("cwe").collect(),
        reference: text("id"),
        release: text("x_capec_version"),
        date: text("modified").chars().take(10).collect(),
    };
    if entry.name.is_empty() || !entry.id.strip_prefix("CAPEC-").is_some_and(is_number) {
        return Err(Diagnostic::new("record-invalid", "external_references", "no CAPEC id or no name"));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(name: &str, text: &str) -> (Vec<CatalogueEntry>, usize) {
        let (mut out, mut problems) = (Vec::new(), 0);
        let format = recognise(text.as_bytes()).unwrap();
        read(format, &mut text.as_bytes(), name, &mut |item| {
            match item {
                Item::Fact(Fact::Catalogue(e)) => out.push(*e),
                _ => problems += 1,
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        (out, problems)
    }

    #[test]
    fn a_list_takes_its_release_from_its_name_and_survives_a_damaged_line() {
        let text = "79\tStable\tCross-site Scripting\t1\tAllowed\nx\ty\n16\tObsolete\tConfiguration\t0\t\n";
        let (got, problems) = entries("a.zip!cwe/cwe_4.19.1_2026-01-21.csv", text);
        assert_eq!((got.len(), problems), (2, 1));
        let first = &got[0];
        assert_eq!((first.id.as_str(), first.usage.as_str()), ("CWE-79", "Allowed"));
        assert_eq!((first.release.as_str(), first.date.as_str()), ("4.19.1", "2026-01-21"));
        assert_eq!(got[1].status, "Obsolete");
        assert_eq!(release_of("1000.csv"), (String::new(), String::new()));
        assert_eq!(release_of("cwe_1.0_.csv").0, "1.0");
    }

    #[test]
    fn a_view_as_csv_has_parents_and_damaged_rows_cost_themselves() {
        let text = "CWE-ID,Name,Weakness Abstraction,Status,Description,Extended Description,Related Weaknesses\n\
            79,Cross-site Scripting,Base,Stable,\"a, b\",,::NATURE:ChildOf:CWE ID:74:VIEW ID:1000:ORDINAL:Primary::NATURE:CanPrecede:CWE ID:494:VIEW ID:1000::NATURE:ChildOf:CWE ID:74:VIEW ID:1003::,\n\
            ,,,\n80,Basic XSS,Variant,Incomplete,d,,,\n";
        let (got, problems) = entries("1000.csv", text);
        assert_eq!((got.len(), problems), (2, 1));
        assert_eq!(got[0].parents, ["CWE-74"]);
        assert_eq!(got[1].abstraction, "Variant");
    }

    #[test]
    fn the_xml_of_both_catalogues() {
        let text = r#"<?xml version="1.0"?><Weakness_Catalog Name="CWE" Version="4.15" Date="2024-07-16" xmlns="http://cwe.mitre.org/cwe-7"><Weaknesses>
            <Weakness ID="79" Name="A &amp; B" Abstraction="Base" Structure="Simple" Status="Stable"><Related_Weaknesses><Related_Weakness Nature="ChildOf" CWE_ID="74" View_ID="1000"/><Related_Weakness Nature="PeerOf" CWE_ID="352" View_ID="1000"/></Related_Weaknesses><Mapping_Notes><Usage>Allowed</Usage></Mapping_Notes></Weakness>
            <Weakness ID="" Name="" Status="Draft"/></Weaknesses>
            <Categories><Category ID="16" Name="Configuration" Status="Obsolete"><Summary>s</Summary></Category></Categories></Weakness_Catalog>"#;
        let (got, problems) = entries("cwec_v4.15.xml", text);
        assert_eq!((got.len(), problems), (2, 1));
        assert_eq!((got[0].name.as_str(), got[0].usage.as_str()), ("A & B", "Allowed"));
        assert_eq!(
            (got[0].parents.as_slice(), got[0].release.as_str()),
            (&["CWE-74".to_owned()][..], "4.15")
        );
        assert_eq!((got[1].id.as_str(), got[1].abstraction.as_str()), ("CWE-16", "Category"));
        let text = r#"<Attack_Pattern_Catalog Name="CAPEC" Version="3.9" Date="2023-01-24" xmlns="http://capec.mitre.org/capec-3"><Attack_Patterns><Attack_Pattern ID="63" Name="XSS" Abstraction="Standard" Status="Draft"><Related_Attack_Patterns><Related_Attack_Pattern Nature="ChildOf" CAPEC_ID="242"/></Related_Attack_Patterns><Related_Weaknesses><Related_Weakness CWE_ID="79"/></Related_Weaknesses></Attack_Pattern></Attack_Patterns></Attack_Pattern_Catalog>"#;
        let (got, _) = entries("capec.xml", text);
        assert_eq!(
            (got[0].id.as_str(), got[0].parents.as_slice()),
            ("CAPEC-63", &["CAPEC-242".to_owned()][..])
        );
        assert_eq!(got[0].weaknesses, ["CWE-79"]);
    }

    #[test]
    fn broken_xml_is_an_error_after_what_came_before() {
        let text = "<Weakness_Catalog Version=\"1\"><Weaknesses><Weakness ID=\"1\" Name=\"a\" Status=\"Draft\"/><Weakness ID=\"2\" Name=\"b\">";
        let mut count = 0;
        let end = read(Format::Xml, &mut text.as_bytes(), "x", &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        });
        assert_eq!((count, end.unwrap_err().code), (1, "input-syntax"));
    }

    #[test]
    fn a_stix_pattern() {
        let text = r#"{"type":"attack-pattern","id":"attack-pattern--1","name":"XSS","modified":"2020-12-17T00:00:00Z","external_references":[{"source_name":"capec","external_id":"CAPEC-63"},{"source_name":"cwe","external_id":"CWE-79"}],"x_capec_child_of_refs":["attack-pattern--2"],"x_capec_version":"3.9"}"#;
        let e = stix(text.as_bytes()).unwrap();
        assert_eq!((e.id.as_str(), e.release.as_str(), e.date.as_str()), ("CAPEC-63", "3.9", "2020-12-17"));
        assert!(stix(b"{}").is_err());
    }
}
