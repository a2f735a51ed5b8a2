//! Versions that stand beside a name: "before 3.0.7", "4.1.0 bis 4.2.3", "@4.17.1".

use std::ops::Range;

use super::text::after;

/// What a version beside a name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beside {
    pub span: Range<usize>,
    /// The version, with `<`, `<=` or `>=` before it where the words say so.
    pub value: String,
    /// Whether it can be nothing else than a version: three numbers, or a word that announces one.
    pub sure: bool,
}

/// Words before a version, with the relation that they tell. Longer ones first.
const WORDS: &[(&str, &str, bool)] = &[
    ("versions prior to", "<", true),
    ("versions before", "<", true),
    ("version prior to", "<", true),
    ("prior to version", "<", true),
    ("earlier than", "<", true),
    ("older than", "<", true),
    ("less than", "<", true),
    ("prior to", "<", true),
    ("before version", "<", true),
    ("before", "<", true),
    ("bis einschließlich", "<=", true),
    ("up to and including", "<=", true),
    ("up to", "<=", true),
    ("through", "<=", true),
    ("and earlier", "<=", true),
    ("vor version", "<", true),
    ("vor", "<", true),
    ("bis", "<=", true),
    ("ab version", ">=", true),
    ("ab", ">=", true),
    ("antérieures à la version", "<", true),
    ("antérieures à", "<", true),
    ("avant la version", "<", true),
    ("avant", "<", true),
    ("jusqu'à", "<=", true),
    ("until", "<", true),
    ("since", ">=", true),
    ("from", ">=", true),
    ("versionen", "", true),
    ("versions", "", true),
    ("version", "", true),
    ("バージョン", "", true),
    ("release", "", true),
    ("ver.", "", true),
    ("<=", "<=", true),
    (">=", ">=", true),
    ("≤", "<=", true),
    ("<", "<", true),
    ("to", "<=", false),
    ("and", "", false),
    ("or", "", false),
    ("und", "", false),
    ("et", "", false),
    ("à", "<=", false),
    ("から", "<=", false),
    ("および", "", false),
    ("@", "", true),
    ("/", "", false),
    ("(", "", false),
    (",", "", false),
    ("–", "<=", false),
    ("-", "", false),
    (":", "", false),
];

/// Versions after a name that ends at `at`, at most eight.
pub(crate) fn beside(text: &str, at: usize) -> Vec<Beside> {
    let mut found: Vec<Beside> = Vec::new();
    let mut at = at;
    // Words that may follow one another before a version: "(versions before".
    while found.len() < 8 {
        let (mut relation, mut announced, mut words) = ("", false, 0);
        let mut place = at;
        loop {
            let rest = after(text, place, 64);
            let trimmed = rest.trim_start_matches([' ', '\u{a0}', '\u{3000}', '\n']);
            if rest.len() - trimmed.len() > 2 {
                return found;
            }
            place += rest.len() - trimmed.len();
            if let Some((end, certain)) = version(text, place) {
                // a number after a bare comma or dash is a version only where one was announced or it looks like one
                let sure = certain || announced;
                if !sure && (words > 0 || !text[place..end].contains('.')) && found.is_empty() {
                    return found;
                }
                if !text[place..end].contains('.') && !announced && !certain {
                    return found;
                }
                found.push(Beside {
                    span: place..end,
                    value: if relation.is_empty() {
                        text[place..end].to_owned()
                    } else {
                        format!("{relation} {}", text[place..end].trim_start_matches(['v', 'V']))
                    },
                    sure,
                });
                at = end;
                break;
            }
            let Some((word, told, tells)) = WORDS.iter().find(|(w, ..)| starts(trimmed, w)) else {
                return found;
            };
            words += 1;
            if words > 3 {
                return found;
            }
            place += word.len();
            announced |= *tells;
            if !told.is_empty() {
                relation = told;
            }
        }
    }
    found
}

