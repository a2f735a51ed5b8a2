//! A release as a bill of materials made of what is held: components, licences, hashes, suppliers, edges, and the
//! findings of the moment as a report.

use std::collections::{BTreeMap, HashMap};

use sea_orm::DatabaseConnection;
use sha2::{Digest, Sha256};
use tocsin_formats::cyclonedx::vdr::{VdrAffect, VdrAnalysis, VdrRating, VdrVulnerability};
use tocsin_formats::spdx::Advisory;
use tocsin_model::bom::{Bom, Component, ComponentKind, License};
use tocsin_model::cpe::Cpe;
use tocsin_model::purl::Purl;

use super::{in_lines, kind_named, release_of};
use crate::detection::SEVERITIES;
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// What a release holds, ready to be written in any format.
#[derive(Debug, Clone, Default)]
pub struct Export {
    /// The bill of materials; its root is the product.
    pub bom: Bom,
    /// Open findings by vulnerability, for CycloneDX; empty unless asked for.
    pub vulnerabilities: Vec<VdrVulnerability>,
    /// The same for SPDX.
    pub advisories: Vec<Advisory>,
}

/// A UUID (RFC 9562 version 8) that follows from what a document is made of: the same content has the same.
fn serial(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hex: String = hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    format!("urn:uuid:{}-{}-8{}-a{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32))
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|t| !t.is_empty())
}

/// Reads what a release holds. `tool` names the program for the document (`tocsin 0.1`); with `vulnerabilities`, the
/// open findings that are surely identified come with it, those of early warnings aside: the document leaves the house.
///
/// # Errors
/// As [`release_of`]; denied where findings are asked for and may not be seen.
pub async fn export(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    tool: &str,
    vulnerabilities: bool,
) -> Result<Export> {
    let r = release_of(db, actor, release).await?;
    let what = "reading what the release holds";
    let select = "SELECT c.id, c.kind, c.grp, c.name, c.version, c.purl, c.cpes, c.supplier, o.ref, o.places, \
                  o.hashes, o.parent FROM occurrence o JOIN component c ON c.id = o.component WHERE o.release = $1 \
                  ORDER BY c.name, c.version, c.id";
    type Row = (i64, String, String, String, String, String, String, String, String, String, String, i64);
    let rows: Vec<Row> = sql::rows(db, what, select, vec![release.into()]).await?;
    let select =
        "SELECT component, licence FROM occurrence_licence WHERE release = $1 ORDER BY component, licence";
    let mut licences: HashMap<i64, Vec<License>> = HashMap::new();
    for (component, licence) in sql::rows::<(i64, String)>(db, what, select, vec![release.into()]).await? {
        let licence = match tocsin_formats::spdx::is_expression(&licence) {
            true => License::Expression(licence),
            false => License::Named(licence),
        };
        licences.entry(component).or_default().push(licence);
    }
    let select = "SELECT root, (SELECT COUNT(*) FROM document d WHERE d.release = $1), \
                  COALESCE((SELECT d.blob FROM document d WHERE d.release = $1 AND d.state = 'current'), '') \
                  FROM release WHERE id = $1";
    let (root, version, blob): (i64, i64, String) =
        sql::row(db, what, select, vec![release.into()]).await?.unwrap_or_default();
    let at: HashMap<i64, usize> = rows.iter().enumerate().map(|(n, row)| (row.0, n)).collect();
    let parents: Vec<i64> = rows.iter().map(|row| row.11).collect();
    let mut bom = Bom {
        serial: Some(serial(&[&r.product_name, &r.version, &blob, &actor.workspace.to_string()])),
        version: Some(version.max(1) as u64),
        timestamp: Some(actor.now.clone()),
        name: Some(format!("{} {}", r.product_name, r.version)),
        creators: vec![format!("Tool: {tool}")],
        root: at.get(&root).copied(),
        ..Bom::default()
    };
    for (id, word, group, name, version, purl, cpes, supplier, reference, places, hashes, _) in rows {
        let mut places: Vec<String> = serde_json::from_str(&places).unwrap_or_default();
        places.retain(|p| *p != reference);
        let cpes: Vec<String> = serde_json::from_str(&cpes).unwrap_or_default();
        bom.components.push(Component {
            reference,
            kind: kind_named(&word).unwrap_or_default(),
            group: some(group),
            name,
            version: some(version),
            purl: Purl::parse(&purl).ok(),
            cpes: cpes.iter().filter_map(|c| Cpe::parse(c).ok()).collect(),
            supplier: some(supplier),
            licenses: licences.remove(&id).unwrap_or_default().into(),
            hashes: serde_json::from_str(&hashes).unwrap_or_default(),
            locations: places.into(),
            ..Component::default()
        });
    }
    for (component, parent) in bom.components.iter_mut().zip(parents) {
        component.parent = at.get(&parent).copied();
    }
    let select = "SELECT parent, child FROM edge WHERE release = $1 ORDER BY parent, child";
    let edges: Vec<(i64, i64)> = sql::rows(db, what, select, vec![release.into()]).await?;
    let placed = edges.iter().filter_map(|(from, to)| Some((*at.get(from)?, *at.get(to)?)));
    bom.dependencies = placed.collect();
    if bom.root.is_none() {
        describe(&mut bom, &r.product_name, &r.version, release);
    }
    let mut out = Export { bom, ..Export::default() };
    if vulnerabilities {
        report(db, actor, release, &at, &mut out).await?;
    }
    Ok(out)
}

