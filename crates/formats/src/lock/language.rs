//! Lock files of languages.

use std::collections::HashMap;

use serde::Deserialize;
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use super::{Package, add};

fn syntax(e: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::new("input-syntax", "", e.to_string())
}

#[derive(Deserialize)]
struct TomlLock {
    #[serde(default)]
    package: Vec<TomlPackage>,
}

#[derive(Deserialize)]
struct TomlPackage {
    name: String,
    #[serde(default)]
    version: String,
    source: Option<toml::Value>,
    dependencies: Option<toml::Value>,
}

/// `Cargo.lock`, versions 1 to 4. Packages without a registry source are kept without purl: they are local or
/// from git, and no advisory of the registry is about them (as `cargo audit` decides).
pub(super) fn cargo(text: &str, bom: &mut Bom) -> Result<(), Diagnostic> {
    let lock: TomlLock = toml::from_str(text).map_err(syntax)?;
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    for (n, p) in lock.package.iter().enumerate() {
        let source = p.source.as_ref().and_then(|s| s.as_str()).unwrap_or("");
        let registry = source.starts_with("registry+") || source.starts_with("sparse+");
        let ty = if registry { "cargo" } else { "" };
        let path = format!("package[{n}]");
        let at =
            add(bom, Package { ty, name: &p.name, version: Some(&p.version), path, ..Package::default() });
        by_name.entry(p.name.clone()).or_default().push(at);
        by_name.entry(format!("{} {}", p.name, p.version)).or_default().push(at);
    }
    for (n, p) in lock.package.iter().enumerate() {
        let dependencies = p.dependencies.as_ref().and_then(|d| d.as_array());
        for d in dependencies.into_iter().flatten().filter_map(|d| d.as_str()) {
            // `name`, `name version` or `name version (source)`
            let mut words = d.split(' ');
            let name = words.next().unwrap_or("");
            let key = words.next().map_or_else(|| name.to_owned(), |v| format!("{name} {v}"));
            match by_name.get(&key).and_then(|l| l.first()) {
                Some(to) => bom.dependencies.push((n, *to)),
                None => bom.diagnostics.push(Diagnostic::new(
                    "ref-unknown",
                    format!("package[{n}].dependencies"),
                    format!("{key} is no package of this file"),
                )),
            }
        }
    }
    Ok(())
}

/// `poetry.lock`, also `uv.lock` and `pdm.lock` by their common part.
pub(super) fn poetry(text: &str, bom: &mut Bom) -> Result<(), Diagnostic> {
    let lock: TomlLock = toml::from_str(text).map_err(syntax)?;
    for (n, p) in lock.package.iter().enumerate() {
        let path = format!("package[{n}]");
        add(
            bom,
            Package { ty: "pypi", name: &p.name, version: Some(&p.version), path, ..Package::default() },
        );
    }
    Ok(())
}

fn scoped(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((scope, short)) => (Some(scope), short),
        None => (None, name),
    }
}

/// `package-lock.json`, lockfileVersion 1 to 3.
pub(super) fn npm(text: &str, bom: &mut Bom) -> Result<(), Diagnostic> {
    let lock: serde_json::Value = serde_json::from_str(text).map_err(syntax)?;
    if let Some(packages) = lock.get("packages").and_then(|p| p.as_object()) {
        for (place, p) in packages {
            let linked = p.get("link").and_then(|l| l.as_bool()).unwrap_or(false);
            let Some((_, by_place)) = place.rsplit_once("node_modules/").filter(|_| !linked) else {
                continue;
            };
            // an alias is installed under another name than its own
            let name = p.get("name").and_then(|n| n.as_str()).unwrap_or(by_place);
            let version = p.get("version").and_then(|v| v.as_str());
            let (namespace, name) = scoped(name);
            let path = format!("packages.{place}");
            add(bom, Package { ty: "npm", namespace, name, version, path, ..Package::default() });
        }
        return Ok(());
    }
    let mut open = vec![(String::new(), lock.get("dependencies"))];
    while let Some((prefix, list)) = open.pop() {
        for (name, p) in list.and_then(|l| l.as_object()).into_iter().flatten() {
            let path = format!("{prefix}dependencies.{name}");
            let told = p.get("version").and_then(|v| v.as_str()).unwrap_or("");
            let (real, version) = match told.strip_prefix("npm:").and_then(|t| t.rsplit_once('@')) {
                Some((real, v)) => (real, v),
                None => (name.as_str(), told),
            };
            let (namespace, short) = scoped(real);
            let version = Some(version).filter(|v| !v.contains(':'));
            let next = format!("{path}.");
            add(bom, Package { ty: "npm", namespace, name: short, version, path, ..Package::default() });
            open.push((next, p.get("dependencies")));
        }
    }
    Ok(())
}

fn module(path: &str) -> (Option<&str>, &str) {
    match path.rsplit_once('/') {
        Some((ns, name)) => (Some(ns), name),
        None => (None, path),
    }
}

fn go(bom: &mut Bom, path: &str, version: &str, line: usize) {
    let (namespace, name) = module(path);
    let path = format!("line {line}");
    add(bom, Package { ty: "golang", namespace, name, version: Some(version), path, ..Package::default() });
}

