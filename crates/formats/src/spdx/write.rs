//! Writing a bill of materials as SPDX 2.3, JSON and tag-value, with or without vulnerabilities.
//!
//! The document is made once, in the shape of the JSON encoding; the tag-value encoding follows from that. What is
//! not known is `NOASSERTION`; a licence that is not in SPDX becomes a `LicenseRef-` with its name (clause 10).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tocsin_model::bom::{Bom, Component, ComponentKind, License};
use tocsin_model::diagnostic::Diagnostic;

/// A vulnerability of a component, written as a security reference of its package (SPDX 2.3 annex F.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisory {
    /// Index of the component in the bill of materials.
    pub component: usize,
    /// Its id (`CVE-2024-1`).
    pub id: String,
    /// What is said of it: status and justification.
    pub comment: String,
}

/// The document as SPDX 2.3 JSON.
///
/// # Errors
/// `input-syntax` where it cannot be written.
pub fn to_json(bom: &Bom, advisories: &[Advisory]) -> Result<Vec<u8>, Diagnostic> {
    let document = document(bom, advisories);
    serde_json::to_vec_pretty(&document).map_err(|e| Diagnostic::new("input-syntax", "", e.to_string()))
}

/// The document as SPDX 2.3 tag-value.
pub fn to_tag_value(bom: &Bom, advisories: &[Advisory]) -> Vec<u8> {
    tags(&document(bom, advisories)).into_bytes()
}

const ABSENT: &str = "NOASSERTION";

/// `SPDXRef-` and what of the reference may follow it, told apart where two would be the same.
fn id(reference: &str, used: &mut HashSet<String>) -> String {
    let bare = reference.strip_prefix("SPDXRef-").unwrap_or(reference);
    let plain: String =
        bare.chars().map(|c| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '-' }).collect();
    let plain = plain.get(..120).unwrap_or(&plain).trim_matches('-');
    let wanted =
        format!("SPDXRef-{}", if plain.is_empty() || plain == "DOCUMENT" { "Package" } else { plain });
    let (mut name, mut n) = (wanted.clone(), 1);
    while !used.insert(name.clone()) {
        n += 1;
        name = format!("{wanted}-{n}");
    }
    name
}

/// Licences that are not in SPDX, by their name, with the ids given to them here.
#[derive(Default)]
struct Own {
    ids: BTreeMap<String, String>,
    used: HashSet<String>,
}

impl Own {
    fn reference(&mut self, name: &str) -> String {
        if let Some(id) = self.ids.get(name) {
            return id.clone();
        }
        let plain: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
            .take(60)
            .collect();
        let plain = plain.split('-').filter(|p| !p.is_empty()).collect::<Vec<_>>().join("-");
        let wanted = format!("LicenseRef-{}", if plain.is_empty() { "unnamed" } else { &plain });
        let (mut id, mut n) = (wanted.clone(), 1);
        while !self.used.insert(id.clone()) {
            n += 1;
            id = format!("{wanted}-{n}");
        }
        self.ids.insert(name.to_owned(), id.clone());
        id
    }
}

fn licence(list: &[License], own: &mut Own) -> String {
    let mut parts: Vec<String> = Vec::new();
    for l in list {
        let text = match l {
            License::Expression(text) => text.trim().to_owned(),
            License::Named(name) => own.reference(name.trim()),
        };
        if !text.is_empty() && !parts.contains(&text) {
            parts.push(text);
        }
    }
    match parts.as_slice() {
        [] => ABSENT.to_owned(),
        [one] => one.clone(),
        several => {
            let each = several.iter().map(|t| if t.contains(' ') { format!("({t})") } else { t.clone() });
            each.collect::<Vec<_>>().join(" AND ")
        }
    }
}

