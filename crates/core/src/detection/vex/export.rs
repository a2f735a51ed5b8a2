//! Decisions as claims: VEX of a release, or of the findings that a filter gives.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::Serialize;
use tocsin_formats::vex::{Claim, Export, Part, Whole};

use super::names::generic;
use crate::detection::Finding;
use crate::error::{Error, Result};
use crate::inventory::in_lines;
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;
use crate::warnings;

/// Who publishes VEX documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Publisher {
    /// Name.
    pub name: String,
    /// Address under which its ids are unique.
    pub namespace: String,
    /// Category (CSAF 2.0, 3.2.1.8.1).
    pub category: String,
    /// How to reach it, or empty.
    pub contact: String,
    /// Its authority, or empty.
    pub authority: String,
}

/// The publisher of a workspace: `publisher` (`name`, `namespace`) of its settings, else the workspace's name and an
/// address that no one has.
///
/// # Errors
/// The database does not answer.
pub async fn publisher(db: &impl ConnectionTrait, workspace: i64) -> Result<Publisher> {
    let select = "SELECT name, slug, settings FROM workspace WHERE id = $1";
    let row: Option<(String, String, String)> =
        sql::row(db, "reading the workspace's settings", select, vec![workspace.into()]).await?;
    let (name, slug, settings) = row.ok_or_else(|| Error::NotFound("the workspace".to_owned()))?;
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap_or_default();
    let given = |key: &str| {
        let value = settings.get("publisher")?.get(key)?.as_str()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    Ok(Publisher {
        name: given("name").unwrap_or(name),
        // RFC 2606: nobody's
        namespace: given("namespace").unwrap_or_else(|| format!("https://{slug}.example.invalid")),
        category: given("category").unwrap_or_else(|| "vendor".to_owned()),
        contact: given("contact").unwrap_or_default(),
        authority: given("authority").unwrap_or_default(),
    })
}

fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() || c == '.' {
            out.push(c);
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_matches('-').to_owned()
}

/// What is said of findings, as a document to be written; of early warnings nothing is, as nobody outside knows their
/// names, and some are under embargo. `title` is what it is of: `Pump 3 1.0`.
///
/// # Errors
/// Denied; [`Error::Rejected`]: there is nothing to tell; the database does not answer.
pub async fn export(
    db: &DatabaseConnection,
    actor: &Actor,
    title: &str,
    findings: &[Finding],
    program: &str,
) -> Result<Export> {
    let public: Vec<Finding> =
        findings.iter().filter(|f| !warnings::is_warning(&f.vulnerability)).cloned().collect();
    let findings = public.as_slice();
    if findings.is_empty() {
        let message = "there is no finding to tell of; a VEX document has at least one".to_owned();
        return Err(Error::Rejected { field: "findings".to_owned(), message });
    }
    let publisher = publisher(db, actor.workspace).await?;
    let releases: Vec<i64> =
        findings.iter().map(|f| f.release).collect::<BTreeSet<_>>().into_iter().collect();
    let (wholes, numbers) = wholes(db, actor, &releases).await?;
    let parts = parts(db, findings).await?;
    let said = said(db, findings).await?;
    let claim = |f: &Finding| {
        let d = f.decision.and_then(|id| said.get(&id));
        Some(Claim {
            vulnerability: f.vulnerability.clone(),
            title: f.title.clone(),
            whole: *numbers.get(&f.release)?,
            part: parts.get(&f.id)?.clone(),
            status: f.status.clone(),
            justification: f.justification.clone(),
            response: d.map(|d| d.response.clone()).unwrap_or_default(),
            detail: d.map(|d| d.detail.clone()).unwrap_or_default(),
            at: d.map_or_else(|| f.first_seen.clone(), |d| d.at.clone()),
        })
    };
    let stamp: String = actor.now.chars().take(19).filter(|c| c.is_ascii_alphanumeric()).collect();
    Ok(Export {
        title: format!("VEX of {title}"),
        id: format!("vex-{}-{}z", plain(title), stamp.to_lowercase()),
        publisher: publisher.name,
        namespace: publisher.namespace,
        category: publisher.category,
        contact: publisher.contact,
        authority: publisher.authority,
        at: actor.now.clone(),
        program: program.to_owned(),
        claims: findings.iter().filter_map(claim).collect(),
        wholes,
    })
}

async fn wholes(
    db: &DatabaseConnection,
    actor: &Actor,
    releases: &[i64],
) -> Result<(Vec<Whole>, HashMap<i64, usize>)> {
    let mut values = vec![sql::list(releases), actor.workspace.into()];
    let scope = in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT r.id, l.name, p.name, r.version, COALESCE(d.serial, ''), d.revision, COALESCE(c.purl, '') FROM release r \
         JOIN product p ON p.id = r.product JOIN line l ON l.id = p.line \
         LEFT JOIN document d ON d.release = r.id AND d.state = 'current' LEFT JOIN component c ON c.id = d.root \
         WHERE r.id IN {} AND r.workspace = $2{scope} ORDER BY p.name, r.id",
        sql::numbers(db, 1)
    );
    type Row = (i64, String, String, String, String, Option<i64>, String);
    let rows: Vec<Row> = sql::rows(db, "reading products", &select, values).await?;
    let (mut wholes, mut numbers) = (Vec::new(), HashMap::new());
    for (id, family, name, version, serial, revision, purl) in rows {
        numbers.insert(id, wholes.len());
        let revision = revision.and_then(|r| u64::try_from(r).ok());
        let serial = serial.strip_prefix("urn:uuid:").map(str::to_owned);
        wholes.push(Whole {
            // a package URL without version would be every version of the product
            purl: if purl.contains('@') { purl } else { generic("", &name, &version) },
            family,
            name,
            version,
            document: serial.zip(revision),
        });
    }
    Ok((wholes, numbers))
}

