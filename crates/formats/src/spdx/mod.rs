//! SPDX documents, read and (2.3) written: 2.2 and 2.3 in JSON, YAML, tag-value, XML and RDF/XML; 3.0 in JSON-LD.

mod document;
mod rdf;
mod strict;
mod tag_value;
mod three;
mod write;
mod xml;

use serde::Deserialize;
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;
pub use write::{Advisory, is_expression, to_json, to_tag_value};

use crate::input::ReadOptions;

/// How a document is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Json,
    JsonLd,
    Rdf,
    TagValue,
    Xml,
    Yaml,
}

fn body(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn encoding(bytes: &[u8]) -> Option<Encoding> {
    /// Only what tells the format; everything else is passed over without being kept.
    #[derive(Deserialize)]
    struct Probe {
        #[serde(rename = "spdxVersion")]
        version: Option<String>,
    }
    let body = body(bytes).trim_ascii_start();
    let has = |text: &[u8], word: &[u8]| text.windows(word.len()).any(|w| w == word);
    let head = body.get(..4096).unwrap_or(body);
    if body.first() == Some(&b'{') {
        if has(head, b"spdx.org/rdf/3.") || (has(head, b"\"@graph\"") && has(body, b"\"SpdxDocument\"")) {
            return Some(Encoding::JsonLd);
        }
        let ours = has(body, b"\"spdxVersion\"")
            && serde_json::from_slice::<Probe>(body)
                // a damaged document is still one of ours: the reader says what is wrong with it
                .map_or(true, |p| p.version.is_some_and(|v| v.starts_with("SPDX-")));
        return ours.then_some(Encoding::Json);
    }
    if body.first() == Some(&b'<') {
        return xml::recognise(body).map(|rdf| if rdf { Encoding::Rdf } else { Encoding::Xml });
    }
    let starts = |line: &[u8], word: &[u8]| line.trim_ascii_start().starts_with(word);
    if head.split(|b| *b == b'\n').any(|l| starts(l, b"SPDXVersion:")) {
        return Some(Encoding::TagValue);
    }
    // YAML may name its version last
    let yaml = body.split(|b| *b == b'\n').any(|l| l.starts_with(b"spdxVersion:"));
    yaml.then_some(Encoding::Yaml)
}

/// Whether the bytes (already unwrapped) look like such a document.
pub fn recognise(bytes: &[u8]) -> bool {
    encoding(bytes).is_some()
}

/// Reads a document (already unwrapped) in any of its encodings.
///
/// # Errors
/// The diagnostics that made it unusable (in strict mode: every violation).
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    let text = String::from_utf8_lossy(body(bytes));
    let replaced = matches!(text, std::borrow::Cow::Owned(_));
    let syntax = |e: String| {
        let code = if e.contains("recursion limit") { "limit-depth" } else { "input-syntax" };
        vec![Diagnostic::new(code, "", e)]
    };
    let outcome = match encoding(bytes) {
        Some(Encoding::JsonLd) => three::read(&text),
        Some(Encoding::TagValue) => {
            let mut diagnostics = Vec::new();
            let doc = tag_value::parse(&text, &mut diagnostics);
            document::build(doc, "tag-value", options).map(|mut bom| {
                bom.diagnostics.splice(0..0, diagnostics);
                bom
            })
        }
        Some(xml @ (Encoding::Rdf | Encoding::Xml)) => {
            let doc = xml::parse(text.trim_start(), options)?;
            document::build(doc, if xml == Encoding::Rdf { "rdf" } else { "xml" }, options)
        }
        Some(Encoding::Yaml) => {
            let doc = serde_saphyr::from_str(&text).map_err(|e| syntax(e.to_string()))?;
            document::build(doc, "yaml", options)
        }
        Some(Encoding::Json) | None => {
            let doc = serde_json::from_str(&text).map_err(|e| json_fault(&e))?;
            document::build(doc, "json", options)
        }
    };
    outcome.map(|mut bom| {
        if replaced {
            bom.diagnostics.push(Diagnostic::new(
                "input-encoding",
                "",
                "bytes that are not UTF-8 were replaced",
            ));
        }
        bom
    })
}

