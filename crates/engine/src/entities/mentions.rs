//! Names of the dictionary in a text, and whether what stands around makes a plain word software.

use std::ops::Range;

use super::names::{Dictionary, Meaning, ThingKind};
use super::text::{self, Token, after, before};
use super::versions::{self, Beside};
use super::{Entity, Kind, Reason};

/// Words that name a registry: beside them a plain word is a package.
const REGISTRIES: &[&str] = &[
    "npm",
    "npmjs",
    "pypi",
    "pip",
    "crate",
    "crates",
    "maven",
    "gradle",
    "gem",
    "gems",
    "rubygems",
    "nuget",
    "packagist",
    "node",
    "nodejs",
    "golang",
    "debian",
    "yocto",
    "buildroot",
];

/// Words that call what stands before them software.
const SORTS: &[&str] = &[
    "package",
    "packages",
    "library",
    "libraries",
    "module",
    "middleware",
    "framework",
    "daemon",
    "parser",
    "paket",
    "bibliothek",
    "modul",
    "bibliothek",
    "paquet",
    "bibliothèque",
    "dependency",
    "client",
    "decoder",
    "compressor",
    "tools",
    "tarball",
    "tarballs",
];

/// Words that stand before a name of French or German: "le paquet express", "das Paket requests".
const SORTS_BEFORE: &[&str] =
    &["package", "library", "paket", "bibliothek", "modul", "paquet", "bibliothèque", "module", "crate"];

/// The same in scripts without spaces.
const SORTS_CJK: &[&str] = &[
    "パッケージ",
    "ライブラリ",
    "モジュール",
    "フレームワーク",
    "ミドルウェア",
    "库",
    "组件",
    "패키지",
    "라이브러리",
];

/// Words so plain that only a registry, a version or code font makes them software: "which package", "core library".
const PLAINEST: &[&str] = &[
    "which", "core", "time", "once", "only", "has", "send", "base", "common", "new", "main", "is", "on",
    "one", "this", "that", "standard", "test", "log", "file", "code", "data", "net", "web", "text", "crypto",
    "debug", "api", "sdk", "url", "linux", "http", "tls", "ssl", "json", "xml", "image", "system", "open",
    "popular", "other", "software", "client", "python", "mail",
];

/// What a hyphen may join to a name without making another name of it.
const TAILS: &[&str] = &[
    "based",
    "like",
    "style",
    "server",
    "client",
    "related",
    "powered",
    "enabled",
    "project",
    "library",
    "package",
    "daemon",
    "kernel",
    "compatible",
    "parser",
    "maintainer",
    "team",
    "release",
    "update",
    "vulnerability",
    "backdoor",
    "specific",
    "side",
    "users",
];

/// The mentions of a text, outside the spans that are links. Nothing overlaps.
pub(crate) fn find(
    text: &str,
    tokens: &[Token],
    links: &[Range<usize>],
    dictionary: &Dictionary,
    limit: usize,
    found: &mut Vec<Entity>,
) {
    let (mut i, mut link) = (0, 0);
    while i < tokens.len() && found.len() < limit {
        let start = tokens[i].start;
        while link < links.len() && links[link].end <= start {
            link += 1;
        }
        if links.get(link).is_some_and(|l| l.start <= start) {
            i += 1;
            continue;
        }
        let Some((n, meanings)) = dictionary.longest(text, &tokens[i..]) else {
            i += 1;
            continue;
        };
        let span = start..tokens[i + n - 1].end;
        let around = Around { text, tokens, first: i, last: i + n - 1, span: span.clone() };
        let versions = versions::beside(text, span.end);
        let mut any = false;
        for meaning in meanings {
            let Some(thing) = dictionary.thing(meaning) else { continue };
            let Some(reason) = around.reason(meaning, thing.kind, &thing.vendors, &versions) else {
                continue;
            };
            let kind = match thing.kind {
                ThingKind::Product => Kind::Product,
                ThingKind::Component => Kind::Component,
                ThingKind::Vendor => Kind::Vendor,
            };
            found.push(Entity { kind, value: thing.key.clone(), span: span.clone(), reason, of: None });
            any = true;
        }
        if any {
            let of = found.len() - 1;
            found.extend(versions.into_iter().map(|v| Entity {
                kind: Kind::Version,
                value: v.value,
                span: v.span,
                reason: Reason::Beside,
                of: Some(of),
            }));
            i += n;
        } else {
            i += 1;
        }
    }
}

/// A name and what stands around it.
struct Around<'a> {
    text: &'a str,
    tokens: &'a [Token],
    first: usize,
    last: usize,
    span: Range<usize>,
}

