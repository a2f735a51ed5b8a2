//! MISP feeds (https://www.misp-standard.org, MISP core format): the manifest of a feed and its events.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use tocsin_model::diagnostic::{Diagnostic, excerpt};

use crate::shared::{Report, Writer, closer, tlp};

/// Events of a manifest, and attributes and objects of one event that are read.
const EVENTS: usize = 500_000;
const MOST: usize = 100_000;

/// An event as a manifest tells of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// When it was last changed, in seconds since 1970.
    pub changed: i64,
    /// Its id, which names its file.
    pub uuid: String,
}

/// Reads a `manifest.json`: its events, the one that changed last at the end. One that cannot be named a file by is left
/// out; how many were.
///
/// # Errors
/// It is no manifest.
pub fn manifest(bytes: &[u8]) -> Result<(Vec<Listed>, usize), Diagnostic> {
    #[derive(Deserialize)]
    struct Entry {
        timestamp: Value,
    }
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let all: BTreeMap<String, Entry> = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    if all.len() > EVENTS {
        return Err(Diagnostic::new("limit-entries", "", format!("limit: {EVENTS} events of one feed")));
    }
    let (mut events, mut left) = (Vec::new(), 0);
    for (uuid, entry) in all {
        match number(&entry.timestamp) {
            Some(changed) if is_uuid(&uuid) => events.push(Listed { changed, uuid }),
            _ => left += 1,
        }
    }
    if events.is_empty() && left > 0 {
        return Err(bad("none of its entries is an event with a timestamp".to_owned()));
    }
    events.sort();
    Ok((events, left))
}

/// A number, or one written as text, as MISP does.
fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

