//! Native code and embedded builds: `conan.lock`, Yocto image manifests, Buildroot's `manifest.csv`.

use serde_json::Value;

use super::build::{Builder, Entry, Refusal, json, text as member};

/// A Conan reference: `name/version@user/channel#revision%time`.
fn conan_reference(reference: &str, place: String, b: &mut Builder) {
    let plain = reference.split(['#', '%']).next().unwrap_or("");
    let (coordinates, channel) = plain.split_once('@').unwrap_or((plain, ""));
    let Some((name, version)) = coordinates.split_once('/') else {
        b.remark("value-ignored", place, "a reference is name/version");
        return;
    };
    let (user, channel) = channel.split_once('/').unwrap_or((channel, ""));
    b.add(
        Entry::new("conan", name)
            .version(version)
            .qualifier("user", user)
            .qualifier("channel", channel)
            .at(place),
    );
}

/// `conan.lock`: lists of references (version 2), or a graph of nodes whose first is the consumer (version 1).
pub(super) fn read_conan(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(text, b)?;
    if let Some(nodes) = doc.pointer("/graph_lock/nodes").and_then(Value::as_object) {
        for (id, node) in nodes {
            let reference = member(node, "ref").or_else(|| member(node, "pref")).unwrap_or("");
            // the consumer has a path and, often, no reference
            if !reference.is_empty() && member(node, "path").is_none() {
                conan_reference(reference, format!("graph_lock.nodes.{id}"), b);
            }
        }
        return Ok(());
    }
    for list in ["requires", "build_requires", "python_requires"] {
        for (n, r) in doc.get(list).and_then(Value::as_array).into_iter().flatten().enumerate() {
            if let Some(reference) = r.as_str() {
                conan_reference(reference, format!("{list}[{n}]"), b);
            }
        }
    }
    Ok(())
}

/// A Yocto image manifest: `name architecture version` a line.
pub(super) fn read_yocto(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    for (n, line) in text.lines().enumerate() {
        let place = format!("line {}", n + 1);
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] => {}
            [name, arch, version] => {
                b.add(Entry::new("generic", name).version(version).qualifier("arch", arch).at(place));
            }
            _ => b.remark("value-ignored", place, "a line is name, architecture and version"),
        }
    }
    Ok(())
}

/// Buildroot's `legal-info/manifest.csv`: PACKAGE, VERSION, LICENSE.
pub(super) fn read_buildroot(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    for (n, row) in rows.records().enumerate() {
        let place = format!("line {}", n + 2);
        match row {
            Ok(r) => {
                let get = |i| r.get(i).unwrap_or("").trim();
                if !get(0).is_empty() {
                    b.add(Entry::new("generic", get(0)).version(get(1)).license(get(2)).at(place));
                }
            }
            Err(e) => b.remark("value-ignored", place, e.to_string()),
        }
    }
    Ok(())
}
