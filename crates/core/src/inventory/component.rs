//! One component: what identifies it, where it is, which versions of it are in use.

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;
use tocsin_model::ecosystem::of_purl;
use tocsin_model::purl::Purl;
use tocsin_model::version::Scheme;

use super::in_lines;
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// A component.
#[derive(Debug, Clone, Serialize)]
pub struct Detail {
    /// Id.
    pub id: i64,
    /// CycloneDX component type.
    pub kind: String,
    /// Group, or empty.
    pub group: String,
    /// Name without the group.
    pub name: String,
    /// Version, or empty.
    pub version: String,
    /// Package URL, or empty.
    pub purl: String,
    /// CPE names.
    pub cpes: Vec<String>,
    /// Supplier, or empty.
    pub supplier: String,
}

impl Detail {
    /// Name with its group.
    pub fn full_name(&self) -> String {
        if self.group.is_empty() { self.name.clone() } else { format!("{}/{}", self.group, self.name) }
    }
}

/// A release that holds a component.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Release.
    pub release: i64,
    /// Product.
    pub product: String,
    /// Product line.
    pub line: String,
    /// Version of the release.
    pub release_version: String,
    /// Still watched.
    pub active: bool,
    /// Units in the field.
    pub units: i64,
    /// Named by the product itself.
    pub direct: bool,
    /// Licences as the document gives them.
    pub licences: String,
    /// References and locations in the document.
    pub places: Vec<String>,
    /// Hashes: algorithm and hexadecimal.
    pub hashes: Vec<(String, String)>,
    /// Open findings of the component in it.
    pub findings: i64,
    /// Highest severity among them, 0 (none) to 5 (critical).
    pub worst: i64,
}

/// A version of the same package that is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Component.
    pub component: i64,
    /// Version, or empty.
    pub version: String,
    /// Releases with it that the actor may see.
    pub releases: i64,
    /// Their units.
    pub units: i64,
    /// Open findings in them.
    pub findings: i64,
    /// Highest severity among them.
    pub worst: i64,
}

/// An open finding of a component.
#[derive(Debug, Clone, Serialize)]
pub struct Hurt {
    /// Finding.
    pub finding: i64,
    /// Main id of the vulnerability.
    pub vulnerability: String,
    /// Its title.
    pub title: String,
    /// 0 (unknown) to 5 (critical).
    pub severity: i64,
    /// Known to be exploited.
    pub kev: bool,
    /// Fixed versions, or empty.
    pub fixed: String,
    /// Status.
    pub status: String,
    /// Release.
    pub release: i64,
    /// Product and version of the release.
    pub release_name: String,
}

/// Open findings of a component that are surely identified, most urgent first.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn hurts(db: &DatabaseConnection, actor: &Actor, id: i64, most: u64) -> Result<Vec<Hurt>> {
    let mut values: Vec<Value> = vec![actor.workspace.into(), id.into()];
    let scope = in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    values.push((most as i64).into());
    let select = format!(
        "SELECT f.id, f.vulnerability, f.title, f.severity, f.kev, f.fixed, f.status, r.id, p.name || ' ' || r.version \
         FROM finding f JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product WHERE +f.workspace = $1 \
         AND f.component = $2 AND f.closed IS NULL AND f.confidence > 0{scope} ORDER BY f.rank DESC, f.id LIMIT ${}",
        values.len()
    );
    type Row = (i64, String, String, i64, i64, String, String, i64, String);
    let rows: Vec<Row> = sql::rows(db, "listing what hurts a component", &select, values).await?;
    let hurt = |(finding, vulnerability, title, severity, kev, fixed, status, release, release_name): Row| {
        Hurt { finding, vulnerability, title, severity, kev: kev != 0, fixed, status, release, release_name }
    };
    Ok(rows.into_iter().map(hurt).collect())
}