/// The algorithm as SPDX spells it (clause 7.10), where it is one.
fn algorithm(name: &str) -> Option<&'static str> {
    const KNOWN: &[&str] = &[
        "SHA1",
        "SHA224",
        "SHA256",
        "SHA384",
        "SHA512",
        "SHA3-256",
        "SHA3-384",
        "SHA3-512",
        "BLAKE2b-256",
        "BLAKE2b-384",
        "BLAKE2b-512",
        "BLAKE3",
        "MD2",
        "MD4",
        "MD5",
        "MD6",
        "ADLER32",
    ];
    let plain = |s: &str| s.replace('-', "").to_ascii_lowercase();
    KNOWN.iter().find(|k| plain(k) == plain(name)).copied()
}

fn purpose(kind: ComponentKind) -> Option<&'static str> {
    use ComponentKind as K;
    Some(match kind {
        K::Application => "APPLICATION",
        K::Framework => "FRAMEWORK",
        K::Library => "LIBRARY",
        K::Container => "CONTAINER",
        K::OperatingSystem => "OPERATING-SYSTEM",
        K::Device => "DEVICE",
        K::Firmware => "FIRMWARE",
        K::File => "FILE",
        K::Platform | K::DeviceDriver | K::MachineLearningModel | K::Data | K::CryptographicAsset => "OTHER",
    })
}

/// Where the record of a vulnerability is published.
fn address(id: &str) -> String {
    let plain: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || "-._:".contains(*c)).collect();
    if plain.starts_with("CVE-") {
        format!("https://www.cve.org/CVERecord?id={plain}")
    } else {
        format!("https://osv.dev/vulnerability/{plain}")
    }
}

fn package(c: &Component, id: &str, own: &mut Own, advisories: &[&Advisory]) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), if c.name.trim().is_empty() { id.into() } else { c.full_name().into() });
    out.insert("SPDXID".into(), id.into());
    if let Some(version) = c.version.as_ref().filter(|v| !v.trim().is_empty()) {
        out.insert("versionInfo".into(), version.clone().into());
    }
    let supplier = c.supplier.as_ref().filter(|s| !s.trim().is_empty());
    let supplier = supplier.map_or_else(|| ABSENT.to_owned(), |s| format!("Organization: {}", s.trim()));
    out.insert("supplier".into(), supplier.into());
    out.insert("downloadLocation".into(), ABSENT.into());
    out.insert("filesAnalyzed".into(), false.into());
    let sums = c.hashes.iter().filter_map(|(name, hex)| {
        Some(json!({ "algorithm": algorithm(name)?, "checksumValue": hex.to_lowercase() }))
    });
    let sums: Vec<Value> = sums.collect();
    if !sums.is_empty() {
        out.insert("checksums".into(), sums.into());
    }
    if !c.locations.is_empty() {
        out.insert("sourceInfo".into(), c.locations.join("; ").into());
    }
    out.insert("licenseConcluded".into(), ABSENT.into());
    out.insert("licenseDeclared".into(), licence(&c.licenses, own).into());
    out.insert("copyrightText".into(), ABSENT.into());
    let mut references = Vec::new();
    let mut refer = |category: &str, kind: &str, locator: String, comment: &str| {
        let mut r = Map::new();
        r.insert("referenceCategory".into(), category.into());
        r.insert("referenceType".into(), kind.into());
        r.insert("referenceLocator".into(), locator.replace(char::is_whitespace, "%20").into());
        if !comment.is_empty() {
            r.insert("comment".into(), comment.into());
        }
        references.push(Value::Object(r));
    };
    if let Some(purl) = &c.purl {
        refer("PACKAGE-MANAGER", "purl", purl.to_string(), "");
    }
    for cpe in &c.cpes {
        refer("SECURITY", "cpe23Type", cpe.to_string(), "");
    }
    for a in advisories {
        refer("SECURITY", "advisory", address(&a.id), &a.comment);
    }
    if !references.is_empty() {
        out.insert("externalRefs".into(), references.into());
    }
    if let Some(purpose) = purpose(c.kind) {
        out.insert("primaryPackagePurpose".into(), purpose.into());
    }
    Value::Object(out)
}

