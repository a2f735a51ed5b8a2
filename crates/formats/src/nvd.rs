//! NVD records: API 2.0 items and items of the 1.1 feeds.

use serde::Deserialize;
use tocsin_model::cpe::Cpe;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::record::{Configuration, CpeMatch, Node, Record, RecordState, Score};
use tocsin_model::severity::Cvss;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Item {
    cve: Option<Box<Cve>>,
    // feed 1.1
    configurations: Option<serde_json::Value>,
    impact: Option<Impact>,
    #[serde(rename = "publishedDate")]
    published_date: Option<String>,
    #[serde(rename = "lastModifiedDate")]
    modified_date: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Cve {
    id: String,
    vuln_status: String,
    published: Option<String>,
    last_modified: Option<String>,
    descriptions: Vec<Lang>,
    metrics: Option<Metrics>,
    weaknesses: Vec<Weakness>,
    configurations: Vec<Config>,
    references: Option<serde_json::Value>,
    cve_tags: Vec<Tags>,
    // feed 1.1
    #[serde(rename = "CVE_data_meta")]
    meta: Option<Meta>,
    description: Option<Descriptions>,
    problemtype: Option<Problemtype>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Meta {
    #[serde(rename = "ID")]
    id: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Descriptions {
    description_data: Vec<Lang>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Problemtype {
    problemtype_data: Vec<Weakness>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tags {
    tags: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Lang {
    lang: String,
    value: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Weakness {
    description: Vec<Lang>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Metrics {
    cvss_metric_v2: Vec<Metric>,
    cvss_metric_v30: Vec<Metric>,
    cvss_metric_v31: Vec<Metric>,
    cvss_metric_v40: Vec<Metric>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Metric {
    source: String,
    cvss_data: Vector,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Vector {
    vector_string: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Impact {
    base_metric_v2: Option<ImpactV2>,
    base_metric_v3: Option<ImpactV3>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ImpactV2 {
    cvss_v2: Vector,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ImpactV3 {
    cvss_v3: Vector,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Config {
    operator: String,
    negate: bool,
    nodes: Vec<ConfigNode>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ConfigNode {
    operator: String,
    negate: bool,
    #[serde(alias = "cpe_match")]
    cpe_match: Vec<Criterion>,
    children: Vec<ConfigNode>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Criterion {
    vulnerable: bool,
    #[serde(alias = "cpe23Uri")]
    criteria: String,
    version_start_including: Option<String>,
    version_start_excluding: Option<String>,
    version_end_including: Option<String>,
    version_end_excluding: Option<String>,
}

/// Parses one item: `{"cve":…}` of the API or a feed, or the inner object of the API.
///
/// # Errors
/// The item is no NVD item or has no id.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let item: Item = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    let Item { cve, configurations, impact, published_date, modified_date } = item;
    let mut cve = match cve {
        Some(cve) => *cve,
        None => serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?,
    };
    if let Some(meta) = cve.meta.take() {
        cve.id = meta.id;
        cve.descriptions = cve.description.take().unwrap_or_default().description_data;
        cve.weaknesses = cve.problemtype.take().unwrap_or_default().problemtype_data;
        cve.published = published_date;
        cve.last_modified = modified_date;
    }
    if cve.id.is_empty() {
        return Err(bad("the item has no CVE id".to_owned()));
    }
    let mut diagnostics = Vec::new();
    let mut record = Record {
        id: cve.id.clone(),
        description: english(&cve.descriptions),
        published: cve.published.take(),
        modified: cve.last_modified.take(),
        ..Record::default()
    };
    let tagged = |t: &str| cve.cve_tags.iter().flat_map(|c| &c.tags).any(|x| x == t);
    let start = record.description.trim_start();
    if cve.vuln_status == "Rejected"
        || start.starts_with("Rejected reason")
        || start.starts_with("** REJECT **")
    {
        record.state = RecordState::Rejected;
    } else if tagged("disputed") || start.starts_with("** DISPUTED **") {
        record.state = RecordState::Disputed;
    }
    for d in cve.weaknesses.iter().flat_map(|w| &w.description) {
        if d.value.starts_with("CWE-") && !record.cwes.contains(&d.value) {
            record.cwes.push(d.value.clone());
        }
    }
    scores(cve.metrics.take().unwrap_or_default(), impact.unwrap_or_default(), &mut record);
    references(cve.references.take(), &mut record);
    // a 1.1 item keeps its tree beside `cve`: alternatives are its top nodes, AND nodes have children
    let top: Vec<Config> = match configurations {
        Some(tree) => {
            let nodes: Vec<ConfigNode> = tree
                .get("nodes")
                .cloned()
                .map(serde_json::from_value)
                .transpose()
                .map_err(|e| bad(format!("configurations: {e}")))?
                .unwrap_or_default();
            nodes.into_iter().map(from_feed).collect()
        }
        None => std::mem::take(&mut cve.configurations),
    };
    for (n, c) in top.into_iter().enumerate() {
        if let Some(c) = configuration(c, &format!("configurations[{n}]"), &mut diagnostics) {
            record.configurations.push(c);
        }
    }
    Ok((vec![record], diagnostics))
}

fn english(list: &[Lang]) -> String {
    list.iter()
        .find(|d| d.lang.starts_with("en"))
        .or(list.first())
        .map(|d| d.value.clone())
        .unwrap_or_default()
}

fn scores(m: Metrics, impact: Impact, record: &mut Record) {
    let all = m
        .cvss_metric_v40
        .into_iter()
        .chain(m.cvss_metric_v31)
        .chain(m.cvss_metric_v30)
        .chain(m.cvss_metric_v2);
    let feed = [impact.base_metric_v3.map(|m| m.cvss_v3), impact.base_metric_v2.map(|m| m.cvss_v2)];
    let feed = feed.into_iter().flatten().map(|v| ("nvd@nist.gov".to_owned(), v.vector_string));
    for (by, vector) in all.map(|m| (m.source, m.cvss_data.vector_string)).chain(feed) {
        if let Ok(cvss) = Cvss::parse(&vector) {
            record.scores.push(Score { cvss, by });
        }
    }
}

fn references(told: Option<serde_json::Value>, record: &mut Record) {
    let list = match told {
        Some(serde_json::Value::Array(list)) => list,
        Some(serde_json::Value::Object(mut o)) => match o.remove("reference_data") {
            Some(serde_json::Value::Array(list)) => list,
            _ => return,
        },
        _ => return,
    };
    for r in list {
        let Some(url) = r.get("url").and_then(|u| u.as_str()) else { continue };
        let tag = r.get("tags").and_then(|t| t.get(0)).and_then(|t| t.as_str()).unwrap_or("");
        record.references.push((tag.to_owned(), url.to_owned()));
    }
}

fn from_feed(node: ConfigNode) -> Config {
    if node.children.is_empty() {
        return Config { operator: "OR".to_owned(), negate: false, nodes: vec![node] };
    }
    Config { operator: node.operator, negate: node.negate, nodes: node.children }
}

/// Reads a configuration; criteria that are no CPE names are set aside with a diagnostic.
pub(crate) fn configuration(
    c: Config,
    path: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Configuration> {
    let and = |op: &str| op.eq_ignore_ascii_case("AND");
    let mut out = Configuration { and: and(&c.operator), negate: c.negate, nodes: Vec::new() };
    for (n, node) in c.nodes.into_iter().enumerate() {
        let mut matches = Vec::with_capacity(node.cpe_match.len());
        for (k, m) in node.cpe_match.into_iter().enumerate() {
            let cpe = match Cpe::parse(&m.criteria) {
                Ok(cpe) => cpe,
                Err(e) => {
                    let place = format!("{path}.nodes[{n}].cpeMatch[{k}]");
                    diagnostics.push(Diagnostic::new(
                        "cpe-invalid",
                        place,
                        format!("{}: {e}", excerpt(&m.criteria)),
                    ));
                    continue;
                }
            };
            let low_open = m.version_start_including.is_none() && m.version_start_excluding.is_some();
            let high_closed = m.version_end_excluding.is_none() && m.version_end_including.is_some();
            matches.push(CpeMatch {
                vulnerable: m.vulnerable,
                cpe,
                low: m.version_start_including.or(m.version_start_excluding),
                low_open,
                high: m.version_end_excluding.or(m.version_end_including),
                high_closed,
            });
        }
        out.nodes.push(Node { and: and(&node.operator), negate: node.negate, matches });
    }
    (!out.nodes.is_empty()).then_some(out)
}
