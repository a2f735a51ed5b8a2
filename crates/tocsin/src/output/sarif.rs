//! Findings as SARIF 2.1.0 (OASIS): a rule for each vulnerability, a result for each finding.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::{Item, Scan, is_open};

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
struct Run<'a> {
    tool: Tool<'a>,
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
struct Driver<'a> {
    name: &'static str,
    version: &'static str,
    rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    id: &'a str,
    short_description: Text,
    properties: RuleProperties<'a>,
}

#[derive(Serialize)]
struct RuleProperties<'a> {
    tags: [&'static str; 1],
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    security_severity: Option<String>,
    severity: &'a str,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'a str,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Text,
    locations: [Location<'a>; 1],
    partial_fingerprints: Fingerprint,
    properties: Properties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    physical_location: Physical,
    logical_locations: [Logical<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical<'a> {
    name: String,
    fully_qualified_name: &'a str,
    kind: &'static str,
}

#[derive(Serialize)]
struct Fingerprint {
    #[serde(rename = "tocsin/v1")]
    value: String,
}

#[derive(Serialize)]
struct Properties<'a> {
    status: &'static str,
    confidence: &'static str,
    fixed_versions: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a str>,
}

/// Writes the answer as one SARIF log.
///
/// # Errors
/// The writer fails.
pub fn write(out: &mut dyn Write, scan: &Scan<'_>) -> io::Result<()> {
    let mut rules = Vec::new();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut results = Vec::new();
    let mut files: HashMap<usize, String> = HashMap::new();
    for item in scan.all() {
        let v = &item.finding.vulnerability;
        let number = *numbers.entry(v.id.as_str()).or_insert_with(|| {
            rules.push(Rule {
                id: &v.id,
                short_description: Text {
                    text: if v.title.is_empty() { v.id.clone() } else { v.title.clone() },
                },
                properties: RuleProperties {
                    tags: ["security"],
                    security_severity: v.score.map(|s| format!("{s:.1}")),
                    severity: v.severity,
                },
            });
            rules.len() - 1
        });
        let place = scan.place(item);
        let file = files.entry(item.document).or_insert_with(|| uri(&file(scan.target, place)));
        results.push(result(item, number, file, place));
    }
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool { driver: Driver { name: "Tocsin", version: env!("CARGO_PKG_VERSION"), rules } },
            results,
        }],
    };
    let mut buffer = io::BufWriter::new(out);
    serde_json::to_writer(&mut buffer, &log).map_err(io::Error::from)?;
    buffer.write_all(b"\n")?;
    buffer.flush()
}

fn result<'a>(item: &Item<'a>, rule_index: usize, uri: &str, place: Option<&'a str>) -> Outcome<'a> {
    let (c, f) = (item.component, item.finding);
    let v = &f.vulnerability;
    let version = c.version.as_deref().unwrap_or("(no version)");
    let open = is_open(f);
    Outcome {
        rule_id: &v.id,
        rule_index,
        kind: if open { "fail" } else { "pass" },
        // SARIF 2.1.0, 3.27.10: where kind is not "fail", level shall be "none".
        level: if open { level(v.severity) } else { "none" },
        message: Text { text: format!("{} {version}: {} ({})", c.full_name(), v.id, f.status.as_str()) },
        locations: [Location {
            physical_location: Physical { artifact_location: Artifact { uri: uri.to_owned() } },
            logical_locations: [Logical {
                name: c.full_name(),
                fully_qualified_name: &c.reference,
                kind: "module",
            }],
        }],
        // Not the version of the component: an update that does not help must not look like a new finding.
        partial_fingerprints: Fingerprint {
            value: match place {
                Some(place) => format!("{}|{}|{}|{place}", v.id, c.full_name(), c.path),
                None => format!("{}|{}|{}", v.id, c.full_name(), c.path),
            },
        },
        properties: Properties {
            status: f.status.as_str(),
            confidence: f.confidence.as_str(),
            fixed_versions: &f.fixed_versions,
            document: place,
        },
    }
}

fn level(severity: &str) -> &'static str {
    match severity {
        "critical" | "high" => "error",
        "low" | "none" => "note",
        _ => "warning",
    }
}

/// The file that a document stands in: the one in the folder that was scanned, the archive around it, or the target.
/// Who shows a result beside its file finds it only under the file's own path.
fn file(target: &str, place: Option<&str>) -> String {
    let Some(place) = place else { return target.to_owned() };
    let outside = place.rmatch_indices('!').map(|(at, _)| &place[..at]);
    let inside = std::iter::once(place).chain(outside).map(|p| Path::new(target).join(p));
    let found = inside.filter(|p| p.is_file()).find_map(|p| Some(p.to_str()?.to_owned()));
    found.unwrap_or_else(|| target.to_owned())
}

/// A path as a URI reference (RFC 3986): every byte that may not stand in a path is percent-encoded.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_properties_stand_where_sarif_wants_them() {
        let data = crate::output::sample::data();
        let mut out = Vec::new();
        write(&mut out, &data.scan()).unwrap();
        let log: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), 2, "one rule for each vulnerability");
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 3);
        for r in results {
            let index = usize::try_from(r["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], r["ruleId"]);
            assert!(r["message"]["text"].is_string());
            assert!(["error", "warning", "note", "none"].contains(&r["level"].as_str().unwrap()));
            assert_eq!(r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "bom.json");
            assert!(r["partialFingerprints"]["tocsin/v1"].is_string());
        }
        assert_eq!(uri("a b/ü"), "a%20b/%C3%BC");
    }
}
