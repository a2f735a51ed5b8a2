//! JSON as people and tools write it: keys that stand twice are told of, halves of surrogate pairs replaced.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tocsin_model::diagnostic::{Diagnostic, excerpt};

/// Duplicate keys that are told of one by one; a file full of them gets no remark for each.
const TOLD: usize = 20;

/// Reads one value, the last of two members with one key winning; nesting is bounded by the parser.
///
/// # Errors
/// It is no JSON, or nests too deep; the path is the line.
pub(crate) fn read(text: &str, remarks: &mut Vec<Diagnostic>) -> Result<Value, Diagnostic> {
    match once(text, remarks) {
        Err(e) if halves(&e) => {
            let value = once(&repair(text), remarks).map_err(|e| refusal(&e))?;
            remarks.push(repaired());
            Ok(value)
        }
        other => other.map_err(|e| refusal(&e)),
    }
}

fn once(text: &str, remarks: &mut Vec<Diagnostic>) -> Result<Value, serde_json::Error> {
    let twice = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Seed(&twice).deserialize(&mut deserializer)?;
    deserializer.end()?;
    remarks.extend(twice.into_inner().into_iter().map(|key| {
        let what = format!("the key {:?} stands twice in one object", excerpt(&key));
        Diagnostic::new("input-duplicate-key", "", what)
    }));
    Ok(value)
}

/// The diagnostic of text that serde_json refuses.
pub(crate) fn refusal(e: &serde_json::Error) -> Diagnostic {
    let message = e.to_string();
    let code = if message.contains("recursion limit") { "limit-depth" } else { "input-syntax" };
    Diagnostic::new(code, format!("line {}", e.line()), excerpt(&message))
}

/// Whether an error is of half a surrogate pair. It is no character, but JSON allows to write it (RFC 8259
/// section 8.2).
pub(crate) fn halves(e: &serde_json::Error) -> bool {
    let message = e.to_string();
    // the second is said of a first half with no escape after it
    message.contains("surrogate") || message.contains("end of hex escape")
}

/// The remark on text that [`repair`] changed.
pub(crate) fn repaired() -> Diagnostic {
    Diagnostic::new("input-encoding", "", "half surrogate pairs were replaced")
}

/// Writes U+FFFD over every escape of a surrogate that has no partner.
pub(crate) fn repair(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let unit = |at: usize| -> Option<u16> {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        if bytes.get(at) != Some(&b'\\') {
            at += 1;
            continue;
        }
        match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                if let Some(place) = out.get_mut(at..at + 6) {
                    place.copy_from_slice(b"\\ufffd");
                }
                at += 6;
            }
            _ => at += 2,
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Builds a [`Value`] and collects keys that stand twice.
#[derive(Clone, Copy)]
struct Seed<'c>(&'c RefCell<Vec<String>>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: Error>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_u64<E: Error>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_i64<E: Error>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(self)?;
            let mut twice = self.0.borrow_mut();
            if members.contains_key(&key) && twice.len() < TOLD {
                twice.push(key.clone());
            }
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> (Result<Value, &'static str>, Vec<&'static str>) {
        let mut remarks = Vec::new();
        let value = read(text, &mut remarks).map_err(|d| d.code);
        (value, remarks.iter().map(|d| d.code).collect())
    }

    #[test]
    fn values_and_remarks() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for (text, value, remarks) in [
            (
                r#"{"a":[1,-1,1.5,true,null,"x\n"]}"#,
                Ok(serde_json::json!({"a":[1,-1,1.5,true,null,"x\n"]})),
                vec![],
            ),
            (
                r#"{"a":1,"b":{"a":1},"a":2}"#,
                Ok(serde_json::json!({"a":2,"b":{"a":1}})),
                vec!["input-duplicate-key"],
            ),
            (
                r#"["\ud800","\ud83d\ude00","\\ud800"]"#,
                Ok(serde_json::json!(["\u{fffd}", "😀", "\\ud800"])),
                vec!["input-encoding"],
            ),
            ("{} x", Err("input-syntax"), vec![]),
            (&deep, Err("limit-depth"), vec![]),
        ] {
            assert_eq!(said(text), (value, remarks), "{text}");
        }
    }
}
