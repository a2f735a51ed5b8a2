//! The dictionary: what a workspace calls its products, components and vendors, and how people write them.
//!
//! Names are kept as a trie of tokens, so that finding costs the length of the text and not the number of names.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use tocsin_model::purl::Purl;
use xxhash_rust::xxh3::xxh3_64;

use super::text::{self, Token};

/// What a name in the dictionary stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ThingKind {
    /// One of our products.
    Product,
    /// A component of our inventory.
    Component,
    /// A vendor: ours, a supplier, or one that is followed.
    Vendor,
}

/// How much a name says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strength {
    /// Decided by the name: words of ordinary language and names of up to three letters need a context.
    Auto,
    /// The name can mean nothing else.
    Strong,
    /// The name needs a context that makes it software.
    Weak,
}

/// One way to write a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As it is written.
    pub text: String,
    /// How much it says by itself.
    pub strength: Strength,
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name { text: text.to_owned(), strength: Strength::Auto }
    }
}

/// Something that is looked for in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// The caller's key; several names of one thing give the same.
    pub key: String,
    /// What it is.
    pub kind: ThingKind,
    /// Its names.
    pub names: Vec<Name>,
    /// Who makes it: beside its name, a vendor makes a common word a product.
    pub vendors: Vec<String>,
}

impl Thing {
    /// A thing with one name, which is its key too; of a component, with the names that people write for it.
    pub fn new(kind: ThingKind, name: &str) -> Thing {
        let names = match kind {
            ThingKind::Component => package_names("generic", None, name),
            ThingKind::Product | ThingKind::Vendor => vec![name.into()],
        };
        Thing { key: name.to_owned(), kind, names, vendors: Vec::new() }
    }

    /// A component by its package URL, with the names that people write for it.
    pub fn package(key: &str, purl: &Purl) -> Thing {
        let names = package_names(&purl.ty, purl.namespace.as_deref(), &purl.name);
        Thing { key: key.to_owned(), kind: ThingKind::Component, names, vendors: Vec::new() }
    }

    /// Adds vendor and product of a CPE: the product is one more name.
    pub fn with_cpe(mut self, vendor: &str, product: &str) -> Thing {
        let vendor = vendor.replace('_', " ");
        // projects without a firm are their own vendor
        let own = vendor.strip_suffix(" project").unwrap_or(&vendor);
        if own != product {
            self.vendors.push(own.to_owned());
        }
        self.names.extend(alias(product));
        self.names.push(product.into());
        self
    }
}

/// Names that a package goes by: its own, the ones of the alias table, and what its ecosystem wraps around.
pub fn package_names(ty: &str, namespace: Option<&str>, name: &str) -> Vec<Name> {
    let mut names: Vec<Name> = alias(name);
    let weak = |text: &str| Name { text: text.to_owned(), strength: Strength::Weak };
    match ty {
        "maven" => {
            names.push(name.into());
            // org.apache.logging.log4j:log4j-core is called log4j
            if let Some(last) = namespace.and_then(|g| g.rsplit('.').next()) {
                if name.len() > last.len() && name.starts_with(last) && name.as_bytes()[last.len()] == b'-' {
                    names.push(last.into());
                }
                names.push(format!("{}:{name}", namespace.unwrap_or_default()).as_str().into());
            }
        }
        "golang" => {
            let full = namespace.map_or_else(|| name.to_owned(), |n| format!("{n}/{name}"));
            let version =
                |s: &str| s.len() > 1 && s.starts_with('v') && s[1..].bytes().all(|b| b.is_ascii_digit());
            let steps: Vec<&str> = full.split('/').filter(|s| !version(s)).collect();
            if let [.., owner, last] = steps[..] {
                names.push(Name { text: format!("{owner}/{last}"), strength: Strength::Strong });
                // the last step is what people say, and often a plain word
                names.push(weak(last));
                names.extend(alias(last));
            }
            names.push(Name { text: full, strength: Strength::Strong });
        }
        "npm" => match namespace {
            Some(scope) => {
                names.push(Name { text: format!("{scope}/{name}"), strength: Strength::Strong });
                names.push(weak(name));
            }
            None => names.push(name.into()),
        },
        _ => {
            names.push(name.into());
            // python3, libusb1, bluez5, glib-2.0: the number is the distribution's
            let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').trim_end_matches('-');
            if bare != name && bare.len() > 3 {
                names.push(bare.into());
            }
        }
    }
    names
}

/// The names of the alias table.
fn alias(name: &str) -> Vec<Name> {
    static TABLE: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
        let lines = include_str!("../../data/aliases.txt").lines().filter(|l| !l.starts_with('#'));
        lines.filter_map(|l| l.split_once(" = ")).collect()
    });
    let written = TABLE.get(name).copied().unwrap_or_default();
    let names = written.split(", ").filter(|n| !n.is_empty());
    names
        .map(|n| match n.strip_prefix('?') {
            Some(n) => Name { text: n.to_owned(), strength: Strength::Weak },
            None => Name { text: n.to_owned(), strength: Strength::Strong },
        })
        .collect()
}

/// Whether a word is one of ordinary language.
pub(crate) fn is_common(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<u64>> = LazyLock::new(|| {
        let lines = include_str!("../../data/common.txt").lines().filter(|l| !l.starts_with('#'));
        lines.flat_map(str::split_whitespace).map(|w| xxh3_64(w.as_bytes())).collect()
    });
    let known = |w: &str| WORDS.contains(&xxh3_64(w.as_bytes()));
    known(word) || word.strip_suffix('s').is_some_and(known)
}

