//! Findings of the database as CSV, JSON, NDJSON and SARIF, written page by page.

use std::collections::HashMap;

use serde_json::json;
use tocsin_core::detection::Finding;

use crate::ui::sheet::cell;

/// A form of the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated values (RFC 4180), safe to open in a spreadsheet.
    Csv,
    /// One list.
    Json,
    /// A line each.
    Ndjson,
    /// SARIF 2.1.0 (OASIS).
    Sarif,
}

const HEAD: [&str; 25] = [
    "id",
    "product",
    "release",
    "component",
    "version",
    "purl",
    "vulnerability",
    "title",
    "severity",
    "score",
    "epss",
    "kev",
    "exploits",
    "fixed",
    "verdict",
    "confidence",
    "status",
    "justification",
    "first_seen",
    "closed",
    "reason",
    "release_id",
    "component_id",
    "line_id",
    "rank",
];

/// Writes pages of findings in a form, one after the other.
pub struct Writer {
    form: Form,
    begun: bool,
    /// Rules of the SARIF log, by vulnerability.
    rules: Vec<serde_json::Value>,
    numbers: HashMap<String, usize>,
}

impl Writer {
    /// Nothing is written yet.
    pub fn new(form: Form) -> Writer {
        Writer { form, begun: false, rules: Vec::new(), numbers: HashMap::new() }
    }

