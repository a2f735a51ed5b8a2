//! Inputs that crashed or confused other tools, through the public entrances: each is read, or refused with a
//! reason, and no component is lost. The reports behind them are public and named where a case comes from one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, Instant};

use tocsin_formats::input::ReadOptions;
use tocsin_formats::sbom;
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

/// Reads one document out of a file.
fn outcome(name: &str, bytes: &[u8]) -> Result<Bom, Vec<Diagnostic>> {
    sbom::read(name, bytes, &ReadOptions::default(), None)
}

fn said(diagnostics: &[Diagnostic]) -> Vec<(&str, &str)> {
    diagnostics.iter().map(|d| (d.code, d.path.as_str())).collect()
}

/// The file is read: so many components, and exactly these remarks.
fn reads(name: &str, bytes: impl AsRef<[u8]>, components: usize, remarks: &[(&str, &str)]) -> Bom {
    let bom = outcome(name, bytes.as_ref()).unwrap_or_else(|d| panic!("{name}: {d:?}"));
    assert_eq!((bom.components.len(), said(&bom.diagnostics)), (components, remarks.to_vec()), "{name}");
    bom
}

/// The file is refused with exactly these reasons.
fn refused(name: &str, bytes: impl AsRef<[u8]>, reasons: &[(&str, &str)]) -> Vec<Diagnostic> {
    match outcome(name, bytes.as_ref()) {
        Ok(bom) => panic!("{name}: read as {:?} with {} components", bom.format, bom.components.len()),
        Err(why) => {
            assert_eq!(said(&why), reasons, "{name}");
            why
        }
    }
}

/// A CycloneDX document with these members.
fn cyclonedx(members: &str) -> String {
    format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.6",{members}}}"#)
}

