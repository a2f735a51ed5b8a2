//! Bills of materials, lock files and the wrappers around them.

use tocsin_formats::cyclonedx::vdr::{VdrVulnerability, enrich};
use tocsin_formats::{cyclonedx, lock::os_release, spdx};

use super::check::{check_archive, check_file, check_outcome, choose, options};

/// CycloneDX, JSON encoding. The first byte asks for strict reading.
pub fn cyclonedx_json(data: &[u8]) {
    let (choice, data) = choose(data);
    cyclonedx::recognise(data);
    let outcome = cyclonedx::read(data, &options(choice as u8));
    if let Ok(bom) = &outcome {
        let found = VdrVulnerability { id: "CVE-2024-0001".into(), ..VdrVulnerability::default() };
        let _ = enrich(data, bom, &[found]);
    }
    check_outcome(outcome);
}

/// CycloneDX, XML encoding. The first byte asks for strict reading; the rest stands inside a document.
pub fn cyclonedx_xml(data: &[u8]) {
    let (choice, data) = choose(data);
    let mut text = Vec::new();
    if choice & 2 == 2 {
        text.extend_from_slice(b"<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\">");
    } else {
        text.push(b'<');
    }
    text.extend_from_slice(data);
    cyclonedx::recognise(&text);
    check_outcome(cyclonedx::read(&text, &options(choice as u8)));
}

/// CycloneDX, Protocol Buffers. The first byte asks for strict reading; the rest stands behind the version.
pub fn cyclonedx_protobuf(data: &[u8]) {
    let (choice, data) = choose(data);
    let text = [b"\x0a\x031.6", data].concat();
    cyclonedx::recognise(&text);
    check_file("a.cdx", &text, &options(choice as u8));
    check_outcome(cyclonedx::read(&text, &options(choice as u8)));
}

/// SPDX 2.x and 3.0, JSON. The first byte asks for strict reading.
pub fn spdx_json(data: &[u8]) {
    let (choice, data) = choose(data);
    check_outcome(spdx::read(data, &options(choice as u8)));
    check_file("a.json", data, &options(choice as u8));
}

/// SPDX tag-value and YAML. The first byte asks for strict reading and names the encoding.
pub fn spdx_text(data: &[u8]) {
    let (choice, data) = choose(data);
    let head: &[u8] = if choice & 2 == 2 { b"SPDXVersion: SPDX-2.3\n" } else { b"spdxVersion: SPDX-2.3\n" };
    let text = [head, data].concat();
    assert!(spdx::recognise(&text));
    check_outcome(spdx::read(&text, &options(choice as u8)));
}

/// SPDX in XML and RDF/XML. The first byte asks for strict reading and names the encoding; the rest stands inside a
/// document.
pub fn spdx_xml(data: &[u8]) {
    let (choice, data) = choose(data);
    let head: &[u8] = if choice & 2 == 2 {
        b"<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://spdx.org/rdf/terms#\">
            <SpdxDocument rdf:about=\"urn:a#SPDXRef-DOCUMENT\"><specVersion>SPDX-2.3</specVersion>"
    } else {
        b"<Document><spdxVersion>SPDX-2.3</spdxVersion><SPDXID>SPDXRef-DOCUMENT</SPDXID>"
    };
    let text = [head, data].concat();
    assert!(spdx::recognise(&text));
    check_file("a.xml", &text, &options(choice as u8));
}

/// Databases of rpm in its three kinds, as made for the tests of the reader.
const RPM: [&[u8]; 3] = [
    include_bytes!("../../testdata/lock/rpm/rpmdb.sqlite"),
    include_bytes!("../../testdata/lock/rpm/Packages.db"),
    include_bytes!("../../testdata/lock/rpm/Packages"),
];

/// Databases of rpm. The first byte chooses a database; then come offsets (two bytes) with new values, and the
/// length that is left over cuts the file. The fourth choice is the input itself.
pub fn rpm(data: &[u8]) {
    let (choice, data) = choose(data);
    let Some(base) = RPM.get(choice & 3) else {
        return check_file("var/lib/rpm/Packages", data, &options(0));
    };
    let mut file = base.to_vec();
    let (patches, tail) = data.as_chunks::<3>();
    for [high, low, value] in patches {
        let at = usize::from(*high) << 8 | usize::from(*low);
        let length = file.len();
        file[at % length] = *value;
    }
    if choice & 4 == 4 {
        file.truncate(file.len() - tail.len() * 400);
    }
    check_file("var/lib/rpm/rpmdb.sqlite", &file, &options(0));
}

/// A name and a head for each kind.
const NAMES: &[(&str, &str)] = &[
    ("Cargo.lock", ""),
    ("package-lock.json", ""),
    ("go.mod", ""),
    ("go.sum", ""),
    ("yarn.lock", ""),
    ("pnpm-lock.yaml", ""),
    ("bun.lock", ""),
    ("poetry.lock", ""),
    ("uv.lock", ""),
    ("pylock.toml", ""),
    ("Pipfile.lock", ""),
    ("composer.lock", ""),
    ("vendor/composer/installed.json", ""),
    ("Gemfile.lock", ""),
    ("pom.xml", ""),
    ("gradle.lockfile", ""),
    ("packages.lock.json", ""),
    ("packages.config", ""),
    ("app.deps.json", ""),
    ("conan.lock", ""),
    ("manifest.csv", "PACKAGE,"),
    ("image.manifest", "a b c\n"),
    ("pubspec.lock", ""),
    ("Package.resolved", ""),
    ("Podfile.lock", ""),
    ("mix.lock", ""),
    ("renv.lock", ""),
    ("stack.yaml.lock", ""),
    ("lib/apk/db/installed", ""),
    ("usr/lib/opkg/status", ""),
    ("var/lib/dpkg/status", ""),
    ("requirements.txt", ""),
    ("cabal.project.freeze", ""),
    ("rebar.lock", ""),
    ("build.sbt.lock", ""),
    ("container-manifest-2", ""),
];

/// Lock files and package databases: the first byte chooses the name, and so the reader.
pub fn lock(data: &[u8]) {
    let (choice, data) = choose(data);
    let (name, head) = NAMES[choice % NAMES.len()];
    let text = [head.as_bytes(), data].concat();
    check_file(name, &text, &options(0));
    os_release(data);
}

/// Names of archives and of what may lie in them.
const WRAPPED: &[&str] = &["a.json", "a.zip", "a.tar", "a.tgz", "a.json.gz", "a.json.zst", "Cargo.lock", "a"];

/// Wrapped files through the entrance of `scan`. The first byte chooses the name.
pub fn archive(data: &[u8]) {
    let (choice, data) = choose(data);
    check_archive(WRAPPED[choice % WRAPPED.len()], data, &options(0));
}