/// A time as SPDX asks for it: to the second, UTC (clause 6.9).
fn created(bom: &Bom) -> String {
    let told = bom.timestamp.as_deref().unwrap_or_default();
    let seconds = told.get(..19).filter(|t| t.as_bytes().get(10) == Some(&b'T') && told.ends_with('Z'));
    seconds.map_or_else(|| "1970-01-01T00:00:00Z".to_owned(), |t| format!("{t}Z"))
}

fn document(bom: &Bom, advisories: &[Advisory]) -> Value {
    let mut used = HashSet::from(["SPDXRef-DOCUMENT".to_owned()]);
    let ids: Vec<String> = bom.components.iter().map(|c| id(&c.reference, &mut used)).collect();
    let mut of: HashMap<usize, Vec<&Advisory>> = HashMap::new();
    for a in advisories {
        of.entry(a.component).or_default().push(a);
    }
    let mut own = Own::default();
    let none: &[&Advisory] = &[];
    let packages = bom
        .components
        .iter()
        .zip(&ids)
        .enumerate()
        .map(|(n, (c, id))| package(c, id, &mut own, of.get(&n).map_or(none, Vec::as_slice)));
    let packages: Vec<Value> = packages.collect();
    let creators = bom.creators.iter().filter(|c| {
        c.split_once(':').is_some_and(|(kind, n)| {
            ["Tool", "Person", "Organization"].contains(&kind) && !n.trim().is_empty()
        })
    });
    let mut creators: Vec<Value> = creators.map(|c| c.replace(char::is_control, " ").into()).collect();
    if creators.is_empty() {
        creators.push("Tool: tocsin".into());
    }
    let name =
        bom.name.clone().filter(|n| !n.trim().is_empty()).unwrap_or_else(|| "bill of materials".to_owned());
    let serial = bom.serial.as_deref().filter(|s| s.contains(':') && !s.contains(['#', ' ']));
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let namespace = serial.map_or_else(
        || format!("https://spdx.org/spdxdocs/{plain}"),
        |s| match s.strip_prefix("urn:uuid:") {
            Some(uuid) => format!("https://spdx.org/spdxdocs/{plain}-{uuid}"),
            None => s.to_owned(),
        },
    );
    let mut out = Map::new();
    out.insert("spdxVersion".into(), "SPDX-2.3".into());
    out.insert("dataLicense".into(), "CC0-1.0".into());
    out.insert("SPDXID".into(), "SPDXRef-DOCUMENT".into());
    out.insert("name".into(), name.into());
    out.insert("documentNamespace".into(), namespace.into());
    out.insert("creationInfo".into(), json!({ "created": created(bom), "creators": creators }));
    out.insert("packages".into(), packages.into());
    if !own.ids.is_empty() {
        let infos =
            own.ids.iter().map(|(name, id)| json!({ "licenseId": id, "name": name, "extractedText": name }));
        out.insert("hasExtractedLicensingInfos".into(), infos.collect());
    }
    out.insert("relationships".into(), relationships(bom, &ids).into());
    Value::Object(out)
}

fn relationships(bom: &Bom, ids: &[String]) -> Vec<Value> {
    let relation = |from: &str, kind: &str, to: &str| json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to });
    let mut edges: Vec<(usize, usize)> = bom.dependencies.clone();
    edges.sort_unstable();
    edges.dedup();
    let held: HashSet<usize> = edges.iter().map(|e| e.1).collect();
    let tops: Vec<usize> = match bom.root {
        Some(root) => vec![root],
        None => (0..ids.len())
            .filter(|n| !held.contains(n) && bom.components.get(*n).is_some_and(|c| c.parent.is_none()))
            .collect(),
    };
    // What is in a circle is described too where nothing else is.
    let tops = if tops.is_empty() { (0..ids.len()).collect() } else { tops };
    let mut out: Vec<Value> = tops
        .iter()
        .filter_map(|n| ids.get(*n))
        .map(|id| relation("SPDXRef-DOCUMENT", "DESCRIBES", id))
        .collect();
    let contains = bom.components.iter().enumerate().filter_map(|(n, c)| Some((c.parent?, n)));
    let of = |kind: &'static str| {
        move |(from, to): (usize, usize)| Some(relation(ids.get(from)?, kind, ids.get(to)?))
    };
    out.extend(contains.filter_map(of("CONTAINS")));
    out.extend(edges.into_iter().filter_map(of("DEPENDS_ON")));
    out
}

