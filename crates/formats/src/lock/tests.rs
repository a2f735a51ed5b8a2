//! Right values of small files, written from the formats' own descriptions.

use super::*;

fn ok(name: &str, text: &str) -> Bom {
    read(name, text.as_bytes(), &ReadOptions::default()).unwrap_or_else(|e| panic!("{name}: {e:?}"))
}

/// `group/name@version` of every component.
fn names(b: &Bom) -> Vec<String> {
    b.components
        .iter()
        .map(|c| format!("{}@{}", c.full_name(), c.version.as_deref().unwrap_or("?")))
        .collect()
}

fn purls(b: &Bom) -> Vec<String> {
    b.components.iter().map(|c| c.purl.as_ref().map_or("-".to_owned(), ToString::to_string)).collect()
}

fn codes(b: &Bom) -> Vec<&str> {
    b.diagnostics.iter().map(|d| d.code).collect()
}

#[test]
fn cargo_lock() {
    let index = "registry+https://github.com/rust-lang/index";
    let text = format!(
        "version = 4\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"a 1.0.0\", \"g\"]\n\
         [[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"{index}\"\nchecksum = \"AB\"\n\
         [[package]]\nname = \"a\"\nversion = \"2.0.0\"\nsource = \"registry+https://crates.example/i\"\n\
         [[package]]\nname = \"g\"\nversion = \"3.0.0\"\nsource = \"git+https://example.org/g#1234\"\ndependencies = [\"zz\"]\n"
    );
    let b = ok("x/Cargo.lock", &text);
    assert_eq!(
        purls(&b),
        ["-", "pkg:cargo/a@1.0.0", "pkg:cargo/a@2.0.0?repository_url=https:%2F%2Fcrates.example%2Fi", "-"]
    );
    assert_eq!(b.dependencies, [(0, 1), (0, 3)]);
    assert_eq!(codes(&b), ["ref-unknown"]);
    assert_eq!(b.components[1].hashes, [("SHA-256".to_owned(), "ab".to_owned())]);
    assert_eq!(b.components[3].properties[0].1, "git+https://example.org/g#1234");
}

#[test]
fn npm_trees() {
    let v1 = r#"{"lockfileVersion":1,"dependencies":{
        "a":{"version":"1.0.0","requires":{"b":"^2"},"dependencies":{"b":{"version":"2.0.0"}}},
        "b":{"version":"1.5.0","dev":true},"c":{"version":"npm:@s/real@3.0.0"},"l":{"version":"file:../l"}}}"#;
    let b = ok("package-lock.json", v1);
    assert_eq!(names(&b), ["a@1.0.0", "b@1.5.0", "@s/real@3.0.0", "l@?", "b@2.0.0"]);
    assert_eq!(b.dependencies, [(0, 4)]);
    let v3 = r#"{"name":"app","lockfileVersion":3,"packages":{"":{"version":"9.0.0","dependencies":{"a":"*"}},
        "node_modules/a":{"version":"1.0.0","dependencies":{"b":"*","@s/c":"*"},"license":"MIT"},
        "node_modules/a/node_modules/b":{"version":"2.0.0","integrity":"sha1-AAECAwQFBgcICQoLDA0ODxAREhM="},
        "node_modules/b":{"version":"1.0.0"},"node_modules/@s/c":{"version":"0.1.0"},
        "node_modules/w":{"resolved":"packages/w","link":true},"packages/w":{"version":"0.0.1","dependencies":{"b":"*"}}}}"#;
    let b = ok("package-lock.json", v3);
    assert_eq!(names(&b), ["app@9.0.0", "a@1.0.0", "b@2.0.0", "b@1.0.0", "@s/c@0.1.0", "packages/w@0.0.1"]);
    assert_eq!(b.dependencies, [(0, 1), (1, 2), (1, 4), (5, 3)]);
    assert_eq!(b.root, Some(0));
    assert_eq!(b.components[2].hashes[0].1, "000102030405060708090a0b0c0d0e0f10111213");
    assert_eq!(purls(&b)[4], "pkg:npm/%40s/c@0.1.0");
}

