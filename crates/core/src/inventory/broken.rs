//! How many components of releases break a licence rule.

use std::collections::HashMap;

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;
use tocsin_engine::licence::{Rules, Verdict, judge};

use super::in_lines;
use super::licences::rules_of;
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// Components whose licence breaks a rule; one with two such licences counts for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// With a licence that may not be used.
    pub denied: i64,
    /// With a licence that somebody has to look at.
    pub review: i64,
}

/// What is broken in these releases that the actor may see, or in all that are watched; those without are not in it.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn broken(
    db: &DatabaseConnection,
    actor: &Actor,
    releases: Option<&[i64]>,
) -> Result<HashMap<i64, Broken>> {
    let mut values: Vec<Value> = vec![actor.workspace.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let which = match releases {
        Some(ids) => {
            values.push(sql::list(ids));
            format!("r.id IN {}", sql::numbers(db, values.len()))
        }
        None => "r.active = 1".to_owned(),
    };
    let known = rules_of(db, actor.workspace).await?;
    let mut broken: HashMap<i64, Broken> = HashMap::new();
    if known.is_empty() {
        return Ok(broken);
    }
    let select = format!(
        "SELECT r.id, p.line, x.licence, x.components FROM release r JOIN product p ON p.id = r.product \
         JOIN release_licence x ON x.release = r.id WHERE r.workspace = $1 AND {which}{scope}"
    );
    let rows: Vec<(i64, i64, String, i64)> =
        sql::rows(db, "counting licence violations", &select, values).await?;
    let mut rules: HashMap<i64, Rules> = HashMap::new();
    let mut judged: HashMap<(i64, String), Verdict> = HashMap::new();
    for (release, line, licence, components) in rows {
        let verdict = *judged.entry((line, licence)).or_insert_with_key(|(line, licence)| {
            judge(licence, rules.entry(*line).or_insert_with(|| known.of(*line))).verdict
        });
        match verdict {
            Verdict::Denied => broken.entry(release).or_default().denied += components,
            Verdict::Review => broken.entry(release).or_default().review += components,
            Verdict::Allowed | Verdict::Unruled => {}
        }
    }
    Ok(broken)
}