/// A CycloneDX document with these components.
fn with_components(components: &str) -> String {
    cyclonedx(&format!(r#""components":[{components}]"#))
}

/// anchore/grype#693
#[test]
fn nothing_in_it() {
    for nothing in ["", " \n\t\r\n ", "\u{feff}", "\u{feff} \n"] {
        refused("a.json", nothing, &[("input-empty", "")]);
    }
    for other in ["{}", "[]", "null", "\u{feff}{}", "\"\"", "0", "<a/>", "\0", "{\"a\":1}"] {
        refused("a.json", other, &[("input-unrecognised", "")]);
    }
    for name in ["package-lock.json", "pnpm-lock.yaml", "uv.lock", "pom.xml", "go.mod", "var/lib/dpkg/status"]
    {
        refused(name, " \n", &[("input-empty", "")]);
    }
}

/// aquasecurity/trivy#9561, #2654
#[test]
fn no_metadata() {
    reads("a.json", with_components(r#"{"type":"library","name":"a"}"#), 1, &[]);
    reads("a.json", cyclonedx(r#""metadata":{},"components":[{"type":"library","name":"a"}]"#), 1, &[]);
    reads("a.json", cyclonedx(r#""version":1"#), 0, &[]);
}

/// aquasecurity/trivy#3314
#[test]
fn a_cpe_alone_with_a_trailing_blank_and_an_unknown_dependency() {
    let text = cyclonedx(
        r#""components":[{"type":"library","bom-ref":"a","name":"openssl","version":"1.1.1",
            "cpe":"cpe:2.3:a:openssl:openssl:1.1.1:*:*:*:*:*:*:* "}],
        "dependencies":[{"ref":"a","dependsOn":["gone"]},{"ref":"lost","dependsOn":[]}]"#,
    );
    let bom = reads(
        "a.json",
        text,
        1,
        &[("ref-unknown", "dependencies[0].dependsOn"), ("ref-unknown", "dependencies[1].ref")],
    );
    assert_eq!(bom.components[0].cpes[0].to_string(), "cpe:2.3:a:openssl:openssl:1.1.1:*:*:*:*:*:*:*");
    assert_eq!(bom.dependencies, []);
}

/// aquasecurity/trivy#6149, #3237, #2886
#[test]
fn package_urls_without_a_name() {
    let text = with_components(
        r#"{"type":"library","name":":","version":"2.10.13","purl":"pkg:maven/@2.10.13"},
        {"type":"library","name":"","version":"(devel)","purl":"pkg:golang/@%28devel%29"},
        {"type":"library","name":"b","version":"1","purl":"pkg:gradle/org.a/b@1"},
        {"type":"library","name":"c","cpe":"cpe:2.3:a:c"}"#,
    );
    let bom = reads(
        "a.json",
        text,
        4,
        &[
            ("purl-invalid", "components[0].purl"),
            ("purl-invalid", "components[1].purl"),
            ("component-unidentified", "components[1]"),
            ("cpe-invalid", "components[3].cpe"),
        ],
    );
    let names: Vec<_> = bom.components.iter().map(|c| (c.name.as_str(), c.version.as_deref())).collect();
    assert_eq!(names, [(":", Some("2.10.13")), ("", Some("(devel)")), ("b", Some("1")), ("c", None)]);
    assert_eq!(bom.components[2].purl.as_ref().unwrap().to_string(), "pkg:gradle/org.a/b@1");
}

/// DependencyTrack/dependency-track#3757
#[test]
fn the_format_is_named_last() {
    let long = "x".repeat(100_000);
    let text = format!(
        r#"{{"components":[{{"type":"library","name":"{long}"}}],"specVersion":"1.4","bomFormat":"CycloneDX"}}"#
    );
    let bom = reads("a.json", text, 1, &[]);
    assert_eq!(bom.format.version, "1.4");
    let text = format!(r#"{{"packages":[{{"SPDXID":"a","name":"{long}"}}],"spdxVersion":"SPDX-2.3"}}"#);
    reads("a.spdx.json", text, 1, &[]);
}

/// DependencyTrack/dependency-track#5111
#[test]
fn components_nested_in_the_main_one_in_xml() {
    let text = r#"<bom xmlns="http://cyclonedx.org/schema/bom/1.3" version="1"><metadata><component type="application" bom-ref="m">
        <name>main</name><version>1</version><components><component type="library"><name>in</name><version>1</version>
        <components><component type="library"><name>deep</name><version>1</version></component></components></component>
        </components></component></metadata>
        <components><component type="library"><name>out</name><version>1</version></component></components></bom>"#;
    let bom = reads("a.xml", text, 4, &[]);
    let tree: Vec<_> = bom.components.iter().map(|c| (c.name.as_str(), c.parent)).collect();
    assert_eq!(tree, [("main", None), ("in", Some(0)), ("deep", Some(1)), ("out", None)]);
    assert_eq!((bom.root, bom.format.version.as_str()), (Some(0), "1.3"));
}

/// DependencyTrack/dependency-track#3201, #4086
#[test]
fn nesting_without_end() {
    const DEEP: usize = 10_000;
    let json = format!("{}{}", r#"{"name":"a","components":["#.repeat(DEEP), "]}".repeat(DEEP));
    let why = refused("a.json", with_components(&json), &[("limit-depth", "line 1")]);
    assert!(why[0].message.contains("100 (depth)"), "{}", why[0].message);
    let xml = format!(
        "<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\">{}",
        "<components><component>".repeat(DEEP)
    );
    let why = refused("a.xml", xml, &[("limit-depth", "line 1")]);
    assert!(why[0].message.contains("100 (depth)"), "{}", why[0].message);
    // members that are not read are passed over however deep they nest
    let brackets = format!(r#""x":{}{}"#, "[".repeat(DEEP), "]".repeat(DEEP));
    reads("a.json", cyclonedx(&brackets), 0, &[]);
    let spdx = format!(r#"{{"spdxVersion":"SPDX-2.3","x":{}{}}}"#, "[".repeat(DEEP), "]".repeat(DEEP));
    reads("a.spdx.json", spdx, 0, &[]);
    let three = format!(
        r#"{{"@context":"https://spdx.org/rdf/3.0.1/x","@graph":{}{}}}"#,
        "[".repeat(DEEP),
        "]".repeat(DEEP)
    );
    let yaml = format!("spdxVersion: SPDX-2.3\nx: {}{}\n", "[".repeat(DEEP), "]".repeat(DEEP));
    for (name, text) in [
        ("three.spdx.json", three),
        ("a.spdx.yaml", yaml),
        ("package-lock.json", format!("{}1{}", r#"{"dependencies":{"a":"#.repeat(DEEP), "}}".repeat(DEEP))),
        ("pnpm-lock.yaml", format!("packages: {}{}", "[".repeat(DEEP), "]".repeat(DEEP))),
        ("Cargo.lock", format!("x = {}{}", "[".repeat(DEEP), "]".repeat(DEEP))),
        ("pom.xml", format!("{}{}", "<a>".repeat(DEEP), "</a>".repeat(DEEP))),
        ("a.spdx.xml", format!("<Document><spdxVersion>SPDX-2.3</spdxVersion>{}", "<packages>".repeat(DEEP))),
    ] {
        let why = outcome(name, text.as_bytes()).expect_err(name);
        assert_eq!(why.iter().map(|d| d.code).collect::<Vec<_>>(), ["limit-depth"], "{name}: {why:?}");
    }
}

/// Messages of Protocol Buffers in one another; RDF nests as deep as the longest path between packages.
#[test]
fn nesting_without_end_in_other_encodings() {
    let mut inner = Vec::new();
    for _ in 0..1000 {
        let mut outer = vec![21 << 3 & 0x7f | 2 | 0x80, 21 >> 4];
        let mut left = inner.len();
        while left > 127 {
            outer.push(left as u8 | 0x80);
            left >>= 7;
        }
        outer.push(left as u8);
        outer.append(&mut inner);
        inner = outer;
    }
    let message = [b"\x0a\x031.6\x2a".as_slice(), &inner[2..]].concat();
    let why = refused("a.cdx", message, &[("limit-depth", "components[0]")]);
    assert!(why[0].message.contains("100 (depth)"), "{}", why[0].message);

    let open = "<relationship><Relationship><relatedSpdxElement><Package><name>a</name>";
    let close = "</Package></relatedSpdxElement></Relationship></relationship>";
    let rdf = format!(
        "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://spdx.org/rdf/terms#\">
        <SpdxDocument><specVersion>SPDX-2.3</specVersion>{}{}</SpdxDocument></rdf:RDF>",
        open.repeat(5000),
        close.repeat(5000)
    );
    let bom = outcome("a.rdf", rdf.as_bytes()).unwrap();
    assert_eq!(bom.components.len(), 5000);
}

#[test]
fn nesting_up_to_the_limit() {
    // a component and its list are two levels, the document and the outermost list two more
    let levels = 49;
    let json = format!(
        "{}{}",
        r#"{"name":"a","components":["#.repeat(levels - 1),
        r#"{"name":"a"}"#.to_owned() + &"]}".repeat(levels - 1)
    );
    reads("a.json", with_components(&json), levels, &[]);
}

#[test]
fn dependencies_in_a_circle_and_on_oneself() {
    let text = cyclonedx(
        r#""components":[{"name":"a","bom-ref":"a"},{"name":"b","bom-ref":"b"}],
        "dependencies":[{"ref":"a","dependsOn":["b","a"]},{"ref":"b","dependsOn":["a"]}]"#,
    );
    let bom = reads("a.json", &text, 2, &[]);
    assert_eq!(bom.dependencies, [(0, 1), (0, 0), (1, 0)]);
    let text = r#"{"spdxVersion":"SPDX-2.3","packages":[{"SPDXID":"a","name":"a"},{"SPDXID":"b","name":"b"}],
        "relationships":[{"spdxElementId":"a","relatedSpdxElement":"b","relationshipType":"CONTAINS"},
        {"spdxElementId":"b","relatedSpdxElement":"a","relationshipType":"CONTAINS"},
        {"spdxElementId":"a","relatedSpdxElement":"a","relationshipType":"CONTAINS"}]}"#;
    let bom = reads("a.json", text, 2, &[]);
    assert_eq!(bom.components.iter().map(|c| c.parent).collect::<Vec<_>>(), [Some(1), Some(0)]);
}

/// anchore/grype#669
#[test]
fn null_where_objects_are_usual() {
    let text = cyclonedx(
        r#""metadata":null,"serialNumber":null,"services":null,"dependencies":null,"vulnerabilities":null,
        "components":[null,{"type":"library","name":"a","version":null,"purl":null,"licenses":null,
        "hashes":[null],"properties":null,"evidence":null,"pedigree":null,"supplier":null,"components":[null]}]"#,
    );
    reads(
        "a.json",
        text,
        1,
        &[
            ("value-ignored", "metadata"),
            ("value-ignored", "serialNumber"),
            ("value-ignored", "dependencies"),
            ("value-ignored", "vulnerabilities"),
            ("value-ignored", "components[0]"),
            ("value-ignored", "components[1].version"),
            ("value-ignored", "components[1].purl"),
            ("value-ignored", "components[1].licenses"),
            ("value-ignored", "components[1].hashes[0]"),
            ("value-ignored", "components[1].properties"),
            ("value-ignored", "components[1].components[0]"),
        ],
    );
}

#[test]
fn references_shared_missing_and_a_serial_number_that_is_none() {
    let text = cyclonedx(
        r#""serialNumber":"urn:uuid:none","components":[{"name":"a","bom-ref":"x"},{"name":"b","bom-ref":"x"},
        {"name":"c"},{"name":"d","bom-ref":""}]"#,
    );
    let bom = reads(
        "a.json",
        text,
        4,
        &[("value-ignored", "serialNumber"), ("ref-duplicate", "components[1].bom-ref")],
    );
    let references: Vec<_> = bom.components.iter().map(|c| c.reference.as_str()).collect();
    assert_eq!(references, ["x", "x", "components[2]", "components[3]"]);
}

#[test]
fn long_strings_name_their_limit() {
    let long = "x".repeat(10 << 20);
    let start = Instant::now();
    let json = with_components(&format!(
        r#"{{"name":"{long}","version":"1","bom-ref":"r"}},{{"name":"b","version":"{long}","description":"{long}"}}"#
    ));
    let bom = outcome("a.json", json.as_bytes()).unwrap();
    assert_eq!(bom.components.len(), 2);
    assert_eq!(
        (bom.components[0].version.as_deref(), bom.components[0].reference.as_str()),
        (Some("1"), "r")
    );
    let spdx = format!(
        r#"{{"spdxVersion":"SPDX-2.3","packages":[{{"SPDXID":"a","name":"{long}","versionInfo":"1"}},
        {{"SPDXID":"{long}","name":"b","homepage":"{long}"}}]}}"#
    );
    let xml = format!(
        "<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\"><components><component><name>{long}</name></component>
        <component><name>b</name><description x=\"{long}\"/></component></components></bom>"
    );
    let tags =
        format!("SPDXVersion: SPDX-2.3\nPackageName: {long}\nPackageName: b\nPackageVersion: {long}\n");
    let lock = format!(
        "[[package]]\nname = \"a\"\nversion = \"{long}\"\n[[package]]\nname = \"b\"\nversion = \"1\"\n"
    );
    for (name, text, components) in [
        ("a.json", json, 2),
        ("a.spdx.json", spdx, 2),
        ("a.xml", xml, 2),
        ("a.spdx", tags, 2),
        ("Cargo.lock", lock, 1),
    ] {
        let bom = outcome(name, text.as_bytes()).unwrap();
        assert_eq!(bom.components.len(), components, "{name}");
        let limits: Vec<_> =
            bom.diagnostics.iter().filter(|d| d.message.contains("longer than 1048576")).collect();
        assert!(!limits.is_empty(), "{name}: {:?}", said(&bom.diagnostics));
        assert!(limits.iter().all(|d| matches!(d.code, "limit-size" | "value-ignored")), "{name}");
        assert!(bom.components.iter().all(|c| c.name.len() < 2 && c.reference.len() < 100), "{name}");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn long_lists_name_their_limit() {
    let many = |item: &str, n: usize| vec![item; n].join(",");
    let start = Instant::now();
    let properties = many(r#"{"name":"a","value":"b"}"#, 1_000_000);
    let licences = many(r#"{"license":{"id":"MIT"}}"#, 100_000);
    let text = with_components(&format!(
        r#"{{"name":"a","properties":[{properties}]}},{{"name":"b","licenses":[{licences}]}}"#
    ));
    let bom = reads("a.json", text, 2, &[("limit-entries", "components[0]")]);
    assert!(
        bom.diagnostics[0].message.contains("100000 items (list_items)"),
        "{}",
        bom.diagnostics[0].message
    );
    assert_eq!((bom.components[0].properties.len(), bom.components[1].licenses.len()), (100_000, 100_000));

    let xml = format!(
        "<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\"><components><component><name>a</name><properties>{}</properties>
        </component></components></bom>",
        "<property name=\"a\">b</property>".repeat(1_000_000)
    );
    let bom = reads("a.xml", xml, 1, &[("limit-entries", "components[0]")]);
    assert_eq!(bom.components[0].properties.len(), 100_000);

    let references = many(r#"{"referenceType":"other","referenceLocator":"b"}"#, 300_000);
    let text = format!(
        r#"{{"spdxVersion":"SPDX-2.3","packages":[{{"SPDXID":"a","name":"a","externalRefs":[{references}]}}]}}"#
    );
    let bom = reads("a.spdx.json", text, 1, &[("limit-entries", "packages[0]")]);
    assert_eq!(bom.components[0].references.len(), 100_000);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

/// Work must grow as the input does, not as its square.
#[test]
fn many_of_a_kind_take_no_more_than_their_share_of_time() {
    const MANY: usize = 100_000;
    let numbered = |f: &dyn Fn(usize) -> String, with: &str| (0..MANY).map(f).collect::<Vec<_>>().join(with);
    let cpes = numbered(
        &|i| format!(r#"{{"field":"cpe","concludedValue":"cpe:2.3:a:v:p:{i}:*:*:*:*:*:*:*"}}"#),
        ",",
    );
    let licences = numbered(&|i| format!(r#""https://spdx.org/licenses/L{i:06}""#), ",");
    let same = vec![r#"{"name":"a","bom-ref":"same"}"#; MANY].join(",");
    let attributes = numbered(&|i| format!("a{i}=\"\""), " ");
    let packages = vec!["[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n"; MANY / 10].concat();
    for (name, text, components) in [
        ("cpes.json", with_components(&format!(r#"{{"name":"a","evidence":{{"identity":[{cpes}]}}}}"#)), 1),
        (
            "licences.json",
            format!(
                r#"{{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[
                {{"type":"software_Package","spdxId":"urn:a","name":"a"}},
                {{"type":"Relationship","from":"urn:a","relationshipType":"hasDeclaredLicense","to":[{licences}]}}]}}"#
            ),
            1,
        ),
        ("same.json", with_components(&same), MANY),
        (
            "attributes.xml",
            format!(
                "<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\"><components><component {attributes}><name>a</name>
                </component></components></bom>"
            ),
            1,
        ),
        ("Cargo.lock", packages, MANY / 10),
    ] {
        let start = Instant::now();
        let bom = outcome(name, text.as_bytes()).unwrap_or_else(|d| panic!("{name}: {d:?}"));
        eprintln!("{name}: {:?}", start.elapsed());
        assert_eq!(bom.components.len(), components, "{name}");
        assert!(start.elapsed() < Duration::from_secs(10), "{name}: {:?}", start.elapsed());
    }
    for (name, root) in [("pom.xml", "<project>"), ("a.xml", "<Document><spdxVersion>SPDX-2.3</spdxVersion>")]
    {
        let text = format!("{root}\n<dependencies {attributes}></dependencies>");
        let why = refused(name, text, &[("limit-entries", "line 2")]);
        assert_eq!(why[0].message, "limit: 1000 attributes of one element");
    }
}

#[test]
fn characters_that_are_none_and_keys_that_stand_twice() {
    let latin =
        b"{\"bomFormat\":\"CycloneDX\",\n\"specVersion\":\"1.6\",\"components\":[{\"name\":\"caf\xe9\"}]}";
    let bom = reads("a.json", latin, 1, &[("input-encoding", "line 2")]);
    assert_eq!(bom.components[0].name, "caf\u{fffd}");
    let xml = b"<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\"><components><component><name>\xe9</name></component></components></bom>";
    reads("a.xml", xml, 1, &[("input-encoding", "line 1")]);
    let text = with_components(r#"{"name":"a\ud800","version":"\ud83d\ude00"}"#);
    let bom = reads("a.json", text, 1, &[("input-encoding", "")]);
    assert_eq!(
        (bom.components[0].name.as_str(), bom.components[0].version.as_deref()),
        ("a\u{fffd}", Some("😀"))
    );
    let bom =
        reads("a.json", with_components(r#"{"name":"a\u0000b"}"#), 1, &[("input-encoding", "components[0]")]);
    assert_eq!(bom.components[0].name, "a\u{fffd}b");
    refused("a.json", with_components("{\"name\":\"a\0b\"}"), &[("input-syntax", "line 1")]);
    let bom = reads(
        "a.json",
        with_components(r#"{"name":"a","version":"1","name":"b"}"#),
        1,
        &[("input-duplicate-key", "components[0]")],
    );
    assert_eq!(bom.components[0].name, "b");
    let twice = cyclonedx(r#""components":[{"name":"a"}],"components":[{"name":"b"}]"#);
    // the second list numbers its components from 0 again
    reads(
        "a.json",
        twice,
        2,
        &[("input-duplicate-key", "components"), ("ref-duplicate", "components[0].bom-ref")],
    );
    let lock = r#"{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1.0.0"},
        "node_modules/b":{"version":"1.0.0\ud800"},"node_modules/a":{"version":"2.0.0"}}}"#;
    let bom = reads("package-lock.json", lock, 2, &[("input-duplicate-key", ""), ("input-encoding", "")]);
    assert_eq!(bom.components[0].version.as_deref(), Some("2.0.0"));
}

/// Entities that grow (a billion laughs) are not expanded.
#[test]
fn entities_and_aliases_that_grow() {
    let entities: String =
        (1..40).map(|n| format!("<!ENTITY e{n} \"&e{0};&e{0};&e{0};&e{0};&e{0};\">", n - 1)).collect();
    let xml = format!(
        "<!DOCTYPE bom [<!ENTITY e0 \"ha\">{entities}]><bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\"><components>
        <component><name>&e39;</name></component></components></bom>"
    );
    assert_eq!(reads("a.xml", xml, 1, &[]).components[0].name, "&e39;");
    let pom = format!("<!DOCTYPE project [<!ENTITY e0 \"ha\">{entities}]><project><a>&e39;</a></project>");
    refused("pom.xml", pom, &[("input-syntax", "line 1")]);
    let aliases: String =
        (1..40).map(|n| format!("a{n}: &a{n} [*a{0},*a{0},*a{0},*a{0}]\n", n - 1)).collect();
    for (name, head) in
        [("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"), ("a.spdx.yaml", "spdxVersion: SPDX-2.3\n")]
    {
        let why = outcome(name, format!("{head}a0: &a0 [1]\n{aliases}").as_bytes()).expect_err(name);
        assert_eq!(why.len(), 1, "{why:?}");
        assert!(matches!(why[0].code, "input-syntax" | "limit-entries"), "{name}: {why:?}");
    }
}

#[test]
fn versions_that_are_none() {
    let digits = "1".repeat(400);
    let versions =
        ["1.0.0-alpha.-1", &digits, "v", "*", "latest", "unknown", "${project.version}", "v1.2.3", " 1.0 "];
    let components: Vec<_> =
        versions.iter().map(|v| format!(r#"{{"name":"a","version":"{v}","purl":"pkg:npm/a"}}"#)).collect();
    let bom = reads("a.json", with_components(&components.join(",")), versions.len(), &[]);
    let kept: Vec<_> = bom.components.iter().filter_map(|c| c.version.as_deref()).collect();
    assert_eq!(kept, versions);
    let bom =
        reads("a.json", with_components(r#"{"name":"a","version":""},{"name":"b","version":" "}"#), 2, &[]);
    assert!(bom.components.iter().all(|c| c.version.is_none()));
}
