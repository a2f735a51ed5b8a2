//! A hand-made answer for the tests of the writers.

use std::sync::Arc;

use tocsin_engine::index::Vulnerability;
use tocsin_engine::matching::Finding;
use tocsin_model::bom::{Bom, Component};
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::finding::{Confidence, Evidence, Verdict};

use super::{Item, Scan};

pub(crate) struct Data {
    documents: Vec<Bom>,
    places: Vec<String>,
    diagnostics: Vec<Diagnostic>,
    findings: Vec<Finding>,
}

pub(crate) fn data() -> Data {
    let component = |name: &str, version: &str| Component {
        reference: format!("ref-{name}"),
        name: name.to_owned(),
        version: Some(version.to_owned()),
        ..Component::default()
    };
    let documents = vec![Bom {
        components: vec![component("django", "2.2.8"), component("@scope/web", "1.0.0")],
        ..Bom::default()
    }];
    let high = Arc::new(Vulnerability {
        id: "CVE-2000-0001".to_owned(),
        aliases: vec!["GHSA-aaaa-bbbb-cccc".to_owned()],
        title: "a <title> with \"marks\"".to_owned(),
        severity: "high",
        score: Some(7.5),
        cvss: vec![("3.1".into(), "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H".into(), 7.5, "nvd".into())],
        cwes: vec!["CWE-79".to_owned()],
        kev: Some(("2020-01-01".to_owned(), None, false)),
        epss: Some((0.5, 0.9)),
        exploits: vec![("exploit-db".to_owned(), "EDB-1".to_owned())],
        state: "published",
        kind: "vulnerability",
    });
    let low = Arc::new(Vulnerability { id: "CVE-2000-0002".to_owned(), severity: "low", ..(*high).clone() });
    let finding = |component, vulnerability: &Arc<Vulnerability>, status, confidence| Finding {
        component,
        vulnerability: Arc::clone(vulnerability),
        status,
        justification: None,
        confidence,
        fixed_versions: vec!["2.2.9".to_owned()],
        evidence: vec![Evidence {
            source: "ghsa",
            record: "GHSA-aaaa-bbbb-cccc".to_owned(),
            identifier: "pkg:pypi/django".to_owned(),
            range: ">=2.2 <2.2.9".to_owned(),
            verdict: status,
            confidence,
            reason: String::new(),
        }],
    };
    Data {
        documents,
        places: vec!["sub/bom.json".to_owned()],
        diagnostics: vec![Diagnostic::new("purl-invalid", "components[1].purl", "not a package URL")],
        findings: vec![
            finding(0, &high, Verdict::Affected, Confidence::Exact),
            finding(1, &low, Verdict::Conditional, Confidence::Declared),
            finding(1, &high, Verdict::Affected, Confidence::Inferred),
        ],
    }
}

impl Data {
    pub(crate) fn scan(&self) -> Scan<'_> {
        let components = self.documents.first().map(|d| d.components.as_slice()).unwrap_or_default();
        let item = |finding: &'_ Finding| -> usize { finding.component };
        let items = |guessed: bool| {
            self.findings
                .iter()
                .filter(|f| (f.confidence == Confidence::Inferred) == guessed)
                .filter_map(|f| {
                    components.get(item(f)).map(|component| Item {
                        component,
                        also: Vec::new(),
                        finding: f,
                        document: 0,
                    })
                })
                .collect()
        };
        Scan {
            target: "bom.json",
            documents: &self.documents,
            places: &self.places,
            raw: None,
            diagnostics: &self.diagnostics,
            findings: items(false),
            inferred: Some(items(true)),
            explain: false,
        }
    }
}
