//! Python lock files in TOML (`poetry.lock`, `uv.lock`, `pdm.lock`, `pylock.toml` of PEP 751) and `Pipfile.lock`.

use std::collections::HashMap;

use serde_json::Value as Json;
use tocsin_model::ecosystem::Ecosystem;
use toml::{Table, Value};

use super::build::{Builder, Entry, Refusal, json, syntax, text as member, toml as read_toml};
use super::requirements::requirement;

fn str_of<'t>(t: &'t Table, key: &str) -> &'t str {
    t.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Reads the TOML kinds: all are a list of packages with a name, a version and a source.
pub(super) fn read(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = read_toml(text)?;
    let list = match doc.get("package").or_else(|| doc.get("packages")) {
        Some(v) => v.as_array().ok_or_else(|| syntax("package", "the packages are no list"))?,
        None if doc.contains_key("metadata")
            || doc.contains_key("version")
            || doc.contains_key("lock-version") =>
        {
            return Ok(());
        }
        None => return Err(syntax("", "there is no list of packages")),
    };
    let word = if doc.contains_key("package") { "package" } else { "packages" };
    for at in [doc.get("version"), doc.get("lock-version")].into_iter().flatten() {
        b.bom.format.version = at.as_str().map_or_else(|| at.to_string(), str::to_owned);
    }
    // Old poetry files keep the hashes apart, by name.
    let files = doc.get("metadata").and_then(|m| m.get("files")).and_then(Value::as_table);
    let mut by_name: HashMap<String, Vec<(String, usize)>> = HashMap::new();
    let mut rows = Vec::new();
    for (n, p) in list.iter().enumerate() {
        let path = format!("{word}[{n}]");
        let Some(p) = p.as_table() else {
            b.remark("value-ignored", path, "the package is no table");
            continue;
        };
        let (name, version) = (str_of(p, "name"), str_of(p, "version"));
        let mut e = source(Entry::new("pypi", name).version(version).at(path), p);
        if str_of(p, "category") == "dev" {
            e = e.scope("dev");
        }
        if p.get("optional").and_then(Value::as_bool) == Some(true) {
            e = e.scope("optional");
        }
        for group in p.get("groups").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if !matches!(group, "default" | "main") {
                e = e.scope(group);
            }
        }
        let old = files.and_then(|f| f.get(name));
        for list in [p.get("files"), p.get("wheels"), old].into_iter().flatten() {
            for file in list.as_array().into_iter().flatten() {
                e = hashes(e, file);
            }
        }
        for file in [p.get("sdist"), p.get("archive")].into_iter().flatten() {
            e = hashes(e, file);
        }
        if let Some(i) = b.add(e) {
            by_name.entry(Ecosystem::Pypi.normalise_name(name)).or_default().push((version.to_owned(), i));
            rows.push((i, p));
        }
    }
    for (i, p) in rows {
        for (name, version) in depends(p) {
            let key = Ecosystem::Pypi.normalise_name(&name);
            let Some(found) = by_name.get(&key) else { continue };
            let one = found
                .iter()
                .find(|(v, _)| version.as_ref().is_some_and(|w| w == v))
                .or_else(|| found.first());
            if let Some((_, to)) = one {
                b.edge(i, *to);
            }
        }
    }
    Ok(())
}

fn hashes(mut e: Entry, file: &Value) -> Entry {
    if let Some(hash) = file.get("hash").and_then(Value::as_str).and_then(|h| h.strip_prefix("sha256:")) {
        e = e.hash("SHA-256", hash);
    }
    if let Some(hash) = file.get("hashes").and_then(|h| h.get("sha256")).and_then(Value::as_str) {
        e = e.hash("SHA-256", hash);
    }
    e
}

/// Where a package is from: `source` of poetry and uv, single keys of pdm, `vcs`, `directory` and `archive` of
/// PEP 751.
fn source(e: Entry, p: &Table) -> Entry {
    if let Some(s) = p.get("source").and_then(Value::as_table) {
        let url = str_of(s, "url");
        match str_of(s, "type") {
            "directory" | "file" => return e.local(if url.is_empty() { "local" } else { url }),
            "git" => {
                return e.qualifier("vcs_url", &format!("git+{url}@{}", str_of(s, "resolved_reference")));
            }
            "url" => return e.qualifier("download_url", url),
            _ => {}
        }
        for key in ["virtual", "editable", "directory", "path"] {
            if s.contains_key(key) {
                return e.local(str_of(s, key));
            }
        }
        if s.contains_key("git") {
            return e.qualifier("vcs_url", &format!("git+{}", str_of(s, "git")));
        }
        return e;
    }
    if let Some(v) = p.get("vcs").and_then(Value::as_table) {
        let url = format!("{}+{}@{}", str_of(v, "type"), str_of(v, "url"), str_of(v, "commit-id"));
        return e.qualifier("vcs_url", &url);
    }
    if let Some(d) = p.get("directory").and_then(Value::as_table) {
        return e.local(str_of(d, "path"));
    }
    match (str_of(p, "git"), str_of(p, "path")) {
        ("", "") => e,
        ("", path) => e.local(path),
        (url, _) => e.qualifier("vcs_url", &format!("git+{url}@{}", str_of(p, "revision"))),
    }
}

/// Names, and versions where told, of what a package depends on.
fn depends(p: &Table) -> Vec<(String, Option<String>)> {
    let mut out = Vec::new();
    let mut lists: Vec<&Value> = p.get("dependencies").into_iter().collect();
    for key in ["optional-dependencies", "dev-dependencies"] {
        lists.extend(p.get(key).and_then(Value::as_table).into_iter().flat_map(|t| t.values()));
    }
    for list in lists {
        match list {
            Value::Table(t) => out.extend(t.keys().map(|k| (k.clone(), None))),
            Value::Array(a) => {
                for d in a {
                    match d {
                        Value::String(s) => out.extend(requirement(s).map(|r| (r.name, r.pin))),
                        Value::Table(t) => {
                            let version = t.get("version").and_then(Value::as_str).map(str::to_owned);
                            out.push((str_of(t, "name").to_owned(), version));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    out
}

/// Reads `Pipfile.lock`.
pub(super) fn read_pipfile(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(text, b)?;
    let top = doc.as_object().ok_or_else(|| syntax("", "the document is no object"))?;
    if !top.contains_key("_meta") && !top.contains_key("default") {
        return Err(syntax("", "there is neither `_meta` nor `default`"));
    }
    for (group, list) in top.iter().filter(|(k, _)| *k != "_meta") {
        for (name, v) in list.as_object().into_iter().flatten() {
            let mut e = Entry::new("pypi", name).at(format!("{group}[{name}]"));
            let version = member(v, "version").unwrap_or_default();
            let pin = requirement(&format!("x{version}")).and_then(|r| r.pin);
            e = match (pin, member(v, "git"), member(v, "path").or_else(|| member(v, "file"))) {
                (_, Some(url), _) => {
                    let at = member(v, "ref").unwrap_or_default();
                    e.unresolved(at).qualifier("vcs_url", &format!("git+{url}@{at}"))
                }
                (_, None, Some(path)) if !path.contains("://") => e.local(path),
                (Some(pin), ..) => e.version(&pin),
                (None, ..) => e.unresolved(version),
            };
            if group != "default" {
                e = e.scope(if group == "develop" { "dev" } else { group });
            }
            for hash in
                v.get("hashes").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
            {
                e = e.hash("SHA-256", hash.strip_prefix("sha256:").unwrap_or_default());
            }
            b.add(e);
        }
    }
    Ok(())
}