    /// The next findings.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn page(&mut self, findings: &[Finding]) -> std::io::Result<Vec<u8>> {
        if self.form == Form::Csv {
            return self.sheet(findings);
        }
        let mut out = Vec::new();
        if !self.begun {
            out.extend_from_slice(self.opening().as_bytes());
        }
        for f in findings {
            let comma: &[u8] = if self.begun && self.form != Form::Ndjson { b",\n" } else { b"" };
            out.extend_from_slice(comma);
            self.begun = true;
            match self.form {
                Form::Sarif => serde_json::to_writer(&mut out, &self.result(f))?,
                _ => serde_json::to_writer(&mut out, f)?,
            }
            if self.form == Form::Ndjson {
                out.push(b'\n');
            }
        }
        Ok(out)
    }

    /// What stands behind the last of them.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(&mut self) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::new();
        if !self.begun {
            match self.form {
                Form::Csv => return self.sheet(&[]),
                _ => out.extend_from_slice(self.opening().as_bytes()),
            }
        }
        match self.form {
            Form::Csv | Form::Ndjson => {}
            Form::Json => out.extend_from_slice(b"]\n"),
            Form::Sarif => {
                let driver =
                    json!({"name": "Tocsin", "version": env!("CARGO_PKG_VERSION"), "rules": self.rules});
                out.extend_from_slice(b"],\"tool\":{\"driver\":");
                serde_json::to_writer(&mut out, &driver)?;
                out.extend_from_slice(b"}}]}\n");
            }
        }
        Ok(out)
    }

    fn opening(&self) -> &'static str {
        match self.form {
            Form::Csv | Form::Ndjson => "",
            Form::Json => "[",
            // the rules follow the results, since they are known when all of them are
            Form::Sarif => {
                "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\
                 \"runs\":[{\"results\":["
            }
        }
    }

    fn sheet(&mut self, findings: &[Finding]) -> std::io::Result<Vec<u8>> {
        let mut out = csv::Writer::from_writer(Vec::new());
        if !self.begun {
            out.write_record(HEAD)?;
            self.begun = true;
        }
        for f in findings {
            let number = |n: Option<f64>| n.map_or(String::new(), |n| n.to_string());
            out.write_record([
                f.id.to_string(),
                cell(&f.product),
                cell(&f.release_version),
                cell(&f.component_name),
                cell(&f.component_version),
                cell(&f.purl),
                cell(&f.vulnerability),
                cell(&f.title),
                f.severity.to_owned(),
                number(f.score),
                number(f.epss),
                f.kev.to_string(),
                f.exploits.to_string(),
                cell(&f.fixed),
                f.verdict.clone(),
                f.confidence.to_owned(),
                f.status.clone(),
                f.justification.clone(),
                f.first_seen.clone(),
                f.closed.clone().unwrap_or_default(),
                cell(&f.reason),
                f.release.to_string(),
                f.component.to_string(),
                f.line.to_string(),
                f.rank.to_string(),
            ])?;
        }
        out.into_inner().map_err(|e| std::io::Error::other(e.to_string()))
    }

    /// A finding as a SARIF result (2.1.0, 3.27); what was decided away passes.
    fn result(&mut self, f: &Finding) -> serde_json::Value {
        let rules = &mut self.rules;
        let number = *self.numbers.entry(f.vulnerability.clone()).or_insert_with(|| {
            let title = if f.title.is_empty() { &f.vulnerability } else { &f.title };
            let mut properties = json!({"tags": ["security"], "severity": f.severity});
            if let (Some(score), Some(map)) = (f.score, properties.as_object_mut()) {
                map.insert("security-severity".to_owned(), format!("{score:.1}").into());
            }
            rules.push(
                json!({"id": f.vulnerability, "shortDescription": {"text": title}, "properties": properties}),
            );
            rules.len() - 1
        });
        let away =
            f.closed.is_some() || ["not_affected", "fixed", "false_positive"].contains(&f.status.as_str());
        let level = match f.severity {
            _ if away => "none",
            "critical" | "high" => "error",
            "low" | "none" => "note",
            _ => "warning",
        };
        let (component, version) = (&f.component_name, &f.component_version);
        let place = crate::ui::encode(&format!("{} {}", f.product, f.release_version));
        json!({
            "ruleId": f.vulnerability,
            "ruleIndex": number,
            "kind": if away { "pass" } else { "fail" },
            "level": level,
            "message": {"text": format!("{component} {version} in {} {}: {} ({})", f.product, f.release_version,
                f.vulnerability, f.status.replace('_', " "))},
            "locations": [{
                "physicalLocation": {"artifactLocation": {"uri": place}},
                "logicalLocations": [{"name": component, "fullyQualifiedName": if f.purl.is_empty() { component } else { &f.purl },
                    "kind": "module"}],
            }],
            "partialFingerprints": {"tocsin/v1": format!("{}|{component}|{}|{}", f.vulnerability, f.product, f.release_version)},
            "properties": {"id": f.id, "status": f.status, "justification": f.justification, "confidence": f.confidence,
                "verdict": f.verdict, "fixed": f.fixed, "kev": f.kev, "epss": f.epss, "firstSeen": f.first_seen},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: i64, vulnerability: &str, status: &str) -> Finding {
        Finding {
            id,
            product: "Pump 3".to_owned(),
            release_version: "1.0".to_owned(),
            component_name: "=openssl".to_owned(),
            component_version: "3.0.1".to_owned(),
            vulnerability: vulnerability.to_owned(),
            title: "a, \"flaw\"".to_owned(),
            severity: "high",
            score: Some(7.5),
            status: status.to_owned(),
            ..Finding::default()
        }
    }

    /// Two pages, then the end.
    fn whole(form: Form, pages: &[&[Finding]]) -> String {
        let mut writer = Writer::new(form);
        let mut out = Vec::new();
        for page in pages {
            out.extend(writer.page(page).unwrap());
        }
        out.extend(writer.end().unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pages_make_one_document() {
        let (a, b, c) =
            (finding(1, "CVE-1", "affected"), finding(2, "CVE-2", "fixed"), finding(3, "CVE-1", "affected"));
        let pages: [&[Finding]; 2] = [&[a, b], &[c]];
        let list: serde_json::Value = serde_json::from_str(&whole(Form::Json, &pages)).unwrap();
        assert_eq!(list.as_array().unwrap().len(), 3);
        assert_eq!(whole(Form::Json, &[]), "[]\n");
        assert_eq!(whole(Form::Ndjson, &pages).lines().count(), 3);
        assert_eq!(whole(Form::Ndjson, &[]), "");
        let sheet = whole(Form::Csv, &pages);
        assert_eq!(sheet.lines().count(), 4);
        assert!(sheet.contains(",'=openssl,") && sheet.contains("\"a, \"\"flaw\"\"\""), "{sheet}");
        assert_eq!(whole(Form::Csv, &[]).trim(), HEAD.join(","));
        let log: serde_json::Value = serde_json::from_str(&whole(Form::Sarif, &pages)).unwrap();
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 2);
        assert_eq!(run["results"][2]["ruleIndex"], 0);
        assert_eq!(run["results"][1]["kind"], "pass");
        let empty: serde_json::Value = serde_json::from_str(&whole(Form::Sarif, &[])).unwrap();
        assert_eq!(empty["runs"][0]["results"], json!([]));
    }
}
