//! `tocsin scan` of root file systems, archives and container images: the right components, of the right
//! distribution, found by that distribution's advisories alone. The advisories are made up.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::tocsin;

/// A store that knows of four packages, one per distribution and release.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let advisories = dir.path().join("advisories");
        fs::create_dir(&advisories).unwrap();
        for (id, ecosystem, package, fixed) in [
            ("DSA-1", "Debian:12", "openssl", "3.0.9-1"),
            ("DSA-2", "Debian:11", "openssl", "9.0-1"),
            ("DSA-3", "Debian:12", "zlib", "1:1.2.13.dfsg-1"),
            ("RLSA-1", "Rocky Linux:9", "libalpha", "0:1.2.3-5.el9_2"),
            ("RLSA-2", "Rocky Linux:8", "libalpha", "0:9-1.el8"),
            ("RLSA-3", "Rocky Linux:9", "beta", "1:11.0-1.el9"),
            ("ALPINE-1", "Alpine:v3.18", "busybox", "1.36.1-r3"),
            ("ALPINE-2", "Alpine:v3.19", "busybox", "9-r0"),
        ] {
            let record = json!({"schema_version": "1.6.0", "id": id, "modified": "2024-01-01T00:00:00Z",
                "affected": [{"package": {"ecosystem": ecosystem, "name": package},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]});
            fs::write(advisories.join(format!("{id}.json")), record.to_string()).unwrap();
        }
        let out = tocsin(&dir.path().join("data"), &["db", "import", advisories.to_str().unwrap()]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        World { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn scan(&self, target: &Path) -> Value {
        let args = ["scan", target.to_str().unwrap(), "--format", "json"];
        let out = tocsin(&self.dir.path().join("data"), &args);
        assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }
}

/// `component: advisory` of every open finding.
fn findings(scan: &Value) -> BTreeSet<String> {
    let all = scan["findings"].as_array().unwrap().iter().filter(|f| f["status"] == "affected");
    all.map(|f| {
        format!(
            "{}: {}",
            f["component"]["name"].as_str().unwrap(),
            f["vulnerability"]["id"].as_str().unwrap()
        )
    })
    .collect()
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|s| (*s).to_owned()).collect()
}

const DEBIAN: &str = "ID=debian\nVERSION_ID=\"12\"\n";
const DPKG: &str = "Package: libssl3\nStatus: install ok installed\nSource: openssl\nArchitecture: amd64\nVersion: 3.0.8-1\n\n\
    Package: zlib1g\nStatus: install ok installed\nSource: zlib\nArchitecture: amd64\nVersion: 1:1.2.13.dfsg-1\n\n\
    Package: gone\nStatus: deinstall ok config-files\nSource: openssl\nVersion: 1.0\n";
const ALPINE: &str = "ID=alpine\nVERSION_ID=3.18.4\n";
const APK: &str = "P:busybox\nV:1.36.1-r2\nA:x86_64\no:busybox\n\n";

fn rpm(name: &str) -> Vec<u8> {
    fs::read(format!("{}/../../testdata/lock/rpm/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_ustar();
        // set_path refuses paths that lead elsewhere; hostile archives have them
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn a_package_database_is_of_the_system_it_lies_in() {
    let world = World::new();
    for (name, text) in [
        ("device/images/a/usr/lib/os-release", DEBIAN),
        ("device/images/a/var/lib/dpkg/status", DPKG),
        ("device/images/b/etc/os-release", ALPINE),
        ("device/images/b/lib/apk/db/installed", APK),
        // of no system: Debian of an unknown release
        ("device/loose/dpkg/status", "Package: harmless\nVersion: 1\n"),
    ] {
        fs::write(world.path(name), text).unwrap();
    }
    let wanted = set(&["libssl3: DSA-1", "busybox: ALPINE-1"]);
    let scan = world.scan(&world.path("device"));
    assert_eq!(findings(&scan), wanted);
    assert_eq!(scan["components"], 4);
    let purls: Vec<&str> =
        scan["findings"].as_array().unwrap().iter().filter_map(|f| f["component"]["purl"].as_str()).collect();
    assert!(
        purls.contains(&"pkg:deb/debian/libssl3@3.0.8-1?arch=amd64&distro=debian-12&upstream=openssl"),
        "{purls:?}"
    );
    // one of its files scanned alone
    let alone = world.scan(&world.path("device/images/a/var/lib/dpkg/status"));
    assert_eq!(findings(&alone), set(&["libssl3: DSA-1"]));
}

#[test]
fn an_rpm_root_is_matched_per_release_and_with_epochs() {
    let world = World::new();
    for (place, file) in [
        ("var/lib/rpm", "Packages"),
        ("usr/lib/sysimage/rpm", "Packages.db"),
        ("usr/lib/sysimage/rpm", "rpmdb.sqlite"),
    ] {
        let root = format!("root-{file}");
        fs::write(world.path(&format!("{root}/etc/os-release")), "ID=\"rocky\"\nVERSION_ID=\"9.2\"\n")
            .unwrap();
        fs::write(world.path(&format!("{root}/{place}/{file}")), rpm(file)).unwrap();
        let scan = world.scan(&world.path(&root));
        // the source's advisory speaks for the package made of it
        assert_eq!(findings(&scan), set(&["libalpha: RLSA-1", "libalpha-tools: RLSA-1"]), "{file}");
        assert_eq!(scan["components"], 3, "{file}");
    }
}

/// Two layers: a Debian with a lock file, then an upgrade, a removal and a new folder over them.
fn layers() -> [Vec<u8>; 2] {
    let lock = b"{\"lockfileVersion\":3,\"packages\":{\"node_modules/a\":{\"version\":\"1.0.0\"}}}";
    let lower = tar(&[
        ("etc/os-release", DEBIAN.as_bytes()),
        ("./var/lib/dpkg/status", DPKG.as_bytes()),
        ("srv/app/package-lock.json", lock),
        ("srv/old/package-lock.json", lock),
        ("opt/x/package-lock.json", lock),
    ]);
    let upper = tar(&[
        ("var/lib/dpkg/status", DPKG.replace("3.0.8-1", "3.0.9-1").as_bytes()),
        ("srv/app/.wh.package-lock.json", b""),
        ("srv/.wh.old", b""),
        ("opt/x/.wh..wh..opq", b""),
        ("../../etc/passwd", b"root"),
    ]);
    [lower, upper]
}

#[test]
fn layers_of_an_image_lie_over_one_another() {
    let world = World::new();
    let [lower, upper] = layers();
    let saved = |layers: &str| format!("[{{\"Config\":\"c\",\"RepoTags\":[\"a:1\"],\"Layers\":{layers}}}]");
    let both = saved("[\"l/layer.tar\",\"u/layer.tar\"]");
    let first = saved("[\"l/layer.tar\"]");
    let docker = |manifest: &str| {
        tar(&[
            ("u/layer.tar", &gzip(&upper)),
            ("l/layer.tar", &lower),
            ("manifest.json", manifest.as_bytes()),
        ])
    };
    let manifest = r#"{"layers":[{"digest":"sha256:aa","mediaType":"application/vnd.oci.image.layer.v1.tar"},
        {"digest":"sha256:bb","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"}]}"#;
    let oci: [(&str, &[u8]); 5] = [
        ("oci-layout", b"{\"imageLayoutVersion\":\"1.0.0\"}"),
        ("index.json", b"{\"manifests\":[{\"digest\":\"sha256:cc\"}]}"),
        ("blobs/sha256/aa", &lower),
        ("blobs/sha256/bb", &gzip(&upper)),
        ("blobs/sha256/cc", manifest.as_bytes()),
    ];
    for (path, bytes) in oci {
        fs::write(world.path(&format!("layout/{path}")), bytes).unwrap();
    }
    fs::write(world.path("first.tar"), docker(&first)).unwrap();
    fs::write(world.path("both.tar.gz"), gzip(&docker(&both))).unwrap();
    fs::write(world.path("oci.tar"), tar(&oci)).unwrap();
    fs::write(world.path("folder/both.tar"), docker(&both)).unwrap();
    for (target, components, wanted) in [
        ("first.tar", 5, set(&["libssl3: DSA-1"])),
        ("both.tar.gz", 2, set(&[])),
        ("oci.tar", 2, set(&[])),
        ("layout", 2, set(&[])),
        ("folder", 2, set(&[])),
    ] {
        let scan = world.scan(&world.path(target));
        assert_eq!(findings(&scan), wanted, "{target}");
        assert_eq!(scan["components"], components, "{target}");
        assert_eq!(scan["diagnostics"], json!([]), "{target}");
    }
    fs::write(world.path("torn.tar"), docker(&saved("[\"l/layer.tar\",\"x/layer.tar\"]"))).unwrap();
    let scan = world.scan(&world.path("torn.tar"));
    assert_eq!(scan["diagnostics"][0]["code"], "input-syntax", "a missing layer is told of");
}

#[test]
fn archives_hold_root_file_systems_and_other_archives() {
    let world = World::new();
    let root = tar(&[
        ("rootfs/etc/os-release", ALPINE.as_bytes()),
        ("rootfs/lib/apk/db/installed", APK.as_bytes()),
        ("rootfs/proc/notes.json", b"{}"),
    ]);
    fs::write(world.path("root.tar.zst"), zstd::encode_all(root.as_slice(), 1).unwrap()).unwrap();
    fs::write(world.path("outer.tar"), tar(&[("inner/root.tar.gz", &gzip(&root))])).unwrap();
    // the database is a hard link to a file of another name
    let mut linked = tar::Builder::new(Vec::new());
    for (path, text) in [("etc/os-release", ALPINE), ("store/apk/db/installed", APK)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        linked.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Link);
    header.set_size(0);
    linked.append_link(&mut header, "lib/apk/db/installed", "store/apk/db/installed").unwrap();
    fs::write(world.path("linked.tar"), linked.into_inner().unwrap()).unwrap();
    assert_eq!(world.scan(&world.path("linked.tar"))["components"], 2);
    for target in ["root.tar.zst", "outer.tar", "linked.tar"] {
        assert_eq!(findings(&world.scan(&world.path(target))), set(&["busybox: ALPINE-1"]), "{target}");
    }
}

#[test]
fn opkg_control_files_beside_their_status_are_not_counted_twice() {
    let world = World::new();
    let package = "Package: zlib\nVersion: 1.2.13-1\nArchitecture: mips_24kc\n";
    fs::write(world.path("wrt/usr/lib/opkg/info/zlib.control"), package).unwrap();
    assert_eq!(world.scan(&world.path("wrt"))["components"], 1);
    fs::write(world.path("wrt/usr/lib/opkg/status"), format!("{package}Status: install user installed\n"))
        .unwrap();
    assert_eq!(world.scan(&world.path("wrt"))["components"], 1);
}

#[test]
fn hostile_archives_end_in_a_diagnostic() {
    let world = World::new();
    // a name of 2 MiB, which a reader would hold in memory
    let mut long = tar(&[]);
    long.clear();
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(2 << 20);
    header.set_cksum();
    long.extend(header.as_bytes());
    long.resize(long.len() + (2 << 20), b'a');
    long.extend(tar(&[("x", b"")]));
    // archives in archives in archives
    let mut deep = tar(&[("bom.json", b"{}")]);
    for _ in 0..40 {
        deep = tar(&[("deep.tar", &deep)]);
    }
    let cut = tar(&[("etc/os-release", DEBIAN.as_bytes()), ("var/lib/dpkg/status", DPKG.as_bytes())]);
    for (name, bytes, code) in [
        ("long.tar", long.as_slice(), "limit-size"),
        ("deep.tar", &deep, "limit-depth"),
        ("bomb.tar.gz", &gzip(&vec![0; 80 << 20]), "limit-expansion"),
        ("cut.tar", &cut[..1200], "input-syntax"),
        ("empty.tar", &tar(&[]), "input-unrecognised"),
    ] {
        fs::write(world.path(name), bytes).unwrap();
        let out = tocsin(&world.path("data"), &["scan", world.path(name).to_str().unwrap()]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(code), "{name}: {said}");
    }
}