#[test]
fn go_files() {
    let b = ok(
        "go.mod",
        "module example.org/m // c\ngo 1.21\ntoolchain go1.22.3\nrequire (\n\texample.org/a v1.0.0\n\texample.org/B/v2 v2.1.0 // indirect\n\tx.org/l v0.1.0\n)\n\
         replace example.org/a => example.org/fork v1.0.1\nreplace x.org/l v0.1.0 => ../l\n",
    );
    assert_eq!(
        names(&b),
        [
            "example.org/m@?",
            "example.org/fork@v1.0.1",
            "example.org/B/v2@v2.1.0",
            "x.org/l@v0.1.0",
            "stdlib@1.22.3"
        ]
    );
    assert_eq!(purls(&b)[4], "pkg:golang/stdlib@1.22.3");
    assert_eq!(purls(&b)[3], "-");
    assert_eq!(b.dependencies, [(0, 1), (0, 3), (0, 4)]);
    let b =
        ok("go.sum", "a.org/x v1.0.0 h1:AA=\na.org/x v1.0.0/go.mod h1:BB=\na.org/y v1.0.0/go.mod h1:CC=\n");
    assert_eq!(names(&b), ["a.org/x@v1.0.0"]);
}

#[test]
fn requirements() {
    let b = ok(
        "requirements.txt",
        "# c\nDjango==4.2.1 ; python_version > '3' # x\nrequests[security] >= 2, == 2.8.*\nfoo===1.0+local\nbar\n-r more.txt\n\
         u @ https://e.org/u.zip\ngit+https://e.org/r.git#egg=eggy\n./d/numpy-1.9.2-cp34-none-win32.whl\nh==1 \\\n  --hash=sha256:abcd\n",
    );
    assert_eq!(
        names(&b),
        ["Django@4.2.1", "requests@?", "foo@1.0+local", "bar@?", "u@?", "eggy@?", "numpy@1.9.2", "h@1"]
    );
    assert_eq!(purls(&b)[0], "pkg:pypi/django@4.2.1");
    assert_eq!(codes(&b).iter().filter(|c| **c == "lock-unresolved").count(), 5);
    assert_eq!(b.components[7].hashes.len(), 1);
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("a==1\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let b = read("requirements.txt", &wide, &ReadOptions::default()).unwrap();
    assert_eq!(names(&b), ["a@1"]);
}

#[test]
fn debian_and_alpine() {
    let distro = os_release(b"NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n");
    assert_eq!(distro.qualifier(), "debian-12");
    let text = "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl (3.0.11-1)\nVersion: 3.0.11-1~deb12u2\n\
                Depends: libc6 (>= 2.34), nothing | debconf\nConffiles:\n /etc/x abc\n\n\
                Package: old\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: libc6\nStatus: install ok installed\nSource: glibc\nVersion: 2.36-9\nArchitecture: amd64\nProvides: debconf (= 2)\n";
    let b =
        read_with("var/lib/dpkg/status", text.as_bytes(), &ReadOptions::default(), Some(&distro)).unwrap();
    assert_eq!(
        purls(&b),
        [
            "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl%403.0.11-1",
            "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc",
        ]
    );
    assert_eq!(b.dependencies, [(0, 1)]);
    assert_eq!(b.components[1].path, "line 14");
    let text = "C:Q1x=\nP:libcrypto3\nV:3.1.4-r5\nA:x86_64\no:openssl\nL:Apache-2.0\nD:so:libc.musl=1 !bad\np:so:libcrypto.so.3=3\nF:lib\n\nP:musl\nV:1.2.4-r2\nA:x86_64\no:musl\np:so:libc.musl=1\n";
    let b = ok("lib/apk/db/installed", text);
    assert_eq!(
        purls(&b),
        [
            "pkg:apk/alpine/libcrypto3@3.1.4-r5?arch=x86_64&upstream=openssl",
            "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64"
        ]
    );
    assert_eq!(b.dependencies, [(0, 1)]);
}

#[test]
fn yarn_of_both_kinds() {
    let one = "# yarn lockfile v1\n\n\"@a/b@^1.0.0\", \"@a/b@^1.1.0\":\n  version \"1.2.0\"\n  resolved \"https://example.org/b.tgz\"\n\n\
               c@^2.0.0:\n  version \"2.0.1\"\n";
    assert_eq!(purls(&ok("yarn.lock", one)), ["pkg:npm/%40a/b@1.2.0", "pkg:npm/c@2.0.1"]);
    let berry = "__metadata:\n  version: 6\n\n\"c@npm:^2.0.0\":\n  version: 2.0.1\n  resolution: \"c@npm:2.0.1\"\n  linkType: hard\n";
    assert_eq!(purls(&ok("yarn.lock", berry)), ["pkg:npm/c@2.0.1"]);
}

#[test]
fn pnpm_of_two_versions() {
    let five = "lockfileVersion: 5.4\npackages:\n  /@a/b/1.0.0:\n    resolution: {integrity: sha512-AAAA}\n  /c/2.0.0:\n    dev: true\n";
    assert_eq!(purls(&ok("pnpm-lock.yaml", five)), ["pkg:npm/%40a/b@1.0.0", "pkg:npm/c@2.0.0"]);
    let nine =
        "lockfileVersion: '9.0'\npackages:\n  '@a/b@1.0.0':\n    resolution: {integrity: sha512-AAAA}\n";
    assert_eq!(purls(&ok("pnpm-lock.yaml", nine)), ["pkg:npm/%40a/b@1.0.0"]);
}

#[test]
fn python_locks() {
    let poetry = "[[package]]\nname = \"Django\"\nversion = \"2.2.8\"\n";
    assert_eq!(purls(&ok("poetry.lock", poetry)), ["pkg:pypi/django@2.2.8"]);
    let pipfile = r#"{"_meta":{},"default":{"six":{"version":"==1.16.0"}},"develop":{}}"#;
    assert_eq!(purls(&ok("Pipfile.lock", pipfile)), ["pkg:pypi/six@1.16.0"]);
}

#[test]
fn composer_and_bundler() {
    let composer = r#"{"packages":[{"name":"a/b","version":"v1.0.0"}],"packages-dev":[]}"#;
    assert_eq!(purls(&ok("composer.lock", composer)), ["pkg:composer/a/b@v1.0.0"]);
    let gems = "GEM\n  remote: https://gems.example/\n  specs:\n    rack (2.2.3)\n    rails (6.0.0)\n      rack (~> 2.0)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  rails\n";
    assert_eq!(purls(&ok("Gemfile.lock", gems)), ["pkg:gem/rack@2.2.3", "pkg:gem/rails@6.0.0"]);
}

#[test]
fn maven_versions_by_property_and_management() {
    let pom = "<project><version>3.0</version><properties><v>1.2</v></properties>\
        <dependencyManagement><dependencies><dependency><groupId>g</groupId><artifactId>m</artifactId><version>9</version></dependency></dependencies></dependencyManagement>\
        <dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId><version>${v}</version></dependency>\
        <dependency><groupId>g</groupId><artifactId>m</artifactId></dependency>\
        <dependency><groupId>g</groupId><artifactId>own</artifactId><version>${project.version}</version></dependency>\
        <dependency><groupId>g</groupId><artifactId>x</artifactId><version>${elsewhere}</version></dependency>\
        <dependency><groupId>g</groupId><artifactId>r</artifactId><version>[1.0,2.0)</version></dependency></dependencies></project>";
    let b = ok("pom.xml", pom);
    assert_eq!(
        purls(&b),
        ["pkg:maven/g/a@1.2", "pkg:maven/g/m@9", "pkg:maven/g/own@3.0", "pkg:maven/g/x", "pkg:maven/g/r"]
    );
    assert_eq!(codes(&b), ["lock-unresolved", "lock-unresolved"]);
    assert_eq!(
        purls(&ok("gradle.lockfile", "# x\ng:a:1.0=compileClasspath\nempty=\n")),
        ["pkg:maven/g/a@1.0"]
    );
    // properties that name each other end
    let circle = "<project><properties><a>${b}</a><b>${a}</b></properties><dependencies><dependency><groupId>g</groupId>\
        <artifactId>a</artifactId><version>${a}</version></dependency></dependencies></project>";
    assert_eq!(purls(&ok("pom.xml", circle)), ["pkg:maven/g/a"]);
}

#[test]
fn nuget_files() {
    let lock = r#"{"version":1,"dependencies":{"net6.0":{"A.B":{"type":"Direct","resolved":"1.0.0"},"mine":{"type":"Project"}},
        "net7.0":{"A.B":{"type":"Direct","resolved":"1.0.0"}}}}"#;
    assert_eq!(purls(&ok("packages.lock.json", lock)), ["pkg:nuget/A.B@1.0.0"]);
    let config = "<packages><package id=\"A\" version=\"1.0\"/></packages>";
    assert_eq!(purls(&ok("packages.config", config)), ["pkg:nuget/A@1.0"]);
    let deps = r#"{"libraries":{"App/1.0.0":{"type":"project"},"A/2.0.0":{"type":"package"}}}"#;
    assert_eq!(purls(&ok("App.deps.json", deps)), ["-", "pkg:nuget/A@2.0.0"]);
}

