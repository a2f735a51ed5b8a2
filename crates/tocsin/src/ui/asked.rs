//! A list that is asked for by address: the query in it, read once, and the links that change a part of it.
//!
//! `q` is the filter, `sort`, `columns`, `group` and `limit` say the rest, `after` where the page begins. Whatever the
//! filter tells of the rest by itself (`q=kev:true sort:-epss`) moves to its own parameter, so that one list has one
//! address.

use tocsin_core::platform::query::Total;
use tocsin_model::query::{self, Filter, Kind, Query, Schema, Sort};

use super::encode;

/// Parameters and values of an address, in their order.
pub type Pairs = Vec<(String, String)>;

/// The value of a parameter; empty where missing.
pub fn param<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
}

/// What was asked of a list.
pub struct Asked {
    /// What is listed, for completions: `findings`.
    pub list: &'static str,
    /// Address of the page, without parameters.
    pub path: String,
    /// Parameters that are the page's own and stay in every link.
    pub own: Pairs,
    /// The filter as it stands in the field.
    pub text: String,
    /// The query; empty where it cannot be read.
    pub query: Query,
    /// Why it cannot be read.
    pub wrong: String,
    /// Where the page begins, or empty.
    pub after: String,
    /// What may be asked.
    pub schema: Schema,
    /// Filters a reader sets and takes away by one click.
    quick: &'static [(&'static str, &'static str)],
}

/// A part of the filter, with the address of the list without it.
pub struct Chip {
    /// The part, or what it is called.
    pub text: String,
    /// Where it leads.
    pub href: String,
    /// It is set.
    pub set: bool,
}

/// A field as the help shows it.
pub struct Help {
    /// Name.
    pub name: &'static str,
    /// An example.
    pub example: String,
    /// What it is.
    pub what: &'static str,
}

/// The head of a column.
pub struct Head {
    /// Name of the column.
    pub name: &'static str,
    /// What the reader sees.
    pub label: &'static str,
    /// Numbers, at the right.
    pub num: bool,
    /// Address of the list sorted by it; empty where it has no order.
    pub href: String,
    /// `ascending` or `descending` where the list is sorted by it.
    pub sorted: &'static str,
}

/// A column that can be shown.
pub struct Choice {
    /// Name.
    pub name: &'static str,
    /// What the reader sees.
    pub label: &'static str,
    /// It is shown.
    pub on: bool,
}

impl Asked {
    /// Reads the parameters of a page.
    pub fn read(
        list: &'static str,
        path: impl Into<String>,
        schema: Schema,
        quick: &'static [(&'static str, &'static str)],
        pairs: &[(String, String)],
    ) -> Asked {
        let typed = param(pairs, "q").trim().to_owned();
        let mut directives = String::new();
        for name in ["sort", "group", "limit"] {
            let value = param(pairs, name).trim();
            if !value.is_empty() {
                directives.push_str(&format!("{name}:{value} "));
            }
        }
        let columns: Vec<&str> = pairs
            .iter()
            .filter(|(n, v)| n == "columns" && !v.trim().is_empty())
            .map(|(_, v)| v.trim())
            .collect();
        if !columns.is_empty() {
            directives.push_str(&format!("columns:{}", columns.join(",")));
        }
        let (mut text, mut wrong) = (typed.clone(), String::new());
        let query = match (query::parse(&typed, &schema), query::parse(&directives, &schema)) {
            (Ok(asked), Ok(beside)) => {
                let columns = if asked.columns.is_empty() { beside.columns } else { asked.columns.clone() };
                let query = Query {
                    sort: asked.sort.or(beside.sort),
                    group: asked.group.or(beside.group),
                    limit: asked.limit.or(beside.limit),
                    columns,
                    filter: asked.filter,
                };
                text = query.filter_text();
                query
            }
            (Err(e), _) | (_, Err(e)) => {
                wrong = e.to_string();
                Query::default()
            }
        };
        let own = pairs.iter().filter(|(n, _)| n == "tab").cloned().collect();
        Asked {
            list,
            path: path.into(),
            own,
            text,
            query,
            wrong,
            after: param(pairs, "after").to_owned(),
            schema,
            quick,
        }
    }

    /// Where the page begins; nothing for the first one.
    pub fn place(&self) -> Option<&str> {
        Some(self.after.as_str()).filter(|t| !t.is_empty())
    }

