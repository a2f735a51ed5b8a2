//! Licences against rules: an SPDX expression (SPDX 3.0.1, annex B "License Expressions") is allowed, to be reviewed or
//! denied as the best of what `OR` offers and the worst of what `AND` asks for.

use std::collections::HashMap;
use std::sync::LazyLock;

use spdx::expression::{ExprNode, Operator};
use spdx::{Expression, LicenseItem, LicenseReq, ParseMode};

/// What a rule says of a licence, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Verdict {
    /// May be used.
    Allowed,
    /// No rule speaks of it.
    #[default]
    Unruled,
    /// Somebody has to look.
    Review,
    /// May not be used.
    Denied,
}

impl Verdict {
    /// All that a rule can say.
    pub const RULED: [Verdict; 3] = [Verdict::Allowed, Verdict::Review, Verdict::Denied];

    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Allowed => "allowed",
            Verdict::Unruled => "unruled",
            Verdict::Review => "review",
            Verdict::Denied => "denied",
        }
    }

    /// The verdict of a stored name.
    pub fn parse(name: &str) -> Option<Verdict> {
        [Verdict::Allowed, Verdict::Unruled, Verdict::Review, Verdict::Denied]
            .into_iter()
            .find(|v| v.as_str() == name)
    }

    /// Somebody has to do something.
    pub fn is_violation(self) -> bool {
        self >= Verdict::Review
    }
}

/// Key of the rule for every licence that no other rule names.
pub const OTHER: &str = "*";
/// Key of the rule for components that name no licence.
pub const NONE: &str = "NONE";

/// Rules by licence.
#[derive(Debug, Clone, Default)]
pub struct Rules(HashMap<String, Verdict>);

impl Rules {
    /// Adds rules; one for a licence that has a rule takes its place.
    pub fn add(&mut self, rules: impl IntoIterator<Item = (String, Verdict)>) {
        self.0.extend(rules.into_iter().map(|(licence, verdict)| (fold(&canonical(&licence)), verdict)));
    }

    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, key: &str) -> Option<Verdict> {
        self.0.get(&fold(key)).copied()
    }

    fn other(&self) -> Verdict {
        self.of(OTHER).unwrap_or_default()
    }
}

fn fold(key: &str) -> String {
    key.trim().to_lowercase()
}

/// What rules say of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The licences it is due to.
    pub because: Vec<String>,
    /// The expression in today's ids, or the text as it was.
    pub expression: String,
}

/// One licence of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    /// `GPL-2.0`, `Apache-2.0`, `LicenseRef-x`, or a name.
    base: String,
    /// `-only`, `-or-later`, `+` or nothing.
    suffix: &'static str,
    exception: Option<String>,
}

impl Term {
    fn licence(&self) -> String {
        format!("{}{}", self.base, self.suffix)
    }

    fn text(&self) -> String {
        match &self.exception {
            Some(exception) => format!("{} WITH {exception}", self.licence()),
            None => self.licence(),
        }
    }

    /// What rules say: of the very licence with its exception, of the licence, of a later version that the licensee
    /// may choose. An exception only ever permits more, so a rule for the licence alone holds as well.
    fn judge(&self, rules: &Rules) -> Verdict {
        let exact = rules.of(&self.text()).or_else(|| rules.of(&self.licence()));
        let reference =
            || rules.of(self.base.rsplit_once(':').filter(|(d, _)| d.starts_with("DocumentRef-"))?.1);
        if self.suffix != "-or-later" && self.suffix != "+" {
            return exact.or_else(reference).unwrap_or_else(|| rules.other());
        }
        let chosen = versions(self).filter_map(|licence| {
            let with = self.exception.as_ref().and_then(|e| rules.of(&format!("{licence} WITH {e}")));
            with.or_else(|| rules.of(&licence))
        });
        exact.into_iter().chain(chosen).min().unwrap_or_else(|| rules.other())
    }
}

/// The licences that "or later" lets one choose from.
fn versions(term: &Term) -> impl Iterator<Item = String> {
    let (family, least) = split(&term.base);
    let only = if term.suffix == "-or-later" { "-only" } else { "" };
    let (family, least, own) = (family.to_owned(), numbers(least), term.base.clone());
    spdx::identifiers::LICENSES.iter().filter_map(move |l| {
        let name = if only.is_empty() { l.name } else { l.name.strip_suffix(only)? };
        let (other, version) = split(name);
        let fits = name == own || (other == family && !version.is_empty() && numbers(version) >= least);
        fits.then(|| l.name.to_owned())
    })
}

