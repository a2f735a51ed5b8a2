//! `pnpm-lock.yaml` (lock file versions 5 to 9) and `bun.lock`.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::build::{Builder, Entry, Refusal, flag, json, syntax, text as member, yaml};
use super::yarn::split_spec;

/// Splits a key of `packages`: `/name/1.0.0_peers` (5), `/name@1.0.0(peers)` (6), `name@1.0.0` (9).
fn split_key(key: &str) -> (String, String) {
    let key = key.split('(').next().unwrap_or(key);
    let bare = key.strip_prefix('/').unwrap_or(key);
    let (name, version) = split_spec(bare);
    if !version.is_empty() && !version.contains('/') || version.contains(':') {
        return (name.to_owned(), version.split('_').next().unwrap_or(version).to_owned());
    }
    match bare.rsplit_once('/') {
        Some((name, version)) => (name.to_owned(), version.split('_').next().unwrap_or(version).to_owned()),
        None => (bare.to_owned(), String::new()),
    }
}

pub(super) fn read(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let mut known = false;
    for (n, doc) in yaml(text)?.iter().enumerate() {
        match doc.get("lockfileVersion") {
            Some(Value::String(s)) => b.bom.format.version = s.clone(),
            Some(v) => b.bom.format.version = v.to_string(),
            None => continue,
        }
        known = true;
        let prefix = if n == 0 { String::new() } else { format!("document {}: ", n + 1) };
        document(doc, &prefix, b);
    }
    if known { Ok(()) } else { Err(syntax("", "there is no `lockfileVersion`")) }
}

fn document(doc: &Value, prefix: &str, b: &mut Builder) {
    let mut by_key: HashMap<String, usize> = HashMap::new();
    let mut rows: Vec<(usize, &Value)> = Vec::new();
    let importers: Vec<(&str, &Value)> = match doc.get("importers").and_then(Value::as_object) {
        Some(list) => list.iter().map(|(k, v)| (k.as_str(), v)).collect(),
        None => vec![(".", doc)],
    };
    for (key, v) in doc.get("packages").and_then(Value::as_object).into_iter().flatten() {
        let (name, version) = split_key(key);
        let resolution = v.get("resolution").unwrap_or(&Value::Null);
        let name = member(v, "name").map_or(name, str::to_owned);
        let version = member(v, "version").map_or(version, str::to_owned);
        let mut e = Entry::new("npm", &name)
            .integrity(member(resolution, "integrity").unwrap_or_default())
            .at(format!("{prefix}packages[{key}]"));
        let source = member(resolution, "repo").or_else(|| member(resolution, "tarball")).unwrap_or_default();
        let place = key.split_once('@').map_or(key.as_str(), |(_, p)| p);
        e = if key.starts_with("file:") || place.starts_with("file:") || place.starts_with("link:") {
            e.version(if super::npm::is_url(&version) { "" } else { &version }).local(key)
        } else if super::npm::is_url(&version) {
            e.unresolved(&version).qualifier("vcs_url", &version)
        } else {
            e.version(&version)
        };
        if let Some(commit) = member(resolution, "commit").filter(|_| !source.is_empty()) {
            e = e.property("tocsin:lock:commit", commit);
        }
        if flag(v, "dev") {
            e = e.scope("dev");
        }
        if flag(v, "optional") {
            e = e.scope("optional");
        }
        if let Some(i) = b.add(e) {
            by_key.insert(key.trim_start_matches('/').to_owned(), i);
            rows.push((i, v));
        }
    }
    // From version 9 on the edges stand apart, one snapshot for each set of peers.
    for (key, v) in doc.get("snapshots").and_then(Value::as_object).into_iter().flatten() {
        let bare = key.split('(').next().unwrap_or(key);
        if let Some(i) = by_key.get(bare) {
            rows.push((*i, v));
        }
    }
    for (i, v) in rows {
        for kind in ["dependencies", "optionalDependencies"] {
            for (name, to) in v.get(kind).and_then(Value::as_object).into_iter().flatten() {
                if let Some(to) = to.as_str().and_then(|t| target(&by_key, name, t)) {
                    b.edge(i, to);
                }
            }
        }
    }
    if let [(".", importer)] = importers.as_slice() {
        for (kind, scope) in [("devDependencies", "dev"), ("optionalDependencies", "optional")] {
            for (name, to) in importer.get(kind).and_then(Value::as_object).into_iter().flatten() {
                let version = to.as_str().or_else(|| member(to, "version")).unwrap_or_default();
                let Some(c) = target(&by_key, name, version).and_then(|i| b.bom.components.get_mut(i)) else {
                    continue;
                };
                let said = (super::PROPERTY_SCOPE.to_owned(), scope.to_owned());
                if !c.properties.contains(&said) {
                    c.properties.push(said);
                }
            }
        }
    }
}

