//! What a workspace calls its products, components and vendors, as a dictionary that texts are searched by; and the state
//! of the inventory that it was made of.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;
use tocsin_engine::entities::{Dictionary, Thing, ThingKind};
use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::purl::Purl;

use crate::error::Result;
use crate::platform::sql;

/// Changes where products, releases or documents changed: what the dictionary is made of.
pub(super) async fn state(db: &impl ConnectionTrait, workspace: i64) -> Result<String> {
    let what = "looking whether the inventory changed";
    let select = "SELECT (SELECT COUNT(*) FROM product p WHERE p.workspace = $1 AND p.archived IS NULL), \
                  (SELECT CAST(COALESCE(SUM(LENGTH(p.name) * (p.id % 97 + 1)), 0) AS BIGINT) FROM product p \
                  WHERE p.workspace = $1 AND p.archived IS NULL), \
                  COUNT(*), CAST(COALESCE(SUM(r.components), 0) AS BIGINT), \
                  COALESCE(MAX((SELECT MAX(d.id) FROM document d WHERE d.release = r.id)), 0) \
                  FROM release r WHERE r.workspace = $1 AND r.active = 1";
    let row: Option<(i64, i64, i64, i64, i64)> = sql::row(db, what, select, vec![workspace.into()]).await?;
    let (products, names, releases, components, document) = row.unwrap_or_default();
    Ok(format!("{products}/{names}/{releases}/{components}/{document}"))
}

/// The dictionary of a workspace. The key of a thing is its name as people read it.
pub(super) async fn read(db: &impl ConnectionTrait, workspace: i64) -> Result<Dictionary> {
    let what = "reading what the workspace ships";
    let mut things: BTreeMap<(ThingKind, String), Thing> = BTreeMap::new();
    let select = "SELECT p.name FROM product p WHERE p.workspace = $1 AND p.archived IS NULL";
    for (name,) in sql::rows::<(String,)>(db, what, select, vec![workspace.into()]).await? {
        things.insert((ThingKind::Product, name.clone()), Thing::new(ThingKind::Product, &name));
    }
    let select = "SELECT DISTINCT c.supplier FROM component c WHERE c.supplier <> '' AND EXISTS (SELECT 1 \
                  FROM occurrence o JOIN release r ON r.id = o.release WHERE o.component = c.id AND r.workspace = $1 \
                  AND r.active = 1) UNION SELECT s.name FROM supplier s WHERE s.workspace = $1";
    for (name,) in sql::rows::<(String,)>(db, what, select, vec![workspace.into()]).await? {
        let name = vendor(&name);
        if name.chars().count() > 2 {
            things.insert((ThingKind::Vendor, name.to_owned()), Thing::new(ThingKind::Vendor, name));
        }
    }
    // one row for each name and ecosystem: versions do not change what a package is called
    let select = "SELECT MIN(c.name), MIN(c.purl), MIN(c.cpes) FROM component c WHERE c.name <> '' AND EXISTS (SELECT 1 \
                  FROM occurrence o JOIN release r ON r.id = o.release WHERE o.component = c.id AND r.workspace = $1 \
                  AND r.active = 1) GROUP BY c.plain, SUBSTR(c.purl, 1, 9)";
    let rows: Vec<(String, String, String)> = sql::rows(db, what, select, vec![workspace.into()]).await?;
    for (name, purl, cpes) in rows {
        let mut thing = match Purl::parse(&purl) {
            Ok(purl) => Thing::package(&name, &purl),
            Err(_) => Thing::new(ThingKind::Component, &name),
        };
        let cpes: Vec<String> = serde_json::from_str(&cpes).unwrap_or_default();
        if let Some((vendor, product)) = cpes.iter().find_map(|c| cpe(c)) {
            thing = thing.with_cpe(&vendor, &product);
        }
        match things.get_mut(&(ThingKind::Component, name.clone())) {
            Some(known) => {
                known.names.extend(thing.names);
                known.vendors.extend(thing.vendors);
            }
            None => {
                things.insert((ThingKind::Component, name), thing);
            }
        }
    }
    Ok(Dictionary::new(things.into_values()))
}

/// What tells a dictionary from others: a hash of all that texts are searched by.
pub(super) fn print(dictionary: &Dictionary) -> String {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    let mut put = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    for thing in dictionary.things() {
        put(&format!("{:?} {:?} {:?}", thing.kind, thing.names, thing.vendors));
        put(&thing.key);
    }
    format!("{:032x}", hash.digest128())
}

/// The name of a firm without its form: `Example GmbH` is called Example.
fn vendor(name: &str) -> &str {
    const FORMS: [&str; 14] = [
        "inc",
        "llc",
        "ltd",
        "gmbh",
        "ag",
        "corp",
        "corporation",
        "co",
        "sa",
        "bv",
        "ab",
        "oy",
        "srl",
        "plc",
    ];
    let mut name = name.trim();
    while let Some((head, last)) = name.rsplit_once([' ', ',']) {
        let plain: String = last.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        if !plain.is_empty() && !FORMS.contains(&plain.as_str()) {
            break;
        }
        name = head.trim_end_matches([' ', ',']);
    }
    name
}

fn cpe(text: &str) -> Option<(String, String)> {
    let cpe = Cpe::parse(text).ok()?;
    match (cpe.vendor, cpe.product) {
        (CpeValue::Text(vendor), CpeValue::Text(product)) => Some((vendor, product)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn firms_are_called_without_their_form() {
        for (written, called) in [
            ("Quectel Wireless Co., Ltd.", "Quectel Wireless"),
            ("Example GmbH", "Example"),
            ("Red Hat, Inc.", "Red Hat"),
            ("AG", "AG"),
        ] {
            assert_eq!(super::vendor(written), called);
        }
    }
}
