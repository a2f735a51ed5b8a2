//! Lock files and package databases: `Cargo.lock`, `package-lock.json`, `go.mod`, `go.sum`, `requirements.txt`,
//! `poetry.lock`, dpkg `status`, apk `installed`.
//!
//! Each reader is a function from text to [`Bom`]; [`KINDS`] says which file name it reads.

mod distribution;
mod language;

use std::borrow::Cow;

use tocsin_model::bom::{Bom, BomFormat, Component};
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::purl::Purl;

use crate::input::ReadOptions;

type Reader = fn(&str, &mut Bom) -> Result<(), Diagnostic>;

/// A kind of lock file: its name for people, how a file's name ends, its reader.
struct Kind {
    name: &'static str,
    file: &'static str,
    read: Reader,
}

const KINDS: &[Kind] = &[
    Kind { name: "Cargo.lock", file: "Cargo.lock", read: language::cargo },
    Kind { name: "package-lock.json", file: "package-lock.json", read: language::npm },
    Kind { name: "package-lock.json", file: "npm-shrinkwrap.json", read: language::npm },
    Kind { name: "go.mod", file: "go.mod", read: language::go_mod },
    Kind { name: "go.sum", file: "go.sum", read: language::go_sum },
    Kind { name: "requirements.txt", file: "requirements.txt", read: language::requirements },
    Kind { name: "poetry.lock", file: "poetry.lock", read: language::poetry },
    Kind { name: "composer.lock", file: "composer.lock", read: language::composer },
    Kind { name: "Gemfile.lock", file: "Gemfile.lock", read: language::gemfile },
    Kind { name: "dpkg", file: "var/lib/dpkg/status", read: distribution::dpkg },
    Kind { name: "apk", file: "lib/apk/db/installed", read: distribution::apk },
];

fn kind(name: &str, bytes: &[u8]) -> Option<&'static Kind> {
    let name = name.replace('\\', "/");
    let named = KINDS.iter().find(|k| match name.strip_suffix(k.file) {
        Some(rest) => rest.is_empty() || rest.ends_with('/'),
        None => false,
    });
    named.or_else(|| {
        let short = name.rsplit('/').next().unwrap_or("");
        let head = bytes.get(..512).unwrap_or(bytes);
        let has = |text: &[u8]| head.windows(text.len()).any(|w| w == text);
        let find = |name: &str| KINDS.iter().find(|k| k.name == name);
        match short {
            "status" if has(b"Package: ") && has(b"Status: ") => find("dpkg"),
            "installed" if has(b"\nP:") || head.starts_with(b"C:Q1") => find("apk"),
            _ => None,
        }
    })
}

/// Whether a file of this name (a path with `/`) and content is a lock file read here.
pub fn recognise(name: &str, bytes: &[u8]) -> bool {
    kind(name, bytes).is_some()
}

/// Reads a lock file or package database; the name decides where content alone cannot.
///
/// # Errors
/// The diagnostics that made it unusable.
pub fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    let Some(kind) = kind(name, bytes) else {
        return Err(vec![Diagnostic::new("input-unrecognised", name, "no lock file of a known kind")]);
    };
    if bytes.len() as u64 > options.limits.document_bytes {
        let what = format!("limit: a document of {} bytes", options.limits.document_bytes);
        return Err(vec![Diagnostic::new("limit-size", name, what)]);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    let mut bom = Bom {
        format: BomFormat { name: kind.name.to_owned(), version: String::new(), encoding: "text".to_owned() },
        ..Bom::default()
    };
    if matches!(text, Cow::Owned(_)) {
        bom.diagnostics.push(Diagnostic::new("input-encoding", "", "bytes that are not UTF-8 were replaced"));
    }
    (kind.read)(&text, &mut bom).map_err(|d| vec![d])?;
    Ok(bom)
}

/// A package as a lock file tells of it.
#[derive(Default)]
struct Package<'a> {
    /// purl type; empty: the package has none (it is not of a registry).
    ty: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
    version: Option<&'a str>,
    qualifiers: Vec<(String, String)>,
    path: String,
}

/// Adds a package and gives its number.
fn add(bom: &mut Bom, p: Package<'_>) -> usize {
    let number = bom.components.len();
    let full = match p.namespace {
        Some(ns) => format!("{ns}/{}", p.name),
        None => p.name.to_owned(),
    };
    let version = p.version.map(str::trim).filter(|v| !v.is_empty());
    if version.is_none() {
        bom.diagnostics.push(Diagnostic::new(
            "lock-unresolved",
            p.path.clone(),
            format!("{} is not pinned to one version", excerpt(&full)),
        ));
    }
    let raw = Purl {
        ty: p.ty.to_owned(),
        namespace: p.namespace.map(str::to_owned),
        name: p.name.to_owned(),
        version: version.map(str::to_owned),
        qualifiers: p.qualifiers,
        subpath: None,
    };
    // through its text, so that the type's normalisation holds
    let purl = (!p.ty.is_empty()).then(|| Purl::parse(&raw.to_string()));
    if let Some(Err(e)) = &purl {
        bom.diagnostics.push(Diagnostic::new(
            "purl-invalid",
            p.path.clone(),
            format!("{}: {e}", excerpt(&full)),
        ));
    }
    bom.components.push(Component {
        reference: format!("{full}@{}#{number}", version.unwrap_or("")),
        name: full,
        version: version.map(str::to_owned),
        purl: purl.and_then(Result::ok),
        path: p.path,
        ..Component::default()
    });
    number
}

#[cfg(test)]
mod tests;
