//! Strict mode for XML: which elements and attributes the schemas of the specification allow where, how often, and
//! what they hold. What a choice asks for is left to the table of [`super::strict`].

use std::collections::HashMap;

use roxmltree::Node;
use serde::Deserialize;
use tocsin_model::cpe::Cpe;
use tocsin_model::diagnostic::{Diagnostic, excerpt};

use super::VERSIONS;
use super::strict::{is_license, is_time};
use super::vdr::{is_hash, is_serial};
use crate::xml as tree;

/// Types of each version, in the order of [`VERSIONS`].
const SCHEMAS: [&str; 8] = [
    include_str!("../../schemas/cyclonedx/xml-1.0.json"),
    include_str!("../../schemas/cyclonedx/xml-1.1.json"),
    include_str!("../../schemas/cyclonedx/xml-1.2.json"),
    include_str!("../../schemas/cyclonedx/xml-1.3.json"),
    include_str!("../../schemas/cyclonedx/xml-1.4.json"),
    include_str!("../../schemas/cyclonedx/xml-1.5.json"),
    include_str!("../../schemas/cyclonedx/xml-1.6.json"),
    include_str!("../../schemas/cyclonedx/xml-1.7.json"),
];

/// Most violations told of one document.
const MOST: usize = 1000;

/// What an element of a type may hold.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Type<'a> {
    /// Elements: what they hold, how often at least, how often at most (0: any number).
    #[serde(borrow)]
    e: HashMap<&'a str, (&'a str, usize, usize)>,
    /// Attributes: what they hold, 1 where they must be there.
    #[serde(borrow)]
    a: HashMap<&'a str, (&'a str, u8)>,
    /// Its text.
    v: &'a str,
}

/// Everything in which the document breaks the schema of its version, up to a bound.
pub(super) fn violations(text: &str, version: &str) -> Vec<Diagnostic> {
    let schema = VERSIONS.iter().position(|v| *v == version).and_then(|at| SCHEMAS.get(at));
    // The table says that the version is not known.
    let Some(schema) = schema else { return Vec::new() };
    let types: HashMap<&str, Type<'_>> = match serde_json::from_str(schema) {
        Ok(types) => types,
        Err(e) => {
            return vec![Diagnostic::new("schema-violation", "", format!("the schema cannot be used: {e}"))];
        }
    };
    // how deep elements nest the reader has looked at already
    let xml = match tree::parse(text, None) {
        Ok(xml) => xml,
        Err(d) => return vec![Diagnostic::new("schema-violation", d.path, d.message)],
    };
    let root = xml.root_element();
    let mut said = Vec::new();
    // A list of what is still to look at stands in for recursion.
    let mut open = vec![(root, "bom", String::new())];
    while let Some((element, name, path)) = open.pop() {
        let Some(of) = types.get(name) else { continue };
        if said.len() >= MOST {
            break;
        }
        let mut wrong = |path: String, message: String| {
            said.push(Diagnostic::new("schema-violation", path, message));
        };
        for a in element.attributes().filter(|a| a.namespace().is_none()) {
            // The schemas allow attributes they do not know.
            if let Some((form, _)) = of.a.get(a.name())
                && !fits(form, a.value())
            {
                wrong(format!("{path}@{}", a.name()), format!("may not be {:?}", excerpt(a.value())));
            }
        }
        for (name, _) in
            of.a.iter().filter(|(name, (_, must))| *must == 1 && element.attribute(**name).is_none())
        {
            wrong(format!("{path}@{name}"), "is missing".into());
        }
        if !of.v.is_empty() && !fits(of.v, &content(element)) {
            wrong(path.clone(), format!("may not be {:?}", excerpt(&content(element))));
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        // Elements of other namespaces are extensions.
        let ours =
            |n: &Node<'_, '_>| n.is_element() && n.tag_name().namespace() == root.tag_name().namespace();
        for child in element.children().filter(ours) {
            let name = child.tag_name().name();
            let count = counts.entry(name).or_default();
            let dot = if path.is_empty() { "" } else { "." };
            let path = match of.e.get(name) {
                Some((.., 1)) => format!("{path}{dot}{name}"),
                _ => format!("{path}{dot}{name}[{count}]"),
            };
            *count += 1;
            match of.e.get(name) {
                None => wrong(path, "is not of the specification".into()),
                Some((.., 1)) if *count > 1 => wrong(path, "may stand once".into()),
                Some((form, ..)) => match form.strip_prefix('@') {
                    Some(name) => open.push((child, name, path)),
                    None if fits(form, &content(child)) => {}
                    None => wrong(path, format!("may not be {:?}", excerpt(&content(child)))),
                },
            }
        }
        for (name, (_, least, _)) in &of.e {
            if counts.get(name).copied().unwrap_or(0) < *least {
                let dot = if path.is_empty() { "" } else { "." };
                wrong(format!("{path}{dot}{name}"), "is missing".into());
            }
        }
    }
    said
}

/// The text an element holds itself.
fn content(element: Node<'_, '_>) -> String {
    element.children().filter_map(|c| c.text()).collect::<String>().trim().to_owned()
}

/// Whether a text has a form of the schemas: `=` and its words, or the name of a simple type.
fn fits(form: &str, text: &str) -> bool {
    let text = text.trim();
    if let Some(words) = form.strip_prefix('=') {
        return words.split('|').any(|w| w == text);
    }
    match form {
        "int" => text.parse::<i64>().is_ok(),
        "number" => text.parse::<f64>().is_ok(),
        "bool" => matches!(text, "true" | "false" | "1" | "0"),
        "time" => is_time(text),
        "date" => is_time(&format!("{}T00", text.get(..10).unwrap_or_default())),
        "license" => is_license(text),
        "hash" => is_hash(text),
        "uuid" => is_serial(text) || (text.starts_with('{') && text.ends_with('}')),
        "mime" => text.split_once('/').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty()),
        "cpe" => Cpe::parse(text).is_ok(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_usable_and_refuses_what_it_does_not_know() {
        for version in VERSIONS {
            let bom = |inside: &str| {
                let text =
                    format!("<b:bom xmlns:b='http://cyclonedx.org/schema/bom/{version}'>{inside}</b:bom>");
                let said = violations(&text, version);
                said.into_iter().map(|d| format!("{} {}", d.path, d.message)).collect::<Vec<_>>()
            };
            let component = |inside: &str| {
                bom(&format!(
                    "<b:components><b:component type='library'>{inside}</b:component></b:components>"
                ))
            };
            let good = "<b:name>a</b:name><b:version>1</b:version><b:modified>false</b:modified>";
            assert_eq!(component(good), Vec::<String>::new(), "{version}");
            assert_eq!(
                component(&format!("{good}<x:own xmlns:x='urn:x'/>")),
                Vec::<String>::new(),
                "{version}"
            );
            for (inside, expected) in [
                ("<b:unheard/>", "unheard[0] is not of the specification"),
                ("<b:name>b</b:name>", "name may stand once"),
                ("<b:hashes><b:hash alg='MD5'>zz</b:hash></b:hashes>", "hashes.hash[0] may not be \"zz\""),
                ("<b:hashes><b:hash>aa</b:hash></b:hashes>", "hashes.hash[0]@alg is missing"),
            ] {
                let said = component(&format!("{good}{inside}"));
                let expected = format!("components.component[0].{expected}");
                assert!(said.contains(&expected), "{version}: {said:?} without {expected}");
            }
            assert!(
                component("").contains(&"components.component[0].name is missing".to_owned()),
                "{version}"
            );
        }
    }
}
