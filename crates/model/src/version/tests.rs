//! Cases of our own: whole kinds, each list in ascending order.

use super::Scheme;
use super::vers::Range;
use std::cmp::Ordering;

/// Ascending lists; versions joined by ` = ` are equal.
const ASCENDING: &[(Scheme, &[&str])] = &[
    (
        Scheme::Semver,
        &["1.0.0--1", "1.0.0-alpha", "1.0.0-rc.2", "1.0.0-rc.10", "1 = v1.0 = 1.0.0+b = 01.0.0", "1.0.0.1"],
    ),
    (Scheme::Npm, &["1.2.3beta = 1.2.3-beta", "=1.2.3 = 1.2.3", "99.0.0", "100.0.0", "20260101000000.0.0"]),
    (
        Scheme::Pypi,
        &[
            "1.0.dev1",
            "1.0a1.dev1",
            "1.0a1 = 1.0.alpha-1",
            "1.0b1",
            "1.0rc1 = 1.0c1",
            "1.0 = v1",
            "1.0+a",
            "1.0+1",
            "1.0.post1.dev2",
            "1.0-1 = 1.0.post1",
            "1.0.1",
            "1!0",
        ],
    ),
    (Scheme::Gem, &["1.a = 1.0.a", "1.b.0", "1 = 1.0.0", "1.0.0.1", "1.0.1", "1.1"]),
    (
        Scheme::Maven,
        &[
            "1-alpha",
            "1-beta",
            "1-milestone",
            "1-rc = 1-cr",
            "1-SNAPSHOT",
            "1 = 1.0-ga = 1.final",
            "1-sp",
            "1-xyz",
            "1-1",
            "1.1",
            "2.414.2",
            "2.414.2-cb-5",
            "2.414.3",
        ],
    ),
    (Scheme::Nuget, &["1.0-A", "1.0-b = 1.0.0-B+x", "1 = 1.0.0.0", "1.0.0.1"]),
    (
        Scheme::Composer,
        &[
            "dev-main",
            "1.0-dev",
            "1.0-alpha1",
            "1.0-RC1",
            "1.0 = v1.0.0.0 = 1.0-stable",
            "1.0-p1",
            "1.0.1",
            "1.x-dev",
            "2.0",
        ],
    ),
    (
        Scheme::Go,
        &[
            "v0.0.0-20190101000000-abcdefabcdef",
            "v1.20.0",
            "go1.21rc2 = 1.21rc2",
            "1.21rc10",
            "go1.21.0 = 1.21",
            "v2.0.0+incompatible = 2.0.0",
        ],
    ),
    (
        Scheme::Debian,
        &["1.0~~", "1.0~rc1-1", "1.0 = 0:1.0-0 = 01.0", "1.0-1~bpo1", "1.0-1", "1.0a", "1.0+b", "1:0"],
    ),
    (
        Scheme::Rpm,
        &["1.0~rc1", "1.0 = 0:1.0", "1.0^git1", "1.0a", "1.0.1", "1.0.1-1.el8", "1.0.1-10.el8", "1:0"],
    ),
    (Scheme::Apk, &["1.2_alpha", "1.2_rc1", "1.2", "1.2-r0", "1.2-r10", "1.2_p1", "1.2a", "1.2.0", "1.2.1"]),
    (Scheme::Alpm, &["1.0a", "1.0rc", "1.0", "1.0-1", "1.0.a", "1.0.1", "1:0"]),
    (
        Scheme::Openssl,
        &["1.0.2-beta1", "1.0.2", "1.0.2a", "1.0.2z", "1.0.2za", "1.0.2zb", "1.1.0", "3.0.0-alpha1", "3.0.0"],
    ),
    (
        Scheme::Date,
        &[
            "1969-12-31",
            "2024-01-31 = 20240131 = 2024.1.31",
            "2024-01-31T01:00:00+00:30 = 2024-01-31T00:30:00Z",
        ],
    ),
    (Scheme::Kernel, &["5.10-rc7", "5.10 = 5.10.0", "5.10.1", "6.1.9", "6.1.55", "6.2-rc3"]),
    (
        Scheme::Generic,
        &[
            "1.0-dev",
            "1.0alpha2",
            "1.0 beta",
            "1.0rc1 = 1.0 RC 1 = 1.0-rc-1",
            "1.0 = 1 = V1.0.0",
            "1.0a",
            "1.0 build 5",
            "1.0.1",
            "4.2.8",
            "4.2.8p9",
            "4.2.8p15",
            "9.3",
            "9.3p1",
            "V14",
            "V14 Update 3 = V14 Upd 3 = 14-update3",
            "V14 Update 3a",
            "V14 Update 12",
            "V14 HF 1",
            "V14 SP1 = 14-sp1",
            "V14 SP1 Update 1",
            "V14 SP1 Upd 10 = 14-sp1_upd10",
            "V14 SP2",
            "V14.0.1",
            "V14.1",
            "V15",
        ],
    ),
    (Scheme::Gentoo, &["1_alpha", "1_p0_alpha", "1_p", "1a", "1.0", "1.01", "1.1", "1.1-r1"]),
    (Scheme::Conan, &["1-pre1", "1 = 1.0.0", "1+b1", "1.1.a", "1.a"]),
    (Scheme::Cran, &["0.1-9", "0.1-10", "0.01.10.0 = 0.1-10-0"]),
    (Scheme::Hackage, &["1.0", "1.0.0", "1.1"]),
    (Scheme::Pub, &["1.0.0-a", "1.0.0", "1.0.0+1", "1.0.0+a"]),
];