fn target(by_key: &HashMap<String, usize>, name: &str, version: &str) -> Option<usize> {
    let bare = version.split('(').next().unwrap_or(version);
    [
        format!("{name}@{version}"),
        format!("{name}/{version}"),
        format!("{name}@{bare}"),
        version.trim_start_matches('/').to_owned(),
        bare.trim_start_matches('/').to_owned(),
    ]
    .iter()
    .find_map(|k| by_key.get(k).copied())
}

/// Reads `bun.lock`: JSON with comments and trailing commas.
pub(super) fn read_bun(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(&plain_json(text), b)?;
    let packages = match doc.get("packages") {
        Some(p) => p.as_object().ok_or_else(|| syntax("packages", "`packages` is no object"))?,
        None if doc.get("lockfileVersion").is_some() => return Ok(()),
        None => return Err(syntax("", "there is no `packages`")),
    };
    b.bom.format.version = doc.get("lockfileVersion").map_or_else(String::new, Value::to_string);
    let mut by_key: HashMap<&str, usize> = HashMap::new();
    let mut rows: Vec<(usize, &str, &Map<String, Value>)> = Vec::new();
    for (key, v) in packages {
        let Some(spec) = v.get(0).and_then(Value::as_str) else {
            b.remark(
                "value-ignored",
                format!("packages[{key}]"),
                "the entry is no list that begins with a text",
            );
            continue;
        };
        let (name, version) = split_spec(spec);
        let mut e = Entry::new("npm", name).at(format!("packages[{key}]")).reference(key);
        e = if version.starts_with("workspace:")
            || version.starts_with("root:")
            || super::npm::is_local(version)
        {
            e.local(version)
        } else if super::npm::is_url(version) {
            e.unresolved(version).qualifier("vcs_url", version)
        } else {
            e.version(version)
        };
        let parts = v.as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(sum) = parts.get(1..).and_then(<[Value]>::last).and_then(Value::as_str) {
            e = e.integrity(sum);
        }
        if let Some(i) = b.add(e) {
            by_key.insert(key, i);
            if let Some(info) = parts.iter().find_map(Value::as_object) {
                rows.push((i, key, info));
            }
        }
    }
    for (i, key, info) in rows {
        for kind in ["dependencies", "optionalDependencies", "peerDependencies"] {
            for name in info.get(kind).and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                // A key is the path of names to the place: `a/b` is the `b` inside `a`.
                let mut at = key;
                let found = loop {
                    let place = if at.is_empty() { name.clone() } else { format!("{at}/{name}") };
                    if let Some(to) = by_key.get(place.as_str()) {
                        break Some(*to);
                    }
                    if at.is_empty() {
                        break None;
                    }
                    at = at.rfind('/').and_then(|n| at.get(..n)).unwrap_or("");
                };
                if let Some(to) = found {
                    b.edge(i, to);
                }
            }
        }
    }
    Ok(())
}

/// JSON without comments and trailing commas; line ends stay, so that places in errors are right.
fn plain_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut comma: Option<usize> = None;
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                comma = None;
                out.push(c);
                while let Some(c) = chars.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if chars.peek() == Some(&'/') => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
            }
            '/' if chars.peek() == Some(&'*') => {
                chars.next();
                let mut last = ' ';
                for c in chars.by_ref() {
                    if c == '\n' {
                        out.push(c);
                    }
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            ',' => {
                comma = Some(out.len());
                out.push(c);
            }
            '}' | ']' => {
                if let Some(at) = comma.take() {
                    out.replace_range(at..=at, " ");
                }
                out.push(c);
            }
            c => {
                if !c.is_whitespace() {
                    comma = None;
                }
                out.push(c);
            }
        }
    }
    out
}