#[test]
fn native_builds() {
    let two =
        r#"{"version":"0.5","requires":["zlib/1.2.11#rev%1.0","openssl/3.0.0@u/c"],"build_requires":[]}"#;
    assert_eq!(
        purls(&ok("conan.lock", two)),
        ["pkg:conan/zlib@1.2.11", "pkg:conan/openssl@3.0.0?channel=c&user=u"]
    );
    let one = r#"{"version":"0.4","graph_lock":{"nodes":{"0":{"path":"conanfile.txt"},"1":{"ref":"zlib/1.2.11#r"}}}}"#;
    assert_eq!(purls(&ok("conan.lock", one)), ["pkg:conan/zlib@1.2.11"]);
    assert_eq!(
        purls(&ok("core-image.manifest", "zlib cortexa7 1.2.11-r0\n")),
        ["pkg:generic/zlib@1.2.11-r0?arch=cortexa7"]
    );
    let csv = "\"PACKAGE\",\"VERSION\",\"LICENSE\"\n\"zlib\",\"1.2.11\",\"Zlib\"\n";
    assert_eq!(purls(&ok("manifest.csv", csv)), ["pkg:generic/zlib@1.2.11"]);
}

#[test]
fn mobile_and_the_rest() {
    let dart = "packages:\n  http:\n    source: hosted\n    version: \"0.13.0\"\n  flutter:\n    source: sdk\n    version: \"0.0.0\"\n";
    assert_eq!(purls(&ok("pubspec.lock", dart)), ["pkg:pub/http@0.13.0", "-"]);
    let swift = r#"{"version":2,"pins":[{"identity":"nio","location":"https://github.com/apple/swift-nio.git","state":{"version":"2.41.1"}}]}"#;
    assert_eq!(purls(&ok("Package.resolved", swift)), ["pkg:swift/github.com/apple/swift-nio@2.41.1"]);
    let pods = "PODS:\n  - A (1.0):\n    - B\n  - B/Core (2.0)\n  - B (2.0)\n";
    assert_eq!(purls(&ok("Podfile.lock", pods)), ["pkg:cocoapods/A@1.0", "pkg:cocoapods/B@2.0"]);
    let mix = "%{\n  \"plug\": {:hex, :plug, \"1.11.0\", \"aa\", [:mix], [], \"hexpm\"},\n}\n";
    assert_eq!(purls(&ok("mix.lock", mix)), ["pkg:hex/plug@1.11.0"]);
    let renv = r#"{"Packages":{"rlang":{"Package":"rlang","Version":"1.0.0","Source":"Repository"}}}"#;
    assert_eq!(purls(&ok("renv.lock", renv)), ["pkg:cran/rlang@1.0.0"]);
    let stack = "packages:\n- completed:\n    hackage: aeson-2.0.3.0@sha256:ab,1\n  original:\n    hackage: aeson-2.0.3.0\n";
    assert_eq!(purls(&ok("stack.yaml.lock", stack)), ["pkg:hackage/aeson@2.0.3.0"]);
}

