//! What one source says of one vulnerability, in one shape for every format.

use crate::cpe::Cpe;
use crate::ecosystem::Ecosystem;
use crate::purl::Purl;
use crate::severity::Cvss;
use crate::version::Scheme;

/// The publisher class of a record. Order of trust is decided by the engine, not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Source {
    /// A vendor's own CSAF or VEX document about its product.
    Csaf = 0,
    /// A distributor's advisory for its packages (OSV records of Debian, Alpine, RHEL …; CSAF of a distributor).
    Distribution = 1,
    /// GitHub Security Advisories.
    Ghsa = 2,
    /// RustSec.
    RustSec = 3,
    /// Any other database of an ecosystem (Go, PYSEC, MAL, OSS-Fuzz, RubySec, FriendsOfPHP …).
    Osv = 4,
    /// CVE record, container of the CNA.
    Cna = 5,
    /// CVE record, container of an ADP (CISA Vulnrichment).
    Adp = 6,
    /// NVD analysis.
    Nvd = 7,
    /// ENISA's European Union Vulnerability Database.
    Euvd = 8,
    /// JVN iPedia (IPA, Japan).
    Jvn = 9,
    /// Flashpoint's VulnDB.
    VulnDb = 10,
    /// An early warning of the workspace's own making: an analyst's word until a publisher speaks.
    Own = 11,
}

impl Source {
    /// The word used in evidence and everywhere else.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Csaf => "csaf",
            Source::Distribution => "distribution",
            Source::Ghsa => "ghsa",
            Source::RustSec => "rustsec",
            Source::Osv => "osv",
            Source::Cna => "cna",
            Source::Adp => "adp",
            Source::Nvd => "nvd",
            Source::Euvd => "euvd",
            Source::Jvn => "jvn",
            Source::VulnDb => "vulndb",
            Source::Own => "tocsin",
        }
    }

    /// The source with this number (`as u8`).
    pub fn from_u8(n: u8) -> Option<Source> {
        use Source::*;
        [Csaf, Distribution, Ghsa, RustSec, Osv, Cna, Adp, Nvd, Euvd, Jvn, VulnDb, Own]
            .into_iter()
            .find(|s| *s as u8 == n)
    }
}

/// Whether a record still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RecordState {
    /// It stands.
    #[default]
    Published,
    /// The vendor or another disputes it; it still matches and says so.
    Disputed,
    /// Withdrawn by its source: matches nothing, is still shown.
    Withdrawn,
    /// Rejected (CVE): matches nothing, is still shown.
    Rejected,
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RecordKind {
    /// A vulnerability.
    #[default]
    Vulnerability,
    /// A package that is malware (OSV `MAL-`).
    Malware,
    /// Not a vulnerability: the package is unmaintained, unsound, or a notice (RustSec `informational`).
    Informational,
}

/// What one source says of one vulnerability.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Id at the source (`GHSA-…`, `CVE-…`, `DSA-…`).
    pub id: String,
    /// Ids of the same flaw.
    pub aliases: Vec<String>,
    /// Ids of other flaws that are near this one (OSV `related`).
    pub related: Vec<String>,
    /// Ids of the flaw that this distribution record is about (OSV `upstream`): a link, not identity.
    pub upstream: Vec<String>,
    /// Whether it stands.
    pub state: RecordState,
    /// What it is about.
    pub kind: RecordKind,
    /// One line; empty where the source has none.
    pub title: String,
    /// The source's description.
    pub description: String,
    /// When published, as written.
    pub published: Option<String>,
    /// When last modified, as written.
    pub modified: Option<String>,
    /// Scores: CVSS of every version, each with who gave it.
    pub scores: Vec<Score>,
    /// Severity in the source's words where it gives no vector (`HIGH`, `moderate`).
    pub severity_word: Option<String>,
    /// CWE ids (`CWE-79`).
    pub cwes: Vec<String>,
    /// References: (kind, URL).
    pub references: Vec<(String, String)>,
    /// SSVC decision points and the like told by a source: (name, value), e.g. (`Exploitation`, `poc`).
    pub ssvc: Vec<(String, String)>,
    /// What is affected.
    pub affected: Vec<Affected>,
    /// NVD-style configurations: each an alternative.
    pub configurations: Vec<Configuration>,
    /// What can be done about it, as the source says.
    pub remediations: Vec<Remediation>,
}

/// A CVSS score as a source gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Parsed vector.
    pub cvss: Cvss,
    /// Who scored it (`nvd@nist.gov`, `CISA-ADP`, the CNA's short name).
    pub by: String,
}

