//! SPDX 2.x tag-value (SPDX 2.3 clause 6 and annex): `Tag: value` lines, long values in `<text>…</text>`.

use tocsin_model::diagnostic::{Diagnostic, excerpt};

use super::document::{Checksum, CreationInfo, Document, ExternalRef, Package, Present, Relationship};

/// Where the tags that follow belong.
enum Section {
    Document,
    Package,
    File,
    Other,
}

/// Reads the lines into the shape that JSON has. Lines that are no `Tag: value` are set aside with a diagnostic.
pub(super) fn parse(text: &str, diagnostics: &mut Vec<Diagnostic>) -> Document {
    let mut doc = Document::default();
    let mut info = CreationInfo::default();
    let (mut packages, mut files, mut relationships) = (Vec::new(), Vec::new(), Vec::new());
    let mut section = Section::Document;
    // Lines may end in a carriage return alone.
    let end = if text.contains('\n') { '\n' } else { '\r' };
    let mut lines = text.split(end).enumerate();
    while let Some((n, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((tag, value)) = line.split_once(':') else {
            let what = format!("no tag: {}", excerpt(line));
            diagnostics.push(Diagnostic::new("value-ignored", format!("line {}", n + 1), what));
            continue;
        };
        let value = long(value.trim(), &mut lines);
        let value = value.as_str();
        match tag.trim() {
            "SPDXVersion" => doc.spdx_version = value.to_owned(),
            "DataLicense" => doc.data_license = Some(value.to_owned()),
            "SPDXID" if matches!(section, Section::Document) => doc.id = Some(value.to_owned()),
            "DocumentName" => doc.name = Some(value.to_owned()),
            "DocumentNamespace" => doc.document_namespace = Some(value.to_owned()),
            "Created" => info.created = Some(value.to_owned()),
            "Creator" => info.creators.get_or_insert_default().push(value.to_owned()),
            "PackageName" => {
                section = Section::Package;
                packages.push(Package { name: Some(value.to_owned()), ..Package::default() });
            }
            "FileName" => {
                section = Section::File;
                files.push(Package { name: Some(value.to_owned()), ..Package::default() });
            }
            "SnippetSPDXID" | "LicenseID" | "Reviewer" | "Annotator" => section = Section::Other,
            "Relationship" => match value.split_whitespace().collect::<Vec<_>>().as_slice() {
                [from, kind, to, ..] => relationships.push(Relationship {
                    spdx_element_id: (*from).to_owned(),
                    related_spdx_element: (*to).to_owned(),
                    relationship_type: (*kind).to_owned(),
                }),
                _ => {
                    let what = format!("a relationship is element, type, element: {}", excerpt(value));
                    diagnostics.push(Diagnostic::new("value-ignored", format!("line {}", n + 1), what));
                }
            },
            tag => {
                let item = match section {
                    Section::Package => packages.last_mut(),
                    Section::File => files.last_mut(),
                    Section::Document | Section::Other => None,
                };
                if let Some(p) = item {
                    package(p, tag, value);
                }
            }
        }
    }
    doc.creation_info = Some(info);
    (doc.packages, doc.files, doc.relationships) = (Some(packages), Some(files), Some(relationships));
    doc
}

/// A value, read on to `</text>` where it begins with `<text>`.
fn long<'a>(value: &str, lines: &mut impl Iterator<Item = (usize, &'a str)>) -> String {
    let Some(start) = value.strip_prefix("<text>") else { return value.to_owned() };
    let mut out = start.to_owned();
    while !out.contains("</text>") {
        let Some((_, more)) = lines.next() else { return out };
        out.push('\n');
        out.push_str(more);
    }
    out.split("</text>").next().unwrap_or("").to_owned()
}

fn package(p: &mut Package, tag: &str, value: &str) {
    let text = || Some(value.to_owned());
    match tag {
        "SPDXID" => p.id = text(),
        "PackageVersion" => p.version_info = text(),
        "PackageSupplier" => p.supplier = text(),
        "PackageOriginator" => p.originator = text(),
        "PackageLicenseConcluded" | "LicenseConcluded" => p.license_concluded = text(),
        "PackageLicenseDeclared" => p.license_declared = text(),
        "PrimaryPackagePurpose" => p.primary_package_purpose = text(),
        "PackageHomePage" => p.homepage = text(),
        "PackageSourceInfo" => p.source_info = text(),
        "PackageDownloadLocation" => p.download_location = Some(Present),
        "PackageCopyrightText" | "FileCopyrightText" => p.copyright_text = Some(Present),
        "PackageChecksum" | "FileChecksum" => {
            if let Some((algorithm, sum)) = value.split_once(':') {
                p.checksums.get_or_insert_default().push(Checksum {
                    algorithm: algorithm.trim().to_owned(),
                    checksum_value: sum.trim().to_owned(),
                });
            }
        }
        "ExternalRef" => {
            let mut words = value.split_whitespace().skip(1);
            if let (Some(kind), Some(locator)) = (words.next(), words.next()) {
                p.external_refs.get_or_insert_default().push(ExternalRef {
                    reference_type: kind.to_owned(),
                    reference_locator: locator.to_owned(),
                });
            }
        }
        _ => {}
    }
}