/// A component, where the actor may see a release that holds it.
///
/// # Errors
/// [`Error::NotFound`], also where the actor may see none of its releases.
pub async fn component_of(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Detail> {
    let mut values: Vec<Value> = vec![actor.workspace.into(), id.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT c.kind, c.grp, c.name, c.version, c.purl, c.cpes, c.supplier FROM component c WHERE c.id = $2 \
         AND EXISTS (SELECT 1 FROM occurrence o JOIN release r ON r.id = o.release JOIN product p ON p.id = r.product \
         WHERE o.component = c.id AND r.workspace = $1{scope})"
    );
    type Row = (String, String, String, String, String, String, String);
    let row: Option<Row> = sql::row(db, "reading a component", &select, values).await?;
    let (kind, group, name, version, purl, cpes, supplier) =
        row.ok_or_else(|| Error::NotFound(format!("component {id}")))?;
    let cpes = serde_json::from_str(&cpes).unwrap_or_default();
    Ok(Detail { id, kind, group, name, version, purl, cpes, supplier })
}

/// Releases that hold a component, by product line and product, newest first.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn places(
    db: &DatabaseConnection,
    actor: &Actor,
    id: i64,
    skip: u64,
    most: u64,
) -> Result<Vec<Place>> {
    let mut values: Vec<Value> = vec![actor.workspace.into(), id.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    values.extend([
        i64::from(actor.may(Permission::FindingRead)).into(),
        (most as i64).into(),
        (skip as i64).into(),
    ]);
    let n = values.len();
    let select = format!(
        "SELECT r.id, p.name, l.name, r.version, r.active, r.units, o.direct, o.licences, o.places, o.hashes, \
         (SELECT COUNT(*) FROM finding f WHERE f.component = $2 AND f.release = r.id AND f.closed IS NULL AND ${0} = 1), \
         (SELECT COALESCE(MAX(f.severity), 0) FROM finding f WHERE f.component = $2 AND f.release = r.id \
         AND f.closed IS NULL AND ${0} = 1) FROM occurrence o JOIN release r ON r.id = o.release \
         JOIN product p ON p.id = r.product JOIN line l ON l.id = p.line WHERE o.component = $2 AND r.workspace = $1\
         {scope} ORDER BY l.name, p.name, r.id DESC LIMIT ${1} OFFSET ${2}",
        n - 2,
        n - 1,
        n
    );
    type Row = (i64, String, String, String, i64, i64, i64, String, String, String, i64, i64);
    let rows: Vec<Row> = sql::rows(db, "listing where a component is", &select, values).await?;
    let place = |(
        release,
        product,
        line,
        release_version,
        active,
        units,
        direct,
        licences,
        places,
        hashes,
        findings,
        worst,
    ): Row| {
        Place {
            release,
            product,
            line,
            release_version,
            active: active != 0,
            units,
            direct: direct != 0,
            licences,
            places: serde_json::from_str(&places).unwrap_or_default(),
            hashes: serde_json::from_str(&hashes).unwrap_or_default(),
            findings,
            worst,
        }
    };
    Ok(rows.into_iter().map(place).collect())
}

/// Package URL without version, qualifiers and subpath; empty where there is none.
pub fn package(purl: &str) -> String {
    match Purl::parse(purl) {
        Ok(p) => Purl { version: None, qualifiers: Vec::new().into(), subpath: None, ..p }.to_string(),
        Err(_) => String::new(),
    }
}

/// The order in which versions of a package follow each other; what it does not know comes first.
pub(super) fn order(purl: &str) -> impl Fn(&str) -> (bool, Vec<u8>, String) + use<> {
    let scheme =
        Purl::parse(purl).ok().and_then(|p| of_purl(&p).map(|(e, _)| e.scheme())).unwrap_or(Scheme::Generic);
    move |version: &str| match scheme.key(version) {
        Ok(key) => (true, key, version.to_owned()),
        Err(_) => (false, Vec::new(), version.to_owned()),
    }
}

/// Versions of the same package that are in use where the actor may see it, newest first; at most 500.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn versions(db: &DatabaseConnection, actor: &Actor, of: &Detail) -> Result<Vec<Version>> {
    let mut values: Vec<Value> = vec![actor.workspace.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    values.push(i64::from(actor.may(Permission::FindingRead)).into());
    let seen = values.len();
    let package = package(&of.purl);
    let same = if package.is_empty() {
        values.extend([sql::text(&of.group), sql::text(&of.name), of.kind.clone().into()]);
        format!("c.grp = ${} AND c.name = ${} AND c.kind = ${} AND c.purl = ''", seen + 1, seen + 2, seen + 3)
    } else {
        // `@` is followed by `A` and `?` by `@` in the order of the texts
        values.extend([package.clone(), format!("{package}?"), format!("{package}A")].map(Value::from));
        format!("(c.purl = ${} OR c.purl >= ${} AND c.purl < ${})", seen + 1, seen + 2, seen + 3)
    };
    let select = format!(
        "WITH same AS (SELECT c.id, c.version FROM component c WHERE {same} LIMIT 2000), held AS (SELECT s.id, s.version, \
         COUNT(*) AS n, SUM(r.units) AS units FROM same s JOIN occurrence o ON o.component = s.id \
         JOIN release r ON r.id = o.release JOIN product p ON p.id = r.product WHERE r.workspace = $1{scope} \
         GROUP BY s.id, s.version), hurt AS (SELECT f.component, COUNT(*) AS n, MAX(f.severity) AS worst FROM finding f \
         JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product WHERE f.component IN (SELECT id FROM held) \
         AND f.closed IS NULL AND ${seen} = 1 AND f.workspace = $1{scope} GROUP BY f.component) \
         SELECT h.id, h.version, h.n, CAST(h.units AS BIGINT), COALESCE(f.n, 0), COALESCE(f.worst, 0) FROM held h \
         LEFT JOIN hurt f ON f.component = h.id LIMIT 500"
    );
    type Row = (i64, String, i64, i64, i64, i64);
    let rows: Vec<Row> = sql::rows(db, "listing versions in use", &select, values).await?;
    let version = |(component, version, releases, units, findings, worst)| Version {
        component,
        version,
        releases,
        units,
        findings,
        worst,
    };
    let mut list: Vec<Version> = rows.into_iter().map(version).collect();
    let key = order(&of.purl);
    list.sort_by_cached_key(|v| std::cmp::Reverse((key(&v.version), v.component)));
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_purls_without_what_tells_one_build_from_another() {
        assert_eq!(package("pkg:deb/debian/openssl@3.0?arch=arm64#x"), "pkg:deb/debian/openssl");
        assert_eq!(package("openssl"), "");
    }
}