/// Whether a text starts with a word, without regard to ASCII case, and the word ends there.
fn starts(text: &str, word: &str) -> bool {
    let Some(head) = text.get(..word.len()) else { return false };
    if !head.eq_ignore_ascii_case(word) {
        return false;
    }
    let letters = word.ends_with(|c: char| c.is_ascii_alphabetic());
    !letters || !text[word.len()..].starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// The end of a version that starts here, and whether three numbers (or a leading v) make it certain.
pub(crate) fn version(text: &str, at: usize) -> Option<(usize, bool)> {
    let bytes = text.as_bytes();
    let mut i = at;
    let v = matches!(bytes.get(i), Some(b'v' | b'V'));
    if v {
        i += 1;
    }
    if !bytes.get(i)?.is_ascii_digit() {
        return None;
    }
    let (mut numbers, mut end) = (0, i);
    loop {
        let from = i;
        while bytes.get(i).is_some_and(u8::is_ascii_digit) && i - from < 19 {
            i += 1;
        }
        if i == from {
            break;
        }
        numbers += 1;
        end = i;
        if numbers < 6 && bytes.get(i) == Some(&b'.') && bytes.get(i + 1).is_some_and(u8::is_ascii_digit) {
            i += 1;
        } else {
            break;
        }
    }
    // 4.2.8p15, 1.1.1g, 2.0-rc1, 1.2.x
    let tail = i;
    if numbers > 1 && bytes.get(i) == Some(&b'.') && matches!(bytes.get(i + 1), Some(b'x' | b'X' | b'*')) {
        end = i + 2;
    } else {
        while i - tail < 12
            && bytes.get(i).is_some_and(|b| {
                b.is_ascii_alphanumeric()
                    || (matches!(b, b'-' | b'+' | b'_' | b'~')
                        && bytes.get(i + 1).is_some_and(u8::is_ascii_alphanumeric))
            })
        {
            i += 1;
        }
        if i > tail {
            let suffix = &text[tail..i];
            let joined = suffix.starts_with(['-', '+', '_', '~']);
            let known = ["rc", "beta", "alpha", "p", "git", "lts", "sp", "final", "dev", "m", "r", "build"];
            let lower = suffix.trim_start_matches(['-', '+', '_', '~', '.']).to_ascii_lowercase();
            if (joined
                && (lower.starts_with(|c: char| c.is_ascii_digit())
                    || known.iter().any(|k| lower.starts_with(k))))
                || (!joined
                    && (lower.len() == 1
                        || known.iter().any(|k| lower.starts_with(k))
                        || lower.starts_with(|c: char| c.is_ascii_digit())))
            {
                end = i;
            } else if !joined {
                // "3d", "5th", "802.11ax": a word, not a version
                return if numbers > 2 { Some((end, true)) } else { None };
            }
        }
    }
    (text.is_char_boundary(end)).then_some((end, v || numbers > 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        beside(text, 0).into_iter().map(|b| b.value).collect()
    }

    #[test]
    fn versions_beside_a_name() {
        let cases: &[(&str, &[&str])] = &[
            (" 4.17.1 has", &["4.17.1"]),
            ("@4.17.1", &["4.17.1"]),
            (" before 3.0.7 and", &["< 3.0.7"]),
            (" versions 3.0.0 through 3.0.6", &["3.0.0", "<= 3.0.6"]),
            (" 5.6.0 and 5.6.1 hold", &["5.6.0", "5.6.1"]),
            (" v1.2", &["v1.2"]),
            (" bis einschließlich 2.4.1", &["<= 2.4.1"]),
            (" (versions prior to 2.31)", &["< 2.31"]),
            (" version 9", &["9"]),
            (" 8.5p1 to 9.7p1", &["8.5p1", "<= 9.7p1"]),
            (" バージョン 2.4.0", &["2.4.0"]),
            (" 3 times", &[]),
            (", 2024", &[]),
            (" and the", &[]),
        ];
        for (text, wanted) in cases {
            assert_eq!(values(text), *wanted, "{text}");
        }
    }
}