async fn parts(db: &DatabaseConnection, findings: &[Finding]) -> Result<HashMap<i64, Part>> {
    let ids: Vec<i64> = findings.iter().map(|f| f.id).collect();
    let mut map = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(20_000) {
        let select = format!(
            "SELECT f.id, c.purl, c.grp, c.name, c.version, c.cpes, COALESCE(o.ref, '') FROM finding f \
             JOIN component c ON c.id = f.component LEFT JOIN occurrence o ON o.release = f.release \
             AND o.component = f.component WHERE f.id IN {}",
            sql::numbers(db, 1)
        );
        type Row = (i64, String, String, String, String, String, String);
        let rows: Vec<Row> = sql::rows(db, "reading components", &select, vec![sql::list(chunk)]).await?;
        for (id, purl, group, name, version, cpes, reference) in rows {
            let cpes: Vec<String> = serde_json::from_str(&cpes).unwrap_or_default();
            let part = Part {
                purl: if purl.is_empty() { generic(&group, &name, &version) } else { purl },
                name: if group.is_empty() { name } else { format!("{group}/{name}") },
                version,
                cpe: cpes.into_iter().find(|c| c.starts_with("cpe:2.3:")).unwrap_or_default(),
                reference,
            };
            map.insert(id, part);
        }
    }
    Ok(map)
}

struct Said {
    response: String,
    detail: String,
    at: String,
}

async fn said(db: &DatabaseConnection, findings: &[Finding]) -> Result<HashMap<i64, Said>> {
    let ids: Vec<i64> =
        findings.iter().filter_map(|f| f.decision).collect::<BTreeSet<_>>().into_iter().collect();
    let mut map = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(20_000) {
        let select = format!(
            "SELECT id, response, detail, COALESCE(approved, proposed) FROM decision WHERE id IN {}",
            sql::numbers(db, 1)
        );
        let rows: Vec<(i64, String, String, String)> =
            sql::rows(db, "reading decisions", &select, vec![sql::list(chunk)]).await?;
        map.extend(rows.into_iter().map(|(id, response, detail, at)| (id, Said { response, detail, at })));
    }
    Ok(map)
}
