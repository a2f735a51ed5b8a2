//! One grammar for filter, sort, page and columns of every list: `severity>=high product:"Pump 3" -status:fixed age>30d
//! (kev:true OR epss>=10%) sort:-epss columns:vulnerability,component limit:50`.
//!
//! A text is read once, against the fields that a noun has, into a tree of tests whose values have their types; an
//! error says where it stands and what was meant. The tree is written back in one way ([`Query`]'s `Display`), so that
//! two texts that ask for the same are one address.
//!
//! ```text
//! query  = { any | directive }                      side by side: all of them
//! any    = all { "OR" all }                         the brackets around it may be left out at the top
//! all    = { ["AND"] one }
//! one    = ("-" | "NOT") one | "(" any ")" | test | word
//! test   = field (":" | "=" | "!=" | "<" | "<=" | ">" | ">=") value { "," value }
//! value  = bare text | "text in quotes, \" and \\ escaped" | "none" (nothing is told)
//! word   = bare text | "text in quotes"             searched in what the noun names itself by
//! directive = "sort:" ["-"] field | "columns:" name { "," name } | "limit:" number | "group:" name
//! ```

use std::fmt;

mod parse;
#[cfg(test)]
mod tests;

pub use parse::{QueryError, parse};

/// Longest text of a query, in bytes.
pub const TEXT_MOST: usize = 2_000;
/// Most tests and words in a query.
pub const TESTS_MOST: usize = 64;
/// Deepest nesting of brackets and `-`.
pub const DEPTH_MOST: usize = 16;
/// Most rows that `limit:` asks for.
pub const LIMIT_MOST: u32 = 1_000;

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text: `:` asks whether it holds the value, `=` whether it is the value; `*` stands for anything.
    Text,
    /// An identifier: `:` and `=` ask whether it is the value; `*` stands for anything.
    Id,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, which have an order, least first.
    Scale(&'static [&'static str]),
    /// A number, also in per cent.
    Number,
    /// `true`, `false`, or `any` where a list leaves something out unless it is asked for.
    Truth,
    /// An instant: `2026-01-31`, RFC 3339, `now`, `now-7d`, `now+12h`.
    Time,
    /// How long ago an instant is: `30d` (`h`, `d`, `w`, `y`).
    Age,
}

/// A field of a noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name, in lower case.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// It may be missing: `due:none`.
    pub optional: bool,
    /// What it is, for whoever writes a query.
    pub what: &'static str,
}

/// What a query over a noun may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// Fields that can be tested.
    pub fields: Vec<Field>,
    /// Fields that it can be sorted by.
    pub sorts: Vec<&'static str>,
    /// Columns that can be shown.
    pub columns: Vec<&'static str>,
    /// What it can be grouped by; `none` is always there.
    pub groups: Vec<&'static str>,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Text holds the value; other kinds are the value.
    Has,
    /// Is the value.
    Is,
    /// Less.
    Less,
    /// Less or the same.
    Most,
    /// More.
    More,
    /// More or the same.
    Least,
}

impl Op {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Op::Has => ":",
            Op::Is => "=",
            Op::Less => "<",
            Op::Most => "<=",
            Op::More => ">",
            Op::Least => ">=",
        }
    }
}

/// Unit of a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Hours.
    Hour,
    /// Days of 24 hours.
    Day,
    /// Weeks.
    Week,
    /// Years of 365 days.
    Year,
}

/// All units with their letters.
pub const UNITS: [(Unit, char); 4] =
    [(Unit::Hour, 'h'), (Unit::Day, 'd'), (Unit::Week, 'w'), (Unit::Year, 'y')];

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Length {
    /// How many.
    pub n: u32,
    /// Of what.
    pub unit: Unit,
}

impl Length {
    /// In hours.
    pub fn hours(self) -> i64 {
        let unit = match self.unit {
            Unit::Hour => 1,
            Unit::Day => 24,
            Unit::Week => 7 * 24,
            Unit::Year => 365 * 24,
        };
        i64::from(self.n) * unit
    }
}

/// A value that a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::Text`] and [`Kind::Id`].
    Text(String),
    /// Of [`Kind::Word`] and [`Kind::Scale`]: the word, with its place in the list.
    Word(&'static str, usize),
    /// Of [`Kind::Number`]; finite.
    Number(f64),
    /// Of [`Kind::Truth`].
    Truth(bool),
    /// Of [`Kind::Truth`]: either.
    Any,
    /// Of [`Kind::Time`]: a day, `2026-01-31`.
    Day(String),
    /// Of [`Kind::Time`]: RFC 3339.
    Instant(String),
    /// Of [`Kind::Time`]: so many hours from now, forward or back, as it was written.
    FromNow(bool, Length),
    /// Of [`Kind::Age`].
    Age(Length),
    /// Nothing is told.
    None,
}

/// A field compared with values: one of them must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The field's name.
    pub field: &'static str,
    /// How it is compared.
    pub op: Op,
    /// With what; never empty, and one alone unless `op` is [`Op::Has`] or [`Op::Is`].
    pub values: Vec<Value>,
}

/// What a row must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of these; made by [`Filter::all`].
    All(Vec<Filter>),
    /// One of these; made by [`Filter::any`].
    Any(Vec<Filter>),
    /// Not this; made by [`Filter::negate`].
    Not(Box<Filter>),
    /// A field compared.
    Test(Test),
    /// A text that what the noun names itself by holds.
    Word(String),
}

