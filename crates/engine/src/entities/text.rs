//! Text as tokens: runs of letters and digits with their place in bytes.
//!
//! Chinese, Japanese and Korean are written without spaces, so each of their characters is a token of its own and
//! a name of several of them is found anywhere. Tokens are compared folded: lower case, full-width forms as ASCII.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

/// A token: where it is, and the hash of its folded form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub start: usize,
    pub end: usize,
    pub hash: u64,
}

impl Token {
    pub fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Whether a character is written without spaces to the next.
pub(crate) fn is_cjk(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

/// A full-width form as ASCII.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// The text as it is compared: lower case, narrow.
pub(crate) fn fold(text: &str) -> String {
    text.chars().map(narrow).flat_map(char::to_lowercase).collect()
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// The tokens of a text.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::with_capacity(text.len() / 6);
    let mut open: Option<usize> = None;
    let mut folded = String::new();
    let close = |open: &mut Option<usize>, end: usize, found: &mut Vec<Token>, folded: &mut String| {
        if let Some(start) = open.take() {
            found.push(Token { start, end, hash: xxh3_64(folded.as_bytes()) });
            folded.clear();
        }
    };
    for (at, c) in text.char_indices() {
        if is_cjk(c) {
            close(&mut open, at, &mut found, &mut folded);
            if c.is_alphanumeric() {
                open = Some(at);
                folded.push(c);
                close(&mut open, at + c.len_utf8(), &mut found, &mut folded);
            }
        } else if c.is_alphanumeric() || (is_mark(c) && open.is_some()) {
            open.get_or_insert(at);
            if c.is_ascii() {
                folded.push(c.to_ascii_lowercase());
            } else {
                folded.extend(narrow(c).to_lowercase());
            }
        } else {
            close(&mut open, at, &mut found, &mut folded);
        }
    }
    close(&mut open, text.len(), &mut found, &mut folded);
    found
}

/// Whether what stands between two tokens can stand within a name: nothing, or one character that joins.
pub(crate) fn joins(gap: &str) -> bool {
    let mut chars = gap.chars();
    match (chars.next(), chars.next()) {
        (None, _) => true,
        (Some(c), None) => matches!(
            c,
            ' ' | '-'
                | '_'
                | '.'
                | '/'
                | ':'
                | '+'
                | '&'
                | '\n'
                | '\u{a0}'
                | '\u{2010}'
                | '\u{2011}'
                | '\u{3000}'
                | '・'
                | '®'
                | '™'
        ),
        // "Foo™ Bar"
        (Some('®' | '™'), Some(' ')) => chars.next().is_none(),
        _ => false,
    }
}

/// The text before a place, at most so many bytes, cut at a character.
pub(crate) fn before(text: &str, at: usize, bytes: usize) -> &str {
    let mut from = at.saturating_sub(bytes);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..at).unwrap_or_default()
}

/// The text after a place, at most so many bytes, cut at a character.
pub(crate) fn after(text: &str, at: usize, bytes: usize) -> &str {
    let mut to = at.saturating_add(bytes).min(text.len());
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    text.get(at..to).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_many_scripts() {
        let text = "OpenSSLの脆弱性, Müller-Lücke ＣＵＲＬ cafe\u{301}";
        let shown: Vec<&str> = tokens(text).iter().map(|t| &text[t.span()]).collect();
        assert_eq!(shown, ["OpenSSL", "の", "脆", "弱", "性", "Müller", "Lücke", "ＣＵＲＬ", "cafe\u{301}"]);
        assert_eq!(tokens("ＣＵＲＬ")[0].hash, tokens("curl")[0].hash);
    }
}
