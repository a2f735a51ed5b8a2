//! .NET: `packages.lock.json`, `packages.config`, `*.deps.json`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::build::{Builder, Entry, Lines, Refusal, json, text as member, xml};

fn object<'v>(v: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    v.get(key).and_then(Value::as_object).into_iter().flatten()
}

/// NuGet's `packages.lock.json`: resolved packages by target framework; each package and version once.
pub(super) fn read_lock(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(text, b)?;
    let mut seen = BTreeSet::new();
    for (framework, packages) in object(&doc, "dependencies") {
        for (name, p) in packages.as_object().into_iter().flatten() {
            let version = member(p, "resolved").unwrap_or("");
            if member(p, "type").is_some_and(|t| t.eq_ignore_ascii_case("project")) {
                continue;
            }
            if seen.insert((name.to_lowercase(), version.to_owned())) {
                let place = format!("dependencies.{framework}.{name}");
                b.add(Entry::new("nuget", name).version(version).at(place));
            }
        }
    }
    Ok(())
}

/// `packages.config` of older projects.
pub(super) fn read_config(file: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = xml(file, b)?;
    let mut lines = Lines::new(file);
    for p in doc.descendants().filter(|n| n.tag_name().name() == "package") {
        let place = format!("line {}", lines.of(p.range().start));
        let Some(id) = p.attribute("id") else {
            b.remark("component-unidentified", place, "the package has no id");
            continue;
        };
        b.add(Entry::new("nuget", id).version(p.attribute("version").unwrap_or("")).at(place));
    }
    Ok(())
}

/// `*.deps.json` beside a built program: its `libraries` of type package.
pub(super) fn read_deps(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(text, b)?;
    for (key, p) in object(&doc, "libraries") {
        let Some((name, version)) = key.rsplit_once('/') else { continue };
        let entry = Entry::new("nuget", name).version(version).at(format!("libraries.{key}"));
        let package = member(p, "type").is_none_or(|t| t == "package");
        b.add(if package { entry } else { entry.local("project") });
    }
    Ok(())
}
