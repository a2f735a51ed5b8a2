//! A CycloneDX document in the shape of its JSON encoding, written as XML (1.6). Elements stand in the order of the
//! schema.

use std::fmt::Write as _;

use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// Writes the document.
pub(super) fn write(document: &Value) -> Vec<u8> {
    let mut out = Out(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), 0);
    if let Value::Object(bom) = document {
        let version = bom.get("version").map(Value::to_string).unwrap_or_default();
        let serial = text(bom, "serialNumber");
        let attributes = [
            ("xmlns", "http://cyclonedx.org/schema/bom/1.6"),
            ("serialNumber", serial),
            ("version", version.as_str()),
        ];
        out.inside("bom", &attributes, |out| root(out, bom));
    }
    out.0.into_bytes()
}

struct Out(String, usize);

impl Out {
    fn indent(&mut self) {
        self.0.extend(std::iter::repeat_n("  ", self.1));
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.indent();
        let _ = write!(self.0, "<{name}");
        for (key, value) in attributes.iter().filter(|(_, v)| !v.is_empty()) {
            let _ = write!(self.0, " {key}=\"{}\"", escape(value));
        }
        self.0.push('>');
    }

    fn inside(&mut self, name: &str, attributes: &[(&str, &str)], body: impl FnOnce(&mut Out)) {
        self.start(name, attributes);
        self.0.push('\n');
        self.1 += 1;
        body(self);
        self.1 -= 1;
        self.indent();
        let _ = writeln!(self.0, "</{name}>");
    }

    fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.start(name, attributes);
        let _ = writeln!(self.0, "{}</{name}>", escape(text));
    }

    /// Leaf elements of the same names as the members, where those are there.
    fn leaves(&mut self, of: &Object, names: &[&str]) {
        for name in names {
            match of.get(*name) {
                Some(Value::String(text)) => self.leaf(name, &[], text),
                Some(number @ Value::Number(_)) => self.leaf(name, &[], &number.to_string()),
                _ => {}
            }
        }
    }

    /// A wrapper and its items, where there are any.
    fn list(&mut self, of: &Object, member: &str, wrapper: &str, item: impl Fn(&mut Out, &Value)) {
        let items = items(of, member);
        if !items.is_empty() {
            self.inside(wrapper, &[], |out| items.iter().for_each(|i| item(out, i)));
        }
    }
}

/// Markup and what XML 1.0 cannot hold (section 2.2) replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn text<'a>(of: &'a Object, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(of: &'a Object, key: &str) -> &'a [Value] {
    of.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn object<'a>(of: &'a Object, key: &str) -> Option<&'a Object> {
    of.get(key).and_then(Value::as_object)
}

fn root(out: &mut Out, bom: &Object) {
    if let Some(m) = object(bom, "metadata") {
        out.inside("metadata", &[], |out| {
            out.leaves(m, &["timestamp"]);
            if let Some(tools) = object(m, "tools") {
                out.inside("tools", &[], |out| out.list(tools, "components", "components", component));
            }
            out.list(m, "authors", "authors", |out, a| named(out, "author", a.as_object()));
            if let Some(c) = m.get("component") {
                component(out, c);
            }
            named(out, "manufacturer", object(m, "manufacturer"));
        });
    }
    out.inside("components", &[], |out| items(bom, "components").iter().for_each(|c| component(out, c)));
    out.list(bom, "dependencies", "dependencies", |out, d| {
        let Some(d) = d.as_object() else { return };
        out.inside("dependency", &[("ref", text(d, "ref"))], |out| {
            for to in items(d, "dependsOn").iter().filter_map(Value::as_str) {
                out.leaf("dependency", &[("ref", to)], "");
            }
        });
    });
    out.list(bom, "vulnerabilities", "vulnerabilities", vulnerability);
}

/// An entity of which the name is known.
fn named(out: &mut Out, element: &str, entity: Option<&Object>) {
    if let Some(entity) = entity {
        out.inside(element, &[], |out| out.leaves(entity, &["name", "url"]));
    }
}

