//! `package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3, and the hidden lock file of `node_modules`.
//!
//! Each place in the tree is one component, its reference the place (`node_modules/a/node_modules/b`).

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::build::{Builder, Entry, Refusal, flag, json, syntax, text as member};

pub(super) fn read(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(text, b)?;
    let version = doc.get("lockfileVersion").and_then(Value::as_u64);
    b.bom.format.version = version.map_or_else(String::new, |v| v.to_string());
    b.bom.name = member(&doc, "name").map(str::to_owned);
    if let Some(packages) = doc.get("packages").and_then(Value::as_object) {
        packages_map(packages, b);
        return Ok(());
    }
    let Some(dependencies) = doc.get("dependencies") else {
        if version.is_some() || doc.get("name").is_some() {
            return Ok(());
        }
        return Err(syntax("", "there is neither `packages` nor `dependencies`"));
    };
    let dependencies =
        dependencies.as_object().ok_or_else(|| syntax("dependencies", "`dependencies` is no object"))?;
    let mut places = HashMap::new();
    let mut rows = Vec::new();
    let mut open = vec![(String::new(), dependencies)];
    while let Some((parent, list)) = open.pop() {
        for (name, v) in list {
            let place = join(&parent, name);
            if let Some(i) = b.add(entry_v1(name, v, &place)) {
                places.insert(place.clone(), i);
                rows.push((i, place.clone(), v));
            }
            if let Some(inner) = v.get("dependencies").and_then(Value::as_object) {
                open.push((place, inner));
            }
        }
    }
    for (i, place, v) in rows {
        let Some(requires) = v.get("requires").and_then(Value::as_object) else { continue };
        for name in requires.keys() {
            if let Some(to) = resolve(&places, &place, name) {
                b.edge(i, to);
            }
        }
    }
    Ok(())
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { format!("node_modules/{name}") } else { format!("{parent}/node_modules/{name}") }
}

/// A dependency as Node finds it: in the package's own `node_modules`, then outwards.
fn resolve(places: &HashMap<String, usize>, from: &str, name: &str) -> Option<usize> {
    let mut at = from;
    loop {
        if let Some(i) = places.get(&join(at, name)) {
            return Some(*i);
        }
        if at.is_empty() {
            return None;
        }
        // A workspace folder (`packages/a`) lies directly in the root.
        at = at.rfind("/node_modules/").map_or("", |n| &at[..n]);
    }
}

fn scopes(mut e: Entry, v: &Value) -> Entry {
    for (key, scope) in [
        ("dev", "dev"),
        ("devOptional", "dev"),
        ("optional", "optional"),
        ("peer", "peer"),
        ("bundled", "bundled"),
    ] {
        if flag(v, key) {
            e = e.scope(scope);
        }
    }
    e
}

/// `version` or `resolved` that is no registry version.
pub(super) fn is_url(v: &str) -> bool {
    v.contains("://") || ["file:", "link:", "git+", "github:", "git@"].iter().any(|p| v.starts_with(p))
}

/// A place on the builder's own disk.
pub(super) fn is_local(v: &str) -> bool {
    v.starts_with("file:") || v.starts_with("link:") || v.starts_with("portal:") || v.starts_with('.')
}

fn entry_v1(name: &str, v: &Value, place: &str) -> Entry {
    let version = member(v, "version").unwrap_or_default();
    let path = format!("dependencies[{place}]");
    let base = if let Some(range) = v.as_str() {
        // A package.json under another name: what it asks for, nothing pinned.
        Entry::new("npm", name).unresolved(range)
    } else if let Some((real, number)) = version.strip_prefix("npm:").and_then(|r| r.rsplit_once('@')) {
        Entry::new("npm", real).version(number).property("tocsin:lock:alias", name)
    } else if version.starts_with("file:") || version.starts_with("link:") {
        Entry::new("npm", name).local(version)
    } else if is_url(version) {
        Entry::new("npm", name).unresolved(version).qualifier("vcs_url", version)
    } else {
        Entry::new("npm", name).version(version)
    };
    scopes(base, v).integrity(member(v, "integrity").unwrap_or_default()).at(path).reference(place)
}

fn packages_map(packages: &Map<String, Value>, b: &mut Builder) {
    let mut places = HashMap::new();
    let mut rows = Vec::new();
    let mut links = Vec::new();
    for (place, v) in packages {
        // A link only says where a workspace member lies; the member has its own entry.
        if flag(v, "link") {
            if let Some(target) = member(v, "resolved") {
                links.push((place.clone(), target.to_owned()));
            }
            continue;
        }
        let tail = place.rsplit_once("node_modules/").map(|(_, t)| t);
        let name = member(v, "name").or(tail).unwrap_or_else(|| {
            if place.is_empty() { b.bom.name.as_deref().unwrap_or("root") } else { place.as_str() }
        });
        let resolved = member(v, "resolved").unwrap_or_default();
        let mut e = Entry::new("npm", name).version(member(v, "version").unwrap_or_default());
        if let Some(alias) = tail.filter(|t| *t != name) {
            e = e.property("tocsin:lock:alias", alias);
        }
        if tail.is_none() {
            e = e.local("local");
        } else if resolved.starts_with("file:") {
            e = e.local(resolved);
        } else if resolved.starts_with("git") {
            e = e.qualifier("vcs_url", resolved);
        }
        match v.get("license") {
            Some(Value::String(l)) => e = e.license(l),
            Some(other) => e = e.license(member(other, "type").unwrap_or_default()),
            None => {}
        }
        let reference = if place.is_empty() { "." } else { place };
        e = scopes(e, v).integrity(member(v, "integrity").unwrap_or_default());
        if let Some(i) = b.add(e.at(format!("packages[{place}]")).reference(reference)) {
            if place.is_empty() {
                b.root(Some(i));
            }
            places.insert(place.clone(), i);
            rows.push((i, place.clone(), v));
        }
    }
    for (place, target) in links {
        if let Some(i) = places.get(&target).copied() {
            places.insert(place, i);
        }
    }
    for (i, place, v) in rows {
        for key in ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"] {
            for name in v.get(key).and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                if let Some(to) = resolve(&places, &place, name) {
                    b.edge(i, to);
                }
            }
        }
    }
}
