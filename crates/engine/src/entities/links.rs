//! Links, exploits and indicators: URLs, domains, addresses, hashes, also in the forms that keep them from being
//! clicked (`hxxp`, `[.]`).
//!
//! News is full of links that mean nothing, so a link or domain in clear is an indicator only under a heading that
//! announces indicators; a defanged one always is. The article's own site never is.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use tocsin_model::purl::Purl;

use super::names::{Dictionary, ThingKind, package_names};
use super::text::{Token, after, before};
use super::{Entity, IndicatorKind, Kind, Reason};

/// Longest link that is read, in bytes.
const MAX_LINK: usize = 2048;

/// Ways to write a dot that is none.
const DOTS: &[&str] = &["[.]", "(.)", "{.}", "[dot]", "(dot)", "[.", ".]"];

/// Endings of file names that look like domains.
const FILES: &[&str] = &[
    "exe", "dll", "sys", "py", "sh", "js", "php", "jsp", "html", "htm", "txt", "md", "json", "xml", "yml",
    "yaml", "toml", "zip", "gz", "xz", "tar", "rar", "jar", "war", "elf", "bin", "so", "ko", "doc", "docx",
    "xls", "xlsx", "pdf", "lnk", "iso", "img", "bat", "ps", "vbs", "conf", "cfg", "ini", "log", "rs", "go",
    "c", "h", "cpp", "java", "class", "png", "jpg", "svg",
];

/// What a walk over links collects.
pub(crate) struct Links {
    /// Where links are: no names are looked for in them.
    pub spans: Vec<Range<usize>>,
}

/// Reads links, exploits and indicators.
pub(crate) fn find(
    text: &str,
    tokens: &[Token],
    dictionary: &Dictionary,
    own_hosts: &[&str],
    limit: usize,
    found: &mut Vec<Entity>,
) -> Links {
    let mut links = Links { spans: Vec::new() };
    let listed = listed(text);
    let in_list = |at: usize| {
        let n = listed.partition_point(|r| r.end <= at);
        listed.get(n).is_some_and(|r| r.contains(&at))
    };
    let mut past = 0;
    let mut i = 0;
    while i < tokens.len() && found.len() < limit {
        let token = tokens[i];
        i += 1;
        if token.start < past {
            continue;
        }
        let word = &text[token.span()];
        if let Some(link) = link(text, &token) {
            past = link.span.end;
            links.spans.push(link.span.clone());
            if is_own(&link.host, own_hosts) {
                continue;
            }
            if let Some(exploit) = exploit(&link) {
                found.push(Entity {
                    kind: Kind::Exploit,
                    value: exploit,
                    span: link.span,
                    reason: Reason::Link,
                    of: None,
                });
            } else if link.defanged || in_list(link.span.start) {
                let reason = if link.defanged { Reason::Defanged } else { Reason::Listed };
                let kind = Kind::Indicator(IndicatorKind::Url);
                found.push(Entity { kind, value: link.url, span: link.span, reason, of: None });
            }
        } else if word.eq_ignore_ascii_case("pkg") && text[token.end..].starts_with(':') {
            past = purl(text, &token, dictionary, found).unwrap_or(past);
            if past > token.start {
                links.spans.push(token.start..past);
            }
        } else if let Some((value, end)) = module(text, &token) {
            past = end;
            links.spans.push(token.start..end);
            found.push(Entity {
                kind: Kind::Exploit,
                value,
                span: token.start..end,
                reason: Reason::Module,
                of: None,
            });
        } else if let Some((value, kind, span, reason)) = host(text, &token, in_list(token.start)) {
            past = span.end;
            links.spans.push(span.clone());
            if !is_own(&value, own_hosts) {
                found.push(Entity { kind: Kind::Indicator(kind), value, span, reason, of: None });
            }
        } else if let Some((value, end)) = ipv6(text, &token) {
            past = end;
            let kind = Kind::Indicator(IndicatorKind::Ipv6);
            found.push(Entity { kind, value, span: token.start..end, reason: Reason::Shape, of: None });
        } else if let Some(kind) = hash(text, &token) {
            let value = word.to_ascii_lowercase();
            let kind = Kind::Indicator(kind);
            found.push(Entity { kind, value, span: token.span(), reason: Reason::Shape, of: None });
        }
    }
    links
}