/// The diagnostic of a document that serde_json refuses.
fn json_fault(e: &serde_json::Error) -> Vec<Diagnostic> {
    let deep = e.to_string().contains("recursion limit");
    vec![Diagnostic::new(if deep { "limit-depth" } else { "input-syntax" }, "", e.to_string())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = r#"{"packages":[
        {"SPDXID":"SPDXRef-a","name":"app","supplier":"Organization: Acme","licenseDeclared":"MIT","licenseConcluded":"NOASSERTION"},
        {"SPDXID":"SPDXRef-b","name":"lib","versionInfo":"1.2","checksums":[{"algorithm":"SHA256","checksumValue":"AB"}],
         "externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/lib@1.2"},
          {"referenceCategory":"SECURITY","referenceType":"cpe23Type","referenceLocator":"cpe:2.3:a:lib:lib:1.2:*:*:*:*:*:*:* "}]}],
        "relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relatedSpdxElement":"SPDXRef-a","relationshipType":"DESCRIBES"},
         {"spdxElementId":"SPDXRef-b","relatedSpdxElement":"SPDXRef-a","relationshipType":"DEPENDENCY_OF"},
         {"spdxElementId":"SPDXRef-a","relatedSpdxElement":"SPDXRef-gone","relationshipType":"DEPENDS_ON"}],
        "name":"doc","SPDXID":"SPDXRef-DOCUMENT","spdxVersion":"SPDX-2.3"}"#;

    #[test]
    fn packages_relationships_and_keys_in_any_order() {
        assert!(recognise(DOC.as_bytes()));
        let bom = read(DOC.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!(
            (bom.components.len(), bom.root, bom.dependencies.as_slice()),
            (2, Some(0), &[(0, 1)][..])
        );
        let lib = &bom.components[1];
        assert_eq!(lib.purl.as_ref().unwrap().to_string(), "pkg:npm/lib@1.2");
        assert_eq!((lib.cpes.len(), lib.hashes[0].0.as_str()), (1, "SHA-256"));
        assert_eq!(bom.components[0].supplier.as_deref(), Some("Acme"));
        assert_eq!(bom.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["ref-unknown"]);
    }

    #[test]
    fn strict_mode_asks_for_what_is_required() {
        let text = r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"x"}]}"#;
        assert_eq!(read(text.as_bytes(), &ReadOptions::default()).unwrap().components.len(), 1);
        let strict = ReadOptions { strict: true, ..ReadOptions::default() };
        assert_eq!(read(text.as_bytes(), &strict).unwrap_err()[0].code, "schema-violation");
    }

    #[test]
    fn tag_value_says_the_same_as_json() {
        let text = "SPDXVersion: SPDX-2.3\nDocumentName: doc\nPackageName: app\nSPDXID: SPDXRef-a\n\
            PackageSupplier: Organization: Acme\nPackageLicenseDeclared: MIT\nPackageComment: <text>PackageName: not one\n\
            more</text>\nRelationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-a\n\nPackageName: lib\nSPDXID: SPDXRef-b\n\
            PackageVersion: 1.2\nPackageChecksum: SHA256: AB\n\
            ExternalRef: PACKAGE-MANAGER purl pkg:npm/lib@1.2\nRelationship: SPDXRef-b DEPENDENCY_OF SPDXRef-a\n";
        let bom = read(text.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!(
            (bom.components.len(), bom.root, bom.dependencies.as_slice()),
            (2, Some(0), &[(0, 1)][..])
        );
        assert_eq!(bom.components[1].purl.as_ref().unwrap().to_string(), "pkg:npm/lib@1.2");
        assert_eq!(bom.components[1].hashes, [("SHA-256".to_owned(), "ab".to_owned())]);
        assert_eq!(bom.components[0].supplier.as_deref(), Some("Acme"));
    }

    /// What RDF/XML allows: an element described in two places, a blank node shared by name, a type told by a
    /// property, properties as attributes, a base for relative references, licence sets.
    #[test]
    fn rdf_is_read_as_a_graph() {
        let text = r##"<?xml version="1.0"?><!-- made --><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
            xmlns:s="http://spdx.org/rdf/terms#" xml:base="https://example.com/doc">
            <s:Package r:about="#SPDXRef-b" s:versionInfo="1.2"><s:checksum r:nodeID="sum"/>
             <s:externalRef r:parseType="Resource"><s:referenceType r:resource="http://spdx.org/rdf/references/purl"/>
              <s:referenceLocator>pkg:npm/lib@1.2</s:referenceLocator></s:externalRef></s:Package>
            <r:Description r:about="https://example.com/doc#SPDXRef-b"><s:name>lib</s:name></r:Description>
            <s:Checksum r:nodeID="sum" s:checksumValue="AB">
             <s:algorithm r:resource="http://spdx.org/rdf/terms#checksumAlgorithm_sha256"/></s:Checksum>
            <s:SpdxDocument r:ID="SPDXRef-DOCUMENT"><s:specVersion>SPDX-2.3</s:specVersion><s:name>doc</s:name>
             <s:relationship><s:Relationship>
              <s:relationshipType r:resource="http://spdx.org/rdf/terms#relationshipType_describes"/>
              <s:relatedSpdxElement><r:Description r:about="#SPDXRef-a">
               <r:type r:resource="http://spdx.org/rdf/terms#Package"/><s:name>app</s:name>
               <s:primaryPackagePurpose r:resource="http://spdx.org/rdf/terms#purpose_operatingSystem"/>
               <s:supplier>Organization: Acme</s:supplier>
               <s:licenseDeclared><s:DisjunctiveLicenseSet><s:member r:resource="http://spdx.org/licenses/MIT"/>
                <s:member><s:WithExceptionOperator><s:member r:resource="http://spdx.org/licenses/GPL-2.0-only"/>
                 <s:licenseException r:resource="http://spdx.org/licenses/Classpath-exception-2.0"/>
                </s:WithExceptionOperator></s:member></s:DisjunctiveLicenseSet></s:licenseDeclared>
               <s:licenseConcluded r:resource="http://spdx.org/rdf/terms#noassertion"/>
               <s:relationship><s:Relationship>
                <s:relationshipType r:resource="http://spdx.org/rdf/terms#relationshipType_dependsOn"/>
                <s:relatedSpdxElement r:resource="#SPDXRef-b"/></s:Relationship></s:relationship>
               <s:relationship><s:Relationship>
                <s:relationshipType r:resource="http://spdx.org/rdf/terms#relationshipType_dependsOn"/>
                <s:relatedSpdxElement r:resource="https://example.com/other#SPDXRef-b"/></s:Relationship></s:relationship>
              </r:Description></s:relatedSpdxElement></s:Relationship></s:relationship></s:SpdxDocument></r:RDF>"##;
        assert!(recognise(text.as_bytes()));
        let bom = read(text.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!(bom.diagnostics.iter().map(|d| &d.message).collect::<Vec<_>>(), Vec::<&String>::new());
        assert_eq!(bom.serial.as_deref(), Some("https://example.com/doc"));
        assert_eq!(
            (bom.components.len(), bom.root, bom.dependencies.as_slice()),
            (2, Some(1), &[(1, 0)][..])
        );
        let (lib, app) = (&bom.components[0], &bom.components[1]);
        assert_eq!((lib.name.as_str(), lib.version.as_deref()), ("lib", Some("1.2")));
        assert_eq!(lib.purl.as_ref().unwrap().to_string(), "pkg:npm/lib@1.2");
        assert_eq!(lib.hashes, [("SHA-256".to_owned(), "ab".to_owned())]);
        assert_eq!((app.reference.as_str(), app.supplier.as_deref()), ("SPDXRef-a", Some("Acme")));
        assert_eq!(app.kind, tocsin_model::bom::ComponentKind::OperatingSystem);
        let expression = "(MIT OR GPL-2.0-only WITH Classpath-exception-2.0)".to_owned();
        assert_eq!(app.licenses, [tocsin_model::bom::License::Expression(expression)]);
    }

    #[test]
    fn licence_sets_that_hold_themselves_or_grow_without_end_are_cut() {
        let set = |n: usize| {
            format!(
                "<s:ConjunctiveLicenseSet r:nodeID='l{n}'><s:member r:nodeID='l{0}'/><s:member r:nodeID='l{0}'/>\
                 </s:ConjunctiveLicenseSet>",
                n + 1
            )
        };
        let sets: String = (0..60).map(set).collect();
        let text = format!(
            "<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:s='http://spdx.org/rdf/terms#'>\
             <s:SpdxDocument r:about='#d'/><s:Package r:about='#a'><s:name>a</s:name>\
             <s:licenseDeclared r:nodeID='l0'/></s:Package><s:Package r:about='#b'><s:name>b</s:name>\
             <s:licenseDeclared r:nodeID='m'/></s:Package><s:ConjunctiveLicenseSet r:nodeID='m'>\
             <s:member r:nodeID='m'/></s:ConjunctiveLicenseSet>{sets}</r:RDF>"
        );
        let bom = read(text.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!(bom.components.len(), 2);
        assert_eq!(bom.diagnostics.iter().filter(|d| d.code == "license-invalid").count(), 2);
    }

    #[test]
    fn xml_of_the_spdx_tools() {
        let text = "<?xml version='1.0'?><Document><SPDXID>SPDXRef-DOCUMENT</SPDXID><spdxVersion>SPDX-2.3</spdxVersion>\
            <creationInfo><creators>Tool: t</creators></creationInfo><packages><SPDXID>SPDXRef-a</SPDXID><name>a &amp; b</name>\
            <versionInfo/></packages><documentDescribes>SPDXRef-a</documentDescribes></Document>";
        let bom = read(text.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!((bom.components.len(), bom.root, bom.format.encoding.as_str()), (1, Some(0), "xml"));
        assert_eq!((bom.components[0].name.as_str(), bom.components[0].version.as_deref()), ("a & b", None));
        let deep = format!(
            "<Document><spdxVersion>1</spdxVersion>{}{}</Document>",
            "<a>".repeat(200),
            "</a>".repeat(200)
        );
        assert_eq!(read(deep.as_bytes(), &ReadOptions::default()).unwrap_err()[0].code, "limit-depth");
    }

    #[test]
    fn other_xml_is_not_taken_for_spdx() {
        for text in [
            "<project><license>SPDXVersion</license></project>",
            "<rdf:RDF xmlns:rdf='x'><owl:Class rdf:about='http://spdx.org/rdf/terms#SpdxDocument'/></rdf:RDF>",
            "<Document><name>spdxVersion</name></Document>",
        ] {
            assert!(!recognise(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn tag_value_with_bare_carriage_returns() {
        let text = "SPDXVersion: SPDX-2.2\rPackageName: a\rSPDXID: SPDXRef-a\rPackageVersion: 1\r\
            Relationship: SPDXRef-DOCUMENT describes SPDXRef-a\r";
        let bom = read(text.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!(bom.root, Some(0));
        assert_eq!(
            (bom.format.version.as_str(), bom.components[0].version.as_deref()),
            ("SPDX-2.2", Some("1"))
        );
    }

    #[test]
    fn yaml_with_its_version_last() {
        let text =
            "packages:\n- SPDXID: SPDXRef-a\n  name: app\n  versionInfo: '1.0'\nspdxVersion: SPDX-2.2\n";
        let bom = read(text.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!((bom.components.len(), bom.format.encoding.as_str()), (1, "yaml"));
    }

    #[test]
    fn three_with_identifiers_and_relationships() {
        let text = r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[
            {"type":"CreationInfo","@id":"_:c","created":"2024-01-01T00:00:00Z"},
            {"type":"Organization","spdxId":"urn:o","name":"Acme"},
            {"type":"software_Package","spdxId":"urn:a","name":"app","suppliedBy":"urn:o"},
            {"type":"software_Package","spdxId":"urn:b","name":"lib","software_packageVersion":"1.2",
             "software_packageUrl":"pkg:npm/lib@1.2",
             "externalIdentifier":[{"type":"ExternalIdentifier","externalIdentifierType":"cpe23",
              "identifier":"cpe:2.3:a:lib:lib:1.2:*:*:*:*:*:*:*"}],
             "verifiedUsing":[{"type":"Hash","algorithm":"sha256","hashValue":"AB"}]},
            {"type":"simplelicensing_LicenseExpression","spdxId":"urn:l","simplelicensing_licenseExpression":"MIT"},
            {"type":"Relationship","spdxId":"urn:r","from":"urn:a","relationshipType":"dependsOn","to":["urn:b","urn:gone"]},
            {"type":"Relationship","spdxId":"urn:q","from":"urn:b","relationshipType":"hasDeclaredLicense","to":["urn:l"]},
            {"type":"SpdxDocument","spdxId":"urn:d","name":"doc","rootElement":["urn:a"]}]}"#;
        let bom = read(text.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!(
            (bom.components.len(), bom.root, bom.dependencies.as_slice()),
            (2, Some(0), &[(0, 1)][..])
        );
        let lib = &bom.components[1];
        assert_eq!((lib.cpes.len(), lib.licenses.len(), lib.hashes[0].1.as_str()), (1, 1, "ab"));
        assert_eq!(bom.components[0].supplier.as_deref(), Some("Acme"));
        assert_eq!(bom.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["ref-unknown"]);
    }
}
