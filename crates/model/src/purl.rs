//! Package URLs (ECMA-427 / purl specification 1.0) with the normalisation rules of the registered types.

use std::fmt;

use thin_vec::ThinVec;

/// A parsed, normalised package URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Purl {
    /// Type, lower case.
    pub ty: String,
    /// Namespace segments joined by `/`, decoded.
    pub namespace: Option<String>,
    /// Name, decoded, normalised as the type asks.
    pub name: String,
    /// Version, decoded.
    pub version: Option<String>,
    /// Qualifiers sorted by key, decoded.
    pub qualifiers: ThinVec<(String, String)>,
    /// Subpath, decoded.
    pub subpath: Option<String>,
}

/// Why a text is no package URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a package URL: {reason}")]
pub struct PurlError {
    /// What is wrong.
    pub reason: &'static str,
}

fn fail<T>(reason: &'static str) -> Result<T, PurlError> {
    Err(PurlError { reason })
}

/// Longest text taken for a package URL, bytes: longer ones are damage or an attack.
const MAX_BYTES: usize = 64 * 1024;

impl Purl {
    /// Reads and normalises a package URL.
    ///
    /// # Errors
    /// The text breaks the specification or a rule of its type (a namespace missing or not allowed …).
    pub fn parse(text: &str) -> Result<Purl, PurlError> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return fail("longer than 64 KiB");
        }
        let rest = match text.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("pkg") => rest.trim_start_matches('/'),
            _ => return fail("the scheme is not `pkg:`"),
        };
        let (rest, subpath) = match rest.rsplit_once('#') {
            Some((r, s)) => (r, Some(s)),
            None => (rest, None),
        };
        let (rest, query) = match rest.rsplit_once('?') {
            Some((r, q)) => (r, Some(q)),
            None => (rest, None),
        };
        let Some((ty, path)) = rest.split_once('/') else {
            return fail("the name is missing");
        };
        let (path, version) = split_version(path);
        let version = version.map(decode).transpose()?;
        // `ns/@1.0` names nothing, while a slash after a name without version is only untidy.
        let path = if version.is_some() { path.trim_start_matches('/') } else { path.trim_matches('/') };
        let (namespace, name) = match path.rsplit_once('/') {
            Some((ns, name)) => (Some(decode_segments(ns, false)?), decode(name)?),
            None => (None, decode(path)?),
        };
        let mut qualifiers = Vec::new();
        for pair in query.into_iter().flat_map(|q| q.split('&')).filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            qualifiers.push((key.to_owned(), decode(value)?));
        }
        let subpath = subpath.map(|s| decode_segments(s, true)).transpose()?;
        Purl { ty: ty.to_owned(), namespace, name, version, qualifiers: qualifiers.into(), subpath }
            .normalised()
    }

    /// Checks and normalises a package URL made from its (decoded) parts; this is how one is built.
    ///
    /// # Errors
    /// A part breaks the specification or a rule of the type.
    pub fn normalised(mut self) -> Result<Purl, PurlError> {
        self.ty.make_ascii_lowercase();
        let first = self.ty.bytes().next();
        if !first.is_some_and(|b| b.is_ascii_lowercase())
            || !self.ty.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'))
        {
            return fail(
                "the type is missing or has other characters than letters, digits, `.`, `-` and `+`",
            );
        }
        self.namespace = self.namespace.map(|n| tidy(&n, false)).filter(|n| !n.is_empty());
        self.subpath = self.subpath.map(|s| tidy(&s, true)).filter(|s| !s.is_empty());
        self.version = self.version.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        if self.name.trim().is_empty() {
            return fail("the name is missing");
        }
        for (key, _) in &mut self.qualifiers {
            let good = key.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            if !good {
                return fail("a qualifier's key is empty or has characters that are not allowed");
            }
            key.make_ascii_lowercase();
        }
        self.qualifiers.retain(|(_, v)| !v.is_empty());
        self.qualifiers.sort_by(|a, b| a.0.cmp(&b.0));
        if self.qualifiers.windows(2).any(|w| matches!(w, [a, b] if a.0 == b.0)) {
            return fail("a qualifier stands twice");
        }
        rules::apply(&mut self)?;
        Ok(self)
    }

    /// The value of a qualifier.
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

