//! Rows for every table there is, so that no test can forget one.

use std::collections::BTreeMap;

use sea_orm::{DatabaseConnection, Value};

use super::tables::{Column, Kind, Table, quoted, tables};
use super::{Summary, export};
use crate::platform::{bulk, sql};

/// Rows of each table.
pub(crate) const ROWS: usize = 4;

/// Texts whose order by bytes is none of a language's.
const TEXTS: [&str; ROWS] = ["a \"quoted\" \\ one\n\tindented", "Z", "É\u{7f}🦀 𝄞", "_ ' ; DROP TABLE x --"];
const REALS: [f64; ROWS] = [0.1, 5e-324, f64::MAX, -1.0 / 3.0];
const INTEGERS: [i64; ROWS] = [0, i64::MIN, i64::MAX, 9_007_199_254_740_993];

async fn column(db: &DatabaseConnection, table: &str, what: &str) -> BTreeMap<String, (String, String)> {
    let rows: Vec<(String, String, String)> =
        sql::rows(db, "test", &what.replace("TABLE", table), vec![]).await.unwrap();
    rows.into_iter().map(|(a, b, c)| (a, (b, c))).collect()
}

fn value(c: &Column, n: usize, missing: bool) -> Value {
    match c.kind {
        Kind::Integer if missing => Value::from(None::<i64>),
        Kind::Real if missing => Value::from(None::<f64>),
        Kind::Text if missing => Value::from(None::<String>),
        Kind::Blob if missing => Value::from(None::<Vec<u8>>),
        Kind::Integer if c.key > 0 => Value::from(n as i64 + 1000),
        Kind::Integer => Value::from(INTEGERS[n]),
        Kind::Real => Value::from(REALS[n]),
        Kind::Text => Value::from(format!("{}{}{n}", TEXTS[n], c.name)),
        Kind::Blob if n == 0 => Value::from(Vec::<u8>::new()),
        Kind::Blob => Value::from((0..=255_u8).chain([n as u8]).collect::<Vec<u8>>()),
    }
}

/// Fills every table of a SQLite database but the audit trail, which must be a chain.
pub(crate) async fn fill(db: &DatabaseConnection) {
    let mut waiting: Vec<Table> = tables(db).await.unwrap();
    waiting.retain(|t| !t.name.starts_with("audit"));
    let mut done: Vec<String> = Vec::new();
    while !waiting.is_empty() {
        let mut later = Vec::new();
        let before = waiting.len();
        for table in waiting {
            let keys = column(
                db,
                &table.name,
                "SELECT \"from\", \"table\", COALESCE(\"to\", 'id') FROM pragma_foreign_key_list('TABLE')",
            )
            .await;
            if keys.values().any(|(parent, _)| *parent != table.name && !done.contains(parent)) {
                later.push(table);
                continue;
            }
            let needed = column(
                db,
                &table.name,
                "SELECT name, CAST(\"notnull\" AS TEXT), type FROM pragma_table_xinfo('TABLE')",
            )
            .await;
            let mut values = Vec::new();
            for n in 0..ROWS {
                for c in &table.columns {
                    let optional =
                        c.key == 0 && needed.get(&c.name).is_some_and(|(notnull, _)| notnull == "0");
                    let words = needed.get(&c.name).is_some_and(|(_, kind)| kind.is_empty());
                    match keys.get(&c.name) {
                        Some((parent, to)) if *parent != table.name => {
                            let select = format!(
                                "SELECT {0} FROM {1} ORDER BY {0} DESC LIMIT 1 OFFSET {n}",
                                quoted(to),
                                quoted(parent)
                            );
                            values.push(match c.kind {
                                Kind::Text => {
                                    let row: Option<(String,)> =
                                        sql::row(db, "test", &select, vec![]).await.unwrap();
                                    row.unwrap().0.into()
                                }
                                _ => {
                                    let row: Option<(i64,)> =
                                        sql::row(db, "test", &select, vec![]).await.unwrap();
                                    row.unwrap().0.into()
                                }
                            });
                        }
                        Some(_) => values.push(value(c, n, true)),
                        None => values.push(value(c, n, optional && n == 2 && !words)),
                    }
                }
            }
            let head = format!("INSERT INTO {} ({})", quoted(&table.name), table.list());
            bulk::insert_flat(db, &format!("filling {}", table.name), &head, "", table.columns.len(), values)
                .await
                .unwrap();
            done.push(table.name);
        }
        assert!(later.len() < before, "foreign keys in a circle: {later:?}");
        waiting = later;
    }
}

/// The stream of a database, with a time and version that are always the same.
pub(crate) async fn stream(db: &DatabaseConnection) -> (Vec<u8>, Summary) {
    let mut out = Vec::new();
    let summary = export(db, &mut out, "2026-01-02T03:04:05.678Z", "0.0.0", &mut |_, _| {}).await.unwrap();
    (out, summary)
}

/// The rows of a stream by table.
pub(crate) fn by_table(stream: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in std::str::from_utf8(stream).unwrap().lines() {
        if line.starts_with('[') {
            tables.get_mut(&name).unwrap().push(line.to_owned());
        } else if let Some(rest) = line.strip_prefix("{\"table\":\"") {
            name = rest.split('"').next().unwrap().to_owned();
            tables.insert(name.clone(), Vec::new());
        }
    }
    tables
}
