//! Reading a query: characters to tokens, tokens to a tree whose values have the types of their fields.

use super::{
    DEPTH_MOST, Field, Filter, Kind, LIMIT_MOST, Length, Op, Query, Schema, Sort, TESTS_MOST, TEXT_MOST,
    Test, UNITS, Unit, Value,
};

/// What is wrong with a query, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at {at}{}{remedy}", if .remedy.is_empty() { "" } else { ", " })]
pub struct QueryError {
    /// Where it begins, in characters from 1.
    pub at: usize,
    /// How many characters it is.
    pub len: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

type Result<T> = std::result::Result<T, QueryError>;

/// Names that are no fields but tell order, columns, grouping and size of a page.
const DIRECTIVES: [&str; 4] = ["sort", "columns", "group", "limit"];

/// Reads a query over a noun.
///
/// # Errors
/// The first thing that cannot be understood.
pub fn parse(text: &str, schema: &Schema) -> Result<Query> {
    let chars: Vec<char> = text.chars().collect();
    let mut reader = Reader { chars: &chars, at: 0, schema, tests: 0, depth: 0, query: Query::default() };
    if text.len() > TEXT_MOST {
        return Err(reader.error(0, chars.len(), format!("a query has at most {TEXT_MOST} bytes")));
    }
    reader.query.filter = reader.any()?;
    reader.spaces();
    match reader.peek() {
        // `any` reads on to the end, or to a bracket that nothing opened
        Some(_) => Err(reader.error(reader.at, 1, "`)` without a `(` before it".to_owned())),
        None => Ok(reader.query),
    }
}

/// A text as it is written in a query: bare where it is read back as itself, else in quotes.
pub(super) fn written(text: &str, word: bool) -> String {
    let bare = !text.is_empty()
        && text.chars().all(|c| is_bare(c) && (word || c != ','))
        && !["OR", "AND", "NOT"].contains(&text)
        && (word || !["none", "any"].iter().any(|w| text.eq_ignore_ascii_case(w)))
        && !(word && (text.starts_with(['-', ':', '=', '<', '>', '!']) || is_test(text)));
    if bare {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '(' | ')' | '"')
}

/// Length of the name before the first operator of a text that begins as a test does.
fn operator(text: &str) -> Option<usize> {
    let name = text.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).count();
    let mut rest = text.chars().skip(name);
    let sign = match rest.next() {
        Some(':' | '=' | '<' | '>') => true,
        Some('!') => rest.next() == Some('='),
        _ => false,
    };
    (sign && name > 0).then_some(name)
}

/// Whether a bare word is read as a test; a package URL or CPE name is looked for as it stands.
fn is_test(text: &str) -> bool {
    operator(text).is_some_and(|name| !matches!(text.get(..name), Some("pkg" | "cpe")))
}

struct Reader<'a> {
    chars: &'a [char],
    at: usize,
    schema: &'a Schema,
    tests: usize,
    depth: usize,
    query: Query,
}