/// `go.mod`: required modules with replacements applied, and the standard library of the `go` or `toolchain` line.
pub(super) fn go_mod(text: &str, bom: &mut Bom) -> Result<(), Diagnostic> {
    let mut required: Vec<(String, String, usize)> = Vec::new();
    let mut replaced: HashMap<String, Option<(String, String)>> = HashMap::new();
    let mut stdlib: Option<(String, usize)> = None;
    let mut block = String::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.split("//").next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        if line == ")" {
            block.clear();
            continue;
        }
        let (verb, rest) = match block.as_str() {
            "" => line.split_once(char::is_whitespace).unwrap_or((line, "")),
            b => (b, line),
        };
        let words: Vec<&str> = rest.split_whitespace().map(|w| w.trim_matches('"')).collect();
        if block.is_empty() && words == ["("] {
            block = verb.to_owned();
            continue;
        }
        match (verb, words.as_slice()) {
            ("require", [path, version, ..]) => {
                required.push(((*path).to_owned(), (*version).to_owned(), n + 1))
            }
            ("replace", [path, .., "=>", to, version]) => {
                replaced.insert((*path).to_owned(), Some(((*to).to_owned(), (*version).to_owned())));
            }
            ("replace", [path, .., "=>", _local]) => {
                replaced.insert((*path).to_owned(), None);
            }
            ("go", [version]) if stdlib.is_none() => stdlib = Some(((*version).to_owned(), n + 1)),
            ("toolchain", [version]) => stdlib = Some((version.trim_start_matches("go").to_owned(), n + 1)),
            _ => {}
        }
    }
    for (path, version, line) in required {
        match replaced.get(&path) {
            Some(Some((to, version))) => go(bom, to, version, line),
            Some(None) => {
                let path = path.as_str();
                add(
                    bom,
                    Package {
                        name: path,
                        version: Some(&version),
                        path: format!("line {line}"),
                        ..Package::default()
                    },
                );
            }
            None => go(bom, &path, &version, line),
        }
    }
    if let Some((version, line)) = stdlib {
        go(bom, "stdlib", &version, line);
    }
    Ok(())
}

/// `go.sum`: modules whose content is recorded; a line for `/go.mod` alone was only looked at.
pub(super) fn go_sum(text: &str, bom: &mut Bom) -> Result<(), Diagnostic> {
    for (n, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [path, version, _hash] if !version.ends_with("/go.mod") => go(bom, path, version, n + 1),
            [_, _, _] => {}
            _ => bom.diagnostics.push(Diagnostic::new(
                "value-ignored",
                format!("line {}", n + 1),
                "a line of go.sum is module, version and hash",
            )),
        }
    }
    Ok(())
}

/// `requirements.txt`: pins (`==`, `===`); what is not pinned is kept without version.
pub(super) fn requirements(text: &str, bom: &mut Bom) -> Result<(), Diagnostic> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for (n, line) in joined.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or("").trim();
        if line.is_empty() || line.starts_with(['#', '-']) {
            continue;
        }
        let spec = line.split([';']).next().unwrap_or("").split(" --").next().unwrap_or("").trim();
        let end = spec
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .unwrap_or(spec.len());
        let (name, rest) = spec.split_at(end);
        if name.is_empty() || rest.trim_start().starts_with("://") {
            let what = "neither a name nor a pin; only packages of the index are read";
            bom.diagnostics.push(Diagnostic::new("value-ignored", format!("line {}", n + 1), what));
            continue;
        }
        let rest = rest.trim_start();
        let rest =
            if rest.starts_with('[') { rest.split_once(']').map_or("", |(_, r)| r) } else { rest }.trim();
        let pin = rest.strip_prefix("===").or_else(|| rest.strip_prefix("=="));
        let version = pin.map(str::trim).filter(|v| !v.contains([',', '*', ' ']));
        add(
            bom,
            Package { ty: "pypi", name, version, path: format!("line {}", n + 1), ..Package::default() },
        );
    }
    Ok(())
}

/// `composer.lock`: `packages` and `packages-dev`.
pub(super) fn composer(text: &str, bom: &mut Bom) -> Result<(), Diagnostic> {
    let lock: serde_json::Value = serde_json::from_str(text).map_err(syntax)?;
    for list in ["packages", "packages-dev"] {
        for (n, p) in lock.get(list).and_then(|l| l.as_array()).into_iter().flatten().enumerate() {
            let Some(name) = p.get("name").and_then(|n| n.as_str()) else { continue };
            let (namespace, name) = scoped(name);
            let version = p.get("version").and_then(|v| v.as_str());
            add(
                bom,
                Package {
                    ty: "composer",
                    namespace,
                    name,
                    version,
                    path: format!("{list}[{n}]"),
                    ..Package::default()
                },
            );
        }
    }
    Ok(())
}

/// `Gemfile.lock`: the specs of its GEM sections (four blanks, name, version in brackets).
pub(super) fn gemfile(text: &str, bom: &mut Bom) -> Result<(), Diagnostic> {
    let mut in_gems = false;
    for (n, line) in text.lines().enumerate() {
        if !line.starts_with(' ') {
            in_gems = line.trim() == "GEM";
            continue;
        }
        let Some(spec) = line.strip_prefix("    ").filter(|s| in_gems && !s.starts_with(' ')) else {
            continue;
        };
        let Some((name, version)) = spec.trim_end().split_once(" (") else { continue };
        let version = Some(version.trim_end_matches(')'));
        add(bom, Package { ty: "gem", name, version, path: format!("line {}", n + 1), ..Package::default() });
    }
    Ok(())
}