/// A link as it was meant.
struct Link {
    span: Range<usize>,
    url: String,
    host: String,
    path: String,
    defanged: bool,
}

/// The link that starts with this token.
fn link(text: &str, token: &Token) -> Option<Link> {
    let word = text[token.span()].to_ascii_lowercase();
    let scheme = match word.as_str() {
        "http" | "hxxp" | "htxp" | "hxtp" | "h__p" => "http",
        "https" | "hxxps" | "htxps" => "https",
        "ftp" | "fxp" => "ftp",
        _ => return None,
    };
    let rest = &text[token.end..];
    let colon = ["://", "[:]//", "[://]", "(://)", ":\\\\"].iter().find(|c| rest.starts_with(**c))?;
    let from = token.end + colon.len();
    let ends = |c: char| {
        c.is_whitespace()
            || matches!(c, '<' | '>' | '"' | '\'' | '|' | '`' | '“' | '”' | '」' | '）' | '。' | '、')
    };
    let raw = trim_end(after(text, from, MAX_LINK).split(ends).next().unwrap_or_default());
    if raw.is_empty() {
        return None;
    }
    let clean = refang(raw);
    let defanged = scheme != word || *colon != "://" || clean != raw;
    let (authority, path) = clean.split_at(clean.find(['/', '?', '#']).unwrap_or(clean.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    if host.is_empty() {
        return None;
    }
    let span = token.start..from + raw.len();
    Some(Link { url: format!("{scheme}://{clean}"), host, path: path.to_owned(), defanged, span })
}

/// Punctuation that ends a sentence and not a link.
fn trim_end(raw: &str) -> &str {
    let mut kept = raw;
    loop {
        let cut = match kept.chars().next_back() {
            Some('.' | ',' | ';' | ':' | '!' | '?' | '*') => true,
            Some(')') => kept.matches(')').count() > kept.matches('(').count(),
            Some(']') => kept.matches(']').count() > kept.matches('[').count(),
            _ => false,
        };
        if !cut {
            return kept;
        }
        kept = &kept[..kept.len() - 1];
    }
}

fn refang(text: &str) -> String {
    let mut clean = text.to_owned();
    for dot in DOTS {
        if clean.contains(dot) {
            clean = clean.replace(dot, ".");
        }
    }
    clean.replace("[:]", ":").replace("[/]", "/").replace("[@]", "@")
}

/// Whether a host is the article's own site, or below it.
fn is_own(host: &str, own: &[&str]) -> bool {
    let bare = host.strip_prefix("www.").unwrap_or(host);
    own.iter().any(|o| {
        let o = o.strip_prefix("www.").unwrap_or(o);
        bare == o || bare.strip_suffix(o).is_some_and(|rest| rest.ends_with('.'))
    })
}

/// What exploit a link leads to: `exploit-db:50592`, or the link.
fn exploit(link: &Link) -> Option<String> {
    let host = link.host.strip_prefix("www.").unwrap_or(&link.host);
    let path = link.path.to_ascii_lowercase();
    match host {
        "exploit-db.com" => {
            let number = path.split('/').find(|s| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()))?;
            Some(format!("EDB-{number}"))
        }
        "packetstormsecurity.com" | "packetstorm.news" | "packetstormsecurity.org" => {
            path.contains("/files/").then(|| link.url.clone())
        }
        "github.com" | "gitlab.com" | "gist.github.com" | "raw.githubusercontent.com" => {
            let framework = path.starts_with("/rapid7/metasploit-framework") && path.contains("/modules/");
            let repository: String = path.split('/').skip(1).take(2).collect::<Vec<_>>().join("/");
            let told = ["poc", "exploit", "cve-2", "cve_2", "proof-of-concept", "0day"];
            // an advisory or a list of CVEs is no exploit
            let record = path.contains("/security/advisories")
                || path.contains("/advisories/")
                || path.contains("cvelist");
            ((framework || told.iter().any(|t| repository.contains(t))) && !record).then(|| link.url.clone())
        }
        "0day.today" | "sploitus.com" | "vulncheck.com" => path.contains("exploit").then(|| link.url.clone()),
        "rapid7.com" => path.starts_with("/db/modules/").then(|| link.url.clone()),
        _ => None,
    }
}

/// A component by its package URL. Gives the end of the package URL.
fn purl(text: &str, token: &Token, dictionary: &Dictionary, found: &mut Vec<Entity>) -> Option<usize> {
    let ends = |c: char| {
        c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | '`' | ',' | ';' | ')' | '。' | '、')
    };
    let raw = trim_end(after(text, token.start, MAX_LINK).split(ends).next()?);
    let purl = Purl::parse(raw).ok()?;
    let span = token.start..token.start + raw.len();
    let meanings = package_names(&purl.ty, purl.namespace.as_deref(), &purl.name);
    let mut keys: Vec<&str> = meanings
        .iter()
        .filter_map(|n| dictionary.exact(&n.text))
        .flatten()
        .filter_map(|m| dictionary.thing(m))
        .filter(|t| t.kind == ThingKind::Component)
        .map(|t| t.key.as_str())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let of = found.len();
        let value = key.to_owned();
        found.push(Entity {
            kind: Kind::Component,
            value,
            span: span.clone(),
            reason: Reason::Purl,
            of: None,
        });
        if let Some(version) = &purl.version {
            let value = version.clone();
            found.push(Entity {
                kind: Kind::Version,
                value,
                span: span.clone(),
                reason: Reason::Purl,
                of: Some(of),
            });
        }
    }
    Some(span.end)
}

