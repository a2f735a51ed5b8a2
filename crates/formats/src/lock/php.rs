//! `composer.lock` and Composer's `installed.json` (versions 1 and 2).

use std::collections::HashMap;

use serde_json::Value;

use super::build::{Builder, Entry, Refusal, json, syntax, text as member};

pub(super) fn read(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(text, b)?;
    let mut lists: Vec<(&str, &Vec<Value>, bool)> = Vec::new();
    if let Some(list) = doc.as_array() {
        lists.push(("", list, false));
    }
    for (key, dev) in [("packages", false), ("packages-dev", true)] {
        if let Some(v) = doc.get(key) {
            lists.push((key, v.as_array().ok_or_else(|| syntax(key, "the packages are no list"))?, dev));
        }
    }
    if lists.is_empty() {
        return Err(syntax("", "there is no list of packages"));
    }
    let told_dev: Vec<&str> = doc
        .get("dev-package-names")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut rows = Vec::new();
    for (key, list, dev) in lists {
        for (n, p) in list.iter().enumerate() {
            let name = member(p, "name").unwrap_or_default();
            let version = member(p, "version").unwrap_or_default();
            let mut e = Entry::new("composer", name).version(version).at(format!("{key}[{n}]"));
            let dist = p.get("dist").unwrap_or(&Value::Null);
            let source = p.get("source").unwrap_or(&Value::Null);
            if member(dist, "type") == Some("path") {
                e = e.local(member(dist, "url").unwrap_or("local"));
            } else if version.starts_with("dev-") || version.ends_with("-dev") {
                // A branch is no version: the commit is what was taken.
                let at = member(source, "reference").unwrap_or_default();
                e = e
                    .qualifier("vcs_url", &format!("git+{}@{at}", member(source, "url").unwrap_or_default()));
            }
            e = e.hash("SHA-1", member(dist, "shasum").unwrap_or_default());
            match p.get("license") {
                Some(Value::String(l)) => e = e.license(l),
                Some(Value::Array(l)) => {
                    for l in l.iter().filter_map(Value::as_str) {
                        e = e.license(l);
                    }
                }
                _ => {}
            }
            if dev || told_dev.contains(&name) {
                e = e.scope("dev");
            }
            if let Some(i) = b.add(e) {
                names.insert(name.to_lowercase(), i);
                rows.push((i, p));
            }
        }
    }
    for (i, p) in rows {
        for name in p.get("require").and_then(Value::as_object).into_iter().flat_map(|m| m.keys()) {
            if let Some(to) = names.get(&name.to_lowercase()) {
                b.edge(i, *to);
            }
        }
    }
    Ok(())
}
