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
