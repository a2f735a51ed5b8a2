//! VEX documents of the store (OpenVEX, CycloneDX; those of CSAF are records): a newer edition of a document
//! replaces all statements of the one before.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};
use serde::{Deserialize, Serialize};
use tocsin_model::vex::{VexProduct, VexStatement, VexStatus};

use crate::error::Result;
use crate::intel::types::Counts;
use crate::platform::bulk::insert;
use crate::platform::instant::{instant, is_older};
use crate::platform::sql::{list, maybe, row, rows, run as tell, text, texts};

/// The statements of one document.
pub(crate) struct VexDocument {
    /// Its id (OpenVEX `@id`, CycloneDX serial number), else its hash.
    pub id: String,
    /// Time of its newest statement.
    pub modified: Option<String>,
    /// Hash of the statements.
    pub hash: String,
    /// The statements as JSON, in their order.
    pub statements: Vec<String>,
}

/// A statement as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    vulnerability: String,
    aliases: Vec<String>,
    products: Vec<StoredProduct>,
    status: String,
    justification: Option<String>,
    statement: Option<String>,
    timestamp: Option<String>,
    author: Option<String>,
    document: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredProduct {
    identifiers: Vec<String>,
    subcomponents: Vec<String>,
    versions: Vec<String>,
}

impl VexDocument {
    /// The document of these statements.
    pub(crate) fn new(statements: &[VexStatement]) -> VexDocument {
        let bodies: Vec<String> = statements.iter().map(to_json).collect();
        let hash = super::hash(255, bodies.join("\n").as_bytes());
        let mut modified: Option<String> = None;
        for time in statements.iter().filter_map(|s| s.timestamp.as_deref()) {
            if modified.is_none() || is_older(modified.as_deref(), Some(time)) {
                modified = Some(time.to_owned());
            }
        }
        let id = statements.iter().find_map(|s| s.document.clone());
        let id = id.filter(|id| id.len() <= 1000).unwrap_or_else(|| format!("hash:{hash}"));
        VexDocument { id, modified, hash, statements: bodies }
    }

    /// Bytes it takes.
    pub(crate) fn size(&self) -> usize {
        self.statements.iter().map(String::len).sum()
    }
}

pub(crate) fn to_json(s: &VexStatement) -> String {
    let product = |p: &VexProduct| StoredProduct {
        identifiers: p.identifiers.clone(),
        subcomponents: p.subcomponents.clone(),
        versions: p.versions.clone(),
    };
    let stored = Stored {
        vulnerability: s.vulnerability.clone(),
        aliases: s.aliases.clone(),
        products: s.products.iter().map(product).collect(),
        status: s.status.as_str().to_owned(),
        justification: s.justification.clone(),
        statement: s.statement.clone(),
        timestamp: s.timestamp.clone(),
        author: s.author.clone(),
        document: s.document.clone(),
    };
    serde_json::to_string(&stored).unwrap_or_default()
}

/// A stored statement; `None` where it is not one.
pub(crate) fn from_json(body: &str) -> Option<VexStatement> {
    let s: Stored = serde_json::from_str(body).ok()?;
    let status =
        [VexStatus::NotAffected, VexStatus::Affected, VexStatus::Fixed, VexStatus::UnderInvestigation]
            .into_iter()
            .find(|v| v.as_str() == s.status)?;
    let product = |p: StoredProduct| VexProduct {
        identifiers: p.identifiers,
        subcomponents: p.subcomponents,
        versions: p.versions,
    };
    Some(VexStatement {
        vulnerability: s.vulnerability,
        aliases: s.aliases,
        products: s.products.into_iter().map(product).collect(),
        status,
        justification: s.justification,
        statement: s.statement,
        timestamp: s.timestamp,
        author: s.author,
        document: s.document,
        // Statements of the store decide matching, for which these make no difference.
        path: String::new(),
        wrong_match: false,
        response: None,
    })
}

/// Writes documents; one that is older than its stored edition is passed over.
pub(crate) async fn write(
    tx: &DatabaseTransaction,
    documents: &[VexDocument],
    now: &str,
    counts: &mut BTreeMap<String, Counts>,
) -> Result<()> {
    let what = "writing VEX statements";
    for d in documents {
        let c = counts.entry("vex".to_owned()).or_default();
        let n = d.statements.len() as u64;
        c.read += n;
        let sql = "SELECT hash, modified FROM vex_document WHERE id = $1";
        let stored: Option<(String, Option<String>)> = row(tx, what, sql, vec![text(&d.id)]).await?;
        match &stored {
            Some((hash, _)) if *hash == d.hash => {
                c.unchanged += n;
                continue;
            }
            Some((_, was)) if is_older(d.modified.as_deref(), was.as_deref()) => {
                c.older += n;
                continue;
            }
            Some(_) => c.changed += n,
            None => c.new += n,
        }
        tell(tx, what, "DELETE FROM vex_statement WHERE document = $1", vec![text(&d.id)]).await?;
        let document = [text(&d.id), maybe(d.modified.as_deref()), text(&d.hash), text(now)];
        let tail = "ON CONFLICT (id) DO UPDATE SET modified = excluded.modified, hash = excluded.hash,
             seen = excluded.seen";
        let head = "INSERT INTO vex_document (id, modified, hash, seen)";
        insert(tx, what, head, tail, vec![document]).await?;
        let statements = d.statements.iter().zip(0i64..);
        let statements = statements.map(|(s, n)| [text(&d.id), Value::from(n), text(s)]).collect();
        insert(tx, what, "INSERT INTO vex_statement (document, n, body)", "", statements).await?;
    }
    Ok(())
}

/// Statements that may be about one of these ids, as [`read`] gives them: their text has it.
pub(crate) async fn naming(db: &impl ConnectionTrait, ids: &[String]) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT d.modified, s.document, s.n, s.body FROM vex_statement s JOIN vex_document d ON d.id = s.document
         WHERE EXISTS (SELECT 1 FROM {} AS t WHERE s.body LIKE '%' || t.value || '%')",
        texts(db, 1)
    );
    let mut found: Vec<(Option<String>, String, i64, String)> =
        rows(db, "reading VEX statements", &sql, vec![list(ids)]).await?;
    found.sort_by_cached_key(|f| (f.0.as_deref().and_then(instant), f.1.clone(), f.2));
    Ok(found.into_iter().map(|f| f.3).collect())
}

/// All statements as JSON, oldest document first, so that a later word wins; the same for any order of import.
pub(crate) async fn read(db: &impl ConnectionTrait) -> Result<Vec<String>> {
    let sql = "SELECT d.modified, s.document, s.n, s.body FROM vex_statement s
         JOIN vex_document d ON d.id = s.document";
    let mut found: Vec<(Option<String>, String, i64, String)> =
        rows(db, "reading VEX statements", sql, vec![]).await?;
    found.sort_by_cached_key(|f| (f.0.as_deref().and_then(instant), f.1.clone(), f.2));
    Ok(found.into_iter().map(|f| f.3).collect())
}