/// Family and version of an id: `LGPL-`, `2.1`.
fn split(id: &str) -> (&str, &str) {
    match id.rsplit_once('-') {
        Some((family, version)) if version.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            (family, version)
        }
        _ => (id, ""),
    }
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|n| n.parse().ok()).collect()
}

#[derive(Debug, Clone)]
enum Tree {
    Leaf(Term),
    All(Box<Tree>, Box<Tree>),
    Any(Box<Tree>, Box<Tree>),
}

/// Deprecated ids that are more than a new name of the same text.
const DEPRECATED: [(&str, &str); 14] = [
    ("GPL-2.0-with-GCC-exception", "GPL-2.0-or-later WITH GCC-exception-2.0"),
    ("GPL-2.0-with-autoconf-exception", "GPL-2.0-or-later WITH Autoconf-exception-2.0"),
    ("GPL-2.0-with-bison-exception", "GPL-2.0-or-later WITH Bison-exception-2.2"),
    ("GPL-2.0-with-classpath-exception", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ("GPL-2.0-with-font-exception", "GPL-2.0-only WITH Font-exception-2.0"),
    ("GPL-3.0-with-GCC-exception", "GPL-3.0-only WITH GCC-exception-3.1"),
    ("GPL-3.0-with-autoconf-exception", "GPL-3.0-only WITH Autoconf-exception-3.0"),
    ("eCos-2.0", "GPL-2.0-or-later WITH eCos-exception-2.0"),
    ("wxWindows", "LGPL-2.0-or-later WITH WxWindows-exception-3.1"),
    ("StandardML-NJ", "SMLNJ"),
    ("bzip2-1.0.5", "bzip2-1.0.6"),
    ("BSD-2-Clause-FreeBSD", "BSD-2-Clause-Views"),
    ("BSD-2-Clause-NetBSD", "BSD-2-Clause"),
    ("Nunit", "zlib-acknowledgement"),
];

/// Names that package registries and build tools write for one licence and no other.
const NAMES: [(&str, &str); 42] = [
    ("apache 2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("apache license version 2.0", "Apache-2.0"),
    ("apache software license 2.0", "Apache-2.0"),
    ("the apache license, version 2.0", "Apache-2.0"),
    ("the apache software license, version 2.0", "Apache-2.0"),
    ("apache software license, version 2.0", "Apache-2.0"),
    ("http://www.apache.org/licenses/license-2.0", "Apache-2.0"),
    ("http://www.apache.org/licenses/license-2.0.txt", "Apache-2.0"),
    ("https://www.apache.org/licenses/license-2.0", "Apache-2.0"),
    ("https://www.apache.org/licenses/license-2.0.txt", "Apache-2.0"),
    ("the mit license", "MIT"),
    ("the mit license (mit)", "MIT"),
    ("mit license (mit)", "MIT"),
    ("http://opensource.org/licenses/mit", "MIT"),
    ("https://opensource.org/licenses/mit", "MIT"),
    ("http://www.opensource.org/licenses/mit-license.php", "MIT"),
    ("bsd-3-clause license", "BSD-3-Clause"),
    ("3-clause bsd license", "BSD-3-Clause"),
    ("new bsd license", "BSD-3-Clause"),
    ("the new bsd license", "BSD-3-Clause"),
    ("revised bsd license", "BSD-3-Clause"),
    ("2-clause bsd license", "BSD-2-Clause"),
    ("simplified bsd license", "BSD-2-Clause"),
    ("isc license (iscl)", "ISC"),
    ("zlib license", "Zlib"),
    ("eclipse public license - v 1.0", "EPL-1.0"),
    ("eclipse public license v1.0", "EPL-1.0"),
    ("eclipse public license - v 2.0", "EPL-2.0"),
    ("eclipse public license v2.0", "EPL-2.0"),
    ("mozilla public license version 2.0", "MPL-2.0"),
    ("mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"),
    ("gnu general public license v2 (gplv2)", "GPL-2.0-only"),
    ("gnu general public license v2 or later (gplv2+)", "GPL-2.0-or-later"),
    ("gnu general public license v3 (gplv3)", "GPL-3.0-only"),
    ("gnu general public license v3 or later (gplv3+)", "GPL-3.0-or-later"),
    ("gnu lesser general public license v3 (lgplv3)", "LGPL-3.0-only"),
    ("gnu lesser general public license v3 or later (lgplv3+)", "LGPL-3.0-or-later"),
    ("python software foundation license", "PSF-2.0"),
];

/// A licence of the SPDX list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its id: `Apache-2.0`.
    pub id: &'static str,
    /// Its full name.
    pub name: &'static str,
    /// The Open Source Initiative approved it.
    pub osi: bool,
    /// The Free Software Foundation calls it free.
    pub fsf: bool,
    /// Another id is to be used in its place.
    pub deprecated: bool,
}

/// The SPDX licence list, in the order of its ids.
pub fn listed() -> impl Iterator<Item = Listed> {
    spdx::identifiers::LICENSES.iter().filter_map(|l| {
        let id = spdx::license_id(l.name)?;
        Some(Listed {
            id: l.name,
            name: l.full_name,
            osi: id.is_osi_approved(),
            fsf: id.is_fsf_free_libre(),
            deprecated: id.is_deprecated(),
        })
    })
}

/// Ids and exceptions in lower case, as they are spelled: SPDX compares them without case.
static SPELLED: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let ids = spdx::identifiers::LICENSES.iter().map(|l| l.name);
    let exceptions = spdx::identifiers::EXCEPTIONS.iter().map(|e| e.name);
    ids.chain(exceptions).map(|name| (name.to_lowercase(), name)).collect()
});

