use super::*;

fn tolerant(text: &str) -> Bom {
    read(text.as_bytes(), &ReadOptions::default()).expect("readable")
}

#[test]
fn keys_come_in_any_order_and_nested_components_follow_their_parent() {
    let bom = tolerant(
        r#"{"dependencies":[{"ref":"a","dependsOn":["b","gone"]}],
        "components":[{"type":"library","name":"a","bom-ref":"a","components":[{"type":"file","name":"in"}]},
                      {"type":"library","name":"b","bom-ref":"b","version":null,"hashes":{}}],
        "metadata":{"component":{"type":"device","name":"root"}},"specVersion":"1.5","bomFormat":"CycloneDX"}"#,
    );
    let names: Vec<&str> = bom.components.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["a", "in", "b", "root"]);
    assert_eq!(bom.components[1].parent, Some(0));
    assert_eq!(bom.root, Some(3));
    assert_eq!(bom.dependencies, [(0, 2)]);
    let said: Vec<(&str, &str)> = bom.diagnostics.iter().map(|d| (d.code, d.path.as_str())).collect();
    let expected = [
        ("value-ignored", "components[1].version"),
        ("value-ignored", "components[1].hashes"),
        ("ref-unknown", "dependencies[0].dependsOn"),
    ];
    assert_eq!(said, expected);
}

#[test]
fn ten_thousand_levels_end_in_the_named_limit() {
    let json =
        format!("{{\"bomFormat\":\"CycloneDX\",\"metadata\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let open = "<components><component><name>a</name>".repeat(10_000);
    let xml = format!("<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\">{open}");
    for text in [json, xml] {
        let said = read(text.as_bytes(), &ReadOptions::default()).expect_err("too deep");
        assert_eq!(said[0].code, "limit-depth", "{said:?}");
    }
}

#[test]
fn half_a_surrogate_pair_and_a_mark_of_byte_order_are_survived() {
    let text = "\u{feff}{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":[{\"name\":\"a\\ud800\\u0000\",\"type\":\"library\"}]}";
    let bom = tolerant(text);
    assert_eq!(bom.components[0].name, "a\u{fffd}\0");
    assert_eq!(bom.diagnostics[0].code, "input-encoding");
}

#[test]
fn states_of_an_analysis_become_statuses_and_references_identifiers() {
    use tocsin_model::vex::VexStatus::*;
    let cases = [
        ("resolved", Fixed),
        ("resolved_with_pedigree", Fixed),
        ("exploitable", Affected),
        ("in_triage", UnderInvestigation),
        ("false_positive", NotAffected),
        ("not_affected", NotAffected),
    ];
    for (state, status) in cases {
        let bom = tolerant(&format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","version":2,
            "serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
            "components":[{{"type":"library","name":"a","bom-ref":"a"}}],
            "vulnerabilities":[{{"id":"CVE-2024-1","analysis":{{"state":"{state}"}},"affects":[{{"ref":"a"}}]}}]}}"#
        ));
        assert_eq!(bom.vex[0].status, status, "{state}");
        let identifiers = &bom.vex[0].products[0].identifiers;
        assert_eq!(identifiers[..2], ["a", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/2#a"]);
    }
}

#[test]
fn xml_reads_as_json_does() {
    let xml = r#"<?xml version="1.0"?><c:bom xmlns:c="http://cyclonedx.org/schema/bom/1.4" version="3"
        serialNumber="urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"><c:metadata><c:component type="device">
        <c:name>root</c:name></c:component></c:metadata><c:components><c:component type="library" bom-ref="a">
        <c:name>a &amp; b</c:name><c:version>1</c:version><c:hashes><c:hash alg="MD5">AB</c:hash></c:hashes>
        <c:licenses><c:license><c:id>MIT</c:id></c:license></c:licenses><c:components><c:component type="file">
        <c:name>in</c:name></c:component></c:components></c:component><c:component type="library" bom-ref="b">
        <c:name>b</c:name></c:component></c:components><c:dependencies><c:dependency ref="a">
        <c:dependency ref="b"/></c:dependency></c:dependencies><c:vulnerabilities><c:vulnerability>
        <c:id>CVE-2024-1</c:id><c:analysis><c:state>exploitable</c:state></c:analysis><c:affects><c:target>
        <c:ref>b</c:ref></c:target></c:affects></c:vulnerability></c:vulnerabilities></c:bom>"#;
    let json = r#"{"bomFormat":"CycloneDX","specVersion":"1.4","version":3,
        "serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "metadata":{"component":{"type":"device","name":"root"}},"components":[{"type":"library","bom-ref":"a",
        "name":"a & b","version":"1","hashes":[{"alg":"MD5","content":"ab"}],"licenses":[{"license":{"id":"MIT"}}],
        "components":[{"type":"file","name":"in"}]},{"type":"library","bom-ref":"b","name":"b"}],
        "dependencies":[{"ref":"a","dependsOn":["b"]}],"vulnerabilities":[{"id":"CVE-2024-1",
        "analysis":{"state":"exploitable"},"affects":[{"ref":"b"}]}]}"#;
    let (mut from_xml, from_json) = (tolerant(xml), tolerant(json));
    assert_eq!(from_xml.format.encoding, "xml");
    from_xml.format.encoding = "json".into();
    assert_eq!(format!("{from_xml:#?}"), format!("{from_json:#?}"));
    assert!(recognise(xml.as_bytes()) && recognise(json.as_bytes()) && !recognise(b"{\"spdxVersion\":1}"));
}