/// Splits off the version: at the last `@`, unless that begins a namespace segment (`@scope/name`).
fn split_version(path: &str) -> (&str, Option<&str>) {
    match path.rsplit_once('@') {
        Some((left, right)) if (left.is_empty() || left.ends_with('/')) && right.contains('/') => {
            (path, None)
        }
        Some((left, right)) => (left, Some(right)),
        None => (path, None),
    }
}

/// Decodes percent escapes; the result must be UTF-8.
fn decode(text: &str) -> Result<String, PurlError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let mut digit = || bytes.next().and_then(|d| char::from(d).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => out.push((high * 16 + low) as u8),
            _ => return fail("a `%` is not followed by two hexadecimal digits"),
        }
    }
    String::from_utf8(out).map_err(|_| PurlError { reason: "the percent escapes are not UTF-8" })
}

/// Decodes segment by segment; an escaped `/` inside a segment is refused, as it would change the path.
fn decode_segments(path: &str, subpath: bool) -> Result<String, PurlError> {
    let mut out = Vec::new();
    for segment in path.split('/') {
        let segment = decode(segment)?;
        if segment.contains('/') && subpath {
            return fail("a subpath segment contains an escaped `/`");
        }
        out.push(segment);
    }
    Ok(tidy(&out.join("/"), subpath))
}

/// Drops empty segments, and in a subpath `.` and `..`, which would lead elsewhere.
fn tidy(path: &str, subpath: bool) -> String {
    let keep = |s: &&str| !(s.is_empty() || subpath && matches!(*s, "." | ".."));
    path.split('/').filter(keep).collect::<Vec<_>>().join("/")
}

mod rules {
    //! What single types ask of their parts (the type definitions beside the specification).

    use super::{Purl, PurlError, fail, tidy};

    const NO_NAMESPACE: &[&str] = &[
        "bazel",
        "bitnami",
        "cargo",
        "chrome-extension",
        "cocoapods",
        "conda",
        "cran",
        "gem",
        "hackage",
        "julia",
        "mlflow",
        "nuget",
        "oci",
        "opam",
        "otp",
        "pub",
        "pypi",
        "vcpkg",
    ];
    // Types whose definition requires a namespace, but which real SBOMs write without one (deb, rpm, apk,
    // maven, golang, composer …), are not refused for it: losing the component would be worse.
    const NEEDS_NAMESPACE: &[&str] = &["swift", "vscode-extension"];
    const LOWER_NAMESPACE: &[&str] = &[
        "alpm",
        "apk",
        "bitbucket",
        "brew",
        "composer",
        "deb",
        "github",
        "golang",
        "hex",
        "luarocks",
        "qpkg",
        "rpm",
        "vscode-extension",
        "yocto",
    ];
    const LOWER_NAME: &[&str] = &[
        "alpm",
        "apk",
        "bitbucket",
        "bitnami",
        "brew",
        "chrome-extension",
        "composer",
        "deb",
        "github",
        "golang",
        "hex",
        "luarocks",
        "oci",
        "otp",
        "pub",
        "pypi",
        "vscode-extension",
    ];
    const LOWER_VERSION: &[&str] = &["huggingface", "oci", "pypi", "vscode-extension"];

    fn lower(text: &mut String) {
        if text.chars().any(char::is_uppercase) {
            *text = text.to_lowercase();
        }
    }

