//! The JSON encoding (1.2 and later): the top level is walked key by key, lists of the document item by item.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use super::build::Builder;
use super::node::{Context, DEPTH_MARK, Key, Node, NodeSeed};
use super::schema;
use crate::input::ReadOptions;
use crate::json::{halves, repair, repaired};

/// Reads a JSON document.
///
/// # Errors
/// No JSON, no object, nested too deep.
pub(super) fn read(text: &str, options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    match read_once(text, options) {
        Err(e) if halves(&e) => {
            let mut bom = read_once(&repair(text), options).map_err(refusal)?;
            bom.diagnostics.insert(0, repaired());
            Ok(bom)
        }
        other => other.map_err(refusal),
    }
}

fn refusal(e: serde_json::Error) -> Vec<Diagnostic> {
    let message = e.to_string();
    let depth = message.contains(DEPTH_MARK) || message.contains("recursion limit");
    let code = if depth { "limit-depth" } else { "input-syntax" };
    vec![Diagnostic::new(code, format!("line {}", e.line()), message)]
}

fn read_once(text: &str, options: &ReadOptions) -> Result<Bom, serde_json::Error> {
    let violations = if options.strict { schema::violations(text)? } else { Vec::new() };
    let context = Context { limits: &options.limits, remarks: Default::default() };
    let mut builder = Builder::new("json", None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Top { builder: &mut builder, context: &context })?;
    deserializer.end()?;
    let mut bom = builder.finish();
    // Duplicates among components have been told of.
    let told: HashSet<String> = if violations.is_empty() {
        HashSet::new()
    } else {
        bom.diagnostics.iter().filter(|d| d.code == "ref-duplicate").map(|d| d.path.clone()).collect()
    };
    bom.diagnostics
        .extend(violations.into_iter().filter(|d| d.code != "ref-duplicate" || !told.contains(&d.path)));
    Ok(bom)
}

struct Top<'b, 'a, 'c, 'l> {
    builder: &'b mut Builder<'a>,
    context: &'c Context<'l>,
}

impl<'de> Visitor<'de> for Top<'_, 'de, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CycloneDX object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(Key(key)) = map.next_key()? {
            if matches!(&*key, "components" | "dependencies" | "vulnerabilities") {
                map.next_value_seed(Items { builder: self.builder, context: self.context, key: &key })?;
            } else if self.builder.wants(&key) {
                let seed = NodeSeed { context: self.context, depth: 1, unbounded: true };
                let node = map.next_value_seed(seed)?;
                self.builder.remarks(self.context.take(&key));
                self.builder.member(&key, node);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            if !seen.insert(key.clone()) {
                let message = "the key stands twice in the document";
                self.builder.remarks(vec![Diagnostic::new("input-duplicate-key", key.as_ref(), message)]);
            }
        }
        self.builder.end_of_members(&|key| seen.contains(&Cow::Borrowed(key)));
        Ok(())
    }
}

/// One of the long lists of a document.
struct Items<'b, 'a, 'c, 'l, 'k> {
    builder: &'b mut Builder<'a>,
    context: &'c Context<'l>,
    key: &'k str,
}

impl<'de> DeserializeSeed<'de> for Items<'_, 'de, '_, '_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Items<'_, 'de, '_, '_, '_> {
    fn misplaced(self, node: Node<'de>) {
        self.builder.misplaced(self.key, &node);
    }
}

impl<'de> Visitor<'de> for Items<'_, 'de, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let seed = NodeSeed { context: self.context, depth: 2, unbounded: false };
        let mut index = 0;
        while let Some(node) = seq.next_element_seed(seed)? {
            let path = format!("{}[{index}]", self.key);
            if !self.context.remarks.borrow().is_empty() {
                self.builder.remarks(self.context.take(&path));
            }
            self.builder.item(self.key, &path, &node);
            index += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.misplaced(Node::Map(Vec::new()));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.misplaced(Node::Null);
        Ok(())
    }
    fn visit_bool<E>(self, v: bool) -> Result<(), E> {
        self.misplaced(Node::Bool(v));
        Ok(())
    }
    fn visit_u64<E>(self, v: u64) -> Result<(), E> {
        self.misplaced(Node::Number(v as f64));
        Ok(())
    }
    fn visit_i64<E>(self, v: i64) -> Result<(), E> {
        self.misplaced(Node::Number(v as f64));
        Ok(())
    }
    fn visit_f64<E>(self, v: f64) -> Result<(), E> {
        self.misplaced(Node::Number(v));
        Ok(())
    }
    fn visit_str<E>(self, v: &str) -> Result<(), E> {
        self.misplaced(Node::Text(Cow::Owned(v.to_owned())));
        Ok(())
    }
}
