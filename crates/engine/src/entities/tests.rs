use super::*;

fn dictionary() -> Dictionary {
    let component = |name: &str| {
        let mut thing = Thing::new(ThingKind::Component, name);
        thing.names = package_names("generic", None, name);
        thing
    };
    let mut things: Vec<Thing> = [
        "openssl",
        "curl",
        "express",
        "requests",
        "time",
        "core",
        "linux",
        "xz",
        "redis",
        "glib-2.0",
        "form-data",
        "wpa-supplicant",
        "icu",
        "socket.io",
        "which",
        "click",
        "nginx",
    ]
    .map(component)
    .to_vec();
    things.push(Thing {
        key: "commons-io".to_owned(),
        kind: ThingKind::Component,
        names: package_names("maven", Some("commons-io"), "commons-io"),
        vendors: vec!["apache".to_owned()],
    });
    things.push(Thing { vendors: vec!["Progress".to_owned()], ..Thing::new(ThingKind::Component, "flow") });
    things.push(Thing::new(ThingKind::Product, "Volupump 3"));
    things.push(Thing::new(ThingKind::Product, "輸液ポンプ"));
    things.push(Thing::new(ThingKind::Vendor, "Quectel"));
    things.push(Thing::new(ThingKind::Vendor, "Apple"));
    Dictionary::new(things)
}

/// `kind:value` of everything found, spans checked.
fn shown(text: &str) -> Vec<String> {
    let found = find(text, &dictionary(), &["news.example"]);
    for e in &found {
        assert!(text.get(e.span.clone()).is_some(), "{text}: {e:?}");
        assert!(
            e.of.is_none_or(|of| matches!(found[of].kind, Kind::Product | Kind::Component | Kind::Vendor)),
            "{e:?}"
        );
    }
    found.into_iter().map(|e| format!("{}:{}", e.kind.as_str(), e.value)).collect()
}

#[track_caller]
fn check(text: &str, wanted: &[&str]) {
    assert_eq!(shown(text), wanted, "{text}");
}

#[test]
fn names_and_their_versions() {
    check("OpenSSL 3.0.0 through 3.0.6 crash", &["component:openssl", "version:3.0.0", "version:<= 3.0.6"]);
    check("Eine Lücke in OpenSSL-Paketen vor Version 3.0.7", &["component:openssl"]);
    check("The Linux kernel before 6.6.15", &["component:linux", "version:< 6.6.15"]);
    check("Debian ships Linux on many machines", &[]);
    check("OpenSSLの脆弱性", &["component:openssl"]);
    check("当社の輸液ポンプに関する情報", &["product:輸液ポンプ"]);
    check("The Volupump 3 is affected, a Volupump 30 is another thing", &["product:Volupump 3"]);
    check("openssl-sys and django-redis are other packages", &[]);
    check("wpa_supplicant and wpa-supplicant", &["component:wpa-supplicant", "component:wpa-supplicant"]);
    check(
        "a modem of Quectel, an apple, Apple and the Apple store",
        &["vendor:Quectel", "vendor:Apple", "vendor:Apple"],
    );
    check("GLib is not glibc", &["component:glib-2.0"]);
    check("see https://github.com/openssl/openssl/issues/1", &[]);
}

#[test]
fn plain_words_need_a_context() {
    for text in [
        "American Express customers were told in time",
        "The minister requests more time; which core values matter?",
        "Patients in the ICU waited",
        "at that time 3.5 million devices",
        "The express train was on time, and the core framework of the law",
        "Send form-data to the server",
        "Which package managers are safe?",
        "click here to get 20 % off",
    ] {
        check(text, &[]);
    }
    check("express 4.17.3 fixes it", &["component:express", "version:4.17.3"]);
    check("Requests before 2.32.0 leaks", &["component:requests", "version:< 2.32.0"]);
    check("the npm package express", &["component:express"]);
    check("the `time` crate and the time crate", &["component:time", "component:time"]);
    check("Express.js apps", &["component:express"]);
    check("the requests library", &["component:requests"]);
    check("das Paket requests", &["component:requests"]);
    check("Progress Flow was hit, the flow of data was not", &["component:flow"]);
    check("use pkg:npm/express@4.17.1 now", &["component:express", "version:4.17.1"]);
    check("<code>which</code> and <code>click</code>", &["component:which", "component:click"]);
    check("Socket.IO dies, a socket does not", &["component:socket.io"]);
    check("XZ Utils 5.6.0 and 5.6.1", &["component:xz", "version:5.6.0", "version:5.6.1"]);
}

