//! `Cargo.lock`, versions 1 to 4.
//!
//! Every package is kept. Those without `source` are path packages and those from git are another's code: neither
//! gets a package URL, as advisories speak of the registry's packages (cargo audit passes over them too).

use std::collections::HashMap;

use tocsin_model::ecosystem::Ecosystem;

use super::build::{Builder, Entry, Refusal, syntax, toml as read_toml};

/// Whether a source is the public registry, by its git index or its sparse one.
fn is_public(source: &str) -> bool {
    let index = format!("https://index.{}", Ecosystem::Cargo.osv_name());
    let rest = source.split_once('+').map_or(source, |(_, r)| r);
    !source.starts_with("git+")
        && (rest.starts_with("https://github.com/rust-lang/") || rest.starts_with(&index))
}

pub(super) fn read(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = read_toml(text)?;
    let empty = Vec::new();
    let packages = match doc.get("package") {
        Some(p) => p.as_array().ok_or_else(|| syntax("package", "`package` is no list"))?,
        None if doc.contains_key("version") || doc.contains_key("root") || doc.is_empty() => &empty,
        None => return Err(syntax("", "there is no `package` list")),
    };
    if let Some(v) = doc.get("version").and_then(toml::Value::as_integer) {
        b.bom.format.version = v.to_string();
        if !(1..=4).contains(&v) {
            b.remark("format-version", "version", format!("Cargo.lock version {v} was read as version 4"));
        }
    }
    let sums = doc.get("metadata").and_then(toml::Value::as_table);
    let root = doc.get("root").and_then(toml::Value::as_table);
    let mut rows = Vec::new();
    let mut by_name: HashMap<String, Vec<(String, String, usize)>> = HashMap::new();
    let listed = packages.iter().enumerate().map(|(n, p)| (format!("package[{n}]"), p.as_table()));
    for (path, p) in root.into_iter().map(|r| ("root".to_owned(), Some(r))).chain(listed) {
        let Some(p) = p else {
            b.remark("value-ignored", path, "the package is no table");
            continue;
        };
        let get = |k: &str| p.get(k).and_then(toml::Value::as_str).unwrap_or_default();
        let (name, version, source) = (get("name"), get("version"), get("source"));
        let id = match source {
            "" => format!("{name} {version}"),
            s => format!("{name} {version} ({s})"),
        };
        let old = sums.and_then(|m| m.get(&format!("checksum {id}"))).and_then(toml::Value::as_str);
        let sum = if get("checksum").is_empty() { old.unwrap_or_default() } else { get("checksum") };
        let mut e =
            Entry::new("cargo", name).version(version).at(path.clone()).reference(&id).hash("SHA-256", sum);
        e = if source.is_empty() {
            e.local("local")
        } else if is_public(source) {
            e
        } else if let Some(url) = source.strip_prefix("registry+").or_else(|| source.strip_prefix("sparse+"))
        {
            e.qualifier("repository_url", url)
        } else {
            e.local(source)
        };
        if let Some(i) = b.add(e) {
            by_name.entry(name.to_owned()).or_default().push((version.to_owned(), source.to_owned(), i));
            rows.push((i, path, p));
        }
    }
    for (i, path, p) in rows {
        let list = p.get("dependencies").and_then(toml::Value::as_array);
        for (n, d) in list.into_iter().flatten().enumerate() {
            let d = d.as_str().unwrap_or_default();
            let mut words = d.splitn(3, ' ');
            let name = words.next().unwrap_or_default();
            let version = words.next();
            let source = words.next().map(|s| s.trim_matches(['(', ')']));
            let found = by_name.get(name).into_iter().flatten().find(|(v, s, _)| {
                version.is_none_or(|want| want == v) && source.is_none_or(|want| want == s)
            });
            match found {
                Some((_, _, to)) => b.edge(i, *to),
                None => b.remark(
                    "ref-unknown",
                    format!("{path}.dependencies[{n}]"),
                    format!("`{}` is no package of this file", tocsin_model::diagnostic::excerpt(d)),
                ),
            }
        }
    }
    Ok(())
}