/// Whether a text has the form of RFC 9562; it becomes part of an address.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Event")]
    event: Event,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event {
    uuid: String,
    info: String,
    date: String,
    timestamp: Value,
    publish_timestamp: Value,
    threat_level_id: Value,
    #[serde(rename = "Orgc")]
    creator: Option<Organisation>,
    #[serde(rename = "Tag")]
    tags: Vec<Tag>,
    #[serde(rename = "Attribute")]
    attributes: Vec<Attribute>,
    #[serde(rename = "Object")]
    objects: Vec<Object>,
    #[serde(rename = "Galaxy")]
    galaxies: Vec<Galaxy>,
    #[serde(rename = "EventReport")]
    reports: Vec<EventReport>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Organisation {
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tag {
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Attribute {
    r#type: String,
    category: String,
    value: Value,
    comment: Option<String>,
    deleted: Value,
    #[serde(rename = "Tag")]
    tags: Vec<Tag>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    name: String,
    deleted: Value,
    #[serde(rename = "Attribute")]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Galaxy {
    #[serde(rename = "GalaxyCluster")]
    clusters: Vec<Cluster>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cluster {
    value: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EventReport {
    name: String,
    content: Option<String>,
    deleted: Value,
}

/// Reads an event.
///
/// # Errors
/// It is none, or has no id.
pub fn event(bytes: &[u8]) -> Result<Report, Diagnostic> {
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let Document { event: e } = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    if !is_uuid(&e.uuid) {
        return Err(bad(format!("`{}` is no id of an event", excerpt(&e.uuid))));
    }
    let mut report = Report {
        id: e.uuid,
        title: e.info.trim().to_owned(),
        author: e.creator.map(|o| o.name).unwrap_or_default(),
        ..Report::default()
    };
    let published = number(&e.publish_timestamp).filter(|t| *t > 0).or_else(|| number(&e.timestamp));
    report.published = match day(&e.date) {
        // the day of the event is its author's word; a time of its publication is of this edition
        Some(day) => format!("{day}T00:00:00Z"),
        None => published.and_then(instant).unwrap_or_default(),
    };
    let mut writer = Writer::default();
    for r in e.reports.iter().filter(|r| !truth(&r.deleted)) {
        writer.paragraph(&r.name);
        writer.paragraph(r.content.as_deref().unwrap_or_default());
    }
    let (mut flaws, mut links, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut marks: Vec<&str> = Vec::new();
    let own = e.attributes.iter().map(|a| ("", a));
    let inside = e.objects.iter().filter(|o| !truth(&o.deleted));
    let inside = inside.flat_map(|o| o.attributes.iter().map(|a| (o.name.as_str(), a)));
    let mut indicators = Vec::new();
    for (object, a) in own.chain(inside).filter(|(_, a)| !truth(&a.deleted)).take(MOST) {
        let value = match &a.value {
            Value::String(s) => s.trim().to_owned(),
            Value::Number(n) => n.to_string(),
            _ => continue,
        };
        marks.extend(a.tags.iter().filter_map(|t| tlp(&t.name)));
        let comment = a.comment.as_deref().unwrap_or_default();
        match a.r#type.as_str() {
            "vulnerability" => push(&mut flaws, value),
            "link" => push(&mut links, value),
            "text" | "comment" | "other" | "weakness" if a.category != "Payload delivery" => {
                push(&mut texts, value)
            }
            // files themselves, and what is about the sharing
            "attachment" | "malware-sample" | "datetime" | "size-in-bytes" | "float" | "counter"
            | "boolean" | "hex" | "port" => {}
            kind => {
                let kind = if object.is_empty() { kind.to_owned() } else { format!("{object} {kind}") };
                indicators.push((kind, value, comment));
            }
        }
    }
    let mut tags = Vec::new();
    for tag in &e.tags {
        match tlp(&tag.name) {
            Some(mark) => marks.push(mark),
            None => push(&mut tags, tag.name.clone()),
        }
    }
    // the closest marking of all that the text is made of
    report.tlp = marks.into_iter().fold(String::new(), |a, b| closer(&a, b));
    for text in texts.iter().take(200) {
        writer.paragraph(text);
    }
    writer.list("Vulnerabilities", &flaws);
    let clusters: Vec<String> =
        e.galaxies.into_iter().flat_map(|g| g.clusters).map(|c| c.value).take(500).collect();
    writer.list("Known as", &clusters);
    writer.list("Tags", &tags);
    let level = match number(&e.threat_level_id) {
        Some(1) => "high",
        Some(2) => "medium",
        Some(3) => "low",
        _ => "",
    };
    writer.list("Threat level", &[level.to_owned()]);
    writer.list("Links", &links);
    for (kind, value, comment) in indicators {
        writer.indicator(&kind, &value, comment);
    }
    report.text = writer.end();
    if report.title.is_empty() {
        report.title = format!("MISP event {}", report.id);
    }
    Ok(report)
}

fn push(list: &mut Vec<String>, value: String) {
    if !value.is_empty() && !list.contains(&value) && list.len() < 1000 {
        list.push(value);
    }
}

fn truth(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || number(value) == Some(1)
}

fn day(text: &str) -> Option<&str> {
    let text = text.trim();
    let form = text.len() == 10
        && text.bytes().enumerate().all(|(n, b)| match n {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        });
    form.then_some(text)
}

/// Seconds since 1970 as RFC 3339 (civil from days, H. Hinnant's algorithm).
fn instant(seconds: i64) -> Option<String> {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    if !(0..2_932_897).contains(&days) {
        return None;
    }
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "57c4445b-c548-4654-af0b-4be3950d210f";

    #[test]
    fn a_manifest_lists_events_by_their_change() {
        let other = ID.replace("57c", "57d");
        let text = format!(
            "{{\"{ID}\": {{\"timestamp\": \"20\", \"info\": \"b\"}}, \"{other}\": {{\"timestamp\": 10}}}}"
        );
        let (events, left) = manifest(text.as_bytes()).unwrap();
        assert_eq!((events[0].uuid.as_str(), events[1].changed, left), (other.as_str(), 20, 0));
        let odd = format!("{{\"{ID}\": {{\"timestamp\": \"20\"}}, \"../x\": {{\"timestamp\": \"20\"}}}}");
        assert_eq!(manifest(odd.as_bytes()).unwrap().1, 1);
        assert_eq!(manifest(b"{}").unwrap().0, []);
        for bad in ["[]", "", "<html>", "{\"a\": 1}", "{\"../x\": {\"timestamp\": \"20\"}}"] {
            assert!(manifest(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_event_becomes_a_text_with_its_flaws_and_indicators() {
        let text = format!(
            r#"{{"Event": {{"uuid": "{ID}", "info": "Pumps attacked", "date": "2025-03-01", "timestamp": "1740873600",
            "threat_level_id": "1", "Orgc": {{"name": "CERT"}}, "Tag": [{{"name": "tlp:green"}}, {{"name": "type:OSINT"}}],
            "Galaxy": [{{"GalaxyCluster": [{{"value": "Exploit Public-Facing Application - T1190"}}]}}],
            "Attribute": [{{"type": "vulnerability", "value": "CVE-2025-0001"}}, {{"type": "ip-dst", "value": "192.0.2.7", "comment": "c2"}},
              {{"type": "text", "value": "They came by night."}}, {{"type": "domain", "value": "gone.example", "deleted": true}},
              {{"type": "link", "value": "https://cert.example/1", "Tag": [{{"name": "tlp:amber"}}]}}],
            "Object": [{{"name": "file", "Attribute": [{{"type": "sha256", "value": "aa"}}, {{"type": "malware-sample", "value": "x|y"}}]}}]}}}}"#
        );
        let r = event(text.as_bytes()).unwrap();
        assert_eq!((r.id.as_str(), r.title.as_str(), r.author.as_str()), (ID, "Pumps attacked", "CERT"));
        assert_eq!((r.tlp.as_str(), r.published.as_str()), ("AMBER", "2025-03-01T00:00:00Z"));
        assert_eq!(
            r.text,
            "They came by night.\n\nVulnerabilities: CVE-2025-0001\n\nKnown as: Exploit Public-Facing Application - T1190\n\n\
             Tags: type:OSINT\n\nThreat level: high\n\nLinks: https://cert.example/1\n\nIndicators of compromise (2):\n\
             - ip-dst 192.0.2.7 (c2)\n- file/sha256 aa"
        );
        for bad in ["{}", "{\"Event\": {}}", "{\"Event\": {\"uuid\": \"../x\"}}", "[]", ""] {
            assert!(event(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn seconds_become_instants() {
        assert_eq!(instant(0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(instant(1_709_251_199).as_deref(), Some("2024-02-29T23:59:59Z"));
        assert_eq!((instant(-1), instant(i64::MAX)), (None, None));
    }
}
