//! Whom a VEX statement names: a component of a release, or the release itself and so everything in it.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, QueryResult, Value};
use tocsin_engine::matching::{Link, Subject, version_fits};
use tocsin_model::cpe::Cpe;
use tocsin_model::purl::Purl;
use tocsin_model::vex::VexProduct;

use crate::error::Result;
use crate::platform::sql;

/// A component as statements may name it.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    pub name: String,
    pub version: String,
    references: Vec<String>,
    purl: Option<Purl>,
    /// For what has no package URL of its own.
    made: Option<Purl>,
    cpes: Vec<Cpe>,
    hashes: Vec<(String, String)>,
}

/// Columns of [`Named::read`] for a component `c` and an occurrence `o`.
pub(super) const COLUMNS: &str = "c.purl, c.grp, c.name, c.version, c.cpes, COALESCE(o.places, ''), \
                                  COALESCE(o.hashes, ''), COALESCE(o.ref, '')";

/// The package URL of something that has none: type `generic`.
pub(crate) fn generic(group: &str, name: &str, version: &str) -> String {
    let enc = |text: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        text.bytes().fold(String::new(), |mut out, b| {
            if plain(b) {
                out.push(char::from(b))
            } else {
                out.push_str(&format!("%{b:02X}"))
            }
            out
        })
    };
    let group =
        group.split('/').filter(|p| !p.is_empty()).map(|p| format!("{}/", enc(p))).collect::<String>();
    let version = if version.is_empty() { String::new() } else { format!("@{}", enc(version)) };
    format!("pkg:generic/{group}{}{version}", enc(name))
}

impl Named {
    pub(super) fn read(row: &QueryResult, at: usize) -> std::result::Result<Named, sea_orm::DbErr> {
        let text = |n: usize| row.try_get_by_index::<String>(at + n);
        let (purl, group, name, version) = (text(0)?, text(1)?, text(2)?, text(3)?);
        let cpes: Vec<String> = serde_json::from_str(&text(4)?).unwrap_or_default();
        let mut references: Vec<String> = serde_json::from_str(&text(5)?).unwrap_or_default();
        let reference = text(7)?;
        if !references.contains(&reference) {
            references.push(reference);
        }
        references.retain(|r| !r.is_empty());
        let purl = Purl::parse(&purl).ok();
        Ok(Named {
            made: if purl.is_none() { Purl::parse(&generic(&group, &name, &version)).ok() } else { None },
            purl,
            cpes: cpes.iter().filter_map(|c| Cpe::parse(c).ok()).collect(),
            hashes: serde_json::from_str(&text(6)?).unwrap_or_default(),
            references,
            name: if group.is_empty() { name } else { format!("{group}/{name}") },
            version,
        })
    }

    fn is(&self, id: &str, within: &Within) -> bool {
        let subject = Subject {
            references: &self.references,
            purl: self.purl.as_ref().or(self.made.as_ref()),
            version: Some(self.version.as_str()).filter(|v| !v.is_empty()),
            cpes: &self.cpes,
            hashes: &self.hashes,
            serial: within.serial(),
            revision: within.revision,
        };
        subject.is(id)
    }
}

/// A release as statements may name it.
#[derive(Debug, Clone, Default)]
pub(super) struct Within {
    pub product: String,
    pub version: String,
    serial: String,
    revision: Option<u64>,
    /// What its document says it describes.
    root: Option<Named>,
}

impl Within {
    fn serial(&self) -> Option<&str> {
        Some(self.serial.as_str()).filter(|s| !s.is_empty())
    }

    /// Whether an identifier names the release as a whole.
    fn is(&self, id: &str) -> bool {
        if let Some(link) = Link::parse(id)
            && link.reference.is_none()
        {
            return Subject { serial: self.serial(), revision: self.revision, ..Subject::default() }
                .has(&link);
        }
        if self.root.as_ref().is_some_and(|root| root.is(id, self)) {
            return true;
        }
        if id.starts_with("pkg:") {
            let own = Purl::parse(&generic("", &self.product, &self.version)).ok();
            let subject = Subject { purl: own.as_ref(), ..Subject::default() };
            return subject.is(id);
        }
        let full =
            |name: &str, version: &str| id.trim().eq_ignore_ascii_case(format!("{name} {version}").trim());
        // a name without version is every version, as of a package URL
        full(&self.product, &self.version)
            || full(&self.product, "")
            || self.root.as_ref().is_some_and(|r| !r.version.is_empty() && full(&r.name, &r.version))
    }
}