/// Ids by full name in lower case; names that two ids share are left out.
static FULL: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let mut map: HashMap<String, &'static str> = HashMap::new();
    let mut twice = Vec::new();
    for l in spdx::identifiers::LICENSES {
        let deprecated = spdx::license_id(l.name).is_some_and(spdx::LicenseId::is_deprecated);
        if !deprecated && map.insert(l.full_name.to_lowercase(), l.name).is_some() {
            twice.push(l.full_name.to_lowercase());
        }
    }
    map.retain(|name, _| !twice.contains(name));
    map
});

const MODE: ParseMode = ParseMode {
    // Cargo's old form, `MIT/Apache-2.0`
    allow_slash_as_or_operator: true,
    allow_imprecise_license_names: false,
    allow_postfix_plus_on_gpl: true,
    allow_deprecated: true,
    allow_unknown: false,
};

/// Longest text that is read as an expression, in bytes.
const LONGEST: usize = 10_000;

fn parse(text: &str) -> Option<Expression> {
    if text.len() > LONGEST {
        return None;
    }
    Expression::parse_mode(text, MODE).ok().or_else(|| Expression::parse_mode(&spelled(text), MODE).ok())
}

/// The text with ids and operators as SPDX spells them.
fn spelled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, part) in text.split_inclusive([' ', '(', ')', '\t', '\n', '/']).enumerate() {
        let word = part.trim_end_matches([' ', '(', ')', '\t', '\n', '/']);
        let rest = part.get(word.len()..).unwrap_or_default();
        let lower = word.to_lowercase();
        let (id, plus) = lower.strip_suffix('+').map_or((lower.as_str(), ""), |id| (id, "+"));
        match lower.as_str() {
            "and" | "or" | "with" if n > 0 => out.push_str(&lower.to_uppercase()),
            _ => match SPELLED.get(&lower).or_else(|| SPELLED.get(id)) {
                Some(name) if SPELLED.contains_key(&lower) => out.push_str(name),
                Some(name) => {
                    out.push_str(name);
                    out.push_str(plus);
                }
                None => out.push_str(word),
            },
        }
        out.push_str(rest);
    }
    out
}

fn term(req: &LicenseReq) -> Tree {
    let exception = req.addition.as_ref().map(ToString::to_string);
    let (id, or_later) = match &req.license {
        LicenseItem::Spdx { id, or_later } => (id.name, *or_later),
        LicenseItem::Other(reference) => {
            return Tree::Leaf(Term { base: reference.to_string(), suffix: "", exception });
        }
    };
    if let Some((_, now)) = DEPRECATED.iter().find(|(was, _)| *was == id)
        && exception.is_none()
    {
        return tree(now);
    }
    let gnu = ["GPL-", "LGPL-", "AGPL-", "GFDL-"].iter().any(|f| id.starts_with(f));
    let (base, suffix) = match (id.strip_suffix("-or-later"), id.strip_suffix("-only"), id.strip_suffix('+'))
    {
        (Some(base), _, _) if gnu => (base, "-or-later"),
        (_, Some(base), _) if gnu => (base, if or_later { "-or-later" } else { "-only" }),
        (_, _, Some(base)) if gnu => (base, "-or-later"),
        _ if gnu && !id.contains("invariants") => (id, if or_later { "-or-later" } else { "-only" }),
        _ => (id, if or_later { "+" } else { "" }),
    };
    Tree::Leaf(Term { base: base.to_owned(), suffix, exception })
}

fn named(text: &str) -> Tree {
    Tree::Leaf(Term { base: text.to_owned(), suffix: "", exception: None })
}