impl Around<'_> {
    /// Why the name means the thing here; `None` when it does not.
    fn reason(
        &self,
        meaning: &Meaning,
        kind: ThingKind,
        vendors: &[String],
        versions: &[Beside],
    ) -> Option<Reason> {
        if self.is_part_of_another_name() {
            return None;
        }
        if !meaning.weak {
            return Some(Reason::Name);
        }
        if kind == ThingKind::Vendor {
            // a firm called by a word: written as the firm writes itself, and not because a sentence starts
            let written = &self.text[self.span.clone()];
            let capital = written.starts_with(char::is_uppercase) && written == &*meaning.written;
            // "NXP": no sentence makes a word all capitals
            let initials = written.len() > 1 && written.bytes().all(|b| b.is_ascii_uppercase());
            return (capital && (initials || !self.starts_sentence())).then_some(Reason::Spelling);
        }
        // socket.io with its dot is no socket
        let written = &self.text[self.span.clone()];
        if written.contains(['.', '/', '_', '@']) && written.eq_ignore_ascii_case(&meaning.written) {
            return Some(Reason::Spelling);
        }
        if self.is_code() {
            return Some(Reason::Code);
        }
        if versions.first().is_some_and(|v| v.sure) && !self.is_last_of_a_title() {
            return Some(Reason::Version);
        }
        if self.has_vendor(vendors) {
            return Some(Reason::Vendor);
        }
        if self.has_ecosystem() {
            return Some(Reason::Ecosystem);
        }
        None
    }

    /// `openssl-sys` is not openssl, `django-redis` is not redis; "OpenSSL-Lücke" and "nginx-based" are.
    fn is_part_of_another_name(&self) -> bool {
        let name = &self.text[self.span.clone()];
        let neighbour = |c: Option<char>| matches!(c, Some('-' | '_'));
        if neighbour(after(self.text, self.span.end, 4).chars().next())
            && let Some(next) = self.tokens.get(self.last + 1)
        {
            let word = &self.text[next.span()];
            let lower = word.starts_with(|c: char| c.is_ascii_lowercase());
            let small = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
            if next.start == self.span.end + 1 && lower && small && !TAILS.contains(&word) {
                return true;
            }
        }
        if neighbour(before(self.text, self.span.start, 4).chars().next_back()) && self.first > 0 {
            let previous = self.tokens[self.first - 1];
            let word = &self.text[previous.span()];
            let lower = word.bytes().all(|b| b.is_ascii_lowercase());
            return previous.end + 1 == self.span.start
                && lower
                && name.bytes().all(|b| !b.is_ascii_uppercase());
        }
        false
    }

    /// Whether a plainest word is the end of another thing's proper name: "Apache Commons Text 1.9" is no package text.
    fn is_last_of_a_title(&self) -> bool {
        let name = &self.text[self.span.clone()];
        let Some(previous) = self.first.checked_sub(1).map(|p| self.tokens[p]) else { return false };
        let word = &self.text[previous.span()];
        name.starts_with(char::is_uppercase)
            && PLAINEST.contains(&text::fold(name).as_str())
            && &self.text[previous.end..self.span.start] == " "
            && word.starts_with(char::is_uppercase)
            && !REGISTRIES.contains(&text::fold(word).as_str())
    }

    fn starts_sentence(&self) -> bool {
        let head = before(self.text, self.span.start, 8).trim_end_matches([' ', '"', '“', '(']);
        head.is_empty() || head.ends_with(['.', '!', '?', '\n', ':', '•'])
    }

    /// Whether the name stands in code font: between backticks, or right after an element of HTML that is code.
    fn is_code(&self) -> bool {
        let head = before(self.text, self.span.start, 80);
        let line = head.rsplit('\n').next().unwrap_or_default();
        let tail = after(self.text, self.span.end, 80);
        let closes = tail.split('\n').next().unwrap_or_default().contains('`');
        // ring::aead: a path of Rust or C++
        let path = tail.strip_prefix("::").is_some_and(|t| t.starts_with(|c: char| c.is_ascii_alphabetic()));
        path || (line.matches('`').count() % 2 == 1 && closes)
            || ["<code>", "<tt>", "<kbd>", "<samp>"].iter().any(|e| head.ends_with(e))
    }

    fn has_vendor(&self, vendors: &[String]) -> bool {
        let head = text::fold(before(self.text, self.span.start, 48));
        let head = head.trim_end_matches([' ', '\u{a0}', '®', '™']);
        vendors.iter().any(|v| {
            let v = text::fold(v);
            v.len() > 1
                && head.strip_suffix(v.as_str()).is_some_and(|rest| !rest.ends_with(char::is_alphanumeric))
        })
    }

    /// Whether words of the same sentence, next to the name, call it software.
    fn has_ecosystem(&self) -> bool {
        let name = text::fold(&self.text[self.span.clone()]);
        let plainest = PLAINEST.contains(&name.as_str());
        let word = |i: usize| text::fold(&self.text[self.tokens[i].span()]);
        for distance in 1..=2usize {
            let right = self.last + distance;
            let left = self.first.checked_sub(distance);
            let right_word = (right < self.tokens.len()
                && !breaks(&self.text[self.span.end..self.tokens[right].start]))
            .then(|| word(right));
            let left_word =
                left.filter(|l| !breaks(&self.text[self.tokens[*l].end..self.span.start])).map(word);
            if [&right_word, &left_word].into_iter().flatten().any(|w| REGISTRIES.contains(&w.as_str())) {
                // "node send" and "time node": the plainest words want the registry right before or "crate" after
                if !plainest || distance == 1 {
                    return true;
                }
            }
            if distance == 1 && !plainest {
                if right_word.as_ref().is_some_and(|w| SORTS.contains(&w.as_str())) {
                    return true;
                }
                if left_word.as_ref().is_some_and(|w| SORTS_BEFORE.contains(&w.as_str())) {
                    return true;
                }
            }
        }
        // express.js
        let tail = after(self.text, self.span.end, 24);
        if tail.get(..3).is_some_and(|t| t.eq_ignore_ascii_case(".js")) {
            return true;
        }
        SORTS_CJK.iter().any(|s| tail.starts_with(s))
    }
}

/// Whether a sentence or a list ends between two tokens.
fn breaks(gap: &str) -> bool {
    gap.contains(". ") || gap.contains(['\n', ',', ';', '!', '?', '。', '、'])
}
