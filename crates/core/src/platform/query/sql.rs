//! A filter as conditions with bound values.

use sea_orm::{DbBackend, Value as Bound};
use tocsin_model::query::{Filter, Kind, Length, Op, Query, Test, Value};

use super::{Entry, Form, How, Noun};

/// Conditions in the making, and the values they bind; `$1` is the workspace.
pub(crate) struct Statement {
    pub(crate) noun: &'static Noun,
    pub(crate) values: Vec<Bound>,
    backend: DbBackend,
    now: String,
    person: i64,
    conditions: Vec<String>,
    led: bool,
}

impl Statement {
    pub(super) fn new(
        backend: DbBackend,
        noun: &'static Noun,
        (now, person): (&str, i64),
        values: Vec<Bound>,
    ) -> Statement {
        Statement { noun, values, backend, now: now.to_owned(), person, conditions: Vec::new(), led: false }
    }

    /// A statement over another noun that binds what this one has bound.
    pub(crate) fn over(noun: &'static Noun, other: &Statement) -> Statement {
        Statement::new(other.backend, noun, (&other.now, other.person), other.values.clone())
    }

    /// One more condition over the noun's own table.
    pub(crate) fn push(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// A condition is there whose index finds few rows, so that the workspace's is not wanted.
    pub(crate) fn lead(&mut self) {
        self.led = true;
    }

    /// So many rows meet the conditions that they are walked in an order whose index begins with the workspace.
    pub(super) fn walk(&mut self) {
        self.led = false;
    }

    /// Binds a value; its place, `$3`.
    pub(crate) fn bind(&mut self, value: impl Into<Bound>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// The conditions of a query, with those that hold unless it says otherwise.
    pub(super) fn filter(&mut self, query: &Query) {
        for (names, condition) in self.noun.unless {
            if !names.iter().any(|n| query.names(n)) {
                self.push((*condition).to_owned());
            }
        }
        self.also(query);
    }

    /// The conditions of a query alone.
    pub(crate) fn also(&mut self, query: &Query) {
        if let Some(filter) = &query.filter {
            self.led |= leads(self.noun, filter);
            let condition = self.condition(filter);
            self.push(condition);
        }
    }

    /// All conditions. `idle`: none of them, on SQLite, is one that an index could be chosen for (a sign or an empty
    /// text added to a column makes it an expression; the workspace, with which every index begins, stays).
    pub(crate) fn conditions(&self, idle: bool) -> String {
        // SQLite takes every index that begins with the workspace for a good one; a sign keeps it from them
        let sign = if self.led && self.backend != DbBackend::Postgres { "+" } else { "" };
        let mut out = format!("{sign}{}", self.noun.workspace);
        for condition in &self.conditions {
            if idle && self.backend != DbBackend::Postgres {
                out.push_str(&format!(" AND CASE WHEN {condition} THEN 1 ELSE 0 END"));
            } else {
                out.push_str(&format!(" AND {condition}"));
            }
        }
        out
    }

    /// What stands behind a row with these keys.
    pub(super) fn beyond(&mut self, keys: &[&str], at: Vec<Bound>, down: bool) -> String {
        let places: Vec<String> = at.into_iter().map(|v| self.bind(v)).collect();
        let sign = if down { "<" } else { ">" };
        let (Some(key), Some(place)) = (keys.first(), places.first()) else { return String::new() };
        // the first by itself lets the walk begin there also where the keys are of several tables
        format!(" AND {key} {sign}= {place} AND ({}) {sign} ({})", keys.join(", "), places.join(", "))
    }

    fn condition(&mut self, filter: &Filter) -> String {
        match filter {
            Filter::All(list) => self.joined(list, " AND "),
            Filter::Any(list) => self.joined(list, " OR "),
            // what is not told is not so: NOT of it is true
            Filter::Not(inner) => format!("NOT COALESCE({}, FALSE)", self.condition(inner)),
            Filter::Word(word) => self.word(word),
            Filter::Test(test) => self.test(test),
        }
    }

    fn joined(&mut self, list: &[Filter], between: &str) -> String {
        let parts: Vec<String> = list.iter().map(|f| self.condition(f)).collect();
        format!("({})", parts.join(between))
    }

    fn word(&mut self, word: &str) -> String {
        let pattern = self.lower(&format!("%{}%", escaped(word)));
        let place = self.bind(super::ask::text(&pattern));
        let like = format!("LIKE {place} ESCAPE '\\'");
        let part = |w: &&str| super::ask::picked(self.backend, &w.replace("{}", &like));
        let parts: Vec<String> = self.noun.words.iter().map(part).collect();
        format!("({})", parts.join(" OR "))
    }

    /// In lower case as the database's `LOWER` makes it: SQLite knows ASCII alone.
    fn lower(&self, text: &str) -> String {
        match self.backend {
            DbBackend::Postgres => text.to_lowercase(),
            _ => text.to_ascii_lowercase(),
        }
    }

    fn test(&mut self, test: &Test) -> String {
        let noun = self.noun;
        let Some(entry) = noun.entries.iter().find(|e| e.field.name == test.field) else {
            return "FALSE".to_owned(); // the grammar knows the noun's fields alone
        };
        let parts: Vec<String> = test.values.iter().map(|v| self.compared(entry, test.op, v)).collect();
        let inner = match parts.as_slice() {
            [one] => one.clone(),
            many => format!("({})", many.join(" OR ")),
        };
        match entry.how {
            How::Inside(outer, _) | How::Name(outer, _, _) => outer.replace("{}", &inner),
            How::Linked(own, outer, _) => {
                let mut any = vec![outer.replace("{}", &inner)];
                if test.values.contains(&Value::None) {
                    any.push(format!("{own} IS NULL"));
                }
                if test.values.contains(&Value::Text("me".to_owned())) {
                    let person = self.person;
                    any.push(format!("{own} = {}", self.bind(person)));
                }
                format!("({})", any.join(" OR "))
            }
            How::Own(_) | How::Id(_, _) => inner,
        }
    }

    fn compared(&mut self, entry: &Entry, op: Op, value: &Value) -> String {
        let (expr, form): (&str, Option<Form>) = match entry.how {
            How::Own(expr) | How::Inside(_, expr) | How::Linked(_, _, expr) => (expr, None),
            How::Id(_, _) => return self.id(entry, value),
            How::Name(_, expr, form) => (expr, Some(form)),
        };
        let text_form = |text: &str| form.map_or_else(|| text.to_owned(), |f| f(text));
        match value {
            Value::None => match entry.field.kind {
                Kind::Text | Kind::Id | Kind::Word(_) => format!("({expr} IS NULL OR {expr} = '')"),
                // numbers that may be missing are indexed with -1 in their place, and none is below 0
                Kind::Number => format!("{expr} < 0"),
                _ => format!("{expr} IS NULL"),
            },
            Value::Any => "TRUE".to_owned(),
            Value::Truth(true) => format!("({expr})"),
            Value::Truth(false) => format!("NOT ({expr})"),
            Value::Text(text) if text.contains('*') => {
                let parts: Vec<String> = text.split('*').map(|p| escaped(&text_form(p))).collect();
                self.like(expr, &parts.join("%"))
            }
            Value::Text(text) => match op {
                Op::Has if entry.field.kind == Kind::Text => {
                    self.like(expr, &format!("%{}%", escaped(&text_form(text))))
                }
                _ if form.is_some() => {
                    let place = self.bind(super::ask::text(&text_form(text)));
                    format!("{expr} = {place}")
                }
                _ => {
                    let lower = self.lower(text);
                    let place = self.bind(super::ask::text(&lower));
                    format!("LOWER({expr}) = {place}")
                }
            },
            Value::Word(_, n) if matches!(entry.field.kind, Kind::Scale(_)) => {
                let place = self.bind(*n as i64);
                format!("{expr} {} {place}", sign(op))
            }
            Value::Word(word, _) => {
                let place = self.bind(*word);
                format!("{expr} = {place}")
            }
            Value::Number(n) => {
                let place = self.bind(*n);
                match (entry.field.optional, op) {
                    (true, Op::Less | Op::Most) => format!("({expr} {} {place} AND {expr} >= 0)", sign(op)),
                    _ => format!("{expr} {} {place}", sign(op)),
                }
            }
            Value::Age(length) => {
                let then = self.bind(shifted(&self.now, false, *length));
                // older than a length: begun before
                let turned = match op {
                    Op::Less => ">",
                    Op::Most => ">=",
                    Op::More => "<",
                    Op::Least => "<=",
                    Op::Has | Op::Is => return self.same_day(expr, &shifted(&self.now, false, *length)),
                };
                format!("{expr} {turned} {then}")
            }
            Value::FromNow(forward, length) => {
                let then = shifted(&self.now, *forward, *length);
                self.at(expr, op, &then)
            }
            Value::Instant(text) => self.at(expr, op, text),
            Value::Day(day) => {
                let next = next_day(day);
                match op {
                    Op::Less | Op::Least => {
                        let place = self.bind(day.as_str());
                        format!("{expr} {} {place}", sign(op))
                    }
                    // up to the end of the day, after the day
                    Op::Most | Op::More => {
                        let place = self.bind(next);
                        format!("{expr} {} {place}", if op == Op::Most { "<" } else { ">=" })
                    }
                    Op::Has | Op::Is => self.same_day(expr, day),
                }
            }
        }
    }

    /// An id, or a pattern of ids.
    fn id(&mut self, entry: &Entry, value: &Value) -> String {
        let (How::Id(is, like), Value::Text(text)) = (entry.how, value) else { return "FALSE".to_owned() };
        if !text.contains('*') {
            let place = self.bind(super::ask::text(text));
            return is.replace("{}", &place);
        }
        let parts: Vec<String> = text.split('*').map(escaped).collect();
        let lower = self.lower(&parts.join("%"));
        let place = self.bind(super::ask::text(&lower));
        like.replace("{}", &format!("LIKE {place} ESCAPE '\\'"))
    }

    fn at(&mut self, expr: &str, op: Op, then: &str) -> String {
        let place = self.bind(then);
        format!("{expr} {} {place}", sign(op))
    }

    fn same_day(&mut self, expr: &str, at: &str) -> String {
        let day = at.get(..10).unwrap_or(at).to_owned();
        let next = self.bind(next_day(&day));
        let place = self.bind(day);
        format!("({expr} >= {place} AND {expr} < {next})")
    }

    fn like(&mut self, expr: &str, pattern: &str) -> String {
        let lower = self.lower(pattern);
        let place = self.bind(super::ask::text(&lower));
        format!("LOWER({expr}) LIKE {place} ESCAPE '\\'")
    }
}

/// Whether a filter asks for few rows by an index of its own.
fn leads(noun: &Noun, filter: &Filter) -> bool {
    match filter {
        Filter::All(list) => list.iter().any(|f| leads(noun, f)),
        Filter::Any(list) => list.iter().all(|f| leads(noun, f)),
        Filter::Not(_) => false,
        Filter::Word(_) => true,
        Filter::Test(test) => noun.entries.iter().any(|e| e.leads && e.field.name == test.field),
    }
}

/// A text in which `LIKE` finds itself alone.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn sign(op: Op) -> &'static str {
    match op {
        Op::Has | Op::Is => "=",
        other => other.sign(),
    }
}

/// An instant some hours before or after another, in the form in which times are stored; days of years beyond what
/// four digits hold end there.
fn shifted(now: &str, forward: bool, length: Length) -> String {
    let micros = crate::platform::instant::instant(now).unwrap_or(0);
    let hours = if forward { length.hours() } else { -length.hours() };
    let seconds = (micros.div_euclid(1_000_000) + hours * 3600).clamp(-62_135_596_800, 253_402_300_799);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let millis = micros.rem_euclid(1_000_000) / 1000;
    format!("{}T{:02}:{:02}:{:02}.{millis:03}Z", day_of(days), rest / 3600, rest / 60 % 60, rest % 60)
}

/// The day after a day.
pub(super) fn next_day(day: &str) -> String {
    crate::platform::instant::instant(day)
        .map_or_else(|| day.to_owned(), |m| day_of(m.div_euclid(86_400_000_000) + 1))
}

/// The day that is so many days after 1970-01-01 (civil calendar, years beginning in March).
fn day_of(days: i64) -> String {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tocsin_model::query::Unit;

    static ROWS: Noun = Noun {
        doing: "listing rows",
        permission: crate::platform::access::Permission::FindingRead,
        entries: &[],
        orders: &[],
        columns: &[],
        groups: &[],
        table: "thing x",
        id: "x.id",
        from: "thing x",
        on: "",
        workspace: "x.workspace = $1",
        lines: "",
        unless: &[],
        words: &["LOWER(x.name) {}"],
    };

    #[test]
    fn many_rows_are_walked_by_the_index_of_their_order() {
        let query = tocsin_model::query::parse("word", &ROWS.schema()).unwrap();
        for (backend, led) in
            [(DbBackend::Sqlite, "+x.workspace = $1 AND "), (DbBackend::Postgres, "x.workspace = $1 AND ")]
        {
            let mut s = Statement::new(backend, &ROWS, ("2026-01-01T00:00:00.000Z", 1), vec![1.into()]);
            s.filter(&query);
            assert!(
                s.conditions(false).starts_with(led),
                "few rows come by the word: {}",
                s.conditions(false)
            );
            s.walk();
            assert!(s.conditions(true).starts_with("x.workspace = $1 AND "), "{}", s.conditions(true));
        }
    }

    #[test]
    fn days_follow_each_other() {
        for (day, next) in [
            ("2024-02-28", "2024-02-29"),
            ("2024-02-29", "2024-03-01"),
            ("1999-12-31", "2000-01-01"),
            ("1970-01-01", "1970-01-02"),
        ] {
            assert_eq!(next_day(day), next);
        }
        let now = "2026-03-01T10:30:00.250Z";
        let at = |forward, n, unit| shifted(now, forward, Length { n, unit });
        assert_eq!(at(false, 1, Unit::Day), "2026-02-28T10:30:00.250Z");
        assert_eq!(at(true, 14, Unit::Hour), "2026-03-02T00:30:00.250Z");
        assert_eq!(at(false, 999_999, Unit::Year), "0001-01-01T00:00:00.250Z");
    }
}