#[test]
fn own_cases_stand_in_order() {
    let long: String = "9".repeat(400);
    for (scheme, list) in ASCENDING {
        let mut flat = Vec::new();
        for (rank, group) in list.iter().enumerate() {
            flat.extend(group.split(" = ").map(|v| (rank, v)));
        }
        if !matches!(scheme, Scheme::Date) {
            flat.push((list.len(), &long));
        }
        for (ra, a) in &flat {
            for (rb, b) in &flat {
                // an epoch outranks any number
                if (a.contains([':', '!']) || b.contains([':', '!'])) && (a == &long || b == &long) {
                    continue;
                }
                assert_eq!(scheme.compare(a, b), Some(ra.cmp(rb)), "{scheme:?}: {a} against {b}");
            }
        }
    }
}

#[test]
fn what_has_no_order_is_refused() {
    for n in 0..=255 {
        let Some(scheme) = Scheme::from_u8(n) else { continue };
        assert_eq!(Scheme::from_name(scheme.as_str()), Some(scheme));
        if scheme == Scheme::Lexicographic {
            continue;
        }
        for text in
            ["", " ", "*", "latest", "unknown", "${project.version}", "v", "1\u{0}2", &"1".repeat(5000)]
        {
            assert!(scheme.key(text).is_err(), "{scheme:?} takes {text}");
        }
    }
    assert_eq!(Scheme::from_name("git"), None);
    assert_eq!(Scheme::from_name("custom"), Some(Scheme::Generic));
}

#[test]
fn ranges_contain() {
    for (range, version, want) in [
        ("vers:npm/*", "1.0.0", Some(true)),
        ("vers:npm/>=1.0.0|<2.0.0", "2.0.0", Some(false)),
        ("vers:npm/>1|>=2|<3|<4", "1.5.0", Some(true)),
        ("vers:npm/<1|>=2|<3", "1.5.0", Some(false)),
        ("vers:npm/!=1.5.0", "1.5.0", Some(false)),
        ("vers:npm/!=1.5.0", "1.6.0", Some(true)),
        ("vers:npm/>=1|<latest", "1.5.0", None),
    ] {
        assert_eq!(Range::parse(range).unwrap().contains(version), want, "{range} {version}");
    }
    assert_eq!(Scheme::Debian.compare("1.0-1", "1.0-2"), Some(Ordering::Less));
}