/// One statement of which versions of which package are affected.
#[derive(Debug, Clone)]
pub struct Affected {
    /// Which package or product is meant.
    pub target: Target,
    /// Who says so.
    pub source: Source,
    /// Which versions.
    pub versions: Versions,
    /// Functions, modules or paths named as vulnerable (Go symbols, RustSec functions, CVE programFiles).
    pub symbols: Vec<String>,
    /// Limits the statement is under, as written: OSV `ecosystem_specific` urgency, CVE platforms, CSAF flag.
    pub note: Option<String>,
}

/// Which package or product a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A package of an ecosystem; `name` as the ecosystem normalises it ([`Ecosystem::normalise_name`]).
    Package {
        /// The ecosystem.
        ecosystem: Ecosystem,
        /// Release of the distribution (`12` of `Debian:12`), empty: none told.
        release: String,
        /// Normalised name (`group:artifact`, `@scope/name`, module path, source package).
        name: String,
        /// purl qualifiers that limit it (`arch`, `distro`, `rpmmod`), sorted by name.
        qualifiers: Vec<(String, String)>,
    },
    /// A CPE name; attributes beside part, vendor and product limit it.
    Cpe(Box<Cpe>),
    /// Free text names (CVE `vendor` + `product`, CSAF branches); normalised by [`crate::ecosystem::plain_name`].
    Named {
        /// Vendor, empty where not told. Such a statement of [`Source::Own`] is met by what is called so, as a guess;
        /// of other sources by nothing.
        vendor: String,
        /// Product.
        product: String,
    },
    /// Any other purl, whose type is no ecosystem known here; type, namespace and name must be equal.
    OtherPurl(Box<Purl>),
}

/// Status of a version in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum VersionStatus {
    /// Affected.
    Affected = 0,
    /// Not affected.
    Unaffected = 1,
    /// Not known, or not told.
    Unknown = 2,
    /// Holds the fix (CSAF `fixed`).
    Fixed = 3,
    /// Being looked at (CSAF `under_investigation`).
    UnderInvestigation = 4,
}

/// Which versions a statement covers.
///
/// Decision: the first entry that covers the version gives its status; if none does, `default`. An entry that
/// cannot be decided (unparsable bound) makes the answer undecidable, unless another entry covers the version
/// by an exact string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// Order in which bounds compare.
    pub scheme: Scheme,
    /// Status of a version no entry covers. OSV: [`VersionStatus::Unaffected`].
    pub default: VersionStatus,
    /// Entries in the source's order.
    pub entries: Vec<VersionEntry>,
    /// The statement has ranges that cannot be decided without more (GIT commits, prose). Where no entry
    /// says affected, the answer is then undecidable, never unaffected.
    pub undecidable: Option<String>,
    /// Versions known to hold the fix, as written.
    pub fixed: Vec<String>,
}

impl Versions {
    /// An empty statement: nothing is affected, nothing is known to be fixed.
    pub fn new(scheme: Scheme) -> Self {
        Versions {
            scheme,
            default: VersionStatus::Unaffected,
            entries: Vec::new(),
            undecidable: None,
            fixed: Vec::new(),
        }
    }
}

/// One entry of [`Versions`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionEntry {
    /// Lower bound, inclusive unless `low_open`; `None` is the beginning of time.
    pub low: Option<String>,
    /// The lower bound itself is outside.
    pub low_open: bool,
    /// Upper bound, `None` has no end.
    pub high: Option<String>,
    /// The upper bound itself is inside (`last_affected`, `lessThanOrEqual`).
    pub high_closed: bool,
    /// Status inside.
    pub status: VersionStatus,
}

impl VersionEntry {
    /// Exactly one version.
    pub fn exact(version: impl Into<String>, status: VersionStatus) -> Self {
        let v = version.into();
        VersionEntry { low: Some(v.clone()), low_open: false, high: Some(v), high_closed: true, status }
    }
    /// `low <= version < high`; `None` bounds are open ends.
    pub fn range(low: Option<String>, high: Option<String>, status: VersionStatus) -> Self {
        VersionEntry { low, low_open: false, high, high_closed: false, status }
    }
    /// Whether this entry names one version alone.
    pub fn is_exact(&self) -> bool {
        self.low.is_some() && self.low == self.high && self.high_closed && !self.low_open
    }
}

