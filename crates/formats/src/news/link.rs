//! Addresses as feeds write them: relative, with spaces around, of schemes that nobody should follow.

use super::SHORT;

/// An address seen from `base` (RFC 3986, section 5.2, for `http` and `https`), as it can be shown as a link; empty where
/// it is none.
pub fn absolute(base: &str, raw: &str) -> String {
    let raw = raw.trim();
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '\\');
    if raw.is_empty() || raw.len() > SHORT || raw.contains(bad) {
        return String::new();
    }
    if let Some((scheme, rest)) = raw.split_once(':')
        && !scheme.is_empty()
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    {
        let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        let host = rest.strip_prefix("//").is_some_and(|h| !h.is_empty() && !h.starts_with(['/', '?', '#']));
        return if web && host { format!("{}:{rest}", scheme.to_ascii_lowercase()) } else { String::new() };
    }
    let Some((scheme, rest)) = base.split_once("://") else { return String::new() };
    if scheme != "http" && scheme != "https" {
        return String::new();
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let joined = if let Some(other) = raw.strip_prefix("//") {
        return if other.is_empty() { String::new() } else { format!("{scheme}://{other}") };
    } else if raw.starts_with('/') {
        folded(raw)
    } else if raw.starts_with(['?', '#']) {
        format!("{}{raw}", if path.is_empty() { "/" } else { path })
    } else {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        folded(&format!("{folder}/{raw}"))
    };
    let whole = format!("{scheme}://{host}{joined}");
    if host.is_empty() || whole.len() > SHORT { String::new() } else { whole }
}

/// A path without `.` and `..`; what follows `?` or `#` stays as it is.
fn folded(path: &str) -> String {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let (path, rest) = path.split_at(end);
    let mut parts: Vec<&str> = Vec::new();
    let last = path.split('/').count().saturating_sub(1);
    for (n, part) in path.split('/').enumerate() {
        match part {
            "." | ".." => {
                if part == ".." && parts.len() > 1 {
                    parts.pop();
                }
                if n == last {
                    parts.push("");
                }
            }
            part => parts.push(part),
        }
    }
    format!("{}{rest}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn addresses_are_seen_from_their_feed() {
        let base = "https://a.example/news/feed.xml?page=1";
        for (raw, wanted) in [
            ("https://b.example/x", "https://b.example/x"),
            (" HTTP://b.example/x ", "http://b.example/x"),
            ("//b.example/x", "https://b.example/x"),
            ("/x/./y/../z", "https://a.example/x/z"),
            ("x?y=1#z", "https://a.example/news/x?y=1#z"),
            ("../x", "https://a.example/x"),
            ("../../../x", "https://a.example/x"),
            ("?id=1", "https://a.example/news/feed.xml?id=1"),
            ("a:b", ""),
            ("javascript:alert(1)", ""),
            ("data:text/html,x", ""),
            ("mailto:a@b.example", ""),
            ("https:///x", ""),
            ("x y", ""),
            ("x\"y", ""),
            ("", ""),
        ] {
            assert_eq!(absolute(base, raw), wanted, "{raw}");
        }
        assert_eq!(absolute("https://a.example", "x"), "https://a.example/x");
        assert_eq!(absolute("file:///etc/", "x"), "");
    }
}