/// Whether a name, folded and cut into tokens, needs a context.
fn needs_context(tokens: &[&str]) -> bool {
    let plain = |w: &&str| {
        w.chars().count() <= 3 && !text::is_cjk(w.chars().next().unwrap_or(' '))
            || is_common(w)
            || w.bytes().all(|b| b.is_ascii_digit())
    };
    tokens.iter().all(plain)
}

/// Keys are hashes already.
#[derive(Default)]
pub(crate) struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes) ^ self.0.rotate_left(17);
    }
    fn write_u32(&mut self, n: u32) {
        self.0 = (self.0 ^ u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(29) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

pub(crate) type ReadyMap<K, V> = HashMap<K, V, BuildHasherDefault<Ready>>;

/// What a name means: the thing, whether it needs a context, and how it was written in the dictionary.
#[derive(Debug, Clone)]
pub(crate) struct Meaning {
    pub thing: u32,
    pub weak: bool,
    pub written: Box<str>,
}

/// Names as a trie of tokens. Made once for a workspace, then only read; hundreds of thousands of names are fine.
#[derive(Default)]
pub struct Dictionary {
    things: Vec<Thing>,
    edges: ReadyMap<(u32, u64), u32>,
    meanings: ReadyMap<u32, Vec<Meaning>>,
    nodes: u32,
}

/// Names longer than this many tokens are not names.
const MAX_TOKENS: usize = 16;

impl Dictionary {
    /// A dictionary of these things. Names of one character are left out.
    pub fn new(things: impl IntoIterator<Item = Thing>) -> Dictionary {
        let mut made = Dictionary { nodes: 1, ..Dictionary::default() };
        for thing in things {
            let index = made.things.len() as u32;
            for name in &thing.names {
                let folded = text::fold(&name.text);
                let tokens = text::tokens(&folded);
                if tokens.is_empty() || tokens.len() > MAX_TOKENS || folded.chars().count() < 2 {
                    continue;
                }
                let words: Vec<&str> = tokens.iter().map(|t| &folded[t.span()]).collect();
                let weak = match name.strength {
                    Strength::Auto => needs_context(&words),
                    Strength::Strong => false,
                    Strength::Weak => true,
                };
                made.insert(&tokens, Meaning { thing: index, weak, written: name.text.as_str().into() });
            }
            made.things.push(thing);
        }
        made
    }

    fn insert(&mut self, tokens: &[Token], meaning: Meaning) {
        let mut node = 0;
        for token in tokens {
            let next = self.nodes;
            node = *self.edges.entry((node, token.hash)).or_insert(next);
            if node == next {
                self.nodes += 1;
            }
        }
        let meanings = self.meanings.entry(node).or_default();
        match meanings.iter_mut().find(|m| m.thing == meaning.thing) {
            // a name told twice is as strong as its stronger telling
            Some(known) => known.weak &= meaning.weak,
            None => meanings.push(meaning),
        }
    }

    /// The things, in the order in which they were given.
    pub fn things(&self) -> &[Thing] {
        &self.things
    }

    pub(crate) fn thing(&self, meaning: &Meaning) -> Option<&Thing> {
        self.things.get(meaning.thing as usize)
    }

    /// The longest name that starts at this token: how many tokens, and what they mean.
    pub(crate) fn longest(&self, text: &str, tokens: &[Token]) -> Option<(usize, &[Meaning])> {
        let (mut node, mut found) = (0, None);
        for (n, token) in tokens.iter().enumerate() {
            if n > 0 && !text::joins(&text[tokens[n - 1].end..token.start]) {
                break;
            }
            node = match self.edges.get(&(node, token.hash)) {
                Some(next) => *next,
                None => break,
            };
            if let Some(meanings) = self.meanings.get(&node) {
                found = Some((n + 1, meanings.as_slice()));
            }
        }
        found
    }

    /// Looks a package of a package URL up by its name.
    pub(crate) fn exact(&self, name: &str) -> Option<&[Meaning]> {
        let folded = text::fold(name);
        let tokens = text::tokens(&folded);
        let (n, meanings) = self.longest(&folded, &tokens)?;
        (n == tokens.len()).then_some(meanings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_by_the_names_people_write() {
        let names = |ty, group, name| -> Vec<String> {
            package_names(ty, group, name).into_iter().map(|n| n.text).collect()
        };
        assert!(names("maven", Some("org.apache.logging.log4j"), "log4j-core").contains(&"Log4j".to_owned()));
        assert!(names("maven", Some("io.netty"), "netty-codec-http").contains(&"netty".to_owned()));
        assert!(
            names("golang", Some("github.com/gorilla"), "websocket")
                .contains(&"gorilla/websocket".to_owned())
        );
        assert!(
            names("golang", Some("github.com/go-jose/go-jose"), "v4").contains(&"go-jose/go-jose".to_owned())
        );
        assert!(names("generic", None, "libusb1").contains(&"libusb".to_owned()));
        assert!(names("generic", None, "linux").contains(&"Linux kernel".to_owned()));
    }

    #[test]
    fn words_of_the_language_need_a_context() {
        for (name, weak) in [
            ("express", true),
            ("requests", true),
            ("form-data", true),
            ("qs", true),
            ("openssl", false),
            ("log4j-core", false),
            ("follow-redirects", true),
            ("serialize-javascript", false),
        ] {
            let folded = text::fold(name);
            let tokens = text::tokens(&folded);
            let words: Vec<&str> = tokens.iter().map(|t| &folded[t.span()]).collect();
            assert_eq!(needs_context(&words), weak, "{name}");
        }
    }
}