/// A module of Metasploit by its path: `exploit/linux/http/…`.
fn module(text: &str, token: &Token) -> Option<(String, usize)> {
    let word = text[token.span()].to_ascii_lowercase();
    let sort = match word.as_str() {
        "exploit" | "exploits" => "exploit",
        "auxiliary" => "auxiliary",
        "post" => "post",
        _ => return None,
    };
    let rest = after(text, token.end, 256).strip_prefix('/')?;
    let path: &str =
        rest.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-'))).next()?;
    let path = path.trim_end_matches(['/', '-']);
    let mut steps = path.split('/');
    let platform = steps.next()?;
    const PLATFORMS: &[&str] = &[
        "linux",
        "windows",
        "multi",
        "unix",
        "osx",
        "android",
        "scanner",
        "admin",
        "dos",
        "gather",
        "hardware",
        "freebsd",
        "apple_ios",
        "solaris",
        "aix",
        "server",
        "analyze",
        "client",
    ];
    if !PLATFORMS.contains(&platform) || steps.filter(|s| !s.is_empty()).count() < 1 || path.len() > 200 {
        return None;
    }
    Some((format!("{sort}/{path}"), token.end + 1 + path.len()))
}

/// An address or a domain that starts here, joined by dots of any form.
fn host(text: &str, token: &Token, listed: bool) -> Option<(String, IndicatorKind, Range<usize>, Reason)> {
    if before(text, token.start, 1).ends_with(['-', '_', '.', '@', '/']) && !listed {
        return None;
    }
    let (mut end, mut clean, mut defanged) = (token.end, text[token.span()].to_owned(), false);
    if !clean.is_ascii() {
        return None;
    }
    loop {
        let rest = &text[end..];
        let dot = DOTS
            .iter()
            .find(|d| rest.starts_with(**d))
            .copied()
            .or_else(|| rest.starts_with('.').then_some("."));
        let hyphen = rest.starts_with('-').then_some("-");
        let Some(joint) = dot.or(hyphen) else { break };
        let tail = &rest[joint.len()..];
        let n = tail.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if n == 0 || clean.len() + n > 253 {
            break;
        }
        defanged |= joint.len() > 1;
        clean.push(if joint == "-" { '-' } else { '.' });
        clean.push_str(&tail[..n]);
        end += joint.len() + n;
    }
    if !clean.contains('.') {
        return None;
    }
    let span = token.start..end;
    let reason = if defanged {
        Reason::Defanged
    } else if listed {
        Reason::Listed
    } else {
        Reason::Shape
    };
    if let Ok(address) = clean.parse::<Ipv4Addr>() {
        let version = before(text, span.start, 12).to_ascii_lowercase();
        let version = [
            "version ",
            "versions ",
            "v",
            "ver. ",
            "release ",
            "firmware ",
            "build ",
            "< ",
            "<= ",
            "before ",
            "prior to ",
        ]
        .iter()
        .any(|w| version.ends_with(w));
        let reserved = address.is_private()
            || address.is_loopback()
            || address.is_unspecified()
            || address.is_link_local()
            || address.is_multicast()
            || address.is_broadcast()
            || address.octets()[0] == 0;
        // four small numbers are a version more often than an address
        let small = address.octets().iter().all(|o| *o < 20);
        return (defanged || !(version || reserved || small))
            .then(|| (address.to_string(), IndicatorKind::Ipv4, span, reason));
    }
    if !(defanged || listed) {
        return None;
    }
    let last = clean.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let plausible = (2..=24).contains(&last.len())
        && last.bytes().all(|b| b.is_ascii_alphabetic())
        && (defanged || !FILES.contains(&last.as_str()));
    plausible.then(|| (clean.to_ascii_lowercase(), IndicatorKind::Domain, span, reason))
}

