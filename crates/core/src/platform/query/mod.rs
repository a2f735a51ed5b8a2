//! Queries of `model::query` as SQL for both databases: a noun declares its fields with an expression each, and gets
//! lists in every order it offers, in pages that follow each other by key, with totals that are honest.
//!
//! Nothing of a query's text becomes part of a statement: fields are looked up in the noun's table, values are bound.
//!
//! A list is read in one of two ways. Matching rows are counted first, up to [`COUNTED`]. Where they are few, they are
//! collected and sorted. Where they are many, the index of the order is walked until the page is full, and the
//! conditions are written so that SQLite, which keeps no figures about the rows, cannot choose another index.

mod cursor;
mod sql;

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Value};
use serde::Serialize;
use tocsin_model::query::{Field, Kind, Query, Schema, Sort};

use super::access::{Actor, Lines, Permission};
use super::sql as ask;
use crate::error::{Error, Result};

pub(crate) use sql::Statement;

/// Rows that are counted exactly; of more it is said that they are more.
pub const COUNTED: u64 = 10_000;

/// Brings a value into the form that a column keeps.
pub(crate) type Form = fn(&str) -> String;

/// How a field is found in the database.
#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    /// An expression over the noun's own table; a condition for [`tocsin_model::query::Kind::Truth`].
    Own(&'static str),
    /// `{}` in the first is a condition over the second: `f.release IN (SELECT r.id … WHERE {})`, `p.name`.
    Inside(&'static str, &'static str),
    /// As `Inside`, and the value is brought into the form that the column keeps.
    Name(&'static str, &'static str, Form),
    /// As `Inside`, where the first, a column of the noun, is a person; nothing is told where it is null, and `me` is
    /// who asks.
    Linked(&'static str, &'static str, &'static str),
    /// A condition that holds for an id bound as `{}`, and one in which `{}` is `LIKE` with a pattern in lower case.
    Id(&'static str, &'static str),
}

/// A field of a noun with its place in the database.
pub(crate) struct Entry {
    pub(crate) field: Field,
    pub(crate) how: How,
    /// Its condition has an index that does not begin with the workspace and finds few rows.
    pub(crate) leads: bool,
}

/// What a key of an order is, for reading it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Text,
    Int,
    Real,
}

/// An order of a noun: expressions that together are unique, most significant first.
pub(crate) struct Order {
    /// Name in `sort:`.
    pub(crate) name: &'static str,
    /// The keys.
    pub(crate) keys: &'static [(&'static str, Key)],
    /// What it is joined from, outermost first, where that is not the noun's own.
    pub(crate) from: Option<&'static str>,
    /// Its index does not begin with the workspace.
    pub(crate) apart: bool,
    /// From most to least where it is not told.
    pub(crate) down: bool,
}

/// A noun whose rows are listed.
pub(crate) struct Noun {
    /// What is being done, for errors.
    pub(crate) doing: &'static str,
    /// What one must be allowed.
    pub(crate) permission: Permission,
    /// Its fields.
    pub(crate) entries: &'static [Entry],
    /// Its orders; the first is its own.
    pub(crate) orders: &'static [Order],
    /// Columns that can be shown.
    pub(crate) columns: &'static [&'static str],
    /// What it can be grouped by.
    pub(crate) groups: &'static [&'static str],
    /// Its table, `finding f`.
    pub(crate) table: &'static str,
    /// Its id, `f.id`.
    pub(crate) id: &'static str,
    /// The joins that give its columns, `CROSS JOIN` between, outermost first.
    pub(crate) from: &'static str,
    /// How they are joined; empty where nothing is.
    pub(crate) on: &'static str,
    /// That a row is of the workspace, bound as `$1`: `f.workspace = $1`.
    pub(crate) workspace: &'static str,
    /// `{}` is a condition over `p.line`: what limits it to product lines. Empty where the noun belongs to none.
    pub(crate) lines: &'static str,
    /// Conditions that hold unless one of the fields is named: what a list leaves out unless it is asked for.
    pub(crate) unless: &'static [(&'static [&'static str], &'static str)],
    /// Conditions that a word is looked for in; `{}` is `LIKE` with the word.
    pub(crate) words: &'static [&'static str],
}

impl Noun {
    /// What a query over the noun may name.
    pub(crate) fn schema(&self) -> Schema {
        Schema {
            fields: self.entries.iter().map(|e| e.field).collect(),
            sorts: self.orders.iter().map(|o| o.name).collect(),
            columns: self.columns.to_vec(),
            groups: self.groups.to_vec(),
        }
    }