/// Puts the product in as the root where the document named none; it depends on what nothing else depends on.
fn describe(bom: &mut Bom, product: &str, version: &str, release: i64) {
    let root = bom.components.len();
    let mut top = vec![true; root];
    for (from, to) in &bom.dependencies {
        if let Some(top) = top.get_mut(*to).filter(|_| from != to) {
            *top = false;
        }
    }
    let tops = top
        .iter()
        .enumerate()
        .filter(|(n, top)| **top && bom.components.get(*n).is_some_and(|c| c.parent.is_none()));
    let edges: Vec<(usize, usize)> = tops.map(|(n, _)| (root, n)).collect();
    bom.dependencies.extend(edges);
    bom.components.push(Component {
        reference: format!("release-{release}"),
        kind: ComponentKind::Application,
        name: product.to_owned(),
        version: some(version.to_owned()),
        ..Component::default()
    });
    bom.root = Some(root);
}

/// What is told of one vulnerability alike for several components: id, status, justification, detail.
type Told = (String, String, String, String);

async fn report(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    at: &HashMap<i64, usize>,
    out: &mut Export,
) -> Result<()> {
    let what = "reading what hurts the release";
    let mut values = vec![actor.workspace.into(), release.into()];
    let scope = in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT f.component, f.vulnerability, f.severity, f.score, f.title, f.fixed, f.status, f.justification, \
         COALESCE(d.detail, ''), f.confidence FROM finding f JOIN release r ON r.id = f.release JOIN product p \
         ON p.id = r.product LEFT JOIN decision d ON d.id = f.decision WHERE f.workspace = $1 AND f.release = $2 \
         AND f.closed IS NULL AND f.confidence > 0 AND f.vulnerability NOT LIKE 'TOCSIN-%'{scope} \
         ORDER BY f.rank DESC, f.id"
    );
    type Row = (i64, String, i64, Option<f64>, String, String, String, String, String, i64);
    let rows: Vec<Row> = sql::rows(db, what, &select, values).await?;
    let ids: Vec<&str> = rows.iter().map(|r| r.1.as_str()).collect();
    let select = format!(
        "SELECT v.main, a.id FROM alias a JOIN vulnerability v ON v.id = a.vulnerability WHERE v.main IN {} \
         AND a.id <> v.main ORDER BY v.main, a.id",
        sql::texts(db, 1)
    );
    let mut aliases: HashMap<String, Vec<String>> = HashMap::new();
    for (main, alias) in sql::rows::<(String, String)>(db, what, &select, vec![sql::list(&ids)]).await? {
        aliases.entry(main).or_default().push(alias);
    }
    let mut place: BTreeMap<Told, usize> = BTreeMap::new();
    for (component, id, severity, score, title, fixed, status, justification, detail, confidence) in rows {
        let Some(index) = at.get(&component).copied() else { continue };
        let Some(reference) = out.bom.components.get(index).map(|c| c.reference.clone()) else { continue };
        let words: Vec<&str> =
            [status.as_str(), justification.as_str()].into_iter().filter(|w| !w.is_empty()).collect();
        out.advisories.push(Advisory {
            component: index,
            id: id.clone(),
            comment: format!("{id}: {}", words.join(", ")),
        });
        let told = (id.clone(), status.clone(), justification.clone(), detail.clone());
        let n = *place.entry(told).or_insert_with(|| {
            let word = SEVERITIES.get(severity as usize).copied().unwrap_or("unknown");
            out.vulnerabilities.push(VdrVulnerability {
                references: aliases.get(&id).cloned().unwrap_or_default(),
                ratings: vec![VdrRating { score, severity: Some(word.to_owned()), ..VdrRating::default() }],
                description: some(title),
                recommendation: some(fixed).map(|f| format!("Update to {}.", f.replace(", ", " or "))),
                analysis: Some(VdrAnalysis {
                    state: some(status),
                    justification: some(justification),
                    detail: some(detail),
                    ..VdrAnalysis::default()
                }),
                properties: vec![(
                    "tocsin:confidence".to_owned(),
                    if confidence > 1 { "exact" } else { "declared" }.to_owned(),
                )],
                id,
                ..VdrVulnerability::default()
            });
            out.vulnerabilities.len() - 1
        });
        if let Some(v) = out.vulnerabilities.get_mut(n) {
            v.affects.push(VdrAffect { reference, versions: Vec::new() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_a_uuid_that_repeats() {
        let one = serial(&["Pump", "1"]);
        assert_eq!((one.len(), one.as_bytes()[23], one.as_bytes()[28]), (45, b'8', b'a'));
        assert_eq!(one, serial(&["Pump", "1"]));
        assert_ne!(one, serial(&["Pump1", ""]));
    }
}
