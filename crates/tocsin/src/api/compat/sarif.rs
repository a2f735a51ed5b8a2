//! Findings of this API as SARIF 2.1.0 (OASIS).

use std::collections::HashMap;

use serde_json::{Value, json};

/// The level of a severity.
fn level(severity: &str) -> &'static str {
    match severity {
        "CRITICAL" | "HIGH" => "error",
        "MEDIUM" => "warning",
        "LOW" | "INFO" => "note",
        _ => "none",
    }
}

/// A log with a rule for each vulnerability and a result for each finding.
pub fn log(findings: &[Value]) -> Value {
    let (mut rules, mut index) = (Vec::new(), HashMap::new());
    let mut results = Vec::with_capacity(findings.len());
    for f in findings {
        let (v, c) = (&f["vulnerability"], &f["component"]);
        let id = v["vulnId"].as_str().unwrap_or_default();
        let severity = v["severity"].as_str().unwrap_or_default();
        let at = *index.entry(id.to_owned()).or_insert_with(|| {
            rules.push(rule(id, v));
            rules.len() - 1
        });
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = match (text(&c["group"]), text(&c["name"])) {
            (group, name) if group.is_empty() => name,
            (group, name) => format!("{group}/{name}"),
        };
        let named = format!("{name}@{}", text(&c["version"]));
        let mut result = json!({
            "ruleId": id, "ruleIndex": at, "level": level(severity),
            "message": {"text": format!("{id} affects {named}")},
            "locations": [{"logicalLocations": [{"fullyQualifiedName": text(&c["uuid"]), "name": named}]}],
            "partialFingerprints": {"matrix/v1": f["matrix"]},
            "properties": {"name": c["name"], "group": text(&c["group"]), "version": text(&c["version"]),
                "source": v["source"], "severityRank": v["severityRank"],
                "cvssV3BaseScore": text_of(&v["cvssV3BaseScore"]), "epssScore": text_of(&v["epssScore"])},
        });
        if f["analysis"]["isSuppressed"] == true
            && let Some(result) = result.as_object_mut()
        {
            let why = f["analysis"]["detail"].as_str().unwrap_or("decided");
            result.insert("suppressions".to_owned(), json!([{"kind": "external", "justification": why}]));
        }
        results.push(result);
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "Tocsin", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    })
}

fn text_of(value: &Value) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}

fn rule(id: &str, v: &Value) -> Value {
    let title = v["title"].as_str().unwrap_or(id);
    let mut rule = json!({"id": id, "shortDescription": {"text": title}, "fullDescription": {"text": title},
        "properties": {"tags": ["security"]}});
    let score =
        [&v["cvssV4Score"], &v["cvssV3BaseScore"], &v["cvssV2BaseScore"]].into_iter().find_map(Value::as_f64);
    if let Some(properties) = score.and(rule["properties"].as_object_mut()) {
        properties.insert("security-severity".to_owned(), score.unwrap_or_default().to_string().into());
    }
    if let (Some(rule), Some(page)) = (rule.as_object_mut(), super::vulnerability::page(id)) {
        rule.insert("helpUri".to_owned(), page.into());
    }
    rule
}