    pub(super) fn apply(p: &mut Purl) -> Result<(), PurlError> {
        let ty = p.ty.as_str();
        if p.namespace.is_some() && NO_NAMESPACE.contains(&ty) {
            return fail("this type has no namespace");
        }
        if p.namespace.is_none() && NEEDS_NAMESPACE.contains(&ty) {
            return fail("this type needs a namespace");
        }
        if LOWER_NAMESPACE.contains(&ty)
            && let Some(ns) = &mut p.namespace
        {
            lower(ns);
        }
        if LOWER_NAME.contains(&ty) {
            lower(&mut p.name);
        }
        if LOWER_VERSION.contains(&ty)
            && let Some(v) = &mut p.version
        {
            lower(v);
        }
        match ty {
            "pypi" => p.name = p.name.replace('_', "-"),
            "pub" => {
                p.name = p.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            }
            "otp" => {
                if let Some(s) = &mut p.subpath {
                    lower(s);
                }
            }
            "hackage" => p.name = p.name.replace('_', "-"),
            "mlflow"
                // Databricks compares names without case, Azure with it.
                if p.qualifier("repository_url").is_some_and(|u| u.to_lowercase().contains("databricks")) => {
                    lower(&mut p.name);
                }
            "cpan" => {
                if p.name.contains("::") {
                    return fail("a CPAN distribution has no `::` in its name");
                }
                if let Some(ns) = &mut p.namespace {
                    *ns = ns.to_uppercase();
                }
            }
            "git" => {
                // The namespace is the host; the whole path at the host is the name.
                if let Some((host, path)) = p.namespace.as_deref().and_then(|n| n.split_once('/')) {
                    p.name = format!("{path}/{}", p.name);
                    p.namespace = Some(host.to_owned());
                }
                p.name = tidy(&p.name, false);
                if p.name.is_empty() {
                    return fail("the name is missing");
                }
                if p.namespace.as_deref().is_some_and(|h| h == "github" || h == "github.com") {
                    lower(&mut p.name);
                }
            }
            "julia" if p.qualifier("uuid").is_none() => {
                return fail("a Julia package needs the qualifier `uuid`");
            }
            "swid" if p.qualifier("tag_id").is_none() => {
                return fail("a SWID tag needs the qualifier `tag_id`");
            }
            "chrome-extension" => {
                if p.name.len() != 32 || !p.name.bytes().all(|b| (b'a'..=b'p').contains(&b)) {
                    return fail("a Chrome extension's name is 32 letters from a to p");
                }
                let four_numbers = |v: &str| {
                    v.split('.').count() <= 4
                        && v.split('.').all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
                };
                if p.version.as_deref().is_some_and(|v| !four_numbers(v)) {
                    return fail("a Chrome extension's version is one to four numbers");
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Writes `text` with everything escaped but unreserved characters, `:` and those of `also`.
fn encode(f: &mut fmt::Formatter<'_>, text: &str, also: &[u8]) -> fmt::Result {
    use fmt::Write;
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b':') || also.contains(&b) {
            f.write_char(char::from(b))?;
        } else {
            write!(f, "%{b:02X}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Purl {
    /// The canonical form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.ty)?;
        if let Some(ns) = &self.namespace {
            encode(f, ns, b"/")?;
            f.write_str("/")?;
        }
        // behind a host a slash of the name is a step of its path; without one it would make the rest a namespace
        let path = self.ty == "git" && self.namespace.is_some();
        encode(f, &self.name, if path { b"/" } else { b"" })?;
        if let Some(v) = &self.version {
            f.write_str("@")?;
            encode(f, v, b"")?;
        }
        for (i, (k, v)) in self.qualifiers.iter().enumerate() {
            f.write_str(if i == 0 { "?" } else { "&" })?;
            f.write_str(k)?;
            f.write_str("=")?;
            encode(f, v, b"")?;
        }
        if let Some(s) = &self.subpath {
            f.write_str("#")?;
            encode(f, s, b"/")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Purl {
    type Err = PurlError;
    fn from_str(text: &str) -> Result<Purl, PurlError> {
        Purl::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        // input, canonical form (purl specification and type definitions)
        for (input, canonical) in [
            ("pkg:npm/@angular/core@1.0", "pkg:npm/%40angular/core@1.0"),
            ("pkg:pypi/Django_Rest@1.11", "pkg:pypi/django-rest@1.11"),
            ("PKG://maven/org.a/b@1?type=jar&classifier=x", "pkg:maven/org.a/b@1?classifier=x&type=jar"),
            ("pkg:golang/a/b@1#../x/./y", "pkg:golang/a/b@1#x/y"),
            ("pkg:deb/debian/g%2B%2B@1%3A2", "pkg:deb/debian/g%2B%2B@1:2"),
        ] {
            assert_eq!(Purl::parse(input).unwrap().to_string(), canonical, "{input}");
        }
    }

    #[test]
    fn hostile_texts_are_refused() {
        let long = format!("pkg:npm/{}", "a".repeat(MAX_BYTES));
        for bad in [
            "",
            "pkg:",
            "pkg:npm",
            "pkg:npm/",
            "pkg:maven/@2.10.13",
            "pkg:golang/@%28devel%29",
            "pkg:npm/a%",
            "pkg:npm/a%zz",
            "pkg:npm/a%ff",
            "pkg:npm/a?=x",
            "pkg:npm/a?k=1&k=2",
            &long,
        ] {
            assert!(Purl::parse(bad).is_err(), "{}", bad.get(..40).unwrap_or(bad));
        }
    }
}