/// NVD API 2.0 configuration: nodes joined by `and` (else OR).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    /// All nodes must hold; else any.
    pub and: bool,
    /// The whole is inverted.
    pub negate: bool,
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// A node of a [`Configuration`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// All matches must hold; else any.
    pub and: bool,
    /// The node is inverted.
    pub negate: bool,
    /// CPE criteria.
    pub matches: Vec<CpeMatch>,
}

/// A CPE criterion with its version bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpeMatch {
    /// The criterion is what is vulnerable; else it is a condition (platform).
    pub vulnerable: bool,
    /// The criterion.
    pub cpe: Cpe,
    /// Version bounds; apply when the criterion's version is `*`.
    pub low: Option<String>,
    /// Lower bound itself is outside (`versionStartExcluding`).
    pub low_open: bool,
    /// Upper bound.
    pub high: Option<String>,
    /// Upper bound itself is inside (`versionEndIncluding`).
    pub high_closed: bool,
}

/// A dated fact about exploitation, keyed by vulnerability id; newer facts do not erase older ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// CISA Known Exploited Vulnerabilities entry.
    Kev {
        /// CVE id.
        cve: String,
        /// `YYYY-MM-DD`.
        date_added: String,
        /// `YYYY-MM-DD`, when US agencies must act.
        due_date: Option<String>,
        /// Used by ransomware.
        ransomware: bool,
        /// Short name given by CISA.
        name: String,
        /// When the edition of the catalogue that says so was released, as written; RFC 3339 or a day.
        released: Option<String>,
    },
    /// EPSS score (FIRST).
    Epss {
        /// CVE id.
        cve: String,
        /// Probability of exploitation in 30 days, 0 to 1.
        score: f32,
        /// Share of CVEs with a lower score, 0 to 1.
        percentile: f32,
        /// Day of the score, `YYYY-MM-DD`; empty where the file does not tell.
        date: String,
    },
    /// A public exploit.
    Exploit {
        /// Ids of the vulnerabilities it exploits (usually CVEs).
        vulnerabilities: Vec<String>,
        /// `exploit-db`, `metasploit`, `poc`.
        origin: &'static str,
        /// Id at the origin (`EDB-12345`, `exploit/multi/http/…`, URL).
        id: String,
        /// Title.
        title: String,
        /// Day of publication.
        date: Option<String>,
        /// Verified by the origin.
        verified: bool,
        /// Metasploit rank, 0 (manual) to 600 (excellent).
        rank: Option<u16>,
        /// When the origin last changed the entry, as written, so that two of one origin compare as text.
        updated: Option<String>,
    },
    /// An entry of a catalogue of weaknesses or attack patterns (CWE, CAPEC).
    Catalogue(Box<CatalogueEntry>),
}

/// An entry of the CWE or CAPEC catalogue. Of several releases of an entry the newest counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogueEntry {
    /// `CWE-79`, `CAPEC-63`.
    pub id: String,
    /// Name in the catalogue.
    pub name: String,
    /// `Pillar`, `Class`, `Base`, `Variant`, `Compound`, `Category`, `View`; `Meta`, `Standard`, `Detailed`;
    /// empty where the form does not tell.
    pub abstraction: String,
    /// `Stable`, `Usable`, `Draft`, `Incomplete`, `Deprecated`, `Obsolete`.
    pub status: String,
    /// Whether vulnerabilities may be mapped to it (`Allowed` … `Prohibited`); empty where not told.
    pub usage: String,
    /// Ids it is a child of (`ChildOf` of any view), as catalogue ids or as [`CatalogueEntry::reference`]s.
    pub parents: Vec<String>,
    /// Weaknesses an attack pattern needs (`CWE-79`).
    pub weaknesses: Vec<String>,
    /// Id that other entries of the same form may name it by (STIX `attack-pattern--…`); else empty.
    pub reference: String,
    /// Release of the catalogue (`4.20`); empty where not told.
    pub release: String,
    /// Day of the release or of the entry's last change, `YYYY-MM-DD`; empty where not told.
    pub date: String,
}

/// What a vendor says one can do about a vulnerability (CSAF 2.0 section 3.2.3.12 and the like).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remediation {
    /// `vendor_fix`, `workaround`, `mitigation`, `no_fix_planned`, `none_available`, `fix_planned`,
    /// `optional_patch`; as written.
    pub category: String,
    /// What to do.
    pub details: String,
    /// Where the fix is had.
    pub url: Option<String>,
    /// From when it is there, as written.
    pub date: Option<String>,
    /// Names of the products it is for; empty: all that the record names.
    pub products: Vec<String>,
}
