//! Package databases of distributions.

use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use super::{Package, add};

/// The value of a field of a stanza.
fn field<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    stanza.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Stanzas with the line each begins at.
fn stanzas(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut line = 1;
    text.split("\n\n").map(move |s| {
        let at = line;
        line += s.matches('\n').count() + 2;
        (at, s)
    })
}

/// dpkg's `status` (deb-control(5)): packages that are installed, with their source package.
pub(super) fn dpkg(text: &str, bom: &mut Bom) -> Result<(), Diagnostic> {
    let text = text.replace("\r\n", "\n");
    for (line, s) in stanzas(&text) {
        let Some(name) = field(s, "Package") else { continue };
        let state = field(s, "Status").unwrap_or("install ok installed");
        if state.ends_with("not-installed") || state.ends_with("config-files") {
            continue;
        }
        let version = field(s, "Version");
        let mut qualifiers = Vec::new();
        if let Some(arch) = field(s, "Architecture") {
            qualifiers.push(("arch".to_owned(), arch.to_owned()));
        }
        if let Some(source) = field(s, "Source") {
            // `name` or `name (version)`
            let upstream = match source.split_once(" (") {
                Some((name, v)) => format!("{name}@{}", v.trim_end_matches(')')),
                None => source.to_owned(),
            };
            qualifiers.push(("upstream".to_owned(), upstream));
        }
        // Ubuntu marks its own versions; everything else in a dpkg database is Debian's or rebuilt from it
        let ubuntu = version.is_some_and(|v| v.contains("ubuntu"))
            || field(s, "Maintainer").is_some_and(|m| m.contains("@lists.ubuntu.com"));
        let namespace = Some(if ubuntu { "ubuntu" } else { "debian" });
        add(bom, Package { ty: "deb", namespace, name, version, qualifiers, path: format!("line {line}") });
    }
    Ok(())
}

/// apk-tools' `installed` database: P name, V version, A architecture, o origin (source package).
pub(super) fn apk(text: &str, bom: &mut Bom) -> Result<(), Diagnostic> {
    for (line, s) in stanzas(text) {
        let Some(name) = field(s, "P") else { continue };
        let mut qualifiers = Vec::new();
        for (key, told) in [("arch", field(s, "A")), ("upstream", field(s, "o"))] {
            if let Some(value) = told {
                qualifiers.push((key.to_owned(), value.to_owned()));
            }
        }
        let version = field(s, "V");
        add(
            bom,
            Package {
                ty: "apk",
                namespace: Some("alpine"),
                name,
                version,
                qualifiers,
                path: format!("line {line}"),
            },
        );
    }
    Ok(())
}
