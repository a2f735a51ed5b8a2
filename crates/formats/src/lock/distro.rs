//! The distribution a package database is of, as `os-release` tells it (freedesktop.org os-release(5)).

/// A distribution and its release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distro {
    /// `ID`, lower case: `debian`, `alpine`, `rhel`.
    pub id: String,
    /// `VERSION_ID`: `12`, `3.18.4`, `22.04`; empty where there is none (Debian testing, rolling releases).
    pub version_id: String,
    /// `VERSION_CODENAME`: `bookworm`; empty where there is none.
    pub codename: String,
}

impl Distro {
    /// The value of a package URL's `distro` qualifier: `debian-12`, or the codename where no number is known.
    pub fn qualifier(&self) -> String {
        let release = if self.version_id.is_empty() { &self.codename } else { &self.version_id };
        match (self.id.as_str(), release.as_str()) {
            ("", _) => String::new(),
            (id, "") => id.to_owned(),
            (id, r) => format!("{id}-{r}"),
        }
    }
}

/// Reads `/etc/os-release` or `/usr/lib/os-release`. Unknown lines are passed over; a file without `ID` is of
/// `linux`, as os-release(5) says.
pub fn os_release(bytes: &[u8]) -> Distro {
    let mut out = Distro::default();
    for line in String::from_utf8_lossy(bytes).lines() {
        let Some((key, value)) = line.trim().split_once('=') else { continue };
        let value = unquote(value.trim());
        match key.trim() {
            "ID" => out.id = value.to_ascii_lowercase(),
            "VERSION_ID" => out.version_id = value,
            "VERSION_CODENAME" => out.codename = value.to_ascii_lowercase(),
            _ => {}
        }
    }
    if out.id.is_empty() {
        out.id = "linux".to_owned();
    }
    out
}

/// A value as a shell reads it: quotes dropped, a backslash keeps the next character.
fn unquote(value: &str) -> String {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner = match quote {
        Some(q) => value.strip_prefix(q).map_or(value, |v| v.strip_suffix(q).unwrap_or(v)),
        None => value,
    };
    if quote == Some('\'') {
        return inner.to_owned();
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}
