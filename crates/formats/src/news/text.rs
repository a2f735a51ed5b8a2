//! Markup into text that can be shown: no element, no script, no control character is left. And bytes into text.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use html5gum::{DefaultEmitter, Token, Tokenizer};

use super::link;

/// Elements that begin and end a line.
const LINES: [&str; 24] = [
    "article",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tr",
    "ul",
    "header",
];
/// Elements whose content is no text.
const SILENT: [&str; 9] =
    ["script", "style", "template", "noscript", "iframe", "svg", "head", "object", "noembed"];
/// Longest address of a link that is written beside its words, in bytes.
const LINK: usize = 300;

/// The text of HTML (tokenised as WHATWG HTML, section 13.2.5, says): elements are dropped, those that begin a line leave
/// a line break, scripts and styles leave nothing, a link leaves its address beside its words. Characters that cannot be
/// seen or turn the direction of writing are dropped.
pub fn plain(html: &str) -> String {
    if !html.contains(['<', '&']) {
        return tidy(html);
    }
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut out = String::with_capacity(html.len().min(1 << 16));
    // the element that is passed over, and how deep in itself it is
    let mut silent: Option<(Vec<u8>, u32)> = None;
    let mut link: Option<(String, usize)> = None;
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                if let Some((name, depth)) = &mut silent {
                    *depth += u32::from(*name == *tag.name && !tag.self_closing);
                    continue;
                }
                let name = std::str::from_utf8(&tag.name).unwrap_or_default();
                if SILENT.contains(&name) && !tag.self_closing {
                    silent = Some((tag.name.to_vec(), 1));
                } else if LINES.contains(&name) {
                    out.push('\n');
                } else if matches!(name, "td" | "th") {
                    out.push(' ');
                } else if name == "a" {
                    let href = tag.attributes.get(b"href".as_slice());
                    let href = href.map(|h| String::from_utf8_lossy(h).into_owned()).unwrap_or_default();
                    link = Some((link::absolute("", &href), out.len())).filter(|l| !l.0.is_empty());
                }
            }
            Token::EndTag(tag) => {
                if let Some((name, depth)) = &mut silent {
                    *depth -= u32::from(*name == *tag.name);
                    if *depth == 0 {
                        silent = None;
                    }
                    continue;
                }
                let name = std::str::from_utf8(&tag.name).unwrap_or_default();
                if LINES.contains(&name) {
                    out.push('\n');
                } else if name == "a"
                    && let Some((href, from)) = link.take()
                {
                    beside(&mut out, &href, from);
                }
            }
            Token::String(text) if silent.is_none() => out.push_str(&String::from_utf8_lossy(&text)),
            _ => {}
        }
    }
    tidy(&out)
}

/// Writes a link's address behind its words, where they do not say it already.
fn beside(out: &mut String, href: &str, from: usize) {
    let words = out.get(from..).unwrap_or_default().trim();
    let bare = href.split_once("://").map_or(href, |(_, rest)| rest).trim_end_matches('/');
    if href.len() <= LINK && !words.is_empty() && !words.contains(bare) {
        out.push_str(" (");
        out.push_str(href);
        out.push(')');
    }
}

/// The text of a named character reference of HTML; as it is written where there is none of that name.
pub(super) fn named(name: &str) -> String {
    let written = format!("&{name};");
    let mut out = String::new();
    for token in Tokenizer::new(written.as_str()) {
        let Ok(token) = token;
        if let Token::String(text) = token {
            out.push_str(&String::from_utf8_lossy(&text));
        }
    }
    if out.is_empty() { written } else { out }
}

/// Single spaces, at most one empty line in a row, nothing that cannot be seen.
fn tidy(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{ad}')
    };
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.split(['\n', '\r']) {
        let line: String = line.chars().filter(|c| !hidden(*c)).collect();
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        empty = 0;
        out.push_str(&words.join(" "));
    }
    out
}

/// At most so many bytes of a text, cut between characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

/// The text of a document. Its encoding is told by a byte order mark, the XML declaration, or is UTF-8; what says that
/// it is UTF-8 and is not, is read as Windows-1252 (WHATWG Encoding).
pub fn decode(bytes: &[u8]) -> String {
    let declared = declared(bytes).unwrap_or(UTF_8);
    // a declaration that can be read byte by byte is not of an encoding of two bytes
    let declared = if declared.is_ascii_compatible() { declared } else { UTF_8 };
    let (text, used, bad) = declared.decode(bytes);
    if bad && used == UTF_8 {
        let few = text.chars().filter(|c| *c == '\u{fffd}').count() * 20
            < text.chars().filter(|c| !c.is_ascii()).count();
        // a few damaged characters among many that are right: it is UTF-8, cut somewhere
        return if few { text.into_owned() } else { WINDOWS_1252.decode(bytes).0.into_owned() };
    }
    text.into_owned()
}

/// The encoding that an XML declaration names.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(bytes.get(..bytes.len().min(300)).unwrap_or_default()).into_owned();
    let declaration = head.split_once("<?xml")?.1;
    let declaration = declaration.split_once("?>").map_or(declaration, |(d, _)| d);
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|q| matches!(q, '"' | '\''))?;
    let name = value.get(1..)?.split(quote).next()?;
    Encoding::for_label(name.trim().as_bytes())
}