/// A global IPv6 address that starts here.
fn ipv6(text: &str, token: &Token) -> Option<(String, usize)> {
    let word = &text[token.span()];
    if word.len() != 4 || !word.starts_with(['2', '3']) || !text[token.end..].starts_with(':') {
        return None;
    }
    let run: &str =
        after(text, token.start, 48).split(|c: char| !(c.is_ascii_hexdigit() || c == ':')).next()?;
    let run = run.strip_suffix(':').filter(|r| !r.ends_with(':')).unwrap_or(run);
    let address: Ipv6Addr = run.parse().ok()?;
    (run.split(':').filter(|g| !g.is_empty()).count() >= 3)
        .then(|| (address.to_string(), token.start + run.len()))
}

/// A hash of a file, by its length; a commit of a repository is none.
fn hash(text: &str, token: &Token) -> Option<IndicatorKind> {
    let kind = match token.end - token.start {
        32 => IndicatorKind::Md5,
        40 => IndicatorKind::Sha1,
        64 => IndicatorKind::Sha256,
        128 => IndicatorKind::Sha512,
        _ => return None,
    };
    let word = &text[token.span()];
    let hex = word.bytes().all(|b| b.is_ascii_hexdigit());
    let mixed = word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_alphabetic());
    let head = before(text, token.start, 32).to_ascii_lowercase();
    let commit = ["commit", "tree/", "git", "revision", "fixes:"].iter().any(|w| head.contains(w));
    (hex && mixed && !commit).then_some(kind)
}

/// Where indicators are listed: from a short line that announces them to the end, or to a line that is prose.
fn listed(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut at, mut open) = (0, None);
    for line in text.split_inclusive('\n') {
        let lower = line.trim().trim_matches(['#', '*', ':', ' ']).to_lowercase();
        let announces = lower.len() < 60
            && [
                "indicators of compromise",
                "indicators",
                "iocs",
                "ioc",
                "indikatoren",
                "indicateurs de compromission",
                "侵害指標",
            ]
            .iter()
            .any(|w| {
                lower == *w || lower.starts_with(&format!("{w} ")) || lower.ends_with(&format!("({w})"))
            });
        if announces {
            open = Some(at + line.len());
        } else if open.is_some() && line.split_whitespace().count() > 12 {
            found.extend(open.take().map(|from| from..at));
        }
        at += line.len();
    }
    found.extend(open.map(|from| from..text.len()));
    found
}