    /// Rows of the page: what the query says, or the number that is usual here.
    pub fn most(&self, usual: u64) -> u64 {
        self.query.limit.map_or(usual, u64::from)
    }

    /// Parameters of a query, without where its page begins.
    pub fn pairs(&self, query: &Query) -> Pairs {
        let mut pairs = self.own.clone();
        let mut put = |name: &str, value: String| {
            if !value.is_empty() {
                pairs.push((name.to_owned(), value));
            }
        };
        put("q", query.filter_text());
        put(
            "sort",
            query.sort.map_or(String::new(), |s| format!("{}{}", if s.down { "-" } else { "" }, s.field)),
        );
        put("columns", query.columns.join(","));
        put("group", query.group.unwrap_or_default().to_owned());
        put("limit", query.limit.map_or(String::new(), |n| n.to_string()));
        pairs
    }

    /// Parameters of the list as it is, for links to what else can be made of it (exports, decisions).
    pub fn string(&self) -> String {
        written(&self.pairs(&self.query))
    }

    /// Address of the page for a query.
    pub fn href(&self, query: &Query) -> String {
        let pairs = written(&self.pairs(query));
        if pairs.is_empty() { self.path.clone() } else { format!("{}?{pairs}", self.path) }
    }

    /// Address of the list as it is.
    pub fn here(&self) -> String {
        self.href(&self.query)
    }

    /// Address of the page that begins at a place.
    pub fn next(&self, after: &str) -> String {
        let mut pairs = self.pairs(&self.query);
        pairs.push(("after".to_owned(), after.to_owned()));
        format!("{}?{}", self.path, written(&pairs))
    }

    /// Address of the list grouped otherwise.
    pub fn grouped(&self, group: &str) -> String {
        let known = self.schema.groups.iter().copied().chain(["none"]).find(|g| *g == group);
        // an order of one way of grouping need not be one of the other
        self.href(&Query { group: known, sort: None, ..self.query.clone() })
    }

    /// Address of what the list has of one vulnerability, one by one.
    pub fn of_flaw(&self, id: &str) -> String {
        let values = vec![query::Value::Text(id.replace('*', ""))];
        let test = query::Test { field: "vulnerability", op: query::Op::Has, values };
        self.href(&Query { group: Some("none"), sort: None, ..self.query.and(Filter::Test(test)) })
    }

    /// Fields of a form that keep all but the filter.
    pub fn kept(&self) -> Pairs {
        self.pairs(&self.query).into_iter().filter(|(n, _)| n != "q").collect()
    }

    /// Fields of a form that keep all but the columns.
    pub fn kept_beside_columns(&self) -> Pairs {
        self.pairs(&self.query).into_iter().filter(|(n, _)| n != "columns").collect()
    }

    /// What is set, each with the address without it; then what can be set by one click.
    pub fn chips(&self) -> Vec<Chip> {
        let mut chips = Vec::new();
        let parts = self.query.parts();
        for (n, part) in parts.iter().enumerate() {
            let text = match part {
                // by itself at the top an alternative needs no brackets
                Filter::Any(_) if parts.len() == 1 => self.query.filter_text(),
                part => part.to_string(),
            };
            chips.push(Chip { text, href: self.href(&self.query.without(n)), set: true });
        }
        for (label, filter) in self.quick {
            let Ok(Query { filter: Some(filter), .. }) = query::parse(filter, &self.schema) else { continue };
            if !parts.contains(&&filter) {
                let href = self.href(&self.query.and(filter));
                chips.push(Chip { text: (*label).to_owned(), href, set: false });
            }
        }
        chips
    }

    /// What may be asked, with an example each.
    pub fn help(&self) -> Vec<Help> {
        let example = |f: &query::Field| match f.kind {
            Kind::Text if f.name == "product" => "product:\"Pump 3\"".to_owned(),
            Kind::Text => format!("{}:text, {}=\"all of it\"", f.name, f.name),
            Kind::Id => format!("{}:CVE-2021-44228", f.name),
            Kind::Word(words) | Kind::Scale(words) => {
                let sign = if matches!(f.kind, Kind::Scale(_)) { ">=" } else { ":" };
                words
                    .get(words.len().saturating_sub(2))
                    .map_or(String::new(), |w| format!("{}{sign}{w}", f.name))
            }
            Kind::Number if f.name == "epss" => "epss>=10%".to_owned(),
            Kind::Number => format!("{}>=7", f.name),
            Kind::Truth => format!("{}:true", f.name),
            Kind::Time => format!("{}<now+7d, {0}:2026-01-31", f.name),
            Kind::Age => format!("{}>30d", f.name),
        };
        self.schema.fields.iter().map(|f| Help { name: f.name, example: example(f), what: f.what }).collect()
    }