/// A field of a Protocol Buffers message: tag and length before the content.
fn field(number: u64, content: &[u8]) -> Vec<u8> {
    let varint = |n: u64| if n < 0x80 { vec![n as u8] } else { vec![n as u8 | 0x80, (n >> 7) as u8] };
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

#[test]
fn protobuf() {
    let part = |n, fields: &[Vec<u8>]| field(n, &fields.concat());
    let time = [0x08, 0xc0, 0xa1, 0x87, 0xaf, 0x06]; // seconds = 1709297856
    let head = [field(1, b"1.5"), vec![0x10, 2], part(4, &[field(1, &time)])].concat();
    let a = part(5, &[vec![0x08, 3], field(3, b"a"), field(8, b"lib"), field(16, b"pkg:npm/lib@1")]);
    let inner = part(21, &[vec![0x08, 6], field(8, b"in")]);
    let hash = part(12, &[vec![0x08, 2], field(2, b"AB")]);
    let b = part(5, &[field(3, b"b"), field(8, b"app \xff"), inner, hash]);
    let edge = part(8, &[field(1, b"b"), part(2, &[field(1, b"a")])]);
    let affects = part(17, &[field(1, b"a")]);
    let vex = part(10, &[field(2, b"CVE-2024-1"), part(16, &[vec![0x08, 6, 0x10, 2]]), affects]);
    let bytes = [head.clone(), a, b, edge, vex].concat();
    assert!(recognise(&bytes));
    let bom = read(&bytes, &ReadOptions::default()).unwrap();
    assert_eq!((bom.format.version.as_str(), bom.version), ("1.5", Some(2)));
    // date -u -d @1709297856
    assert_eq!(bom.timestamp.as_deref(), Some("2024-03-01T12:57:36Z"));
    let names: Vec<&str> = bom.components.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["lib", "app \u{fffd}", "in"]);
    assert_eq!(bom.components[0].purl.as_ref().unwrap().to_string(), "pkg:npm/lib@1");
    assert_eq!(bom.components[1].hashes, [("SHA-1".to_owned(), "ab".to_owned())]);
    assert_eq!((bom.components[2].parent, bom.dependencies.as_slice()), (Some(1), &[(1, 0)][..]));
    assert_eq!(bom.vex[0].justification.as_deref(), Some("code_not_reachable"));
    assert_eq!(bom.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["input-encoding"]);
    // Not to the last byte, not from the first, not a version: something else.
    assert!(!recognise(&bytes[..bytes.len() - 1]) && !recognise(&bytes[1..]) && !recognise(b"\n\x03abc"));
    assert!(recognise(&head) && !recognise(b"\n1.5") && !recognise(b"\n\x031.5\x0f"));
    // Components inside components without end.
    let deep = (0..300).fold(Vec::new(), |inner, _| field(21, &inner));
    let deep = [head, field(5, &deep)].concat();
    assert_eq!(read(&deep, &ReadOptions::default()).unwrap_err()[0].code, "limit-depth");
}
