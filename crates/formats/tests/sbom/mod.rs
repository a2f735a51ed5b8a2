//! What the tests over real SBOMs share: the files, and counts of components made without the readers.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::BTreeSet;

use serde_json::Value;

/// How many components a document tells of, counted without a reader of this crate.
pub fn count(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('{') {
        in_json(&serde_json::from_str(text).expect("JSON"))
    } else if text.starts_with('<') && text.contains("cyclonedx.org/schema/bom") {
        in_cyclonedx_xml(text)
    } else if text.contains("<rdf:RDF") {
        text.split("<spdx:Package rdf:about=\"")
            .skip(1)
            .filter_map(|t| t.split('"').next())
            .collect::<BTreeSet<_>>()
            .len()
    } else if text.starts_with('<') {
        text.matches("<packages>").count()
    } else if text.contains("SPDXVersion:") {
        let tags = |tag: &str| text.split(['\n', '\r']).filter(|l| l.trim_start().starts_with(tag)).count();
        if tags("PackageName:") == 0 { tags("FileName:") } else { tags("PackageName:") }
    } else {
        in_yaml(text)
    }
}

fn in_json(json: &Value) -> usize {
    let list = |key: &str| json.get(key).and_then(Value::as_array);
    if let Some(graph) = list("@graph") {
        let package = |v: &&Value| v["type"].as_str().is_some_and(|t| t.ends_with("Package"));
        return graph.iter().filter(package).count();
    }
    if json.get("spdxVersion").is_some() {
        let packages = list("packages").map_or(0, Vec::len);
        return if packages == 0 { list("files").map_or(0, Vec::len) } else { packages };
    }
    let root = json.pointer("/metadata/component").filter(|c| c.is_object());
    nested(json) + root.map_or(0, |r| 1 + nested(r))
}

fn nested(value: &Value) -> usize {
    let list = value.get("components").and_then(Value::as_array);
    list.map_or(0, |list| list.iter().filter(|c| c.is_object()).map(|c| 1 + nested(c)).sum())
}

/// Components are those of the document, of its subject, and of components; not those of tools and pedigrees.
fn in_cyclonedx_xml(text: &str) -> usize {
    let xml = roxmltree::Document::parse(text).expect("XML");
    let is = |n: roxmltree::Node<'_, '_>| {
        let above: Vec<_> = n.ancestors().skip(1).map(|a| a.tag_name().name()).collect();
        n.tag_name().name() == "component"
            && above.iter().all(|a| ["component", "components", "metadata", "bom", ""].contains(a))
    };
    xml.descendants().filter(|n| is(*n)).count()
}

/// Items at the outermost level of the block `packages:`.
fn in_yaml(text: &str) -> usize {
    let block = text.lines().skip_while(|l| !l.starts_with("packages:")).skip(1);
    let block: Vec<&str> = block.take_while(|l| l.starts_with([' ', '-'])).collect();
    let Some(first) = block.first() else { return 0 };
    let item = &first[..first.find('-').expect("an item") + 1];
    block.iter().filter(|l| l.starts_with(item)).count()
}