    /// The order that a query asks for, and whether from most to least.
    fn order(&self, sort: Option<Sort>) -> Result<(&'static Order, bool)> {
        let found = match sort {
            Some(sort) => self.orders.iter().find(|o| o.name == sort.field).map(|o| (o, sort.down)),
            None => self.orders.first().map(|o| (o, o.down)),
        };
        found.ok_or_else(|| rejected("sort", "this list has no such order"))
    }
}

/// The order of a list, as it is: its name, and whether from most to least.
pub(crate) fn sorted(noun: &Noun, query: &Query) -> Result<Sort> {
    let (order, down) = noun.order(query.sort)?;
    Ok(Sort { field: order.name, down })
}

fn rejected(field: &str, message: &str) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.to_owned() }
}

/// Makes something of a row.
pub(crate) type Reader<T> = fn(&QueryResult) -> std::result::Result<T, sea_orm::DbErr>;

/// How many rows there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// So many, at most [`COUNTED`].
    pub n: u64,
    /// There are more.
    pub more: bool,
}

impl std::fmt::Display for Total {
    /// `10,000+` where there are more than were counted.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&grouped(self.n))?;
        f.write_str(if self.more { "+" } else { "" })
    }
}

/// A number with commas between thousands.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Rows<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins, where there is one; opaque.
    pub next: Option<String>,
    /// How many rows the whole list has.
    pub total: Total,
}

impl<T> Default for Rows<T> {
    fn default() -> Rows<T> {
        Rows { rows: Vec::new(), next: None, total: Total::default() }
    }
}

/// `AND column IN (…)` for the lines in which an actor holds a permission; the list is bound as `$n`.
pub(crate) fn in_lines(
    db: &impl ConnectionTrait,
    actor: &Actor,
    permission: Permission,
    column: &str,
    values: &mut Vec<Value>,
) -> Result<String> {
    actor.need(permission)?;
    Ok(match actor.lines(permission) {
        Lines::All => String::new(),
        Lines::Some(lines) => {
            values.push(ask::list(&lines));
            format!(" AND {column} IN {}", ask::numbers(db, values.len()))
        }
    })
}

/// The conditions of a query that an actor asks, workspace and scope among them; further ones can be added.
pub(crate) fn statement(
    db: &impl ConnectionTrait,
    actor: &Actor,
    noun: &'static Noun,
    query: &Query,
) -> Result<Statement> {
    let mut values: Vec<Value> = vec![actor.workspace.into()];
    actor.need(noun.permission)?;
    let scope = match noun.lines {
        "" => String::new(),
        _ => in_lines(db, actor, noun.permission, "p.line", &mut values)?,
    };
    let mut out =
        Statement::new(db.get_database_backend(), noun, (&actor.now, actor.person.unwrap_or(0)), values);
    if let Some(scope) = scope.strip_prefix(" AND ") {
        out.push(noun.lines.replace("{}", scope));
        out.lead();
    }
    out.filter(query);
    Ok(out)
}

/// How many rows meet a statement, up to [`COUNTED`].
pub(crate) async fn count(db: &impl ConnectionTrait, s: &Statement) -> Result<Total> {
    count_up_to(db, s, COUNTED).await
}

/// How many rows meet a statement, up to a number.
pub(crate) async fn count_up_to(db: &impl ConnectionTrait, s: &Statement, most: u64) -> Result<Total> {
    let select = format!(
        "SELECT COUNT(*) FROM (SELECT 1 AS one FROM {} WHERE {} LIMIT {}) AS counted",
        s.noun.table,
        s.conditions(false),
        most + 1
    );
    let row: Option<(i64,)> = ask::row(db, s.noun.doing, &select, s.values.clone()).await?;
    let n = row.map_or(0, |r| u64::try_from(r.0).unwrap_or(0));
    Ok(Total { n: n.min(most), more: n > most })
}

/// A page of a noun: `columns` are selected, `read` makes a row of them; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`Error::Rejected`] where `after` is of another list; the database does not answer.
pub(crate) async fn page<T>(
    db: &DatabaseConnection,
    actor: &Actor,
    noun: &'static Noun,
    query: &Query,
    (columns, read): (&str, Reader<T>),
    after: Option<&str>,
    most: u64,
) -> Result<Rows<T>> {
    page_where(db, actor, noun, query, Vec::new(), (columns, read), after, most).await
}

