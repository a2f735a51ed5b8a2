//! Ids of vulnerabilities and advisories, techniques of ATT&CK, markings of the Traffic Light Protocol.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::names::{Dictionary, Name, Strength, Thing, ThingKind};
use super::text::{self, Token, before};
use super::{Entity, Kind, Reason};

/// A piece of an id's shape.
#[derive(Debug, Clone, Copy)]
enum P {
    /// This text, without regard to ASCII case.
    L(&'static str),
    /// A hyphen, or one of the dashes that typesetting makes of it.
    H,
    /// So many digits.
    D(usize, usize),
    /// So many ASCII letters and digits.
    A(usize, usize),
    /// These, or nothing.
    O(&'static [P]),
}
use P::{A, D, H, L, O};

const YEAR: P = D(4, 4);
const SERIAL: P = D(4, 19);

/// Shapes by their first token. Flaws (`true`) are ids of one vulnerability, the others are ids of advisories.
const SHAPES: &[(bool, &[P])] = &[
    (true, &[L("CVE"), H, YEAR, H, SERIAL]),
    (true, &[L("GHSA"), H, A(4, 4), H, A(4, 4), H, A(4, 4)]),
    (true, &[L("EUVD"), H, YEAR, H, D(1, 19)]),
    (true, &[L("RUSTSEC"), H, YEAR, H, D(4, 4)]),
    (true, &[L("PYSEC"), H, YEAR, H, D(1, 6)]),
    (true, &[L("GO"), H, YEAR, H, D(4, 6)]),
    (true, &[L("OSV"), H, YEAR, H, D(1, 6)]),
    (true, &[L("MAL"), H, YEAR, H, D(1, 8)]),
    (true, &[L("CNVD"), H, YEAR, H, D(4, 8)]),
    (true, &[L("CNNVD"), H, D(6, 6), H, D(3, 6)]),
    (true, &[L("BDU"), L(":"), YEAR, H, D(5, 6)]),
    (true, &[L("ZDI"), H, L("CAN"), H, D(4, 7)]),
    (true, &[L("ZDI"), H, D(2, 2), H, D(3, 5)]),
    (true, &[L("TALOS"), H, YEAR, H, D(4, 5)]),
    (true, &[L("EDB"), H, L("ID"), O(&[L(":")]), O(&[L(" ")]), D(2, 6)]),
    (false, &[L("RHSA"), H, YEAR, L(":"), D(4, 6)]),
    (false, &[L("RHBA"), H, YEAR, L(":"), D(4, 6)]),
    (false, &[L("RHEA"), H, YEAR, L(":"), D(4, 6)]),
    (false, &[L("ELSA"), H, YEAR, H, D(3, 6)]),
    (false, &[L("ALSA"), H, YEAR, L(":"), D(4, 6)]),
    (false, &[L("RLSA"), H, YEAR, L(":"), D(4, 6)]),
    (false, &[L("DSA"), H, YEAR, H, D(3, 3)]),
    (false, &[L("DSA"), H, D(4, 5), O(&[H, D(1, 2)])]),
    (false, &[L("DLA"), H, D(3, 5), O(&[H, D(1, 2)])]),
    (false, &[L("USN"), H, D(4, 5), O(&[H, D(1, 2)])]),
    (false, &[L("LSN"), H, D(4, 5), O(&[H, D(1, 2)])]),
    (false, &[L("GLSA"), O(&[H]), O(&[L(" ")]), D(6, 6), H, D(2, 3)]),
    (false, &[L("SUSE"), H, L("SU"), H, YEAR, L(":"), D(4, 6), O(&[H, D(1, 2)])]),
    (false, &[L("openSUSE"), H, L("SU"), H, YEAR, L(":"), D(4, 6), O(&[H, D(1, 2)])]),
    (false, &[L("FEDORA"), H, YEAR, H, A(10, 10)]),
    (false, &[L("ALAS2"), H, YEAR, H, D(3, 5)]),
    (false, &[L("ALAS"), H, YEAR, H, D(3, 5)]),
    (false, &[L("ICSMA"), H, D(2, 2), H, D(3, 3), H, D(2, 3)]),
    (false, &[L("ICSA"), H, D(2, 2), H, D(3, 3), H, D(2, 3)]),
    (false, &[L("VDE"), H, YEAR, H, D(3, 4)]),
    (false, &[L("JVNDB"), H, YEAR, H, D(6, 6)]),
    (false, &[L("JVNVU"), L("#"), D(8, 8)]),
    (false, &[L("JVN"), L("#"), D(8, 8)]),
    (false, &[L("JVNTA"), L("#"), D(8, 8)]),
    (false, &[L("VU"), L("#"), D(5, 7)]),
    (false, &[L("ADV"), D(6, 6)]),
    (false, &[L("MS"), D(2, 2), H, D(3, 3)]),
    (false, &[L("KB"), D(6, 7)]),
    (false, &[L("SSA"), H, D(6, 6)]),
    (false, &[L("SSB"), H, D(6, 6)]),
    (false, &[L("SEVD"), H, YEAR, H, D(3, 3), H, D(2, 2)]),
    (false, &[L("BOSCH"), H, L("SA"), H, D(6, 6), O(&[H, L("BT")])]),
    (false, &[L("CISCO"), H, L("SA"), H, A(3, 40), O(&[H, A(2, 20)]), O(&[H, A(2, 20)]), O(&[H, A(2, 20)])]),
    (false, &[L("FG"), H, L("IR"), H, D(2, 2), H, D(3, 3)]),
    (false, &[L("VMSA"), H, YEAR, H, D(4, 4)]),
    (false, &[L("PAN"), H, L("SA"), H, YEAR, H, D(4, 4)]),
    (false, &[L("SNWLID"), H, YEAR, H, D(4, 4)]),
    (false, &[L("JSA"), D(5, 6)]),
    (false, &[L("CTX"), D(6, 6)]),
    (false, &[L("INTEL"), H, L("SA"), H, D(5, 5)]),
    (false, &[L("AMD"), H, L("SB"), H, D(4, 5)]),
    (false, &[L("MFSA"), O(&[H]), YEAR, H, D(2, 3)]),
    (false, &[L("XSA"), H, D(1, 4)]),
    (false, &[L("CERTFR"), H, YEAR, H, L("AVI"), H, D(3, 5)]),
    (false, &[L("CERTFR"), H, YEAR, H, L("ALE"), H, D(3, 5)]),
    (false, &[L("WID"), H, L("SEC"), H, YEAR, H, D(4, 5)]),
    (false, &[L("NCSC"), H, YEAR, H, D(4, 4)]),
    (false, &[L("AV"), D(2, 2), H, D(3, 3)]),
    (false, &[L("AA"), D(2, 2), H, D(3, 3), A(1, 1)]),
    (false, &[L("HPESB"), A(2, 4), D(5, 5)]),
    (false, &[L("ABBVREP"), D(4, 4)]),
    (false, &[L("PTSA"), H, YEAR, H, D(2, 3)]),
];

/// Shapes by their first literal without its digits, folded.
static BY_PREFIX: LazyLock<HashMap<String, Vec<usize>>> = LazyLock::new(|| {
    let mut map: HashMap<String, Vec<usize>> = HashMap::new();
    for (n, (_, shape)) in SHAPES.iter().enumerate() {
        if let Some(L(word)) = shape.first() {
            map.entry(word.to_ascii_lowercase()).or_default().push(n);
        }
    }
    map
});

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{ff0d}')
}

/// Reads a shape; the canonical text grows, the place after it is the answer.
fn read(text: &str, mut at: usize, shape: &[P], canonical: &mut String) -> Option<usize> {
    for piece in shape {
        let rest = &text[at..];
        match *piece {
            L(word) => {
                let head = rest.get(..word.len())?;
                if !head.eq_ignore_ascii_case(word) {
                    return None;
                }
                canonical.push_str(word);
                at += word.len();
            }
            H => {
                let c = rest.chars().next().filter(|c| is_hyphen(*c))?;
                canonical.push('-');
                at += c.len_utf8();
            }
            D(min, max) | A(min, max) => {
                let fits = |b: &u8| {
                    if matches!(piece, D(..)) { b.is_ascii_digit() } else { b.is_ascii_alphanumeric() }
                };
                let n = rest.bytes().take_while(|b| fits(b)).count();
                if n < min || n > max {
                    return None;
                }
                canonical.push_str(&rest[..n]);
                at += n;
            }
            O(pieces) => {
                let mut more = canonical.clone();
                if let Some(end) = read(text, at, pieces, &mut more) {
                    *canonical = more;
                    at = end;
                }
            }
        }
    }
    Some(at)
}

/// The id that starts here: whether it is of a flaw, its canonical form, its end.
fn id(text: &str, token: &Token) -> Option<(bool, String, usize)> {
    let word = &text[token.span()];
    let letters = word.bytes().take_while(u8::is_ascii_alphabetic).count();
    if !(2..=8).contains(&letters) {
        return None;
    }
    let lower = word[..letters].to_ascii_lowercase();
    let whole = (letters < word.len()).then(|| word.to_ascii_lowercase());
    let shapes = whole.iter().filter_map(|w| BY_PREFIX.get(w)).chain(BY_PREFIX.get(&lower)).flatten();
    for n in shapes {
        let (flaw, shape) = SHAPES[*n];
        let mut canonical = String::new();
        let Some(end) = read(text, token.start, shape, &mut canonical) else { continue };
        if text[end..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
            continue;
        }
        if let Some(tail) = canonical.strip_prefix("GHSA-") {
            canonical = format!("GHSA-{}", tail.to_ascii_lowercase());
        } else if let Some(number) = canonical.strip_prefix("EDB-ID") {
            canonical = format!("EDB-{}", number.trim_start_matches([':', ' ']));
        } else if let Some(number) = canonical.strip_prefix("GLSA").map(|n| n.trim_start_matches(['-', ' ']))
        {
            canonical = format!("GLSA-{number}");
        }
        return Some((flaw, canonical, end));
    }
    None
}

/// Ids of a text.
pub(crate) fn find(text: &str, tokens: &[Token], limit: usize, found: &mut Vec<Entity>) {
    let mut past = 0;
    for token in tokens {
        if token.start < past || found.len() >= limit {
            continue;
        }
        let Some((flaw, value, end)) = id(text, token) else { continue };
        past = end;
        let kind = match () {
            // an entry of Exploit-DB is an exploit, not a flaw
            () if value.starts_with("EDB-") => Kind::Exploit,
            () if flaw => Kind::Vulnerability,
            () => Kind::Advisory,
        };
        found.push(Entity { kind, value, span: token.start..end, reason: Reason::Shape, of: None });
    }
}

/// The techniques: id to name, and those whose name is told in prose.
struct Techniques {
    known: HashMap<&'static str, &'static str>,
    named: Dictionary,
}

static TECHNIQUES: LazyLock<Techniques> = LazyLock::new(|| {
    let lines = include_str!("../../data/attack.csv").lines().filter(|l| !l.starts_with('#'));
    let rows: Vec<(&str, &str, bool)> = lines
        .filter_map(|l| {
            let mut cells = l.split(';');
            Some((cells.next()?, cells.next()?, cells.next()? == "name"))
        })
        .collect();
    let named = rows.iter().filter(|r| r.2).map(|(id, name, _)| Thing {
        key: (*id).to_owned(),
        kind: ThingKind::Component,
        names: vec![Name { text: (*name).to_owned(), strength: Strength::Strong }],
        vendors: Vec::new(),
    });
    Techniques { named: Dictionary::new(named), known: rows.iter().map(|r| (r.0, r.1)).collect() }
});

/// The name of a technique of ATT&CK (Enterprise or ICS), where the table of well-known ones has it.
pub fn technique(id: &str) -> Option<&'static str> {
    TECHNIQUES.known.get(id).copied()
}