    /// The heads of columns of a list in an order; `label` says what the reader sees, which order a column has, and
    /// whether it holds numbers.
    pub fn heads(
        &self,
        columns: &[&'static str],
        now: Option<Sort>,
        about: fn(&str) -> (&'static str, &'static str, bool),
        sorts: &[&'static str],
    ) -> Vec<Head> {
        let head = |&name: &&'static str| {
            let (label, order, num) = about(name);
            let field = sorts.iter().find(|s| **s == order).copied();
            let by = now.filter(|s| Some(s.field) == field);
            let href = field.map_or(String::new(), |field| {
                // numbers and times are asked for from the top, texts from the first letter
                let down = by.map_or(num || matches!(order, "severity" | "found" | "at"), |s| !s.down);
                self.href(&Query { sort: Some(Sort { field, down }), ..self.query.clone() })
            });
            let sorted = by.map_or("", |s| if s.down { "descending" } else { "ascending" });
            Head { name, label, num, href, sorted }
        };
        columns.iter().map(head).collect()
    }

    /// The columns that can be shown; `shown` are.
    pub fn choices(
        &self,
        shown: &[&'static str],
        about: fn(&str) -> (&'static str, &'static str, bool),
    ) -> Vec<Choice> {
        let choice = |&name: &&'static str| Choice { name, label: about(name).0, on: shown.contains(&name) };
        self.schema.columns.iter().map(choice).collect()
    }

    /// `1,234 findings` of a total.
    pub fn counted(&self, total: &Total, one: &str, many: &str) -> String {
        if total.n == 1 && !total.more { format!("1 {one}") } else { format!("{total} {many}") }
    }
}

/// Pairs as parameters of an address.
pub fn written(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect::<Vec<_>>().join("&")
}

/// A completion of a query.
#[derive(serde::Serialize)]
pub struct Completion {
    /// What takes the place of what was begun.
    pub text: String,
    /// What it is.
    pub what: String,
}

/// What was begun at the end of a text: where it begins (bytes), the field whose value it is, and the value's
/// beginning; without a field, the beginning of a name.
pub fn begun(text: &str) -> (usize, Option<(String, String)>, String) {
    let (mut start, mut quoted) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if !quoted && (c.is_whitespace() || c == '(') => start = at + c.len_utf8(),
            '-' if !quoted && start == at => start = at + 1,
            _ => {}
        }
    }
    let token = text.get(start..).unwrap_or_default();
    let name = token.find([':', '=', '<', '>', '!']);
    let Some((field, rest)) = name.and_then(|at| Some((token.get(..at)?, token.get(at..)?))) else {
        return (start, None, token.to_owned());
    };
    let value = rest.trim_start_matches([':', '=', '<', '>', '!']);
    let value = if value.contains('"') { value } else { value.rsplit(',').next().unwrap_or(value) };
    let at = start + token.len() - value.len();
    (at, Some((field.to_lowercase(), value.trim_matches('"').to_owned())), String::new())
}

/// Completions that need no look at the data: names of fields, and values of a field that has few.
pub fn complete(schema: &Schema, begun: &(usize, Option<(String, String)>, String)) -> Vec<Completion> {
    let (_, field, name) = begun;
    let Some((field, value)) = field else {
        let name = name.to_lowercase();
        let sign = |kind| match kind {
            Kind::Scale(_) | Kind::Number => ">=",
            Kind::Age => ">",
            Kind::Time => "<",
            _ => ":",
        };
        let fields = schema.fields.iter().filter(|f| f.name.starts_with(&name));
        return fields
            .map(|f| Completion { text: format!("{}{}", f.name, sign(f.kind)), what: f.what.to_owned() })
            .collect();
    };
    let kind = schema.fields.iter().find(|f| f.name == field).map(|f| f.kind);
    let (words, what): (&[&str], &str) = match (kind, field.as_str()) {
        (Some(Kind::Word(words) | Kind::Scale(words)), _) => (words, ""),
        (Some(Kind::Truth), _) => (&["true", "false", "any"], ""),
        (Some(Kind::Age), _) => (&["1d", "7d", "30d", "90d", "1y"], "hours h, days d, weeks w, years y"),
        (Some(Kind::Time), _) => (&["now", "now-1d", "now-7d", "now+7d", "now+30d"], "or a day, 2026-01-31"),
        (None, "sort") => (&schema.sorts, "- before it turns it round"),
        (None, "columns") => (&schema.columns, ""),
        (None, "group") => (&schema.groups, ""),
        _ => (&[], ""),
    };
    let value = value.to_lowercase();
    let fitting = words.iter().filter(|w| w.starts_with(&value));
    fitting.map(|w| Completion { text: (*w).to_owned(), what: what.to_owned() }).collect()
}