/// As [`page`], with more conditions over the noun's own table that its fields do not offer: in each, `{}` is the value
/// beside it.
#[allow(clippy::too_many_arguments, reason = "those of a page and the conditions")]
pub(crate) async fn page_where<T>(
    db: &DatabaseConnection,
    actor: &Actor,
    noun: &'static Noun,
    query: &Query,
    more: Vec<(&str, Value)>,
    (columns, read): (&str, Reader<T>),
    after: Option<&str>,
    most: u64,
) -> Result<Rows<T>> {
    let mut statement = statement(db, actor, noun, query)?;
    for (condition, value) in more {
        let place = statement.bind(value);
        statement.push(condition.replace("{}", &place));
        statement.lead();
    }
    let total = count(db, &statement).await?;
    list(db, statement, query, (columns, read), after, (most, total)).await
}

/// A field over an expression of the noun's own table.
pub(crate) const fn own(name: &'static str, kind: Kind, expr: &'static str, what: &'static str) -> Entry {
    Entry { field: Field { name, kind, optional: false, what }, how: How::Own(expr), leads: false }
}

/// As [`own`], of what may be missing.
pub(crate) const fn may(name: &'static str, kind: Kind, expr: &'static str, what: &'static str) -> Entry {
    Entry { field: Field { name, kind, optional: true, what }, how: How::Own(expr), leads: false }
}

/// A field of what the noun is joined with; see [`How::Inside`].
pub(crate) const fn inside(
    name: &'static str,
    kind: Kind,
    (outer, expr): (&'static str, &'static str),
    what: &'static str,
) -> Entry {
    Entry { field: Field { name, kind, optional: false, what }, how: How::Inside(outer, expr), leads: false }
}

/// An order in the noun's own joins.
pub(crate) const fn order(name: &'static str, keys: &'static [(&'static str, Key)], down: bool) -> Order {
    Order { name, keys, from: None, apart: false, down }
}

/// See [`page`], of a statement that is counted already.
pub(crate) async fn list<T>(
    db: &DatabaseConnection,
    mut s: Statement,
    query: &Query,
    (columns, read): (&str, Reader<T>),
    after: Option<&str>,
    (most, total): (u64, Total),
) -> Result<Rows<T>> {
    let noun = s.noun;
    let (order, down) = noun.order(query.sort)?;
    let at = after.map(|text| cursor::read(text, order, down)).transpose()?;
    let ways = if down { " DESC" } else { "" };
    let keys: Vec<&str> = order.keys.iter().map(|k| k.0).collect();
    let sorted = keys.iter().map(|k| format!("{k}{ways}")).collect::<Vec<_>>().join(", ");
    // placed before the limit and behind what the conditions bind
    match (total.more, order.apart) {
        (true, true) => s.lead(),
        (true, false) => s.walk(),
        (false, _) => {}
    }
    let conditions = s.conditions(total.more);
    let beyond = at.map_or(String::new(), |at| s.beyond(&keys, at, down));
    s.values.push(Value::from(most as i64 + 1));
    let limit = s.values.len();
    let selected = format!("{columns}, {}", keys.join(", "));
    let select = if total.more {
        let on = if noun.on.is_empty() { String::new() } else { format!(" AND {}", noun.on) };
        let from = order.from.unwrap_or(noun.from);
        format!(
            "SELECT {selected} FROM {from} WHERE {conditions}{on}{beyond} ORDER BY {sorted} LIMIT ${limit}"
        )
    } else {
        let on = if noun.on.is_empty() { String::new() } else { format!(" AND {}", noun.on) };
        format!(
            "WITH hit AS MATERIALIZED (SELECT {id} AS hit FROM {table} WHERE {conditions}) SELECT {selected} \
             FROM hit CROSS JOIN {from} WHERE {id} = hit.hit{on}{beyond} ORDER BY {sorted} LIMIT ${limit}",
            id = noun.id,
            table = noun.table,
            from = noun.from,
        )
    };
    let mut found = ask::raw(db, noun.doing, &select, s.values).await?;
    let more = found.len() as u64 > most;
    found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let first = columns_of(columns);
    let last = found.last().filter(|_| more);
    let next = last.map(|row| cursor::write(row, first, order, down)).transpose()?;
    Ok(Rows { rows: ask::read(&found, noun.doing, read)?, next, total })
}

/// How many columns a list of them has: commas outside of brackets.
fn columns_of(columns: &str) -> usize {
    let mut depth = 0_i32;
    let mut n = 1;
    for c in columns.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => n += 1,
            _ => {}
        }
    }
    n
}
