//! CycloneDX in Protocol Buffers: the text form of the specification's examples, encoded here by its own schemas,
//! says the same as their JSON form.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod corpus;

use std::collections::HashMap;

use corpus::corpus;
use tocsin_formats::cyclonedx::{read, recognise};
use tocsin_formats::input::ReadOptions;
use tocsin_model::bom::Bom;

/// Fields of messages and values of enumerations: by the type's full name, then by name: number and type.
#[derive(Default)]
struct Schema(HashMap<String, HashMap<String, (u64, String)>>);

impl Schema {
    fn parse(text: &str) -> Schema {
        let code = text.lines().filter(|l| !l.trim_start().starts_with(['*', '/']));
        let text = code.map(|l| l.split("//").next().unwrap_or("")).collect::<Vec<_>>().join(" ");
        let (mut schema, mut scope) = (Schema::default(), Vec::<String>::new());
        for statement in text.split_inclusive(['{', '}', ';']) {
            let words: Vec<&str> = statement.trim_end_matches(['{', '}', ';']).split_whitespace().collect();
            if statement.ends_with('{') {
                // The fields of a oneof are fields of the message around it.
                scope.push(if words[0] == "oneof" { String::new() } else { words[1].to_owned() });
            } else if statement.ends_with('}') {
                scope.pop();
            } else if let Some(at) = words.iter().position(|w| *w == "=")
                && !scope.is_empty()
            {
                let number = words[at + 1].parse().expect("number");
                let kind = if at >= 2 { words[at - 2] } else { "" };
                let name = scope.iter().filter(|s| !s.is_empty()).cloned().collect::<Vec<_>>().join(".");
                let fields = schema.0.entry(name).or_default();
                fields.insert(words[at - 1].to_owned(), (number, kind.to_owned()));
            }
        }
        let timestamp = [("seconds", 1), ("nanos", 2)];
        let timestamp = timestamp.map(|(name, n)| (name.to_owned(), (n, "int64".to_owned())));
        schema.0.insert("google.protobuf.Timestamp".into(), timestamp.into());
        schema
    }

    /// The full name of a type named inside another.
    fn resolve(&self, scope: &str, name: &str) -> Option<String> {
        let mut parts: Vec<&str> = scope.split('.').collect();
        loop {
            let full = parts.iter().copied().chain([name]).collect::<Vec<_>>().join(".");
            if self.0.contains_key(&full) {
                return Some(full);
            }
            parts.pop()?;
        }
    }

    fn encode(&self, tokens: &mut std::iter::Peekable<std::vec::IntoIter<String>>, message: &str) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(name) = tokens.next_if(|t| t != "}") {
            let (number, kind) = self.0[message].get(&name).unwrap_or_else(|| panic!("{message}.{name}"));
            tokens.next_if(|t| t == ":");
            let list = tokens.next_if(|t| t == "[").is_some();
            loop {
                if list && tokens.next_if(|t| t == "]").is_some() {
                    break;
                }
                let (wire, bytes) = self.value(tokens, message, kind);
                varint(&mut out, number << 3 | wire);
                if wire == 2 {
                    varint(&mut out, bytes.len() as u64);
                }
                out.extend(bytes);
                while tokens.next_if(|t| t == "," || t == ";").is_some() {}
                if !list {
                    break;
                }
            }
            while tokens.next_if(|t| t == "," || t == ";").is_some() {}
        }
        out
    }

    fn value(
        &self,
        tokens: &mut std::iter::Peekable<std::vec::IntoIter<String>>,
        scope: &str,
        kind: &str,
    ) -> (u64, Vec<u8>) {
        if tokens.next_if(|t| t == "{").is_some() {
            let inner = self.resolve(scope, kind).unwrap_or_else(|| panic!("{kind} in {scope}"));
            let bytes = self.encode(tokens, &inner);
            assert_eq!(tokens.next().as_deref(), Some("}"));
            return (2, bytes);
        }
        let token = tokens.next().expect("a value");
        if let Some(text) = token.strip_prefix('"') {
            let mut text = text.to_owned();
            while let Some(more) = tokens.next_if(|t| t.starts_with('"')) {
                text.push_str(&more[1..]);
            }
            return (2, text.into_bytes());
        }
        let number = match (kind, token.as_str()) {
            ("float", t) => return (5, t.parse::<f32>().unwrap().to_le_bytes().to_vec()),
            ("double", t) => return (1, t.parse::<f64>().unwrap().to_le_bytes().to_vec()),
            (_, "true") => 1,
            (_, "false") => 0,
            (_, t) => match t.parse::<i64>() {
                Ok(n) => n.cast_unsigned(),
                Err(_) => self.0[&self.resolve(scope, kind).expect("enum")][t].0,
            },
        };
        let mut bytes = Vec::new();
        varint(&mut bytes, number);
        (0, bytes)
    }
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Words and signs of the text form; a string keeps its opening quote and loses its escapes.
fn tokens(text: &str) -> Vec<String> {
    let (mut out, mut chars) = (Vec::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '"' => {
                let mut string = String::from('"');
                while let Some(c) = chars.next_if(|c| *c != '"') {
                    string.push(match (c, chars.peek()) {
                        ('\\', Some(_)) => match chars.next().unwrap() {
                            'n' => '\n',
                            't' => '\t',
                            other => other,
                        },
                        _ => c,
                    });
                }
                chars.next();
                out.push(string);
            }
            c if c.is_whitespace() => {}
            c if "{}[]:,;".contains(c) => out.push(c.to_string()),
            c => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || "_.+-".contains(*c)) {
                    word.push(c);
                }
                out.push(word);
            }
        }
    }
    out
}

