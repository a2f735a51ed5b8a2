//! Every lock file and package database of the corpus is read, with as many packages as a second, naive count of
//! its text gives; what is not read, or counted otherwise, is listed with the reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod corpus;
mod lock_counts;

use std::collections::BTreeMap;

use corpus::corpus;
use lock_counts::count;
use tocsin_formats::input::ReadOptions;
use tocsin_formats::lock::{read, recognise};
use tocsin_model::bom::Bom;

/// The packed lock files.
const FILES: &str = "lockfiles/lockfiles.tar.zst";

/// Files that are no lock file read here, by the end of their path: why.
const OTHER: &[(&str, &str)] = &[
    ("conanfile.txt", "a manifest: what is asked for, not what was taken"),
    (".md5sums", "sums of a package's files"),
    ("opkg.json", "a signature of a firmware analyser"),
    ("Gopkg.lock", "of dep, which was given up in 2020 for go.mod"),
    ("/opam", "a package description, not what was taken"),
    (".opam", "a package description, not what was taken"),
    (".rockspec", "a package description, not what was taken"),
    (".terraform.lock.hcl", "providers of infrastructure, not of a product"),
    ("environment.yaml", "a manifest: what is asked for, not what was taken"),
    ("Cartfile.resolved", "names repositories without an ecosystem of advisories"),
    ("usr/share/rpm/Packages", "the text `bogus` in the place of no database"),
];

/// Files that their project gave another name than the one their tool gives them, by a part of their path.
const RENAMED: &[(&str, &str)] = &[
    ("ruby/bundler/testdata/", "Gemfile.lock"),
    ("python/pipenv/testdata/", "Pipfile.lock"),
    ("nodejs/bun/testdata/", "bun.lock"),
    ("javascript/testdata/pkg-lock/", "package-lock.json"),
    ("nodejs/npm/testdata/", "package-lock.json"),
    ("nodejs/pnpm/testdata/", "pnpm-lock.yaml"),
    ("python/poetry/testdata/", "poetry.lock"),
    ("poetry-pattern.lock", "poetry.lock"),
    ("python/uv/testdata/", "uv.lock"),
    ("nodejs/yarn/testdata/", "yarn.lock"),
    ("my-yarn.lock", "yarn.lock"),
    ("pylock/testdata/", "pylock.toml"),
    ("happy.mix.lock", "mix.lock"),
    ("pom-with-", "pom.xml"),
    ("os/dpkg/testdata/opkg/", "opkg/status"),
];

/// Files that cannot be read, by the end of their path: why. Most are the word `bogus` in the place of a file.
const DAMAGED: &[(&str, &str)] = &[
    ("glob-paths/src/Cargo.lock", "bogus"),
    ("glob-paths/src/Pipfile.lock", "bogus"),
    ("glob-paths/lib/apk/db/installed", "bogus"),
    ("glob-paths/src/composer.lock", "bogus"),
    ("composer-vendor/sad/installed.json", "ends in the middle"),
    ("locks-empty/composer.lock", "an object without packages"),
    ("locks-many-with-invalid/composer.lock", "no JSON"),
    ("corrupt/conan.lock", "no JSON"),
    ("glob-paths/somewhere/src/conan.lock", "bogus"),
    ("glob-paths/usr/lib/dpkg/status.d/pkg-1.0", "bogus"),
    ("glob-paths/var/lib/dpkg/status", "bogus"),
    ("status.d/corrupt", "misspelt field names"),
    ("core_deps/testdata/invalid.deps.json", "no JSON"),
    ("glob-paths/usr/lib/opkg/info/pkg-1.0.control", "bogus"),
    ("glob-paths/usr/lib/opkg/status", "bogus"),
    ("glob-paths/src/Gemfile.next.lock", "bogus"),
    ("Gemfile_malformed.lock", "a word"),
    ("pylock/testdata/sad.toml", "no TOML"),
    ("corrupt/pnpm-lock.yaml", "no YAML"),
    ("glob-paths/src/pnpm-lock.yaml", "bogus"),
    ("glob-paths/src/poetry.lock", "bogus"),
    ("poetry/testdata/sad/poetry.lock", "no TOML"),
    ("glob-paths/src/1-requirements-dev.txt", "bogus"),
    ("glob-paths/src/uv.lock", "bogus"),
    ("broken-lock/uv.lock", "no TOML"),
    ("glob-paths/src/yarn.lock", "bogus"),
];

