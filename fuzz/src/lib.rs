//! The bodies of all targets. A finding is replayed by an ordinary test, which includes this file: see
//! `crates/tocsin/tests/it/fuzz.rs` and `testdata/fuzz/`.

mod check;
mod documents;
mod entities;
mod index;
mod names;
mod news;
mod records;

/// The body of a target: it is given bytes and panics when something does not hold.
pub type Body = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Body)] = &[
    ("cyclonedx_json", documents::cyclonedx_json),
    ("cyclonedx_xml", documents::cyclonedx_xml),
    ("cyclonedx_protobuf", documents::cyclonedx_protobuf),
    ("spdx_json", documents::spdx_json),
    ("spdx_text", documents::spdx_text),
    ("spdx_xml", documents::spdx_xml),
    ("rpm", documents::rpm),
    ("lock", documents::lock),
    ("archive", documents::archive),
    ("intel_split", records::intel_split),
    ("osv", records::osv),
    ("cve", records::cve),
    ("nvd", records::nvd),
    ("csaf", records::csaf),
    ("rustsec", records::rustsec),
    ("advisory", records::advisory),
    ("distro", records::distro),
    ("catalogue", records::catalogue),
    ("openvex", records::openvex),
    ("exploitation", records::exploitation),
    ("lifecycle", records::lifecycle),
    ("databases", records::databases),
    ("shared", records::shared),
    ("purl", names::purl),
    ("cpe", names::cpe),
    ("cvss", names::cvss),
    ("versions", names::versions),
    ("vers", names::vers),
    ("index_open", index::index_open),
    ("entities", entities::entities),
    ("news", news::news),
    ("mail", news::mail),
];

/// Runs one target on one input.
pub fn run(target: &str, data: &[u8]) {
    let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target of this name");
    body(data);
}
