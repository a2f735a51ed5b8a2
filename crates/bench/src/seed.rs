//! Seeded data at the shape of the real thing: ecosystems, names, versions and ranges in proportions seen in
//! public databases.

use std::fmt::Write as _;

use tocsin_model::bom::{Bom, Component};
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::purl::Purl;

/// A small, fast generator (xorshift64*, Vigna 2016): the same seed gives the same data everywhere.
pub struct Seed(u64);

impl Seed {
    /// A generator from a seed that is not zero.
    pub fn new(seed: u64) -> Self {
        Seed(seed | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }

    /// `major.minor.patch`.
    pub fn version(&mut self) -> String {
        format!("{}.{}.{}", self.below(13), self.below(31), self.below(21))
    }
}

/// Ecosystem, share of advisories in thousandths, number of names.
const SHARES: &[(Ecosystem, u64, u64)] = &[
    (Ecosystem::Npm, 280, 40_000),
    (Ecosystem::Pypi, 100, 16_000),
    (Ecosystem::Cargo, 32, 6_000),
    (Ecosystem::Maven, 160, 10_000),
    (Ecosystem::Go, 28, 4_000),
    (Ecosystem::Debian, 400, 8_000),
];

fn pick(seed: &mut Seed) -> (Ecosystem, u64) {
    let mut at = seed.below(1000);
    for (eco, share, names) in SHARES {
        if at < *share {
            return (*eco, seed.below(*names));
        }
        at -= share;
    }
    (Ecosystem::Npm, 0)
}

fn name(eco: Ecosystem, n: u64) -> String {
    match eco {
        Ecosystem::Maven => format!("org.sample{}:part-{n}", n % 500),
        Ecosystem::Go => format!("example.org/mod{n}"),
        _ => format!("pkg-{n}"),
    }
}

/// One OSV record as a JSON line.
pub fn osv_line(seed: &mut Seed, n: u64) -> String {
    let (eco, at) = pick(seed);
    let low = seed.below(13);
    let high = low + seed.below(13 - low);
    let debian = eco == Ecosystem::Debian;
    let (suffix, release) = if debian { ("-1", ":12") } else { ("", "") };
    let kind =
        if matches!(eco, Ecosystem::Npm | Ecosystem::Cargo | Ecosystem::Go) { "SEMVER" } else { "ECOSYSTEM" };
    let introduced = if debian { "0".to_owned() } else { format!("{low}.0.0") };
    let mut line = format!(
        r#"{{"schema_version":"1.6.0","id":"CVE-{}-{}","modified":"2025-02-01T00:00:00Z","summary":"Issue {n} in a component","details":"{}","severity":[{{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:L/A:N"}}],"affected":[{{"package":{{"ecosystem":"{}{release}","name":"{}"}},"ranges":[{{"type":"{kind}","events":[{{"introduced":"{introduced}"}}"#,
        2005 + n % 21,
        10_000 + n,
        "A flaw in the handling of outside input lets a remote attacker read memory out of bounds. "
            .repeat(1 + n as usize % 4),
        eco.osv_name(),
        name(eco, at),
    );
    if seed.below(100) < 85 {
        let _ = write!(line, r#",{{"fixed":"{high}.{}.{}{suffix}"}}"#, seed.below(31), 1 + seed.below(20));
    }
    line.push_str("]}]}]}");
    line
}

/// One NVD API 2.0 item as a JSON line.
pub fn nvd_line(seed: &mut Seed, n: u64) -> String {
    let product = seed.below(60_000);
    format!(
        r#"{{"cve":{{"id":"CVE-{}-{}","sourceIdentifier":"seed","published":"2020-01-01T00:00:00.000","lastModified":"2025-01-01T00:00:00.000","vulnStatus":"Analyzed","descriptions":[{{"lang":"en","value":"Issue {n} in a product lets a remote attacker stop it."}}],"metrics":{{"cvssMetricV31":[{{"source":"nvd@nist.gov","type":"Primary","cvssData":{{"version":"3.1","vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H","baseScore":7.5,"baseSeverity":"HIGH"}}}}]}},"weaknesses":[],"configurations":[{{"nodes":[{{"operator":"OR","negate":false,"cpeMatch":[{{"vulnerable":true,"criteria":"cpe:2.3:a:vendor{}:product{product}:*:*:*:*:*:*:*:*","versionEndExcluding":"{}"}}]}}]}}],"references":[]}}}}"#,
        1999 + n % 27,
        1_000_000 + n,
        product % 9_000,
        seed.version(),
    )
}

/// A bill of materials of `count` distinct components.
pub fn bom(seed: &mut Seed, count: usize) -> Bom {
    let mut bom = Bom::default();
    for n in 0..count {
        let (mut eco, at) = pick(seed);
        if eco == Ecosystem::Debian {
            eco = Ecosystem::Npm;
        }
        let full = name(eco, at);
        let version = format!("{}.{}", seed.version(), n);
        let version = version.rsplit_once('.').map_or("", |(v, _)| v).to_owned();
        let (group, short) = match full.rsplit_once([':', '/']) {
            Some((g, s)) => (Some(g.to_owned()), s.to_owned()),
            None => (None, full.clone()),
        };
        bom.components.push(Component {
            reference: format!("c{n}"),
            name: short.clone(),
            version: Some(version.clone()),
            purl: Some(Purl {
                ty: eco.purl_type().0.to_owned(),
                namespace: group,
                name: short,
                version: Some(version),
                ..Purl::default()
            }),
            ..Component::default()
        });
    }
    bom
}

/// A CycloneDX 1.6 document of `count` components as bytes.
pub fn cyclonedx(seed: &mut Seed, count: usize) -> Vec<u8> {
    let mut out = String::from(r#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":["#);
    for (n, c) in bom(seed, count).components.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        let purl = c.purl.as_ref().map(ToString::to_string).unwrap_or_default();
        let _ = write!(
            out,
            r#"{comma}{{"type":"library","bom-ref":"c{n}","name":"{}","version":"{}","purl":"{purl}","licenses":[{{"license":{{"id":"MIT"}}}}],"hashes":[{{"alg":"SHA-256","content":"{n:064x}"}}],"properties":[{{"name":"sample:layer","value":"{}"}}]}}"#,
            c.name,
            c.version.as_deref().unwrap_or(""),
            n % 7
        );
    }
    out.push_str("]}");
    out.into_bytes()
}