impl Reader<'_> {
    fn error(&self, from: usize, len: usize, message: String) -> QueryError {
        QueryError { at: from + 1, len: len.max(1), message, remedy: String::new() }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Takes a word (`OR`) where it stands alone.
    fn keyword(&mut self, word: &str) -> bool {
        let len = word.chars().count();
        let there =
            self.chars.get(self.at..self.at + len).is_some_and(|c| c.iter().copied().eq(word.chars()));
        let alone = self.chars.get(self.at + len).is_none_or(|c| !is_bare(*c));
        if there && alone {
            self.at += len;
        }
        there && alone
    }

    fn any(&mut self) -> Result<Option<Filter>> {
        let mut list = Vec::new();
        let mut open: Option<usize> = None; // an OR that still wants its second side
        loop {
            let from = self.at;
            match (self.all()?, open) {
                (Some(filter), _) => list.push(filter),
                (None, Some(at)) => return Err(self.error(at, 2, "nothing follows `OR`".to_owned())),
                (None, None) => {}
            }
            self.spaces();
            let at = self.at;
            if !self.keyword("OR") {
                break;
            }
            if list.is_empty() {
                return Err(self.error(from.max(at), 2, "nothing stands before `OR`".to_owned()));
            }
            open = Some(at);
        }
        Ok(if list.is_empty() { None } else { Some(Filter::any(list)) })
    }

    fn all(&mut self) -> Result<Option<Filter>> {
        let mut list = Vec::new();
        loop {
            self.spaces();
            if self.keyword("AND") {
                continue;
            }
            let start = self.at;
            let or = self.keyword("OR");
            self.at = start;
            match self.peek() {
                None | Some(')') => break,
                _ if or => break,
                _ => list.extend(self.one()?),
            }
        }
        Ok(if list.is_empty() { None } else { Some(Filter::all(list)) })
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > DEPTH_MOST {
            return Err(self.error(self.at, 1, format!("brackets and `-` nest at most {DEPTH_MOST} deep")));
        }
        let out = inner(self);
        self.depth -= 1;
        out
    }

    /// One part; nothing where it was a directive.
    fn one(&mut self) -> Result<Option<Filter>> {
        let from = self.at;
        let minus = self.peek() == Some('-');
        if minus || self.keyword("NOT") {
            self.at += usize::from(minus);
            self.spaces();
            let inner = self.deeper(|r| if r.peek().is_none() { Ok(None) } else { r.one() })?;
            let inner = inner.ok_or_else(|| self.error(from, 1, "nothing follows `-`".to_owned()))?;
            return Ok(Some(inner.negate()));
        }
        if self.peek() == Some('(') {
            self.at += 1;
            let inner = self.deeper(Reader::any)?;
            self.spaces();
            if self.peek() != Some(')') {
                return Err(self.error(from, 1, "`(` without its `)`".to_owned()));
            }
            self.at += 1;
            return inner
                .map(Some)
                .ok_or_else(|| self.error(from, 2, "nothing stands in the brackets".to_owned()));
        }
        if self.peek() == Some(')') {
            return Err(self.error(from, 1, "nothing stands before `)`".to_owned()));
        }
        self.tests += 1;
        if self.tests > TESTS_MOST {
            return Err(self.error(from, 1, format!("a query has at most {TESTS_MOST} parts")));
        }
        let bare: String = self.chars.iter().skip(from).take_while(|c| is_bare(**c)).collect();
        if bare.starts_with([':', '=', '<', '>', '!']) {
            let mut e = self.error(from, 1, "no field stands before this sign".to_owned());
            e.remedy = "write field and sign without a space between".to_owned();
            return Err(e);
        }
        match operator(&bare) {
            Some(name) if is_test(&bare) => self.test(from, name),
            _ => Ok(Some(Filter::Word(self.text(true)?))),
        }
    }

    /// A text in quotes or a bare one; a bare value ends at a comma.
    fn text(&mut self, word: bool) -> Result<String> {
        let from = self.at;
        let mut out = String::new();
        if self.peek() == Some('"') {
            self.at += 1;
            loop {
                match self.peek() {
                    None => {
                        return Err(self.error(from, self.at - from, "a `\"` without its second".to_owned()));
                    }
                    Some('"') => break,
                    Some('\\') => self.at += 1,
                    Some(_) => {}
                }
                out.extend(self.peek());
                self.at += 1;
            }
            self.at += 1;
            if word && out.trim().is_empty() {
                return Err(self.error(from, self.at - from, "the text to look for is empty".to_owned()));
            }
            return Ok(out);
        }
        while let Some(c) = self.peek().filter(|c| is_bare(*c) && (word || *c != ',')) {
            out.push(c);
            self.at += 1;
        }
        Ok(out)
    }

    /// Values between commas, each with where it begins and whether it was bare.
    fn values(&mut self) -> Result<Vec<(usize, bool, String)>> {
        let mut list = Vec::new();
        loop {
            let (from, bare) = (self.at, self.peek() != Some('"'));
            let text = self.text(false)?;
            if text.is_empty() && bare {
                let mut e = self.error(from, 1, "a value is missing".to_owned());
                e.remedy = "write one, or `\"\"` for an empty text".to_owned();
                return Err(e);
            }
            list.push((from, bare, text));
            if self.peek() != Some(',') {
                return Ok(list);
            }
            self.at += 1;
        }
    }

    fn test(&mut self, from: usize, len: usize) -> Result<Option<Filter>> {
        let name: String = self.chars.iter().skip(from).take(len).collect::<String>().to_ascii_lowercase();
        let sign_at = from + len;
        let sign: String = self.chars.iter().skip(sign_at).take(2).collect();
        let (op, not, width) = match sign.as_str() {
            "!=" => (Op::Is, true, 2),
            "<=" => (Op::Most, false, 2),
            ">=" => (Op::Least, false, 2),
            s if s.starts_with(':') => (Op::Has, false, 1),
            s if s.starts_with('=') => (Op::Is, false, 1),
            s if s.starts_with('<') => (Op::Less, false, 1),
            _ => (Op::More, false, 1),
        };
        self.at = sign_at + width;
        if DIRECTIVES.contains(&name.as_str()) {
            self.tests -= 1;
            return self.directive(from, &name, op, not).map(|()| None);
        }
        if name == "is" && self.schema.fields.iter().all(|f| f.name != "is") {
            return self.is(sign_at, width, op, not).map(Some);
        }
        let Some(field) = self.schema.fields.iter().find(|f| f.name == name).copied() else {
            let mut e = self.error(from, len, format!("unknown field `{name}`"));
            let names = self.schema.fields.iter().map(|f| f.name).chain(DIRECTIVES);
            e.remedy = match near(&name, names) {
                Some(near) => format!("did you mean {near}?"),
                None => "or put it in quotes to look for the text".to_owned(),
            };
            return Err(e);
        };
        let op = self.allowed(field, op, sign_at, width)?;
        let mut values = Vec::new();
        for (at, bare, text) in self.values()? {
            values.push(self.value(field, op, at, bare, &text)?);
        }
        if values.len() > 1 && !matches!(op, Op::Has | Op::Is) {
            let message = format!("`{}` takes one value", op.sign());
            return Err(self.error(sign_at, width, message));
        }
        let test = Filter::Test(Test { field: field.name, op, values });
        Ok(Some(if not { test.negate() } else { test }))
    }

    /// `is:exploited`: a field that is true or not, in short for `exploited:true`. Several are alternatives.
    fn is(&mut self, sign_at: usize, width: usize, op: Op, not: bool) -> Result<Filter> {
        if !matches!(op, Op::Has | Op::Is) {
            let mut e = self.error(sign_at, width, "`is` has no order".to_owned());
            e.remedy = "write is:word".to_owned();
            return Err(e);
        }
        let truths = || self.schema.fields.iter().filter(|f| f.kind == Kind::Truth).map(|f| f.name);
        let mut list = Vec::new();
        for (at, _, text) in self.values()? {
            let lower = text.to_lowercase();
            let Some(field) = truths().find(|name| *name == lower) else {
                let mut e = self.error(at, text.chars().count(), format!("nothing here is `{text}`"));
                e.remedy = match near(&lower, truths()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("it is one of: {}", truths().collect::<Vec<_>>().join(", ")),
                };
                return Err(e);
            };
            list.push(Filter::Test(Test { field, op: Op::Has, values: vec![Value::Truth(true)] }));
        }
        let any = Filter::any(list);
        Ok(if not { any.negate() } else { any })
    }

    /// The operator as it is kept for the field: kinds that are the value or not know no difference of `:` and `=`.
    fn allowed(&self, field: Field, op: Op, at: usize, width: usize) -> Result<Op> {
        match (field.kind, op) {
            (Kind::Text, Op::Has | Op::Is) => Ok(op),
            (_, Op::Has | Op::Is) => Ok(Op::Has),
            (Kind::Scale(_) | Kind::Number | Kind::Time | Kind::Age, _) => Ok(op),
            _ => {
                let mut e = self.error(at, width, format!("`{}` has no order", field.name));
                e.remedy = format!("write {}:value", field.name);
                Err(e)
            }
        }
    }

    fn value(&self, field: Field, op: Op, at: usize, bare: bool, text: &str) -> Result<Value> {
        let lower = text.to_lowercase();
        let told = |what: &str| {
            let mut e =
                self.error(at, text.chars().count(), format!("`{text}` is no value of {}", field.name));
            e.remedy = what.to_owned();
            e
        };
        if field.optional && bare && lower == "none" && op == Op::Has {
            return Ok(Value::None);
        }
        match field.kind {
            Kind::Text | Kind::Id => Ok(Value::Text(text.to_owned())),
            Kind::Word(words) | Kind::Scale(words) => {
                let is = |w: &&str| *w == lower || w.replace('_', "-") == lower;
                match words.iter().position(is).and_then(|n| Some((words.get(n)?, n))) {
                    Some((word, n)) => Ok(Value::Word(word, n)),
                    None => Err(told(&match near(&lower, words.iter().copied()) {
                        Some(near) => format!("did you mean {near}?"),
                        None => format!("it is one of: {}", words.join(", ")),
                    })),
                }
            }
            Kind::Number => {
                let (digits, share) = text.strip_suffix('%').map_or((text, 1.0), |t| (t, 100.0));
                let plain = digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-'));
                match digits.parse::<f64>() {
                    Ok(n) if plain && n.is_finite() => Ok(Value::Number(n / share)),
                    _ => Err(told("it is a number, like 7.5 or 10%")),
                }
            }
            Kind::Truth => match lower.as_str() {
                "true" | "yes" | "1" => Ok(Value::Truth(true)),
                "false" | "no" | "0" => Ok(Value::Truth(false)),
                "any" => Ok(Value::Any),
                _ => Err(told("it is true, false or any")),
            },
            Kind::Time => {
                time(text).ok_or_else(|| told("it is a day like 2026-01-31, an instant, or now-7d"))
            }
            Kind::Age => length(&lower)
                .map(Value::Age)
                .ok_or_else(|| told("it is a length of time, like 12h, 30d, 2w or 1y")),
        }
    }

    fn directive(&mut self, from: usize, name: &str, op: Op, not: bool) -> Result<()> {
        let len = name.chars().count();
        if self.depth > 0 || op != Op::Has || not {
            let message = format!("`{name}:` stands by itself, outside of brackets");
            return Err(self.error(from, len, message));
        }
        let values = self.values()?;
        let one = |r: &Self| match values.as_slice() {
            [(at, _, text)] => Ok((*at, text.to_lowercase())),
            _ => Err(r.error(from, len, format!("`{name}:` takes one value"))),
        };
        match name {
            "sort" => {
                let (at, text) = one(self)?;
                let (down, field) = text.strip_prefix('-').map_or((false, text.as_str()), |f| (true, f));
                let field = self.known(field, at, "sorted by", &self.schema.sorts)?;
                self.query.sort = Some(Sort { field, down });
            }
            "group" => {
                let (at, text) = one(self)?;
                let mut groups = self.schema.groups.clone();
                groups.push("none");
                self.query.group = Some(self.known(&text, at, "grouped by", &groups)?);
            }
            "limit" => {
                let (at, text) = one(self)?;
                match text.parse::<u32>() {
                    Ok(n) if (1..=LIMIT_MOST).contains(&n) => self.query.limit = Some(n),
                    _ => {
                        let message = format!("a page has 1 to {LIMIT_MOST} rows, not `{text}`");
                        return Err(self.error(at, text.chars().count(), message));
                    }
                }
            }
            _ => {
                let mut columns: Vec<&'static str> = Vec::new();
                for (at, _, text) in &values {
                    let column = self.known(&text.to_lowercase(), *at, "shown", &self.schema.columns)?;
                    if !columns.contains(&column) {
                        columns.push(column);
                    }
                }
                self.query.columns = columns;
            }
        }
        Ok(())
    }

    fn known(&self, text: &str, at: usize, what: &str, names: &[&'static str]) -> Result<&'static str> {
        names.iter().find(|n| **n == text).copied().ok_or_else(|| {
            let mut e =
                self.error(at, text.chars().count(), format!("`{text}` is nothing that can be {what}"));
            e.remedy = match near(text, names.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("it is one of: {}", names.join(", ")),
            };
            e
        })
    }
}

fn length(text: &str) -> Option<Length> {
    let last = text.chars().next_back()?;
    let unit: Unit = UNITS.iter().find(|(_, c)| *c == last).map(|(u, _)| *u)?;
    let digits = text.get(..text.len() - 1)?;
    let plain = !digits.is_empty() && digits.len() <= 6 && digits.chars().all(|c| c.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(|n| Length { n, unit })).flatten()
}

fn time(text: &str) -> Option<Value> {
    let lower = text.to_lowercase();
    if let Some(rest) = lower.strip_prefix("now") {
        return match rest.chars().next() {
            None => Some(Value::FromNow(true, Length { n: 0, unit: Unit::Hour })),
            Some(sign @ ('+' | '-')) => {
                let length = length(rest.get(1..)?)?;
                (length.n > 0).then_some(Value::FromNow(sign == '+', length))
            }
            _ => None,
        };
    }
    let day = text.get(..10)?;
    let shape = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text
                .chars()
                .zip(shape.chars())
                .all(|(c, s)| if s == '0' { c.is_ascii_digit() } else { c == s })
    };
    let number = |from: usize, to: usize| day.get(from..to).and_then(|d| d.parse::<u32>().ok());
    let (month, of_month) = (number(5, 7)?, number(8, 10)?);
    if !shape(day, "0000-00-00") || !(1..=12).contains(&month) || !(1..=31).contains(&of_month) {
        return None;
    }
    match text.get(10..)? {
        "" => Some(Value::Day(day.to_owned())),
        rest if ["T00:00Z", "T00:00:00Z", "T00:00:00.000Z"].iter().any(|s| shape(rest, s)) => {
            Some(Value::Instant(text.to_owned()))
        }
        _ => None,
    }
}

/// The nearest of some names, where one is near enough to be meant.
fn near(text: &str, names: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let most = text.chars().count() / 3 + 1;
    names
        .into_iter()
        .map(|name| (distance(text, name), name))
        .filter(|(d, name)| *d <= most && *d < name.len())
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// Letters to change, add or leave out to make one text of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let new = (corner + usize::from(x != *y)).min(left + 1).min(*cell + 1);
            corner = *cell;
            *cell = new;
            left = new;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
