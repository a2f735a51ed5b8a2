//! The catalogues of weaknesses (CWE) and attack patterns (CAPEC): storing and asking.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use tocsin_model::record::CatalogueEntry;

use crate::error::{Doing, Error, Result};
use crate::intel::Store;
use crate::intel::store::tally;
use crate::intel::types::Counts;

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
  abstraction = iif(catalogue.abstraction = '', excluded.abstraction, catalogue.abstraction),
  usage = iif(catalogue.usage = '', excluded.usage, catalogue.usage),
  parents = iif(catalogue.parents = '[]', excluded.parents, catalogue.parents),
  weaknesses = iif(catalogue.weaknesses = '[]', excluded.weaknesses, catalogue.weaknesses),
  reference = iif(catalogue.reference = '', excluded.reference, catalogue.reference)
  WHERE excluded.rank = catalogue.rank
  AND (catalogue.abstraction = '' AND excluded.abstraction <> '' OR catalogue.usage = '' AND excluded.usage <> ''
  OR catalogue.parents = '[]' AND excluded.parents <> '[]'
  OR catalogue.weaknesses = '[]' AND excluded.weaknesses <> '[]'
  OR catalogue.reference = '' AND excluded.reference <> '')";

/// Writes entries; counts them by catalogue.
pub(crate) async fn write(
    tx: &mut SqliteConnection,
    entries: &[&CatalogueEntry],
    counts: &mut BTreeMap<String, Counts>,
) -> Result<()> {
    let list = |ids: &[String]| serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned());
    for family in ["CWE-", "CAPEC-"] {
        let of: Vec<&&CatalogueEntry> = entries.iter().filter(|e| e.id.starts_with(family)).collect();
        for chunk in of.chunks(2000) {
            let mut changed = 0;
            for rule in [WRITE, FILL] {
                let mut q = QueryBuilder::<Sqlite>::new(
                    "INSERT INTO catalogue (id, name, abstraction, status, usage, parents, weaknesses, reference,
                     release, rank, date) ",
                );
                q.push_values(chunk, |mut b, e| {
                    b.push_bind(&e.id).push_bind(&e.name).push_bind(&e.abstraction).push_bind(&e.status);
                    b.push_bind(&e.usage).push_bind(list(&e.parents)).push_bind(list(&e.weaknesses));
                    b.push_bind(&e.reference).push_bind(&e.release).push_bind(rank(&e.release));
                    b.push_bind(&e.date);
                });
                q.push(rule);
                let done = q.build().execute(&mut *tx).await.doing("writing the catalogue")?;
                changed += done.rows_affected();
            }
            let source = family.trim_end_matches('-').to_lowercase();
            tally(counts, &source, chunk.len() as u64, changed);
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
        let what = "reading the catalogue";
        let list = serde_json::to_string(ids)
            .map_err(|e| Error::Internal { doing: what.to_owned(), cause: Box::new(e) })?;
        let rows: Vec<Row> = self.runtime.block_on(async {
            sqlx::query_as(
                "SELECT c.id, c.name, c.abstraction, c.status, c.usage,
                   (SELECT json_group_array(coalesce(p.id, k.value)) FROM json_each(c.parents) k
                    LEFT JOIN catalogue p ON p.reference = k.value AND p.reference <> ''),
                   c.weaknesses, c.reference, c.release, c.date
                 FROM json_each(?) j CROSS JOIN catalogue c ON c.id = upper(j.value) ORDER BY j.key",
            )
            .bind(list)
            .fetch_all(&self.pool)
            .await
            .doing(what)
        })?;
        let ids = |text: &str| serde_json::from_str(text).unwrap_or_default();
        let entry = |r: Row| CatalogueEntry {
            id: r.0,
            name: r.1,
            abstraction: r.2,
            status: r.3,
            usage: r.4,
            parents: ids(&r.5),
            weaknesses: ids(&r.6),
            reference: r.7,
            release: r.8,
            date: r.9,
        };
        Ok(rows.into_iter().map(entry).collect())
    }
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
                        .import(std::slice::from_ref(path), "2025-01-01T00:00:00Z", &mut |_| {
                            ControlFlow::Continue(())
                        })
                        .unwrap();
                }
            }
            let got = store.catalogue(&["cwe-79".into(), "CWE-0".into(), "CWE-16".into()]).unwrap();
            assert_eq!(got.len(), 2, "{order:?}");
            assert_eq!((got[0].name.as_str(), got[0].usage.as_str()), ("New name", "Allowed"), "{order:?}");
            assert_eq!((got[0].abstraction.as_str(), got[0].parents.len()), ("Base", 1), "{order:?}");
            assert_eq!(got[1].release, "4.9");
            let again =
                store
                    .import(std::slice::from_ref(&new), "2025-01-02T00:00:00Z", &mut |_| {
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
        store.import(&[file], "2025-01-01T00:00:00Z", &mut |_| ControlFlow::Continue(())).unwrap();
        let got = store.catalogue(&["CAPEC-1".into(), "CAPEC-2".into()]).unwrap();
        assert_eq!(
            (got[0].parents.as_slice(), got[1].parents.as_slice()),
            (&["CAPEC-2".to_owned()][..], &["attack-pattern--9".to_owned()][..])
        );
    }
}
