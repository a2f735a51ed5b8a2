//! Right values of three databases with the same three packages, and of damaged ones. `testdata/lock/rpm`: the
//! headers are what rpmbuild and rpm 4.18 wrote for packages of our own; `rpmdb.sqlite` is rpm's table in small pages,
//! `Packages` was loaded by Berkeley DB's own tool (`rpm -qa` lists the same of it), `Packages.db` was laid out after
//! the description of ndb.

use tocsin_model::bom::Bom;

use super::super::{Distro, read_with};
use super::*;
use crate::input::ReadOptions;

const FILES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../testdata/lock/rpm/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn open(name: &str, bytes: &[u8]) -> Result<Bom, Refusal> {
    let distro = Distro { id: "rhel".to_owned(), version_id: "9.2".to_owned(), codename: String::new() };
    read_with(name, bytes, &ReadOptions::default(), Some(&distro))
}

#[test]
fn three_databases_hold_the_same_packages() {
    for name in FILES {
        let b = open(name, &fixture(name)).unwrap();
        let mut purls: Vec<String> =
            b.components.iter().map(|c| c.purl.as_ref().unwrap().to_string()).collect();
        purls.sort();
        assert_eq!(
            purls,
            [
                "pkg:rpm/rhel/beta@10.0-1.module_el9?arch=noarch&distro=rhel-9.2&epoch=2&upstream=beta-10.0-1.module_el9.src.rpm",
                "pkg:rpm/rhel/libalpha-tools@1.2.3-4.el9_2?arch=noarch&distro=rhel-9.2&upstream=libalpha-1.2.3-4.el9_2.src.rpm",
                "pkg:rpm/rhel/libalpha@1.2.3-4.el9_2?arch=noarch&distro=rhel-9.2&upstream=libalpha-1.2.3-4.el9_2.src.rpm",
            ],
            "{name}"
        );
        let index = |n: &str| b.components.iter().position(|c| c.name == n).unwrap();
        let mut edges = b.dependencies.clone();
        edges.sort_unstable();
        let mut wanted =
            vec![(index("beta"), index("libalpha")), (index("libalpha-tools"), index("libalpha"))];
        wanted.sort_unstable();
        assert_eq!(edges, wanted, "{name}");
        let c = &b.components[0];
        assert_eq!(c.supplier.as_deref(), Some("Tocsin Fixtures"), "{name}");
        assert_eq!(c.licenses.len(), 1, "{name}");
        assert!(b.diagnostics.is_empty(), "{name}: {:?}", b.diagnostics);
    }
}

#[test]
fn damage_is_told_and_never_panics() {
    for name in FILES {
        let whole = fixture(name);
        for end in (0..whole.len()).step_by(97) {
            let cut = open(name, &whole[..end]);
            let said = cut.as_ref().is_err()
                || cut.is_ok_and(|b| !b.diagnostics.is_empty() || b.components.len() == 3);
            assert!(said, "{name} cut at {end} loses packages in silence");
        }
        let mut state = 1_u32;
        for _ in 0..3000 {
            let mut bytes = whole.clone();
            for _ in 0..4 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (state >> 4) as usize % bytes.len();
                bytes[at] = [0, 0xff, 0x80, (state >> 24) as u8][(state & 3) as usize];
            }
            let _ = open(name, &bytes);
        }
    }
}

/// A header of text tags.
fn header(tags: &[(u32, &str)]) -> Vec<u8> {
    let (mut index, mut store) = (Vec::new(), Vec::new());
    for (tag, text) in tags {
        for n in [*tag, 6, store.len() as u32, 1] {
            index.extend(n.to_be_bytes());
        }
        store.extend(text.bytes().chain([0]));
    }
    let mut out = (tags.len() as u32).to_be_bytes().to_vec();
    out.extend((store.len() as u32).to_be_bytes());
    out.extend(index.into_iter().chain(store));
    out
}

/// An ndb database of these records.
fn ndb_file(records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"RpmP".to_vec();
    let words = |out: &mut Vec<u8>, w: &[u32]| w.iter().for_each(|n| out.extend(n.to_le_bytes()));
    words(&mut out, &[0, 1, 1, 9, 0, 0, 0]);
    let mut bodies = Vec::new();
    for (n, r) in records.iter().enumerate() {
        out.extend(b"Slot");
        words(&mut out, &[n as u32 + 1, 256 + bodies.len() as u32 / 16, (r.len() as u32 + 43) / 16]);
        bodies.extend(b"BlbS");
        words(&mut bodies, &[n as u32 + 1, 1, r.len() as u32]);
        bodies.extend(r);
        bodies.resize(bodies.len().next_multiple_of(16), 0);
    }
    while out.len() < 4096 {
        out.extend(b"Slot");
        words(&mut out, &[0, 0, 0]);
    }
    out.extend(bodies);
    out
}

#[test]
fn keys_are_no_packages_and_vendors_tell_the_distribution() {
    let file = ndb_file(&[
        header(&[(1000, "gpg-pubkey"), (1001, "0"), (1002, "1")]),
        header(&[
            (1000, "a"),
            (1001, "1"),
            (1002, "2.el8"),
            (1011, "Rocky Enterprise Software Foundation"),
            (5096, "m:8:1:x"),
        ]),
        header(&[(1000, "b"), (1001, "1"), (1002, "2"), (1011, "Somebody")]),
        header(&[(1001, "7")]),
    ]);
    let b = read_with("Packages.db", &file, &ReadOptions::default(), None).unwrap();
    let purls: Vec<String> = b.components.iter().map(|c| c.purl.as_ref().unwrap().to_string()).collect();
    assert_eq!(purls, ["pkg:rpm/rocky/a@1-2.el8?rpmmod=m:8", "pkg:rpm/b@1-2"]);
    assert_eq!(b.diagnostics.len(), 1, "{:?}", b.diagnostics);
}

#[test]
fn links_that_lead_back_end() {
    // every slot names the same record
    let record = header(&[(1000, "a"), (1001, "1"), (1004, &"x".repeat(4000))]);
    let mut file = ndb_file(&[record]);
    let slot = file[32..48].to_vec();
    for at in (48..4096).step_by(16) {
        file[at..at + 16].copy_from_slice(&slot);
    }
    let b = read_with("Packages.db", &file, &ReadOptions::default(), None).unwrap();
    assert!(b.components.len() < 3 && !b.diagnostics.is_empty());
    // an inner page of SQLite that names itself
    let mut file = fixture("rpmdb.sqlite");
    let own = 512 + 8;
    assert_eq!(file[512], 5, "the second page is the root of the table");
    file[own..own + 4].copy_from_slice(&2_u32.to_be_bytes());
    let b = open("rpmdb.sqlite", &file).unwrap();
    assert!(!b.diagnostics.is_empty());
}