/// Releases by id, with what they are called in their current documents.
pub(super) async fn releases(db: &impl ConnectionTrait, ids: &[i64]) -> Result<HashMap<i64, Within>> {
    let what = "reading what releases are called";
    let select = format!(
        "SELECT r.id, p.name, r.version, COALESCE(d.serial, ''), d.revision, d.root FROM release r \
         JOIN product p ON p.id = r.product LEFT JOIN document d ON d.release = r.id AND d.state = 'current' \
         WHERE r.id IN {}",
        sql::numbers(db, 1)
    );
    type Row = (i64, String, String, String, Option<i64>, Option<i64>);
    let rows: Vec<Row> = sql::rows(db, what, &select, vec![sql::list(ids)]).await?;
    let roots: Vec<i64> = rows.iter().filter_map(|r| r.5).collect();
    let select = format!(
        "SELECT o.release, c.id, {COLUMNS} FROM component c JOIN occurrence o ON o.component = c.id \
         WHERE c.id IN {} AND o.release IN {}",
        sql::numbers(db, 1),
        sql::numbers(db, 2)
    );
    let values: Vec<Value> = vec![sql::list(&roots), sql::list(ids)];
    let found = sql::raw(db, what, &select, values).await?;
    let found = sql::read(&found, what, |row| {
        let key: (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        Ok((key, Named::read(row, 2)?))
    })?;
    let mut named: HashMap<(i64, i64), Named> = found.into_iter().collect();
    let within = |(id, product, version, serial, revision, root): Row| {
        let root = root.and_then(|root| named.remove(&(id, root)));
        let revision = revision.and_then(|r| u64::try_from(r).ok());
        (id, Within { product, version, serial, revision, root })
    };
    Ok(rows.into_iter().map(within).collect())
}

/// Whether what a statement is about is this component of this release.
pub(super) fn names(product: &VexProduct, part: &Named, release: &Within) -> bool {
    let any = |ids: &[String], is: &dyn Fn(&str) -> bool| ids.iter().any(|id| is(id.trim()));
    let part_is = |id: &str| part.is(id, release);
    let whole_is = |id: &str| release.is(id);
    let own = Some(part.version.as_str()).filter(|v| !v.is_empty());
    if !product.subcomponents.is_empty() {
        return any(&product.identifiers, &whole_is)
            && any(&product.subcomponents, &part_is)
            && version_fits(product, own);
    }
    if any(&product.identifiers, &part_is) {
        return version_fits(product, own);
    }
    any(&product.identifiers, &whole_is) && version_fits(product, Some(release.version.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, version: &str, reference: &str) -> Named {
        Named {
            name: name.to_owned(),
            version: version.to_owned(),
            references: vec![reference.to_owned()],
            purl: Purl::parse(&format!("pkg:npm/{name}@{version}?arch=arm")).ok(),
            hashes: vec![("SHA-256".to_owned(), "00ff".to_owned())],
            ..Named::default()
        }
    }

    #[test]
    fn only_what_is_named_is_named() {
        let release = Within {
            product: "Pump 3".to_owned(),
            version: "1.0".to_owned(),
            serial: "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79".to_owned(),
            revision: Some(2),
            root: Some(part("pump-firmware", "1.0.7", "root")),
        };
        let left = part("left", "1.2.0", "c 1");
        let link = |rest: &str| format!("urn:cdx:3E671687-395b-41f5-a30f-a58921a69b79{rest}");
        for (id, named) in [
            ("c 1", true),
            ("c1", false),
            ("pkg:npm/left@1.2.0", true),
            ("pkg:npm/left", true),
            ("pkg:npm/left@1.2.0?arch=arm", true),
            ("pkg:npm/left@1.2.0?arch=x86", false),
            ("pkg:npm/left@1.2", false),
            ("pkg:npm/Left@1.2.0", false),
            ("pkg:pypi/left@1.2.0", false),
            ("sha256:00FF", true),
            ("sha512:00ff", false),
            (&link("/2#c 1"), true),
            (&link("/2#c%201"), true),
            (&link("/1#c 1"), false),
            (&link("/2#c2"), false),
            ("urn:cdx:11111111-395b-41f5-a30f-a58921a69b79/2#c 1", false),
            // the release as a whole
            (&link("/2"), true),
            (&link("/1"), false),
            ("root", true),
            ("pkg:npm/pump-firmware@1.0.7", true),
            ("pkg:generic/Pump%203@1.0", true),
            ("pkg:generic/Pump%203@1.1", false),
            ("Pump 3 1.0", true),
            ("Pump 3", true),
            ("Pump", false),
        ] {
            let product = VexProduct { identifiers: vec![id.to_owned()], ..VexProduct::default() };
            assert_eq!(names(&product, &left, &release), named, "{id}");
        }
        for (product, sub, named) in [
            ("Pump 3 1.0", "pkg:npm/left", true),
            ("Pump 4 1.0", "pkg:npm/left", false),
            ("Pump 3 1.0", "pkg:npm/right", false),
            // a component is no product of which something could be a part
            ("pkg:npm/left@1.2.0", "pkg:npm/left", false),
        ] {
            let p = VexProduct {
                identifiers: vec![product.to_owned()],
                subcomponents: vec![sub.to_owned()],
                versions: Vec::new(),
            };
            assert_eq!(names(&p, &left, &release), named, "{product} {sub}");
        }
        for (range, named) in
            [("1.2.0", true), ("1.1.0", false), ("vers:npm/<1.3.0", true), ("vers:npm/>1.3.0", false)]
        {
            let p = VexProduct {
                identifiers: vec!["pkg:npm/left".to_owned()],
                versions: vec![range.to_owned()],
                ..VexProduct::default()
            };
            assert_eq!(names(&p, &left, &release), named, "{range}");
        }
    }
}
