//! Who is told of what: people outside or inside with an interest in the workspace, a product line or a product.

use sea_orm::{DatabaseConnection, Value};
use serde::{Deserialize, Serialize};

use super::{in_lines, line_of, named, product_of, release_of};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// What one can be told of: the stored word, and what it means.
pub const INTERESTS: [(&str, &str); 6] = [
    ("exploited", "findings of flaws that are known to be exploited"),
    ("critical", "new critical findings"),
    ("high", "new findings of high severity"),
    ("advisory", "advisories"),
    ("release", "new releases"),
    ("support", "the end of support"),
];

/// A person or address that is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stakeholder {
    /// Id; 0 for a new one.
    #[serde(default)]
    pub id: i64,
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Words of [`INTERESTS`].
    pub interests: Vec<String>,
    /// Product line it is about; 0 for all.
    #[serde(default)]
    pub line: i64,
    /// Product it is about; 0 for all.
    #[serde(default)]
    pub product: i64,
    /// Name of the product line or product; empty for the whole workspace.
    #[serde(default)]
    pub about: String,
}

const COLUMNS: &str = "SELECT s.id, s.name, s.email, s.interest, s.line, s.product, COALESCE(p.name, l.name, '') \
                       FROM stakeholder s LEFT JOIN product p ON p.id = s.product LEFT JOIN line l ON l.id = s.line";

type Row = (i64, String, String, String, i64, i64, String);

fn read((id, name, email, interest, line, product, about): Row) -> Stakeholder {
    let interests = interest.split_whitespace().map(str::to_owned).collect();
    Stakeholder { id, name, email, interests, line, product, about }
}

/// One stakeholder.
///
/// # Errors
/// [`Error::NotFound`] also where the actor may not see it: that it is there is not told.
pub async fn stakeholder_of(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Stakeholder> {
    let mut values: Vec<Value> = vec![actor.workspace.into(), id.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "COALESCE(p.line, s.line)", &mut values)?;
    let select = format!("{COLUMNS} WHERE s.workspace = $1 AND s.id = $2{scope}");
    let row: Option<Row> = sql::row(db, "reading a stakeholder", &select, values).await?;
    row.map(read).ok_or_else(|| Error::NotFound(format!("stakeholder {id}")))
}

/// Who is told of a release: those of its product, its product line and the whole workspace.
///
/// # Errors
/// As [`release_of`].
pub async fn told(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Vec<Stakeholder>> {
    let r = release_of(db, actor, release).await?;
    let select = format!(
        "{COLUMNS} WHERE s.workspace = $1 AND (s.product = $2 OR s.product = 0 AND (s.line = $3 OR s.line = 0)) \
         ORDER BY s.name, s.id"
    );
    let values = vec![actor.workspace.into(), r.product.into(), r.line.into()];
    let rows: Vec<Row> = sql::rows(db, "reading who is told", &select, values).await?;
    Ok(rows.into_iter().map(read).collect())
}

fn rejected(field: &str, message: &str) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.to_owned() }
}

/// Whether the actor may change who is told of a line, a product or everything.
async fn may(change: &Change<'_>, line: i64, product: i64) -> Result<()> {
    if product != 0 {
        let p = product_of(&change.tx, change.actor, product).await?;
        return change.actor.need_in(Permission::InventoryWrite, p.edit.line);
    }
    if line != 0 {
        line_of(&change.tx, change.actor, line).await?;
        return change.actor.need_in(Permission::InventoryWrite, line);
    }
    change.actor.need_everywhere(Permission::InventoryWrite)
}

async fn stored(change: &Change<'_>, id: i64) -> Result<Stakeholder> {
    let select = format!("{COLUMNS} WHERE s.workspace = $1 AND s.id = $2");
    let values = vec![change.actor.workspace.into(), id.into()];
    let row: Option<Row> = sql::row(&change.tx, "reading a stakeholder", &select, values).await?;
    let s = row.map(read).ok_or_else(|| Error::NotFound(format!("stakeholder {id}")))?;
    may(change, s.line, s.product).await?;
    Ok(s)
}

/// Adds a stakeholder, or changes the one of the id. Gives the id.
///
/// # Errors
/// Denied, where it is about and where it was about; [`Error::NotFound`]; [`Error::Rejected`].
pub async fn save_stakeholder(change: &mut Change<'_>, s: &Stakeholder) -> Result<i64> {
    let what = "noting a stakeholder";
    let name = named("name", &s.name)?;
    let email = s.email.trim().to_owned();
    let good = email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    if !good
        || email.len() > 254
        || email.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c))
    {
        return Err(rejected("email", "a mail address is written like name@example.org"));
    }
    let mut interests: Vec<&str> = Vec::new();
    for (word, _) in INTERESTS {
        if s.interests.iter().any(|i| i == word) {
            interests.push(word);
        }
    }
    if interests.is_empty() {
        return Err(rejected("interests", "choose at least one thing they are told of"));
    }
    let line = if s.product == 0 { s.line } else { 0 };
    may(change, line, s.product).await?;
    let before = if s.id == 0 { None } else { Some(stored(change, s.id).await?) };
    let values = vec![
        change.actor.workspace.into(),
        sql::text(&name),
        sql::text(&email),
        interests.join(" ").into(),
        line.into(),
        s.product.into(),
        change.actor.now.clone().into(),
        s.id.into(),
    ];
    let statement = if before.is_some() {
        "UPDATE stakeholder SET name = $2, email = $3, interest = $4, line = $5, product = $6 WHERE id = $8 \
         AND workspace = $1 AND $7 = $7 RETURNING id"
    } else {
        "INSERT INTO stakeholder (workspace, name, email, interest, line, product, created) SELECT $1, $2, $3, $4, $5, \
         $6, $7 WHERE $8 = 0 RETURNING id"
    };
    let row: Option<(i64,)> = sql::row(&change.tx, what, statement, values).await?;
    let id = row.map(|r| r.0).ok_or_else(|| Error::NotFound(format!("stakeholder {}", s.id)))?;
    let after = Stakeholder { id, name: name.clone(), email, line, ..s.clone() };
    change.record("stakeholder.save", format!("stakeholder/{id}"), &name, &before, &after);
    Ok(id)
}

/// Takes a stakeholder away.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn drop_stakeholder(change: &mut Change<'_>, id: i64) -> Result<()> {
    let before = stored(change, id).await?;
    let delete = "DELETE FROM stakeholder WHERE id = $1";
    sql::run(&change.tx, "taking a stakeholder away", delete, vec![id.into()]).await?;
    change.record("stakeholder.delete", format!("stakeholder/{id}"), &before.name, &before, &());
    Ok(())
}