impl Filter {
    /// All of these; one alone is itself, and what is inside another list of the kind moves up.
    pub fn all(list: Vec<Filter>) -> Filter {
        let flat = list.into_iter().flat_map(|f| match f {
            Filter::All(inner) => inner,
            other => vec![other],
        });
        one_or(flat.collect(), Filter::All)
    }

    /// One of these; as [`Filter::all`].
    pub fn any(list: Vec<Filter>) -> Filter {
        let flat = list.into_iter().flat_map(|f| match f {
            Filter::Any(inner) => inner,
            other => vec![other],
        });
        one_or(flat.collect(), Filter::Any)
    }

    /// Not this; twice is the thing itself.
    #[must_use]
    pub fn negate(self) -> Filter {
        match self {
            Filter::Not(inner) => *inner,
            other => Filter::Not(Box::new(other)),
        }
    }

    /// Calls `f` for every test in the tree.
    pub fn tests<'a>(&'a self, f: &mut dyn FnMut(&'a Test)) {
        match self {
            Filter::All(list) | Filter::Any(list) => list.iter().for_each(|x| x.tests(f)),
            Filter::Not(inner) => inner.tests(f),
            Filter::Test(test) => f(test),
            Filter::Word(_) => {}
        }
    }
}

fn one_or(mut list: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match (list.len(), list.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            list.extend(last);
            many(list)
        }
    }
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// A name of [`Schema::sorts`].
    pub field: &'static str,
    /// From most to least.
    pub down: bool,
}

/// A query: what, in which order, what of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// What is wanted; everything where missing.
    pub filter: Option<Filter>,
    /// Its order; the noun's own where missing.
    pub sort: Option<Sort>,
    /// What to show of each; the noun's choice where empty.
    pub columns: Vec<&'static str>,
    /// How it is grouped; the noun's choice where missing.
    pub group: Option<&'static str>,
    /// At most so many rows on a page.
    pub limit: Option<u32>,
}

impl Query {
    /// The parts that must all hold, each removable: the chips of a filter bar.
    pub fn parts(&self) -> Vec<&Filter> {
        match &self.filter {
            None => Vec::new(),
            Some(Filter::All(list)) => list.iter().collect(),
            Some(one) => vec![one],
        }
    }

    /// Without the n-th of [`Query::parts`].
    #[must_use]
    pub fn without(&self, n: usize) -> Query {
        let kept: Vec<Filter> =
            self.parts().into_iter().enumerate().filter(|(i, _)| *i != n).map(|(_, f)| f.clone()).collect();
        let filter = (!kept.is_empty()).then(|| Filter::all(kept));
        Query { filter, ..self.clone() }
    }

    /// With one more thing that must hold.
    #[must_use]
    pub fn and(&self, more: Filter) -> Query {
        let mut all: Vec<Filter> = self.parts().into_iter().cloned().collect();
        all.push(more);
        Query { filter: Some(Filter::all(all)), ..self.clone() }
    }

    /// Whether a field is tested anywhere in it.
    pub fn names(&self, field: &str) -> bool {
        let mut found = false;
        if let Some(filter) = &self.filter {
            filter.tests(&mut |t| found |= t.field == field);
        }
        found
    }

    /// What is wanted, as text; empty for everything.
    pub fn filter_text(&self) -> String {
        match &self.filter {
            None => String::new(),
            Some(Filter::Any(list)) => joined(list, " OR "),
            Some(Filter::All(list)) => joined(list, " "),
            Some(one) => one.to_string(),
        }
    }
}

fn joined(list: &[Filter], between: &str) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filter = match &self.filter {
            // directives stand beside it, which would bind nearer than OR
            Some(any @ Filter::Any(_)) if self.has_directive() => any.to_string(),
            _ => self.filter_text(),
        };
        let mut parts = vec![filter];
        if let Some(sort) = self.sort {
            parts.push(format!("sort:{}{}", if sort.down { "-" } else { "" }, sort.field));
        }
        if !self.columns.is_empty() {
            parts.push(format!("columns:{}", self.columns.join(",")));
        }
        if let Some(group) = self.group {
            parts.push(format!("group:{group}"));
        }
        if let Some(limit) = self.limit {
            parts.push(format!("limit:{limit}"));
        }
        parts.retain(|p| !p.is_empty());
        f.write_str(&parts.join(" "))
    }
}

impl Query {
    fn has_directive(&self) -> bool {
        self.sort.is_some() || !self.columns.is_empty() || self.group.is_some() || self.limit.is_some()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filter::All(list) => write!(f, "({})", joined(list, " ")),
            Filter::Any(list) => write!(f, "({})", joined(list, " OR ")),
            Filter::Not(inner) => write!(f, "-{inner}"),
            Filter::Test(test) => test.fmt(f),
            Filter::Word(word) => f.write_str(&parse::written(word, true)),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(ToString::to_string).collect();
        write!(f, "{}{}{}", self.field, self.op.sign(), values.join(","))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = UNITS.iter().find(|(u, _)| *u == self.unit).map_or('d', |(_, c)| *c);
        write!(f, "{}{letter}", self.n)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(&parse::written(text, false)),
            Value::Word(word, _) => f.write_str(word),
            Value::Number(n) => write!(f, "{n}"),
            Value::Truth(truth) => write!(f, "{truth}"),
            Value::Any => f.write_str("any"),
            Value::Day(text) | Value::Instant(text) => f.write_str(text),
            Value::FromNow(forward, length) if length.n > 0 => {
                write!(f, "now{}{length}", if *forward { '+' } else { '-' })
            }
            Value::FromNow(..) => f.write_str("now"),
            Value::Age(length) => length.fmt(f),
            Value::None => f.write_str("none"),
        }
    }
}