/// The expression that a text is: an SPDX expression, a name that stands for one licence alone, else the text itself.
fn tree(text: &str) -> Tree {
    let text = text.trim();
    let lower = text.to_lowercase();
    let name = NAMES.iter().find(|(name, _)| *name == lower).map(|(_, id)| *id);
    let text = name.or_else(|| FULL.get(&lower).copied()).unwrap_or(text);
    let Some(expression) = parse(text) else { return named(text) };
    let mut stack: Vec<Tree> = Vec::new();
    for node in expression.iter() {
        match node {
            ExprNode::Req(req) => stack.push(term(&req.req)),
            ExprNode::Op(op) => {
                let (Some(right), Some(left)) = (stack.pop(), stack.pop()) else { return named(text) };
                let (left, right) = (Box::new(left), Box::new(right));
                stack.push(match op {
                    Operator::And => Tree::All(left, right),
                    Operator::Or => Tree::Any(left, right),
                });
            }
        }
    }
    stack.pop().unwrap_or_else(|| named(text))
}

fn written(tree: &Tree, inside_all: bool) -> String {
    match tree {
        Tree::Leaf(term) => term.text(),
        Tree::All(a, b) => format!("{} AND {}", written(a, true), written(b, true)),
        Tree::Any(a, b) => {
            let text = format!("{} OR {}", written(a, false), written(b, false));
            if inside_all { format!("({text})") } else { text }
        }
    }
}

/// A licence in today's ids, as rules are kept: `GPL-2.0+` is `GPL-2.0-or-later`. What is no expression stays.
pub fn canonical(licence: &str) -> String {
    let licence = licence.trim();
    if licence == OTHER || licence == NONE { licence.to_owned() } else { written(&tree(licence), false) }
}

fn decide(tree: &Tree, rules: &Rules) -> (Verdict, Vec<String>) {
    match tree {
        Tree::Leaf(term) => (term.judge(rules), vec![term.text()]),
        Tree::All(a, b) => {
            let ((a, mut why), (b, more)) = (decide(a, rules), decide(b, rules));
            match a.cmp(&b) {
                std::cmp::Ordering::Less => (b, more),
                std::cmp::Ordering::Greater => (a, why),
                std::cmp::Ordering::Equal => {
                    why.extend(more);
                    (a, why)
                }
            }
        }
        Tree::Any(a, b) => {
            let (a, b) = (decide(a, rules), decide(b, rules));
            if b.0 < a.0 { b } else { a }
        }
    }
}

/// What rules say of a licence as a document gives it; empty text, `NONE` and `NOASSERTION` name none.
pub fn judge(licence: &str, rules: &Rules) -> Judged {
    let text = licence.trim();
    if text.is_empty() || text == NONE || text == "NOASSERTION" {
        let verdict = rules.of(NONE).unwrap_or_default();
        return Judged { verdict, because: Vec::new(), expression: String::new() };
    }
    let tree = tree(text);
    let expression = written(&tree, false);
    // a rule for the whole expression is the narrowest there is
    let (verdict, mut because) = match rules.of(&expression) {
        Some(verdict) => (verdict, vec![expression.clone()]),
        None => decide(&tree, rules),
    };
    because.sort();
    because.dedup();
    Judged { verdict, because, expression }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Cases {
        canonical: Vec<(String, String)>,
        judged: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        rules: Vec<(String, String)>,
        licence: String,
        verdict: String,
        because: Vec<String>,
    }

    #[test]
    fn cases() {
        let cases: Cases =
            serde_json::from_str(include_str!("../../../testdata/licences/cases.json")).unwrap();
        for (licence, wanted) in cases.canonical {
            assert_eq!(canonical(&licence), wanted, "{licence}");
            assert_eq!(canonical(&wanted), wanted, "what is canonical stays so: {wanted}");
        }
        for c in cases.judged {
            let mut rules = Rules::default();
            rules.add(c.rules.iter().map(|(l, v)| (l.clone(), Verdict::parse(v).unwrap())));
            let judged = judge(&c.licence, &rules);
            assert_eq!(judged.verdict.as_str(), c.verdict, "{} under {:?}", c.licence, c.rules);
            assert_eq!(judged.because, c.because, "{} under {:?}", c.licence, c.rules);
        }
    }

    #[test]
    fn hostile_texts_are_texts() {
        let deep = format!("{}MIT{}", "(".repeat(4_000), ")".repeat(4_000));
        let long = vec!["MIT"; 30_000].join(" AND ");
        for text in ["(", ")", "AND", "MIT AND", "MIT WITH", "++", "\0", "ﬀ/ﬀ", deep.as_str(), long.as_str()]
        {
            let judged = judge(text, &Rules::default());
            assert_eq!(judged.verdict, Verdict::Unruled);
        }
    }
}