fn said(bom: &Bom) -> (Vec<String>, Vec<String>, usize) {
    let component = |c: &tocsin_model::bom::Component| {
        let mut hashes = c.hashes.clone();
        hashes.sort();
        format!(
            "{:?} {:?} {} {:?} {:?} {:?} {:?} {hashes:?} {:?} {:?} {:?}",
            c.kind, c.group, c.name, c.version, c.purl, c.cpes, c.supplier, c.licenses, c.resolves, c.parent
        )
    };
    let vex = bom.vex.iter().map(|v| format!("{} {:?} {:?}", v.vulnerability, v.status, v.justification));
    (bom.components.iter().map(component).collect(), vex.collect(), bom.dependencies.len())
}

/// Examples whose text form differs from their JSON form: (file, what).
const DIFFERENT: &[(&str, &str)] =
    &[("valid-cryptography-implementation-1.7.textproto", "the subject has another name")];

/// Examples that cannot be told from other binary data: (file, why).
const UNRECOGNISED: &[(&str, &str)] = &[("valid-patent-1.7.textproto", "does not say its version")];

#[test]
fn protobuf_says_the_same_as_json() {
    let schemas = corpus("suites/cyclonedx-schemas.tar.zst");
    let files = corpus("suites/cyclonedx-specification.tar.zst");
    let by_name: HashMap<&str, &Vec<u8>> = files.iter().map(|(name, bytes)| (name.as_str(), bytes)).collect();
    let (mut read_well, mut compared, mut faults) = (0, 0, Vec::new());
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".textproto")) {
        let file = name.rsplit('/').next().unwrap();
        let version = name.rsplit('/').nth(1).unwrap();
        if !file.starts_with("valid-") {
            continue;
        }
        let schema = schemas.iter().find(|(n, _)| n.ends_with(&format!("bom-{version}.proto")));
        let schema = Schema::parse(std::str::from_utf8(&schema.expect("schema").1).unwrap());
        let mut tokens = tokens(std::str::from_utf8(bytes).unwrap()).into_iter().peekable();
        let encoded = schema.encode(&mut tokens, "Bom");
        if UNRECOGNISED.iter().any(|(f, _)| *f == file) {
            assert!(!recognise(&encoded), "{name}");
            continue;
        }
        assert!(recognise(&encoded), "{name}");
        // Cut short anywhere it is refused or read, and never more.
        for cut in (0..encoded.len().min(300)).chain([encoded.len() - 1]) {
            let _ = read(&encoded[..cut], &ReadOptions { strict: true, ..ReadOptions::default() });
        }
        let bom = match read(&encoded, &ReadOptions::default()) {
            Ok(bom) => bom,
            Err(said) => {
                faults.push(format!("{name}: {said:?}"));
                continue;
            }
        };
        // One example of 1.7 says 1.6.
        assert_eq!(bom.format.encoding, "protobuf");
        read_well += 1;
        let Some(json) = by_name.get(name.replace(".textproto", ".json").as_str()) else { continue };
        let json = read(json, &ReadOptions::default()).unwrap();
        compared += 1;
        let same = said(&bom) == said(&json);
        if same == DIFFERENT.iter().any(|(f, _)| *f == file) {
            faults.push(format!("{name}:\n  {:?}\n  {:?}", said(&bom), said(&json)));
        }
    }
    eprintln!("{read_well} documents read, {compared} compared with JSON");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
