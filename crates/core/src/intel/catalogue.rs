//! The catalogues of weaknesses (CWE) and attack patterns (CAPEC): storing and asking.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::{ConnectionTrait, DatabaseTransaction};
use tocsin_model::record::CatalogueEntry;

use crate::error::Result;
use crate::intel::Store;
use crate::intel::types::Counts;
use crate::platform::bulk::insert;
use crate::platform::sql::{list, rows, text, texts};

/// A release as text that sorts as releases do; one that is not told comes before all.
fn rank(release: &str) -> String {
    release
        .split('.')
        .filter(|p| !p.is_empty())
        .map(|part| format!("{part:0>6}"))
        .collect::<Vec<_>>()
        .join(".")
}

/// Entries of a later release win, whatever the order of import. Of one release, what another form of it left
/// open is filled in and what it told stays, so that the forms of one release add up to the same in any order.
/// Of forms that tell no release the last import counts, as nothing else orders them.
const WRITE: &str = " ON CONFLICT (id) DO UPDATE SET name = excluded.name, abstraction = excluded.abstraction,
  status = excluded.status, usage = excluded.usage, parents = excluded.parents, weaknesses = excluded.weaknesses,
  reference = excluded.reference, release = excluded.release, rank = excluded.rank, date = excluded.date
  WHERE excluded.rank > catalogue.rank OR excluded.rank = '' AND catalogue.rank = ''
  AND (excluded.name, excluded.status, excluded.parents) <> (catalogue.name, catalogue.status, catalogue.parents)";
const FILL: &str = " ON CONFLICT (id) DO UPDATE SET
  abstraction = CASE WHEN catalogue.abstraction = '' THEN excluded.abstraction ELSE catalogue.abstraction END,
  usage = CASE WHEN catalogue.usage = '' THEN excluded.usage ELSE catalogue.usage END,
  parents = CASE WHEN catalogue.parents = '[]' THEN excluded.parents ELSE catalogue.parents END,
  weaknesses = CASE WHEN catalogue.weaknesses = '[]' THEN excluded.weaknesses ELSE catalogue.weaknesses END,
  reference = CASE WHEN catalogue.reference = '' THEN excluded.reference ELSE catalogue.reference END
  WHERE excluded.rank = catalogue.rank
  AND (catalogue.abstraction = '' AND excluded.abstraction <> '' OR catalogue.usage = '' AND excluded.usage <> ''
  OR catalogue.parents = '[]' AND excluded.parents <> '[]'
  OR catalogue.weaknesses = '[]' AND excluded.weaknesses <> '[]'
  OR catalogue.reference = '' AND excluded.reference <> '')";

/// Writes entries; counts them by catalogue.
pub(crate) async fn write(
    tx: &DatabaseTransaction,
    entries: &[&CatalogueEntry],
    counts: &mut BTreeMap<String, Counts>,
) -> Result<()> {
    let head = "INSERT INTO catalogue (id, name, abstraction, status, usage, parents, weaknesses, reference, release,
         rank, date)";
    for family in ["CWE-", "CAPEC-"] {
        // One statement may not write one row twice: entries told twice at once are written one after the other.
        let mut rest: Vec<&CatalogueEntry> =
            entries.iter().copied().filter(|e| e.id.starts_with(family)).collect();
        let (read, mut changed) = (rest.len() as u64, 0);
        while !rest.is_empty() {
            let mut seen = HashSet::new();
            let (now, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|e| seen.insert(e.id.as_str()));
            for rule in [WRITE, FILL] {
                let row = |e: &&CatalogueEntry| {
                    [
                        text(&e.id),
                        text(&e.name),
                        text(&e.abstraction),
                        text(&e.status),
                        text(&e.usage),
                        list(&e.parents),
                        list(&e.weaknesses),
                        text(&e.reference),
                        text(&e.release),
                        text(&rank(&e.release)),
                        text(&e.date),
                    ]
                };
                changed +=
                    insert(tx, "writing the catalogue", head, rule, now.iter().map(row).collect()).await?;
            }
            rest = later;
        }
        if read > 0 {
            let c = counts.entry(family.trim_end_matches('-').to_lowercase()).or_default();
            c.read += read;
            c.changed += changed.min(read);
            c.unchanged += read.saturating_sub(changed);
        }
    }
    Ok(())
}

type Row = (String, String, String, String, String, String, String, String, String, String);