#[test]
fn lists_of_erlang_haskell_scala_and_azure_linux() {
    let rebar = "{\"1.2.0\",\n[{<<\"a\">>,{pkg,<<\"a_real\">>,<<\"1.0\">>},0},\n {<<\"g\">>,{git,\"https://example.org/g\",{ref,\"1\"}},0}]}.\n[\n{pkg_hash,[\n {<<\"a\">>, <<\"00\">>}]}].\n";
    assert_eq!(purls(&ok("rebar.lock", rebar)), ["pkg:hex/a_real@1.0", "-"]);
    let cabal = "active-repositories: x\nconstraints: any.Agda ==2.6.4,\n             Agda +cpphs,\n             any.base ==4.18\n";
    assert_eq!(
        purls(&ok("cabal.project.freeze", cabal)),
        ["pkg:hackage/Agda@2.6.4", "pkg:hackage/base@4.18"]
    );
    let sbt = r#"{"lockVersion":1,"dependencies":[{"org":"g","name":"a","version":"1.0","artifacts":[]}]}"#;
    assert_eq!(purls(&ok("build.sbt.lock", sbt)), ["pkg:maven/g/a@1.0"]);
    let list = "vim\t9.0-1.cm2\t1\t1\tMicrosoft Corporation\t2\t5\tx86_64\t2\tvim-9.0-1.cm2.src.rpm\nshort\n";
    let b = ok("var/lib/rpmmanifest/container-manifest-2", list);
    assert_eq!(
        purls(&b),
        ["pkg:rpm/azurelinux/vim@9.0-1.cm2?arch=x86_64&epoch=2&upstream=vim-9.0-1.cm2.src.rpm"]
    );
    assert_eq!(codes(&b), ["value-ignored"]);
}
