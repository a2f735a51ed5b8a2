//! Making text from outside safe to show.

/// The text without anything a terminal would obey: control characters and the marks that reorder text
/// become U+FFFD.
pub fn plain(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if obeyed(c) { '\u{fffd}' } else { c }).collect()
}

/// At most `width` characters of a text, the cut marked by `…`.
pub fn clip(text: &str, width: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= width {
        return text;
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// The words of a text in lines of at most `width` characters, each after `indent`; a longer word stands alone.
/// Empty lines of the text stay, several of them as one.
pub fn wrap(text: &str, indent: &str, width: usize) -> String {
    let mut out = String::new();
    let mut blank = true;
    for line in text.lines() {
        let words: Vec<String> = line.split_whitespace().map(plain).collect();
        if words.is_empty() {
            if !blank {
                out.push('\n');
            }
            blank = true;
            continue;
        }
        blank = false;
        let mut used = 0;
        for word in &words {
            let long = word.chars().count();
            if used > 0 && used + 1 + long > width {
                out.push('\n');
                used = 0;
            }
            if used == 0 {
                out.push_str(indent);
                used = indent.chars().count() + long;
            } else {
                out.push(' ');
                used += 1 + long;
            }
            out.push_str(word);
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// A number with its thousands apart: `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A size for people: `512 B`, `3.4 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).unwrap_or(&"");
    if unit == 0 { format!("{bytes} {name}") } else { format!("{value:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_commands_do_not_pass() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c"), "a\u{fffd}[31mb\u{fffd}c");
        assert_eq!(clip("abcdef", 4), "abc…");
        assert_eq!(clip("abcd", 4), "abcd");
    }

    #[test]
    fn words_are_wrapped_and_numbers_readable() {
        assert_eq!(wrap("aa bb cc\n\n\n\ndddddddddd e", "  ", 7), "  aa bb\n  cc\n\n  dddddddddd\n  e\n");
        assert_eq!(wrap("", "  ", 7), "");
        assert_eq!((grouped(0), grouped(999), grouped(1_234_567)).2, "1,234,567");
        assert_eq!((size(512), size(3_565_158)), ("512 B".to_owned(), "3.4 MiB".to_owned()));
    }
}
