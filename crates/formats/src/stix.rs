//! STIX 2.1 (OASIS): envelopes of a TAXII 2.1 server and bundles, as far as they tell what happened.
//!
//! Reports, groupings, notes, campaigns, incidents and vulnerabilities become reports of their own; indicators too, unless a
//! report of the same envelope holds them. All other objects are read for what these name.

pub mod write;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use tocsin_model::diagnostic::{Diagnostic, excerpt};

use crate::shared::{Report, Writer, closer, tlp};

/// Objects of one envelope, and of one report, that are read.
const OBJECTS: usize = 100_000;
const NAMED: usize = 2000;

/// Ids of the marking definitions that the standard fixes: TLP 1.0 (STIX 2.1, section 7.2.1.4) and 2.0 (STIX TLP 2.0
/// extension).
const MARKINGS: [(&str, &str); 9] = [
    ("613f2e26-407d-48c7-9eca-b8e91df99dc9", "CLEAR"),
    ("34098fce-860f-48ae-8e50-ebd3cc5e41da", "GREEN"),
    ("f88d31f6-486f-44da-b317-01333bde0b82", "AMBER"),
    ("5e57c739-391a-4eb3-b6be-7d15ca92d5ed", "RED"),
    ("94868c89-83c2-464b-929b-a1a8aa3c8487", "CLEAR"),
    ("bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "GREEN"),
    ("55d920b0-5e8b-4f79-9ee9-91f868d9b421", "AMBER"),
    ("939a9414-2ddd-4d32-a0cd-375ea402b003", "AMBER+STRICT"),
    ("e828b379-4e03-4974-9ac4-e53a884c97c1", "RED"),
];

/// Sorts of objects that become reports, and indicators.
const REPORTS: [&str; 6] = ["report", "grouping", "note", "campaign", "incident", "vulnerability"];

/// An envelope (TAXII 2.1, section 3.7), or a bundle.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// There is more of it.
    pub more: bool,
    /// What the rest is asked for with.
    pub next: Option<String>,
    /// What it tells of, in its order.
    pub reports: Vec<Report>,
    /// Objects in it.
    pub objects: usize,
    /// Objects that are not understood.
    pub refused: usize,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Outer {
    more: bool,
    next: Option<String>,
    objects: Option<Vec<Value>>,
    r#type: Option<String>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Object {
    r#type: String,
    id: String,
    name: Option<String>,
    description: Option<String>,
    r#abstract: Option<String>,
    content: Option<String>,
    context: Option<String>,
    explanation: Option<String>,
    created: Option<String>,
    modified: Option<String>,
    published: Option<String>,
    created_by_ref: Option<String>,
    revoked: bool,
    confidence: Option<i64>,
    labels: Vec<String>,
    aliases: Vec<String>,
    authors: Vec<String>,
    pattern: Option<String>,
    pattern_type: Option<String>,
    object_refs: Vec<String>,
    object_marking_refs: Vec<String>,
    external_references: Vec<External>,
    definition_type: Option<String>,
    definition: Option<Value>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct External {
    source_name: String,
    external_id: Option<String>,
    url: Option<String>,
}

/// Reads an envelope or a bundle.
///
/// # Errors
/// It is none.
pub fn envelope(bytes: &[u8]) -> Result<Envelope, Diagnostic> {
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let outer: Outer = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    // an empty envelope is an empty object (TAXII 2.1, section 3.7); that it is one of anything else is told by its keys
    let objects = match outer.objects {
        Some(objects) => objects,
        None if outer.r#type.as_deref() == Some("bundle") || is_empty(bytes) => Vec::new(),
        None => return Err(bad("there are no objects in it".to_owned())),
    };
    if objects.len() > OBJECTS {
        return Err(Diagnostic::new(
            "limit-entries",
            "",
            format!("limit: {OBJECTS} objects of one envelope"),
        ));
    }
    let mut out =
        Envelope { more: outer.more, next: outer.next, objects: objects.len(), ..Envelope::default() };
    let mut all: Vec<Object> = Vec::new();
    for object in objects {
        match serde_json::from_value::<Object>(object) {
            Ok(o) if !o.r#type.is_empty() && o.id.starts_with(&format!("{}--", o.r#type)) => all.push(o),
            _ => out.refused += 1,
        }
    }
    // of several versions of an object the newest stands
    let mut by: BTreeMap<&str, &Object> = BTreeMap::new();
    for o in &all {
        let known = by.entry(&o.id).or_insert(o);
        if known.modified <= o.modified {
            *known = o;
        }
    }
    let held: BTreeSet<&str> = all
        .iter()
        .filter(|o| REPORTS.contains(&o.r#type.as_str()))
        .flat_map(|o| o.object_refs.iter().map(String::as_str))
        .collect();
    let mut told = BTreeSet::new();
    for o in &all {
        let newest = by.get(o.id.as_str()).is_some_and(|n| std::ptr::eq(*n, o));
        let alone = o.r#type == "indicator" && !held.contains(o.id.as_str());
        if newest && (alone || REPORTS.contains(&o.r#type.as_str())) && told.insert(o.id.as_str()) {
            out.reports.push(report(o, &by));
        }
    }
    Ok(out)
}

fn is_empty(bytes: &[u8]) -> bool {
    serde_json::from_slice::<BTreeMap<String, Value>>(bytes)
        .is_ok_and(|o| o.keys().all(|k| k == "more" || k == "next"))
}

/// What people call an object.
fn name(o: &Object) -> String {
    let name = o.name.as_deref().or(o.r#abstract.as_deref()).map(str::trim).unwrap_or_default();
    let first = |text: Option<&str>| {
        text.unwrap_or_default()
            .trim()
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(120)
            .collect::<String>()
    };
    match (name, o.r#type.as_str()) {
        ("", "indicator") => {
            format!("Indicator {}", first(o.pattern.as_deref()))
        }
        ("", _) => match first(o.content.as_deref().or(o.description.as_deref())) {
            text if text.is_empty() => o.id.clone(),
            text => text,
        },
        (name, _) => name.to_owned(),
    }
}

/// Ids of weaknesses, flaws and techniques that an object is known by elsewhere: `CVE-2025-0001`, `T1190`.
fn ids(o: &Object) -> impl Iterator<Item = String> + '_ {
    o.external_references.iter().take(NAMED).filter_map(|r| {
        let id = r.external_id.as_deref()?.trim();
        let known = r.source_name.eq_ignore_ascii_case("cve") || r.source_name.starts_with("mitre-");
        (known && !id.is_empty() && id.len() < 100 && !id.contains(char::is_whitespace)).then(|| {
            let upper = id.to_ascii_uppercase();
            if r.source_name.eq_ignore_ascii_case("cve") && !upper.starts_with("CVE-") {
                format!("CVE-{upper}")
            } else {
                upper
            }
        })
    })
}

fn report(o: &Object, by: &BTreeMap<&str, &Object>) -> Report {
    let mut writer = Writer::default();
    if o.revoked {
        writer.paragraph("Its source has revoked it.");
    }
    writer.paragraph(o.description.as_deref().unwrap_or_default());
    writer.paragraph(o.content.as_deref().unwrap_or_default());
    writer.paragraph(o.explanation.as_deref().unwrap_or_default());
    writer.list("Context", &[o.context.clone().unwrap_or_default()]);
    let mut marks = marking(o, by);
    let (mut flaws, mut others, mut known) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut sort = |ids: &mut dyn Iterator<Item = String>, others: &mut Vec<String>| {
        for id in ids {
            if known.insert(id.clone()) {
                if id.starts_with("CVE-") { flaws.push(id) } else { others.push(id) }
            }
        }
    };
    sort(&mut ids(o), &mut others);
    let mut named: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for held in o.object_refs.iter().take(NAMED).filter_map(|id| by.get(id.as_str())) {
        marks = closer(&marks, &marking(held, by));
        sort(&mut ids(held), &mut others);
        match held.r#type.as_str() {
            "indicator" => indicator(held, &mut writer),
            "identity" | "relationship" | "marking-definition" => {}
            kind => named.entry(kind).or_default().push(name(held)),
        }
    }
    if o.r#type == "indicator" {
        indicator(o, &mut writer);
    }
    writer.list("Vulnerabilities", &flaws);
    writer.list("Techniques and the like", &others);
    writer.list("Also known as", &o.aliases);
    for (kind, names) in named {
        let kind = kind.replace('-', " ");
        let mut head = kind.chars();
        let first: String = head.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
        writer.list(&format!("{first}{}", head.as_str()), &names);
    }
    writer.list("Labels", &o.labels);
    let links: Vec<String> = o.external_references.iter().filter_map(|r| r.url.clone()).take(NAMED).collect();
    writer.list("Links", &links);
    let web = |u: &&String| u.starts_with("https://") || u.starts_with("http://");
    let author = o.created_by_ref.as_deref().and_then(|id| by.get(id)).map(|i| name(i));
    Report {
        id: o.id.clone(),
        title: name(o),
        text: writer.end(),
        author: author.or_else(|| o.authors.first().cloned()).unwrap_or_default(),
        published: o.published.clone().or_else(|| o.created.clone()).unwrap_or_default(),
        tlp: marks,
        credibility: credibility(o.confidence),
        url: links.iter().find(web).cloned().unwrap_or_default(),
    }
}

fn indicator(o: &Object, writer: &mut Writer) {
    let kind = o.pattern_type.as_deref().unwrap_or("pattern");
    let about = o.name.as_deref().or(o.description.as_deref()).unwrap_or_default();
    writer.indicator(kind, o.pattern.as_deref().unwrap_or_default(), about);
}

/// The closest marking of an object.
fn marking(o: &Object, by: &BTreeMap<&str, &Object>) -> String {
    let mut closest = String::new();
    for id in o.object_marking_refs.iter().take(100) {
        let bare = id.strip_prefix("marking-definition--").unwrap_or(id);
        let fixed = MARKINGS.iter().find(|m| m.0 == bare).map(|m| m.1);
        let own = || {
            let definition = by.get(id.as_str())?;
            if let Some(mark) = definition.name.as_deref().and_then(tlp) {
                return Some(mark);
            }
            let is_tlp = definition.definition_type.as_deref() == Some("tlp");
            let value = definition.definition.as_ref()?.get("tlp")?.as_str()?;
            is_tlp.then(|| tlp(&format!("tlp:{}", excerpt(value))))?
        };
        if let Some(mark) = fixed.or_else(own) {
            closest = closer(&closest, mark);
        }
    }
    closest
}

/// Confidence from 0 to 100 on the Admiralty scale (STIX 2.1, appendix A); 0 is a value, none is none.
fn credibility(confidence: Option<i64>) -> u8 {
    match confidence {
        Some(80..=100) => 1,
        Some(60..=79) => 2,
        Some(40..=59) => 3,
        Some(20..=39) => 4,
        Some(0..=19) => 5,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(objects: &str) -> Envelope {
        envelope(format!("{{\"more\": true, \"next\": \"n\", \"objects\": [{objects}]}}").as_bytes()).unwrap()
    }

    const FLAW: &str = r#"{"type":"vulnerability","id":"vulnerability--1","name":"CVE-2025-0001","modified":"2025-01-01T00:00:00Z",
        "description":"A flaw of a pump.","external_references":[{"source_name":"cve","external_id":"CVE-2025-0001"}],
        "object_marking_refs":["marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"]}"#;
    const SIGN: &str = r#"{"type":"indicator","id":"indicator--1","name":"C2","pattern":"[ipv4-addr:value = '192.0.2.7']","pattern_type":"stix",
        "object_marking_refs":["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"]}"#;

    #[test]
    fn a_report_holds_what_it_refers_to() {
        let report = r#"{"type":"report","id":"report--1","name":"Pumps attacked","description":"They came by night.","confidence":85,
            "published":"2025-03-01T00:00:00Z","created_by_ref":"identity--1","object_refs":["indicator--1","vulnerability--1","malware--1","x--9"],
            "external_references":[{"source_name":"blog","url":"https://cert.example/1"}]}"#;
        let other = r#"{"type":"identity","id":"identity--1","name":"CERT"},{"type":"malware","id":"malware--1","name":"PumpWiper"}"#;
        let e = read(&format!("{report},{FLAW},{SIGN},{other},{{\"type\":\"x\"}}"));
        assert_eq!((e.more, e.next.as_deref(), e.objects, e.refused), (true, Some("n"), 6, 1));
        let told: Vec<&str> = e.reports.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(told, ["report--1", "vulnerability--1"], "the indicator is the report's");
        let r = &e.reports[0];
        assert_eq!((r.author.as_str(), r.tlp.as_str(), r.credibility), ("CERT", "AMBER", 1));
        assert_eq!(
            (r.url.as_str(), r.published.as_str()),
            ("https://cert.example/1", "2025-03-01T00:00:00Z")
        );
        assert_eq!(
            r.text,
            "They came by night.\n\nVulnerabilities: CVE-2025-0001\n\nMalware: PumpWiper\n\nVulnerability: CVE-2025-0001\n\n\
             Links: https://cert.example/1\n\nIndicators of compromise (1):\n- stix [ipv4-addr:value = '192.0.2.7'] (C2)"
        );
        assert_eq!((e.reports[1].tlp.as_str(), e.reports[1].title.as_str()), ("CLEAR", "CVE-2025-0001"));
    }

    #[test]
    fn what_stands_alone_is_told_once_and_as_it_is_now() {
        let newer = FLAW.replace("2025-01-01", "2025-02-01").replace("a pump", "two pumps");
        let e = read(&format!("{newer},{FLAW},{SIGN}"));
        assert_eq!(e.reports.len(), 2);
        assert!(e.reports[0].text.contains("two pumps"), "{}", e.reports[0].text);
        assert!(e.reports[1].text.contains("Indicators of compromise (1):"));
        let marked = r#"{"type":"note","id":"note--1","abstract":"A","content":"B","object_marking_refs":["marking-definition--7"]},
            {"type":"marking-definition","id":"marking-definition--7","definition_type":"tlp","definition":{"tlp":"red"}}"#;
        assert_eq!(read(marked).reports[0].tlp, "RED");
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        assert!(envelope(b"{}").unwrap().reports.is_empty());
        assert!(envelope(b"{\"type\": \"bundle\", \"id\": \"bundle--1\"}").unwrap().reports.is_empty());
        for bad in ["", "[]", "<html>", "{\"title\": \"Not found\"}", "{\"objects\": 7}", "{\"objects\": [{}"]
        {
            assert!(envelope(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(read("{},7,null,{\"type\":\"report\",\"id\":\"x\"}").refused, 4);
    }
}