/// Techniques by id, and by their names where these say enough.
pub(crate) fn techniques(text: &str, tokens: &[Token], limit: usize, found: &mut Vec<Entity>) {
    let speaks_of_attack = text.contains("ATT&CK") || text.contains("MITRE") || text.contains("TTP");
    let mut i = 0;
    while i < tokens.len() && found.len() < limit {
        let token = tokens[i];
        if let Some((value, span)) = technique_id(text, tokens, i) {
            let known = technique(&value).is_some()
                || technique(value.split('.').next().unwrap_or_default()).is_some();
            if known || speaks_of_attack {
                found.push(Entity { kind: Kind::Technique, value, span, reason: Reason::Shape, of: None });
            }
        } else if let Some((n, meanings)) = TECHNIQUES.named.longest(text, &tokens[i..]) {
            let span = token.start..tokens[i + n - 1].end;
            if let Some(thing) = meanings.first().and_then(|m| TECHNIQUES.named.thing(m)) {
                let value = thing.key.clone();
                found.push(Entity { kind: Kind::Technique, value, span, reason: Reason::Name, of: None });
            }
            i += n;
            continue;
        }
        i += 1;
    }
}

/// `T1059`, `T1059.003`, `T0831`.
fn technique_id(text: &str, tokens: &[Token], i: usize) -> Option<(String, Range<usize>)> {
    let token = tokens[i];
    let digits = text[token.span()].strip_prefix(['T', 't'])?;
    let number: u16 = (digits.len() == 4).then(|| digits.parse().ok())??;
    if !(800..=899).contains(&number) && !(1001..=1799).contains(&number) {
        return None;
    }
    // part of a product's name: "XYZ-T1059"
    if before(text, token.start, 1).ends_with(['-', '_']) {
        return None;
    }
    let base = format!("T{digits}");
    if let Some(next) =
        tokens.get(i + 1).filter(|n| n.start == token.end + 1 && text[token.end..].starts_with(['.', '/']))
    {
        let sub = &text[next.span()];
        if sub.len() == 3 && sub.bytes().all(|b| b.is_ascii_digit()) {
            return Some((format!("{base}.{sub}"), token.start..next.end));
        }
    }
    Some((base, token.span()))
}