/// Files with another number of packages than the naive count gives: the number, and why.
const OTHERWISE: &[(&str, usize, &str)] = &[(
    "image-pkg-coverage/pkgs/ruby/Gemfile.lock",
    52,
    "one stands in a section that Bundler does not know",
)];

fn listed(list: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    list.iter().find(|(end, _)| name.ends_with(end)).map(|(_, why)| *why)
}

/// The name a file is read by: its own, or the one its tool would have given it.
fn proper(name: &str) -> &str {
    let renamed = || RENAMED.iter().find(|(part, _)| name.contains(part)).map(|(_, proper)| *proper);
    renamed().unwrap_or(name)
}

#[test]
fn every_file_is_read_with_all_of_its_packages() {
    let (mut files, mut packages, mut faults) = (0, 0, Vec::new());
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (name, bytes) in corpus(FILES) {
        files += 1;
        let known = recognise(&name, &bytes) || recognise(proper(&name), &bytes);
        if let Some(why) = listed(OTHER, &name) {
            if known {
                faults.push(format!("{name}: is read, though listed as: {why}"));
            }
            continue;
        }
        let by = if recognise(&name, &bytes) { name.as_str() } else { proper(&name) };
        match (known, read(by, &bytes, &ReadOptions::default()), listed(DAMAGED, &name)) {
            (false, ..) => faults.push(format!("{name}: not recognised")),
            (_, Ok(_), Some(why)) => faults.push(format!("{name}: is read, though {why}")),
            (_, Err(_), Some(_)) => {}
            (_, Err(said), None) => faults.push(format!("{name}: {said:?}")),
            (_, Ok(bom), None) => {
                let told = OTHERWISE.iter().find(|(end, ..)| name.ends_with(end)).map(|(_, n, _)| *n);
                let wanted =
                    told.unwrap_or_else(|| count(&bom.format.name, &String::from_utf8_lossy(&bytes)));
                let got = bom.components.len();
                let kind = kinds.entry(bom.format.name.clone()).or_default();
                kind.0 += 1;
                kind.1 += got;
                packages += got;
                if got != wanted {
                    faults.push(format!("{name}: {got} packages of {}, {wanted} counted", bom.format.name));
                }
                faults.extend(doubtful(&bom).into_iter().map(|what| format!("{name}: {what}")));
            }
        }
    }
    eprintln!("{packages} packages in {files} files: {kinds:?}");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Package URLs that do not read back as what they were made of.
fn doubtful(bom: &Bom) -> Vec<String> {
    let mut out = Vec::new();
    for c in &bom.components {
        let Some(purl) = &c.purl else { continue };
        let text = purl.to_string();
        match tocsin_model::purl::Purl::parse(&text) {
            Ok(back) if back == *purl => {}
            other => out.push(format!("{text} reads back as {other:?}")),
        }
        if purl.version.as_deref().is_some_and(|v| v.contains(char::is_whitespace)) {
            out.push(format!("{text} has a blank in its version"));
        }
    }
    out
}

/// One package URL per kind, as the purl type definitions have it: namespace, spelling of the name, version.
#[test]
fn package_urls_are_as_the_type_definitions_say() {
    let files: BTreeMap<String, Vec<u8>> = corpus(FILES).into_iter().collect();
    if files.is_empty() {
        return;
    }
    for (end, purl) in SPOT {
        let (name, bytes) =
            files.iter().find(|(n, _)| n.ends_with(end)).unwrap_or_else(|| panic!("{end} is not there"));
        let bom = read(name, bytes, &ReadOptions::default()).unwrap();
        let all: Vec<String> =
            bom.components.iter().filter_map(|c| Some(c.purl.as_ref()?.to_string())).collect();
        assert!(all.iter().any(|p| p == purl), "{end}: no {purl} in {all:#?}");
    }
}

const SPOT: &[(&str, &str)] = &[
    ("rust/testdata/image-audit/Cargo.lock", "pkg:cargo/argh_derive@0.1.12"),
    ("DefectDojo+django-DefectDojo/docs/package-lock.json", "pkg:npm/%40babel/cli@7.28.6"),
    ("javascript/testdata/yarn-berry/yarn.lock", "pkg:npm/%40types/qs@6.9.4"),
    ("javascript/testdata/pnpm/pnpm-lock.yaml", "pkg:npm/%40bcoe/v8-coverage@0.2.3"),
    // PEP 503: the file has `django_celery_results`
    ("DefectDojo+django-DefectDojo/requirements.txt", "pkg:pypi/django-celery-results@2.6.0"),
    ("poetry/nested-extras/poetry.lock", "pkg:pypi/annotated-types@0.7.0"),
    ("python/testdata/pipfile-lock/Pipfile.lock", "pkg:pypi/aio-pika@6.8.0"),
    ("pdm-lock-separate-files/pdm.lock", "pkg:pypi/appnope@0.1.3"),
    ("scripts/uv-run-remote-script-test.py.lock", "pkg:pypi/markdown-it-py@4.2.0"),
    // the type definition asks for lower case; the file has `github.com/BurntSushi/toml`
    ("go.mod/anchore+syft/go.mod", "pkg:golang/github.com/burntsushi/toml@v1.6.0"),
    ("image-debian-match-coverage/ruby/Gemfile.lock", "pkg:gem/rails@4.1.1"),
    ("DependencyCheck/core/src/test/resources/composer.lock", "pkg:composer/doctrine/inflector@v1.0.1"),
    ("openaev/openbas-api/pom.xml", "pkg:maven/com.rabbitmq/amqp-client@5.25.0"),
    ("java-builds/example-java-app/gradle.lockfile", "pkg:maven/joda-time/joda-time@2.2"),
    ("repo/conan/conan.lock", "pkg:conan/zlib@1.2.12"),
    ("nuget/config/testdata/packages.config", "pkg:nuget/Microsoft.AspNet.WebApi@5.2.2"),
    ("image-net8-app-no-depjson/src/packages.lock.json", "pkg:nuget/Newtonsoft.Json@13.0.3"),
    ("status.d/libsqlite3-0", "pkg:deb/debian/libsqlite3-0@3.34.1-3?arch=arm64&upstream=sqlite3"),
    ("pkgs/lib/apk/db/installed", "pkg:apk/alpine/musl-utils@1.1.24-r2?arch=x86_64&upstream=musl"),
    ("pkgs/var/lib/rpm/Packages", "pkg:rpm/dive@0.9.2-1?arch=x86_64&upstream=dive-0.9.2-1.src.rpm"),
    ("testdata/var/lib/opkg/status", "pkg:opkg/busybox@1.36.1-r3?arch=x86_64"),
    ("elixir/testdata/mix.lock", "pkg:hex/cowboy_telemetry@0.4.0"),
    ("pubspec_locks/pubspec.lock", "pkg:pub/ansicolor@1.1.1"),
    ("image-pkg-coverage/swift/Package.resolved", "pkg:swift/github.com/apple/swift-atomics@1.1.0"),
    ("image-pkg-coverage/cocoapods/Podfile.lock", "pkg:cocoapods/PINRemoteImage@3.0.3"),
    (
        "redhat/testdata/container-manifest-2",
        "pkg:rpm/azurelinux/vim@9.0-1.cm2?arch=x86_64&epoch=2&upstream=vim-9.0-1.cm2.src.rpm",
    ),
    ("pkgs/erlang/rebar.lock", "pkg:hex/ssl_verify_fun@1.1.6"),
    ("repo/sbt/build.sbt.lock", "pkg:maven/com.fasterxml.jackson.core/jackson-databind@2.9.1"),
    ("locks-scalibr/cabal.project.freeze", "pkg:hackage/Agda@2.6.4.3"),
    ("haskell/testdata/stack.yaml.lock", "pkg:hackage/HTTP@4000.3.16"),
    ("language_data/renv.lock", "pkg:cran/Matrix@1.4-1"),
];
