//! The JSON of a scan, `tocsin.scan/1` (docs/scan-json.md): written from borrowed data straight to the writer.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use tocsin_engine::index::Vulnerability;
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::finding::Evidence;

use super::{Item, Scan};

/// Name and version of the format.
pub const SCHEMA: &str = "tocsin.scan/1";

/// Writes the answer as one line of JSON.
///
/// # Errors
/// The writer fails.
pub fn write(out: &mut dyn Write, scan: &Scan<'_>) -> io::Result<()> {
    // serde_json writes byte by byte at places; the buffer makes that cheap.
    let mut buffer = io::BufWriter::with_capacity(1 << 16, out);
    serde_json::to_writer(&mut buffer, &Document(scan)).map_err(io::Error::from)?;
    buffer.write_all(b"\n")?;
    buffer.flush()
}

struct Document<'a>(&'a Scan<'a>);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let scan = self.0;
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("schema", SCHEMA)?;
        map.serialize_entry("target", scan.target)?;
        map.serialize_entry("components", &scan.components())?;
        map.serialize_entry("diagnostics", &Each(scan.diagnostics, Remark))?;
        map.serialize_entry("findings", &Each(&scan.findings, |i| Entry(i, scan)))?;
        if let Some(inferred) = &scan.inferred {
            map.serialize_entry("inferred", &Each(inferred, |i| Entry(i, scan)))?;
        }
        map.end()
    }
}

/// A list whose items are wrapped one at a time while writing.
struct Each<'a, T, F>(&'a [T], F);

impl<'a, T, W: Serialize, F: Fn(&'a T) -> W> Serialize for Each<'a, T, F> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(Some(self.0.len()))?;
        for item in self.0 {
            seq.serialize_element(&(self.1)(item))?;
        }
        seq.end()
    }
}

/// A value that is written by its `Display`, without a string in between.
struct Shown<T>(T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

struct Remark<'a>(&'a Diagnostic);

impl Serialize for Remark<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_struct("diagnostic", 4)?;
        map.serialize_field("code", self.0.code)?;
        map.serialize_field("severity", self.0.level.as_str())?;
        map.serialize_field("path", &self.0.path)?;
        map.serialize_field("message", &self.0.message)?;
        map.end()
    }
}

struct Entry<'a>(&'a Item<'a>, &'a Scan<'a>);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let f = self.0.finding;
        let explain = self.1.explain;
        let mut map = s.serialize_struct("finding", 7)?;
        map.serialize_field("component", &Who(self.0, self.1))?;
        map.serialize_field("vulnerability", &What(&f.vulnerability))?;
        map.serialize_field("status", f.status.as_str())?;
        map.serialize_field("justification", &f.justification)?;
        map.serialize_field("confidence", f.confidence.as_str())?;
        map.serialize_field("fixed_versions", &f.fixed_versions)?;
        map.serialize_field("evidence", &Each(&f.evidence, |e| Word(e, explain)))?;
        map.end()
    }
}

struct Who<'a>(&'a Item<'a>, &'a Scan<'a>);

impl Serialize for Who<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let c = self.0.component;
        let mut map = s.serialize_struct("component", 7)?;
        match &c.group {
            Some(_) => map.serialize_field("name", &c.full_name())?,
            None => map.serialize_field("name", &c.name)?,
        }
        map.serialize_field("version", &c.version)?;
        map.serialize_field("purl", &c.purl.as_ref().map(Shown))?;
        map.serialize_field("cpe", &c.cpes.first().map(Shown))?;
        map.serialize_field("ref", &c.reference)?;
        map.serialize_field("document", &self.1.place(self.0))?;
        let of = self.1.documents.get(self.0.document).map_or(&[][..], |d| &d.components);
        match self.0.also.as_slice() {
            [] => map.skip_field("also")?,
            also => map.serialize_field("also", &Each(also, |n: &usize| of.get(*n).map(|c| &c.reference)))?,
        }
        map.end()
    }
}

struct What<'a>(&'a Vulnerability);

impl Serialize for What<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let v = self.0;
        let mut map = s.serialize_struct("vulnerability", 9)?;
        map.serialize_field("id", &v.id)?;
        map.serialize_field("aliases", &v.aliases)?;
        map.serialize_field("title", &v.title)?;
        map.serialize_field("severity", v.severity)?;
        map.serialize_field("cvss", &Each(&v.cvss, Rating))?;
        map.serialize_field("kev", &v.kev.is_some())?;
        map.serialize_field("epss", &v.epss.map(Epss))?;
        map.serialize_field("exploits", &Each(&v.exploits, Exploit))?;
        map.serialize_field("cwes", &v.cwes)?;
        map.end()
    }
}

struct Rating<'a>(&'a (String, String, f32, String));

impl Serialize for Rating<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let (version, vector, score, source) = self.0;
        let mut map = s.serialize_struct("cvss", 4)?;
        map.serialize_field("version", version)?;
        map.serialize_field("vector", vector)?;
        map.serialize_field("score", score)?;
        map.serialize_field("source", source)?;
        map.end()
    }
}

struct Epss((f32, f32));

impl Serialize for Epss {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_struct("epss", 2)?;
        map.serialize_field("score", &self.0.0)?;
        map.serialize_field("percentile", &self.0.1)?;
        map.end()
    }
}

struct Exploit<'a>(&'a (String, String));

impl Serialize for Exploit<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_struct("exploit", 2)?;
        map.serialize_field("origin", &self.0.0)?;
        map.serialize_field("id", &self.0.1)?;
        map.end()
    }
}

struct Word<'a>(&'a Evidence, bool);

impl Serialize for Word<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let e = self.0;
        let mut map = s.serialize_struct("evidence", 5 + usize::from(self.1))?;
        map.serialize_field("source", e.source)?;
        map.serialize_field("record", &e.record)?;
        map.serialize_field("identifier", &e.identifier)?;
        map.serialize_field("range", &e.range)?;
        map.serialize_field("verdict", e.verdict.as_str())?;
        if self.1 {
            map.serialize_field("reason", &e.reason)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    const CONTRACT: &str = include_str!("../../../../docs/schema/tocsin.scan-1.json");

    fn written(explain: bool, split: bool) -> serde_json::Value {
        let data = sample::data();
        let mut scan = data.scan();
        scan.explain = explain;
        if !split {
            scan.inferred = None;
        }
        let mut out = Vec::new();
        write(&mut out, &scan).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_output_keeps_its_contract() {
        let schema = serde_json::from_str(CONTRACT).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for (explain, split) in [(false, true), (true, true), (false, false), (true, false)] {
            let json = written(explain, split);
            let faults: Vec<String> = validator.iter_errors(&json).map(|e| e.to_string()).collect();
            assert!(faults.is_empty(), "{faults:?}");
            assert_eq!(json.get("inferred").is_some(), split);
            assert_eq!(json["findings"][0]["evidence"][0].get("reason").is_some(), explain);
        }
    }

    #[test]
    fn numbers_are_written_as_their_sources_wrote_them() {
        let json = written(false, true);
        assert_eq!(json["findings"][0]["vulnerability"]["cvss"][0]["score"].to_string(), "7.5");
        assert_eq!(json["inferred"].as_array().unwrap().len(), 1);
    }
}