/// Markings of TLP 2.0, and `WHITE` of 1.0, which is `CLEAR` now.
pub(crate) fn tlp(text: &str, tokens: &[Token], found: &mut Vec<Entity>) {
    for pair in tokens.windows(2) {
        let [label, colour] = pair else { continue };
        if !text[label.span()].eq_ignore_ascii_case("tlp") || colour.start - label.end > 3 {
            continue;
        }
        let gap = &text[label.end..colour.start];
        if !gap.chars().all(|c| matches!(c, ':' | ' ' | '-' | '：')) {
            continue;
        }
        let mut end = colour.end;
        let value = match text::fold(&text[colour.span()]).as_str() {
            "red" => "TLP:RED",
            "amber" => {
                let strict = "+strict";
                if text[end..].get(..strict.len()).is_some_and(|t| t.eq_ignore_ascii_case(strict)) {
                    end += strict.len();
                    "TLP:AMBER+STRICT"
                } else {
                    "TLP:AMBER"
                }
            }
            "green" => "TLP:GREEN",
            "clear" | "white" => "TLP:CLEAR",
            _ => continue,
        };
        let span = label.start..end;
        found.push(Entity {
            kind: Kind::Tlp,
            value: value.to_owned(),
            span,
            reason: Reason::Shape,
            of: None,
        });
    }
}
