//! Two releases of a product against each other: what came, what went, what changed, and which findings with it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sea_orm::DatabaseConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::release_of;
use crate::detection::{self, Filter, Finding};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// Most open findings of one release that are compared.
const FINDINGS: u64 = 50_000;

/// A component that only one of the releases has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Piece {
    /// Name with its group.
    pub name: String,
    /// Its versions, with commas between them.
    pub versions: String,
}

/// A component that both have, in other versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Changed {
    /// Name with its group.
    pub name: String,
    /// Versions before.
    pub before: String,
    /// Versions after.
    pub after: String,
}

/// What changed from one release to another.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Comparison {
    /// Components that came.
    pub added: Vec<Piece>,
    /// Components that went.
    pub removed: Vec<Piece>,
    /// Components in other versions.
    pub changed: Vec<Changed>,
    /// Components that are the same in both.
    pub same: usize,
    /// Open findings of the later release whose vulnerability does not hurt that component in the earlier.
    pub new: Vec<Finding>,
    /// Open findings of the earlier release that the later does not have.
    pub gone: Vec<Finding>,
}

impl Comparison {
    /// Nothing came, went or changed.
    pub fn is_same(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.new.is_empty()
            && self.gone.is_empty()
    }
}

/// Versions by what is the same component in any version: type of package, then name with its group.
type Held = BTreeMap<(String, String), BTreeSet<String>>;

async fn held(db: &DatabaseConnection, release: i64) -> Result<Held> {
    let select = "SELECT c.grp, c.name, c.version, c.purl FROM occurrence o JOIN component c ON c.id = o.component \
                  WHERE o.release = $1";
    type Row = (String, String, String, String);
    let rows: Vec<Row> = sql::rows(db, "comparing releases", select, vec![release.into()]).await?;
    let mut held = Held::new();
    for (group, name, version, purl) in rows {
        let name = if group.is_empty() { name } else { format!("{group}/{name}") };
        let kind = purl.split('/').next().unwrap_or_default().to_owned();
        held.entry((kind, name)).or_default().insert(version);
    }
    Ok(held)
}

async fn open(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Vec<Finding>> {
    if !actor.may(Permission::FindingRead) {
        return Ok(Vec::new());
    }
    let filter = Filter { release: Some(release), ..Filter::default() };
    Ok(detection::findings(db, actor, &filter, None, FINDINGS).await?.findings)
}

/// Compares two releases of one product.
///
/// # Errors
/// As [`release_of`]; [`Error::Rejected`] for releases of different products.
pub async fn compare(db: &DatabaseConnection, actor: &Actor, before: i64, after: i64) -> Result<Comparison> {
    let (was, is) = (release_of(db, actor, before).await?, release_of(db, actor, after).await?);
    if was.product != is.product {
        let message = "both releases are of one product".to_owned();
        return Err(Error::Rejected { field: "with".to_owned(), message });
    }
    let (mut was, is) = (held(db, before).await?, held(db, after).await?);
    let list = |versions: BTreeSet<String>| versions.into_iter().collect::<Vec<_>>().join(", ");
    let mut out = Comparison::default();
    for (key, now) in is {
        match was.remove(&key) {
            None => out.added.push(Piece { name: key.1, versions: list(now) }),
            Some(then) if then == now => out.same += 1,
            Some(then) => out.changed.push(Changed { name: key.1, before: list(then), after: list(now) }),
        }
    }
    out.removed = was.into_iter().map(|(key, v)| Piece { name: key.1, versions: list(v) }).collect();
    let (was, is) = (open(db, actor, before).await?, open(db, actor, after).await?);
    let keys = |list: &[Finding]| -> HashSet<(String, String)> {
        list.iter().map(|f| (f.vulnerability.clone(), f.component_name.clone())).collect()
    };
    let (had, has) = (keys(&was), keys(&is));
    let missing = |list: Vec<Finding>, there: &HashSet<(String, String)>| -> Vec<Finding> {
        list.into_iter()
            .filter(|f| !there.contains(&(f.vulnerability.clone(), f.component_name.clone())))
            .collect()
    };
    (out.new, out.gone) = (missing(is, &had), missing(was, &has));
    Ok(out)
}