#[test]
fn ids() {
    check(
        "CVE-2024-3094, cve‑2021–44228 (GHSA-JFH8-C2JP-5V3Q) RHSA-2024:1234 DSA-5649-1 USN-6663-2",
        &[
            "vulnerability:CVE-2024-3094",
            "vulnerability:CVE-2021-44228",
            "vulnerability:GHSA-jfh8-c2jp-5v3q",
            "advisory:RHSA-2024:1234",
            "advisory:DSA-5649-1",
            "advisory:USN-6663-2",
        ],
    );
    check(
        "ICSA-24-109-01 ICSMA-23-117-01 VDE-2024-012 JVN#12345678とJVNVU#90352157 JVNDB-2024-000123 CNVD-2024-12345",
        &[
            "advisory:ICSA-24-109-01",
            "advisory:ICSMA-23-117-01",
            "advisory:VDE-2024-012",
            "advisory:JVN#12345678",
            "advisory:JVNVU#90352157",
            "advisory:JVNDB-2024-000123",
            "vulnerability:CNVD-2024-12345",
        ],
    );
    check(
        "ZDI-24-123 ZDI-CAN-22543 EUVD-2025-1234 ADV240001 MS17-010",
        &[
            "vulnerability:ZDI-24-123",
            "vulnerability:ZDI-CAN-22543",
            "vulnerability:EUVD-2025-1234",
            "advisory:ADV240001",
            "advisory:MS17-010",
        ],
    );
    check("CVE-2024-12, XCVE-2024-12345, CVE-20244-12345, GHSA-abc", &[]);
    check(
        "TLP:AMBER+STRICT, tlp: green, TLP WHITE, TLP:PURPLE",
        &["tlp:TLP:AMBER+STRICT", "tlp:TLP:GREEN", "tlp:TLP:CLEAR"],
    );
}

#[test]
fn techniques() {
    check("They used T1059.003 and T0831.", &["technique:T1059.003", "technique:T0831"]);
    check("Spearphishing attachment, then Brute Force I/O", &["technique:T1566.001", "technique:T0806"]);
    check("The T1000 and a Thinkpad T0480, model XT-T1059", &[]);
    assert_eq!(technique("T0831"), Some("Manipulation of Control"));
}

#[test]
fn exploits_and_indicators() {
    check("https://www.exploit-db.com/exploits/50592", &["exploit:EDB-50592"]);
    check("EDB-ID: 50592", &["exploit:EDB-50592"]);
    check(
        "see https://github.com/someone/CVE-2024-3094-poc.",
        &["exploit:https://github.com/someone/CVE-2024-3094-poc", "vulnerability:CVE-2024-3094"],
    );
    check("use exploit/linux/http/apache_ofbiz_rce", &["exploit:exploit/linux/http/apache_ofbiz_rce"]);
    check(
        "C2 at hxxps://evil[.]example/a and bad[.]test, 203.0.113[.]7 and 198.51.100.23.",
        &["url:https://evil.example/a", "domain:bad.test", "ipv4:203.0.113.7", "ipv4:198.51.100.23"],
    );
    check("Our page hxxps://www[.]news[.]example/x, https://vendor.example/advisory", &[]);
    check(
        "firmware 4.10.20.30 and nginx 1.25.3.44 at 192.168.1.1",
        &["component:nginx", "version:1.25.3.44"],
    );
    check("2001:db8:85a3::8a2e:370:7334 at 12:30:45 std::net", &["ipv6:2001:db8:85a3::8a2e:370:7334"]);
    let md5 = "d41d8cd98f00b204e9800998ecf8427e";
    let sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    check(&format!("hash {md5}, commit {sha1}"), &[&format!("md5:{md5}")]);
    check(
        "Indicators of compromise\nplain.example\nhttps://drop.example/a.bin\nsetup.exe",
        &["domain:plain.example", "url:https://drop.example/a.bin"],
    );
}

#[test]
fn hostile_texts() {
    for text in [
        "",
        "CVE-",
        "hxxp://",
        "pkg:",
        "[.][.][.]",
        "TLP",
        "é[.]é",
        "`",
        "<",
        "T1059.",
        "https://\u{2028}x",
        "JVN#",
    ] {
        shown(text);
    }
    let many = "CVE-2024-3094 ".repeat(10_000);
    assert_eq!(find(&many, &dictionary(), &[]).len(), MAX_ENTITIES);
    let long = "[.]a".repeat(100_000);
    shown(&long);
    let colons = "2001:".repeat(50_000);
    shown(&colons);
    for text in ["pkg:", "exploit/linux/", "https://a[.]b ", "IOC\n", "T1059.", "CVE-2024-", "“"] {
        shown(&text.repeat(20_000));
    }
    let ticks = "express ` ".repeat(20_000);
    shown(&ticks);
}

#[test]
fn names_as_people_write_them() {
    let component = |name| Thing::new(ThingKind::Component, name);
    let vendor = Thing::new(ThingKind::Vendor, "NXP");
    let names =
        Dictionary::new(["linux", "xz", "ring", "text", "qtbase"].map(component).into_iter().chain([vendor]));
    let named = |text: &str| -> Vec<String> {
        let named = find(text, &names, &[]).into_iter();
        named.filter(|e| matches!(e.kind, Kind::Component | Kind::Vendor)).map(|e| e.value).collect()
    };
    // distribution packages without a package URL go by the names of the alias table too
    assert_eq!(named("Exploit für Linux-Kernel"), ["linux"]);
    assert_eq!(named("an injected object in liblzma"), ["xz"]);
    assert_eq!(named("the current versions of the xz tools"), ["xz"]);
    assert_eq!(named("Qt Network did not parse the header"), ["qtbase"]);
    // a path is code, a ring is not
    assert_eq!(named("ring::aead::quic may panic"), ["ring"]);
    assert_eq!(named("a ring of thieves"), [""; 0]);
    // the end of another proper name is no package
    assert_eq!(named("Apache Commons Text prior to 1.10.0"), [""; 0]);
    assert_eq!(named("NXP i.MX fuse bypass"), ["NXP"]);
}
