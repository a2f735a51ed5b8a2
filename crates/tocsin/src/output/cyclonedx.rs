//! Findings as CycloneDX: what was scanned, with its vulnerabilities added (a vulnerability disclosure report).

use std::collections::HashSet;
use std::io::{self, Write};

use tocsin_engine::index::Vulnerability;
use tocsin_formats::cyclonedx::vdr::{VdrAffect, VdrAnalysis, VdrRating, VdrVulnerability, enrich};
use tocsin_model::bom::Bom;
use tocsin_model::finding::Verdict;

use super::{Item, Scan};

/// Writes the document that was scanned with the findings added; a CycloneDX JSON document keeps all it has, any
/// other, and several together, become a new one of all their components.
///
/// Inferred findings carry the property `tocsin:confidence`, like all others.
///
/// # Errors
/// The writer fails.
pub fn write(out: &mut dyn Write, scan: &Scan<'_>) -> io::Result<()> {
    let made;
    let (bom, offsets) = match (scan.documents, scan.raw) {
        ([only], Some(_)) => (only, vec![0]),
        (documents, _) => {
            made = joined(documents, scan.places);
            (&made.0, made.1.clone())
        }
    };
    // components of a new document have new references: asked for by number, not by the reference they had
    let found = scan.all().filter_map(|item| {
        let offset = offsets.get(item.document)?;
        let all = std::iter::once(&item.finding.component).chain(&item.also);
        let references = all.filter_map(|n| Some(bom.components.get(n + offset)?.reference.as_str()));
        Some(vulnerability(item, references))
    });
    let found: Vec<VdrVulnerability> = found.collect();
    let document = enrich(scan.raw.unwrap_or_default(), bom, &found)
        .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why.message))?;
    out.write_all(&document)?;
    out.write_all(b"\n")
}

/// One bill of materials of several, and where the components of each begin. References of several documents may
/// clash; CycloneDX wants them unique.
fn joined(documents: &[Bom], places: &[String]) -> (Bom, Vec<usize>) {
    let mut all = match documents {
        [only] => {
            Bom { serial: only.serial.clone(), version: only.version, root: only.root, ..Bom::default() }
        }
        _ => Bom::default(),
    };
    let mut offsets = Vec::with_capacity(documents.len());
    let mut used = HashSet::new();
    for (n, bom) in documents.iter().enumerate() {
        let offset = all.components.len();
        offsets.push(offset);
        for c in &bom.components {
            let wanted =
                if documents.len() > 1 { format!("{n}:{}", c.reference) } else { c.reference.clone() };
            let mut c = c.clone();
            c.reference = if wanted.is_empty() { "component".to_owned() } else { wanted };
            if !used.insert(c.reference.clone()) {
                c.reference = format!("{}~{}", c.reference, all.components.len());
                used.insert(c.reference.clone());
            }
            if let Some(place) = places.get(n).filter(|p| !p.is_empty()) {
                c.properties.push(("tocsin:document".to_owned(), place.clone()));
            }
            c.parent = c.parent.map(|p| p + offset);
            all.components.push(c);
        }
        all.dependencies.extend(bom.dependencies.iter().map(|(from, to)| (from + offset, to + offset)));
    }
    (all, offsets)
}

fn vulnerability<'a>(item: &Item<'_>, references: impl Iterator<Item = &'a str>) -> VdrVulnerability {
    let f = item.finding;
    let v = &f.vulnerability;
    VdrVulnerability {
        id: v.id.clone(),
        source: None,
        references: v.aliases.clone(),
        ratings: ratings(v),
        // CycloneDX 1.6 `cwes` are integers.
        cwes: v.cwes.iter().filter_map(|c| c.strip_prefix("CWE-").and_then(|n| n.parse().ok())).collect(),
        description: Some(v.title.clone()).filter(|t| !t.is_empty()),
        recommendation: (!f.fixed_versions.is_empty())
            .then(|| format!("Update to {}.", f.fixed_versions.join(" or "))),
        analysis: Some(VdrAnalysis {
            state: Some(state(f.status).to_owned()),
            justification: f.justification.clone(),
            ..VdrAnalysis::default()
        }),
        affects: references.map(|r| VdrAffect { reference: r.to_owned(), versions: Vec::new() }).collect(),
        properties: vec![("tocsin:confidence".to_owned(), f.confidence.as_str().to_owned())],
    }
}

fn ratings(v: &Vulnerability) -> Vec<VdrRating> {
    let rating = |(version, vector, score, source): &(String, String, f32, String)| VdrRating {
        source: Some(source.clone()),
        // Through text, so that 7.5f32 is written 7.5 and not with the digits of its f64.
        score: score.to_string().parse().ok(),
        severity: None,
        method: Some(
            match version.as_str() {
                "2.0" => "CVSSv2",
                "3.0" => "CVSSv3",
                "3.1" => "CVSSv31",
                "4.0" => "CVSSv4",
                _ => "other",
            }
            .to_owned(),
        ),
        vector: Some(vector.clone()),
    };
    v.cvss.iter().map(rating).collect()
}

/// The CycloneDX 1.6 impact analysis state.
fn state(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Affected => "exploitable",
        Verdict::Fixed => "resolved",
        Verdict::NotAffected => "not_affected",
        Verdict::Conditional | Verdict::Undecidable => "in_triage",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_affected_reference_is_a_listed_component() {
        let data = crate::output::sample::data();
        let mut out = Vec::new();
        write(&mut out, &data.scan()).unwrap();
        let bom: Value = serde_json::from_slice(&out).unwrap();
        let refs: Vec<_> = bom["components"].as_array().unwrap().iter().map(|c| &c["bom-ref"]).collect();
        assert_eq!(refs.len(), 2);
        for v in bom["vulnerabilities"].as_array().unwrap() {
            assert!(refs.contains(&&v["affects"][0]["ref"]));
            assert_eq!(v["ratings"][0]["score"], 7.5);
            assert_eq!(v["cwes"][0], 79);
        }
    }
}