/// A value as the rest of its line, or between `<text>` and `</text>` where it has several lines.
fn line(out: &mut String, tag: &str, value: &str) {
    let value = value.replace("<text>", "< text>").replace("</text>", "</ text>");
    let _ = if value.contains(['\n', '\r']) {
        writeln!(out, "{tag}: <text>{}</text>", value.replace('\r', ""))
    } else {
        writeln!(out, "{tag}: {}", value.replace(char::is_control, " "))
    };
}

fn tags(document: &Value) -> String {
    let mut out = String::new();
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |of: &Value, key: &str| of.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    for (tag, key) in [
        ("SPDXVersion", "spdxVersion"),
        ("DataLicense", "dataLicense"),
        ("SPDXID", "SPDXID"),
        ("DocumentName", "name"),
        ("DocumentNamespace", "documentNamespace"),
    ] {
        line(&mut out, tag, &text(document, key));
    }
    if let Some(info) = document.get("creationInfo") {
        for creator in list(info, "creators") {
            line(&mut out, "Creator", creator.as_str().unwrap_or_default());
        }
        line(&mut out, "Created", &text(info, "created"));
    }
    for p in list(document, "packages") {
        let _ = writeln!(out);
        for (tag, key) in [
            ("PackageName", "name"),
            ("SPDXID", "SPDXID"),
            ("PackageVersion", "versionInfo"),
            ("PackageSupplier", "supplier"),
            ("PackageDownloadLocation", "downloadLocation"),
        ] {
            if p.get(key).is_some() {
                line(&mut out, tag, &text(&p, key));
            }
        }
        line(&mut out, "FilesAnalyzed", "false");
        for sum in list(&p, "checksums") {
            let value = format!("{}: {}", text(&sum, "algorithm"), text(&sum, "checksumValue"));
            line(&mut out, "PackageChecksum", &value);
        }
        for (tag, key) in [
            ("PackageSourceInfo", "sourceInfo"),
            ("PackageLicenseConcluded", "licenseConcluded"),
            ("PackageLicenseDeclared", "licenseDeclared"),
            ("PackageCopyrightText", "copyrightText"),
        ] {
            if p.get(key).is_some() {
                line(&mut out, tag, &text(&p, key));
            }
        }
        for r in list(&p, "externalRefs") {
            let (category, kind) = (text(&r, "referenceCategory"), text(&r, "referenceType"));
            line(&mut out, "ExternalRef", &format!("{category} {kind} {}", text(&r, "referenceLocator")));
            if r.get("comment").is_some() {
                line(&mut out, "ExternalRefComment", &text(&r, "comment"));
            }
        }
        line(&mut out, "PrimaryPackagePurpose", &text(&p, "primaryPackagePurpose"));
    }
    for info in list(document, "hasExtractedLicensingInfos") {
        let _ = writeln!(out);
        line(&mut out, "LicenseID", &text(&info, "licenseId"));
        let body = text(&info, "extractedText").replace("</text>", "</ text>");
        let _ = writeln!(out, "ExtractedText: <text>{body}</text>");
        line(&mut out, "LicenseName", &text(&info, "name"));
    }
    let _ = writeln!(out);
    for r in list(document, "relationships") {
        let value = format!(
            "{} {} {}",
            text(&r, "spdxElementId"),
            text(&r, "relationshipType"),
            text(&r, "relatedSpdxElement")
        );
        line(&mut out, "Relationship", &value);
    }
    out
}

/// Whether a text is a licence expression (SPDX 2.3 annex D).
pub fn is_expression(text: &str) -> bool {
    ::spdx::Expression::parse(text).is_ok()
}