impl Store {
    /// The catalogue entries with these ids (`CWE-79`, `CAPEC-63`), in their order; those not known are left
    /// out. Parents are catalogue ids where the catalogue has them.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn catalogue(&self, ids: &[String]) -> Result<Vec<CatalogueEntry>> {
        self.runtime.block_on(async {
            let what = "reading the catalogue";
            let wanted: Vec<String> = ids.iter().map(|id| id.to_ascii_uppercase()).collect();
            let sql = format!(
                "SELECT id, name, abstraction, status, usage, parents, weaknesses, reference, release, date
                 FROM catalogue WHERE id IN {}",
                texts(&self.db, 1)
            );
            let found: Vec<Row> = rows(&self.db, what, &sql, vec![list(&wanted)]).await?;
            let ids = |text: &str| -> Vec<String> { serde_json::from_str(text).unwrap_or_default() };
            let named: Vec<String> = found.iter().flat_map(|r| ids(&r.5)).collect();
            let sql = format!(
                "SELECT reference, id FROM catalogue WHERE reference <> '' AND reference IN {}",
                texts(&self.db, 1)
            );
            let own: HashMap<String, String> =
                rows(&self.db, what, &sql, vec![list(&named)]).await?.into_iter().collect();
            let mut entries: HashMap<String, CatalogueEntry> = found
                .into_iter()
                .map(|r| {
                    let parents = ids(&r.5).into_iter().map(|p| own.get(&p).cloned().unwrap_or(p)).collect();
                    let entry = CatalogueEntry {
                        id: r.0.clone(),
                        name: r.1,
                        abstraction: r.2,
                        status: r.3,
                        usage: r.4,
                        parents,
                        weaknesses: ids(&r.6),
                        reference: r.7,
                        release: r.8,
                        date: r.9,
                    };
                    (r.0, entry)
                })
                .collect();
            Ok(wanted.iter().filter_map(|id| entries.remove(id)).collect())
        })
    }
}

/// Names of weaknesses and attack patterns by their ids (`CWE-79`); those that no catalogue has are missing.
///
/// # Errors
/// The database does not answer.
pub async fn names(db: &impl ConnectionTrait, ids: &[String]) -> Result<HashMap<String, String>> {
    let sql = format!("SELECT id, name FROM catalogue WHERE id IN {}", texts(db, 1));
    let found: Vec<(String, String)> = rows(db, "reading the catalogue", &sql, vec![list(ids)]).await?;
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn the_newest_release_wins_whatever_the_order() {
        let data = tempfile::tempdir().unwrap();
        let old = data.path().join("cwe_4.9_2022-10-13.csv");
        let new = data.path().join("cwe_4.10_2023-01-31.csv");
        std::fs::write(&old, "79\tIncomplete\tOld name\t0\t\n16\tObsolete\tConfiguration\t0\t\n").unwrap();
        std::fs::write(&new, "79\tStable\tNew name\t1\tAllowed\n").unwrap();
        let xml = data.path().join("cwec.xml");
        std::fs::write(&xml, "<Weakness_Catalog Version=\"4.10\" Date=\"2023-01-31\"><Weakness ID=\"79\" Name=\"New name\" Abstraction=\"Base\" Status=\"Stable\"><Related_Weakness Nature=\"ChildOf\" CWE_ID=\"74\"/></Weakness></Weakness_Catalog>").unwrap();
        for order in [[&old, &new, &xml], [&new, &xml, &old], [&xml, &old, &new]] {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).unwrap();
            for _ in 0..2 {
                for path in order {
                    store
                        .import(
                            std::slice::from_ref(path),
                            &|| "2025-01-01T00:00:00Z".to_owned(),
                            &mut |_| ControlFlow::Continue(()),
                        )
                        .unwrap();
                }
            }
            let got = store.catalogue(&["cwe-79".into(), "CWE-0".into(), "CWE-16".into()]).unwrap();
            assert_eq!(got.len(), 2, "{order:?}");
            assert_eq!((got[0].name.as_str(), got[0].usage.as_str()), ("New name", "Allowed"), "{order:?}");
            assert_eq!((got[0].abstraction.as_str(), got[0].parents.len()), ("Base", 1), "{order:?}");
            assert_eq!(got[1].release, "4.9");
            let again = store
                .import(std::slice::from_ref(&new), &|| "2025-01-02T00:00:00Z".to_owned(), &mut |_| {
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert_eq!((again.sources["cwe"].unchanged, again.sources["cwe"].changed), (1, 0));
        }
    }

    #[test]
    fn stix_parents_are_told_as_catalogue_ids() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let file = dir.path().join("capec.jsonl");
        let line = |n: u8, parent: u8| {
            format!(
                r#"{{"type":"attack-pattern","id":"attack-pattern--{n}","name":"n{n}","external_references":[{{"source_name":"capec","external_id":"CAPEC-{n}"}}],"x_capec_child_of_refs":["attack-pattern--{parent}"],"x_capec_version":"3.9"}}"#
            )
        };
        std::fs::write(&file, format!("{}\n{}\n", line(1, 2), line(2, 9))).unwrap();
        store
            .import(&[file], &|| "2025-01-01T00:00:00Z".to_owned(), &mut |_| ControlFlow::Continue(()))
            .unwrap();
        let got = store.catalogue(&["CAPEC-1".into(), "CAPEC-2".into()]).unwrap();
        assert_eq!(
            (got[0].parents.as_slice(), got[1].parents.as_slice()),
            (&["CAPEC-2".to_owned()][..], &["attack-pattern--9".to_owned()][..])
        );
    }
}
