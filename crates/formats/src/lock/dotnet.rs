//! .NET: `packages.lock.json`, `packages.config`, `*.deps.json`.

use std::collections::BTreeSet;

use roxmltree::Document;
use serde_json::Value;

use super::build::{Builder, Entry, Refusal, json, syntax, text as member};

fn object<'v>(v: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    v.get(key).and_then(Value::as_object).into_iter().flatten()
}

/// NuGet's `packages.lock.json`: resolved packages by target framework; each package and version once.
pub(super) fn read_lock(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(text)?;
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
pub(super) fn read_config(xml: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = Document::parse(xml).map_err(|e| syntax("", e.to_string()))?;
    for p in doc.descendants().filter(|n| n.tag_name().name() == "package") {
        let place = format!("line {}", doc.text_pos_at(p.range().start).row);
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
    let doc = json(text)?;
    for (key, p) in object(&doc, "libraries") {
        let Some((name, version)) = key.rsplit_once('/') else { continue };
        let entry = Entry::new("nuget", name).version(version).at(format!("libraries.{key}"));
        let package = member(p, "type").is_none_or(|t| t == "package");
        b.add(if package { entry } else { entry.local("project") });
    }
    Ok(())
}