/// A text to look for, as it is written in a query.
pub fn word(text: &str) -> String {
    Filter::Word(text.to_owned()).to_string()
}

/// A value as it is written behind a field.
pub fn quoted(value: &str) -> String {
    query::Value::Text(value.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tocsin_core::detection;

    fn pairs(list: &[(&str, &str)]) -> Pairs {
        list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    fn asked(list: &[(&str, &str)]) -> Asked {
        Asked::read(
            "findings",
            "/findings",
            detection::schema(),
            &[("Exploited", "kev:true"), ("Closed", "closed:true")],
            &pairs(list),
        )
    }

    #[test]
    fn one_list_has_one_address() {
        for list in [
            vec![
                ("q", "severity>=high kev:true"),
                ("sort", "-epss"),
                ("columns", "severity"),
                ("columns", "epss"),
            ],
            vec![("q", "  severity>=HIGH kev:yes sort:-epss columns:severity,epss ")],
            vec![
                ("columns", "severity,epss"),
                ("q", "severity>=high kev=true"),
                ("sort", "-epss"),
                ("after", "x"),
            ],
        ] {
            let here = "/findings?q=severity%3E%3Dhigh%20kev%3Atrue&sort=-epss&columns=severity%2Cepss";
            assert_eq!(asked(&list).here(), here);
        }
        assert_eq!(asked(&[]).here(), "/findings");
        assert_eq!(asked(&[("tab", "findings")]).here(), "/findings?tab=findings");
        let wrong = asked(&[("q", "severty>=high")]);
        assert_eq!(wrong.wrong, "unknown field `severty` at 1, did you mean severity?");
        assert_eq!(wrong.text, "severty>=high", "what was typed is kept");
        assert!(asked(&[("sort", "nothing")]).wrong.contains("sorted by"));
    }

    #[test]
    fn chips_take_away_and_set() {
        let a = asked(&[("q", "kev:true \"a b\""), ("sort", "epss")]);
        let chips: Vec<(String, String, bool)> =
            a.chips().into_iter().map(|c| (c.text, c.href, c.set)).collect();
        let chip = |text: &str, href: &str, set| (text.to_owned(), href.to_owned(), set);
        assert_eq!(
            chips,
            [
                chip("kev:true", "/findings?q=%22a%20b%22&sort=epss", true),
                chip("\"a b\"", "/findings?q=kev%3Atrue&sort=epss", true),
                chip("Closed", "/findings?q=kev%3Atrue%20%22a%20b%22%20closed%3Atrue&sort=epss", false),
            ]
        );
    }

    #[test]
    fn what_is_begun_is_found() {
        for (text, at, field, value, name) in [
            ("", 0, "", "", ""),
            ("kev:true sev", 9, "", "", "sev"),
            ("-sta", 1, "", "", "sta"),
            ("(kev:true OR sta", 13, "", "", "sta"),
            ("status:aff", 7, "status", "aff", ""),
            ("status:affected,fi", 16, "status", "fi", ""),
            ("severity>=hi", 10, "severity", "hi", ""),
            ("product:\"Pump 3", 8, "product", "Pump 3", ""),
            ("a product:Pu", 10, "product", "Pu", ""),
        ] {
            let found = begun(text);
            let of = found.1.clone().unwrap_or_default();
            assert_eq!(
                (found.0, of.0.as_str(), of.1.as_str(), found.2.as_str()),
                (at, field, value, name),
                "{text}"
            );
        }
        let texts = |text| {
            complete(&detection::schema(), &begun(text)).into_iter().map(|c| c.text).collect::<Vec<_>>()
        };
        assert_eq!(texts("sever"), ["severity>="]);
        assert_eq!(texts("severity>=h"), ["high"]);
        assert_eq!(texts("kev:"), ["true", "false", "any"]);
        assert_eq!(texts("sort:e"), ["epss"]);
        assert!(texts("").len() > 20);
    }
}
