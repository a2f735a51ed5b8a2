//! Each kind of lock file: what is in the file is in the bill of materials.

use super::read;
use crate::input::ReadOptions;

fn purls(name: &str, text: &str) -> Vec<String> {
    let bom = read(name, text.as_bytes(), &ReadOptions::default()).unwrap();
    bom.components.iter().map(|c| c.purl.as_ref().map_or(c.name.clone(), ToString::to_string)).collect()
}

#[test]
fn cargo_keeps_local_packages_without_purl_and_edges() {
    let text = "version = 4\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"time\"]\n\
                [[package]]\nname = \"time\"\nversion = \"0.1.43\"\nsource = \"registry+https://example.org/index\"\n";
    assert_eq!(purls("a/Cargo.lock", text), ["app", "pkg:cargo/time@0.1.43"]);
    let bom = read("Cargo.lock", text.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(bom.dependencies, [(0, 1)]);
}

#[test]
fn npm_of_every_version() {
    let three = r#"{"lockfileVersion":3,"packages":{"":{"name":"x"},"node_modules/@a/b":{"version":"1.0.0"},
        "node_modules/c/node_modules/d":{"version":"2.0.0"},"node_modules/l":{"link":true}}}"#;
    assert_eq!(purls("package-lock.json", three), ["pkg:npm/%40a/b@1.0.0", "pkg:npm/d@2.0.0"]);
    let one = r#"{"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"2.0.0"}}}}}"#;
    assert_eq!(purls("package-lock.json", one), ["pkg:npm/a@1.0.0", "pkg:npm/b@2.0.0"]);
}

#[test]
fn go_modules_with_replacements_and_the_standard_library() {
    let text = "module x\ngo 1.21.0\nrequire (\n\ta.org/b v1.0.0 // indirect\n\tc.org/d v0.1.0\n)\nreplace c.org/d => e.org/f v0.2.0\n";
    assert_eq!(
        purls("go.mod", text),
        ["pkg:golang/a.org/b@v1.0.0", "pkg:golang/e.org/f@v0.2.0", "pkg:golang/stdlib@1.21.0"]
    );
    let sum = "a.org/b v1.0.0 h1:x=\na.org/b v1.0.0/go.mod h1:y=\nc.org/d v0.9.0/go.mod h1:z=\n";
    assert_eq!(purls("go.sum", sum), ["pkg:golang/a.org/b@v1.0.0"]);
}

#[test]
fn requirements_pins_and_the_rest() {
    let text = "# c\nDjango[argon2]==2.2.8 ; python_version > '3'\nrequests>=2\n-r other.txt\nsix === 1.16.0 --hash=sha256:0\n";
    assert_eq!(
        purls("requirements.txt", text),
        ["pkg:pypi/django@2.2.8", "pkg:pypi/requests", "pkg:pypi/six@1.16.0"]
    );
}

#[test]
fn gems_without_their_requirements() {
    let text = "GEM\n  remote: https://example.org/\n  specs:\n    rack (2.2.3)\n    rails (6.0.0)\n      rack (~> 2.0)\n\nPLATFORMS\n  ruby\n";
    assert_eq!(purls("Gemfile.lock", text), ["pkg:gem/rack@2.2.3", "pkg:gem/rails@6.0.0"]);
}

#[test]
fn package_databases_with_their_sources() {
    let dpkg = "Package: libexpat1\nStatus: install ok installed\nArchitecture: amd64\nSource: expat\nVersion: 2.5.0-1\n\n\
                Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n";
    assert_eq!(
        purls("var/lib/dpkg/status", dpkg),
        ["pkg:deb/debian/libexpat1@2.5.0-1?arch=amd64&upstream=expat"]
    );
    let apk = "C:Q1x\nP:libcurl\nV:8.3.0-r0\nA:x86_64\no:curl\n\nP:zlib\nV:1.2.13-r1\n\n";
    assert_eq!(
        purls("lib/apk/db/installed", apk),
        ["pkg:apk/alpine/libcurl@8.3.0-r0?arch=x86_64&upstream=curl", "pkg:apk/alpine/zlib@1.2.13-r1"]
    );
}

#[test]
fn damaged_files_are_refused() {
    for name in ["Cargo.lock", "package-lock.json", "poetry.lock", "composer.lock"] {
        let why = read(name, b"{ = nonsense", &ReadOptions::default()).unwrap_err();
        assert_eq!(why[0].code, "input-syntax", "{name}");
    }
}