fn properties(out: &mut Out, of: &Object) {
    out.list(of, "properties", "properties", |out, p| {
        let Some(p) = p.as_object() else { return };
        out.leaf("property", &[("name", text(p, "name"))], text(p, "value"));
    });
}

fn component(out: &mut Out, value: &Value) {
    let Some(c) = value.as_object() else { return };
    out.inside("component", &[("type", text(c, "type")), ("bom-ref", text(c, "bom-ref"))], |out| {
        named(out, "supplier", object(c, "supplier"));
        out.leaves(c, &["group", "name", "version"]);
        out.list(c, "hashes", "hashes", |out, h| {
            let Some(h) = h.as_object() else { return };
            out.leaf("hash", &[("alg", text(h, "alg"))], text(h, "content"));
        });
        out.list(c, "licenses", "licenses", |out, l| {
            let Some(l) = l.as_object() else { return };
            out.leaves(l, &["expression"]);
            if let Some(licence) = object(l, "license") {
                out.inside("license", &[], |out| out.leaves(licence, &["id", "name"]));
            }
        });
        out.leaves(c, &["cpe", "purl"]);
        if let Some(pedigree) = object(c, "pedigree") {
            out.inside("pedigree", &[], |out| out.list(pedigree, "patches", "patches", patch));
        }
        out.list(c, "externalReferences", "externalReferences", |out, r| {
            let Some(r) = r.as_object() else { return };
            out.inside("reference", &[("type", text(r, "type"))], |out| out.leaves(r, &["url"]));
        });
        properties(out, c);
        out.list(c, "components", "components", component);
        if let Some(evidence) = object(c, "evidence") {
            out.inside("evidence", &[], |out| {
                for identity in items(evidence, "identity").iter().filter_map(Value::as_object) {
                    out.inside("identity", &[], |out| out.leaves(identity, &["field", "concludedValue"]));
                }
                out.list(evidence, "occurrences", "occurrences", |out, o| {
                    let Some(o) = o.as_object() else { return };
                    out.inside("occurrence", &[], |out| out.leaves(o, &["location"]));
                });
            });
        }
    });
}

fn patch(out: &mut Out, value: &Value) {
    let Some(p) = value.as_object() else { return };
    out.inside("patch", &[("type", text(p, "type"))], |out| {
        out.list(p, "resolves", "resolves", |out, issue| {
            let Some(issue) = issue.as_object() else { return };
            out.inside("issue", &[("type", text(issue, "type"))], |out| out.leaves(issue, &["id"]));
        });
    });
}

fn vulnerability(out: &mut Out, value: &Value) {
    let Some(v) = value.as_object() else { return };
    out.inside("vulnerability", &[], |out| {
        out.leaves(v, &["id"]);
        named(out, "source", object(v, "source"));
        out.list(v, "references", "references", |out, r| {
            let Some(r) = r.as_object() else { return };
            out.inside("reference", &[], |out| {
                out.leaves(r, &["id"]);
                named(out, "source", object(r, "source"));
            });
        });
        out.list(v, "ratings", "ratings", |out, r| {
            let Some(r) = r.as_object() else { return };
            out.inside("rating", &[], |out| {
                named(out, "source", object(r, "source"));
                out.leaves(r, &["score", "severity", "method", "vector"]);
            });
        });
        out.list(v, "cwes", "cwes", |out, cwe| out.leaf("cwe", &[], &cwe.to_string()));
        out.leaves(v, &["description", "recommendation"]);
        if let Some(a) = object(v, "analysis") {
            out.inside("analysis", &[], |out| {
                out.leaves(a, &["state", "justification"]);
                out.list(a, "response", "responses", |out, r| {
                    out.leaf("response", &[], r.as_str().unwrap_or_default());
                });
                out.leaves(a, &["detail"]);
            });
        }
        out.list(v, "affects", "affects", |out, target| {
            let Some(target) = target.as_object() else { return };
            out.inside("target", &[], |out| {
                out.leaves(target, &["ref"]);
                out.list(target, "versions", "versions", |out, version| {
                    let Some(version) = version.as_object() else { return };
                    out.inside("version", &[], |out| out.leaves(version, &["version", "range", "status"]));
                });
            });
        });
        properties(out, v);
    });
}
