//! Ecosystems: where a package comes from decides how its name is written and its versions compare.
//! (OSV schema 1.7 "Defined ecosystems"; purl type definitions.)

use crate::purl::Purl;
use crate::version::Scheme;

macro_rules! ecosystems {
    ($($variant:ident = $n:literal, $osv:expr, $purl:literal, $ns:literal, $scheme:ident, $distro:literal;)*) => {
        /// A package ecosystem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Ecosystem { $(#[doc = $osv] $variant = $n),* }

        /// All ecosystems.
        pub const ALL: &[Ecosystem] = &[$(Ecosystem::$variant),*];

        impl Ecosystem {
            /// Name in the OSV schema, without a release suffix.
            pub fn osv_name(self) -> &'static str { match self { $(Ecosystem::$variant => $osv),* } }
            /// purl type and namespace (empty: any or none).
            pub fn purl_type(self) -> (&'static str, &'static str) { match self { $(Ecosystem::$variant => ($purl, $ns)),* } }
            /// How its versions compare.
            pub fn scheme(self) -> Scheme { match self { $(Ecosystem::$variant => Scheme::$scheme),* } }
            /// It is a distribution: records speak of source packages, per release.
            pub fn is_distribution(self) -> bool { match self { $(Ecosystem::$variant => $distro),* } }
            /// The ecosystem with this number (`as u8`).
            pub fn from_u8(n: u8) -> Option<Ecosystem> { match n { $($n => Some(Ecosystem::$variant),)* _ => None } }
        }
    };
}

// variant, number (stored in the index: never reused), OSV name, purl type, purl namespace, scheme, distribution
ecosystems! {
    Npm = 0, "npm", "npm", "", Npm, false;
    Pypi = 1, "PyPI", "pypi", "", Pypi, false;
    Cargo = 2, concat!("crates", ".io"), "cargo", "", Semver, false;
    Go = 3, "Go", "golang", "", Go, false;
    Maven = 4, "Maven", "maven", "", Maven, false;
    Nuget = 5, "NuGet", "nuget", "", Nuget, false;
    RubyGems = 6, "RubyGems", "gem", "", Gem, false;
    Packagist = 7, "Packagist", "composer", "", Composer, false;
    Hex = 8, "Hex", "hex", "", Semver, false;
    Pub = 9, "Pub", "pub", "", Pub, false;
    Cran = 10, "CRAN", "cran", "", Cran, false;
    Hackage = 11, "Hackage", "hackage", "", Hackage, false;
    Swift = 12, "SwiftURL", "swift", "", Semver, false;
    Conan = 13, "ConanCenter", "conan", "", Conan, false;
    GithubActions = 14, "GitHub Actions", "githubactions", "", Semver, false;
    Debian = 15, "Debian", "deb", "debian", Debian, true;
    Ubuntu = 16, "Ubuntu", "deb", "ubuntu", Debian, true;
    Alpine = 17, "Alpine", "apk", "alpine", Apk, true;
    Wolfi = 18, "Wolfi", "apk", "wolfi", Apk, true;
    Chainguard = 19, "Chainguard", "apk", "chainguard", Apk, true;
    RedHat = 20, "Red Hat", "rpm", "redhat", Rpm, true;
    Rocky = 21, "Rocky Linux", "rpm", "rocky", Rpm, true;
    AlmaLinux = 22, "AlmaLinux", "rpm", "almalinux", Rpm, true;
    Suse = 23, "SUSE", "rpm", "suse", Rpm, true;
    OpenSuse = 24, "openSUSE", "rpm", "opensuse", Rpm, true;
    Photon = 25, "Photon OS", "rpm", "photon", Rpm, true;
    Oracle = 26, "Oracle Linux", "rpm", "oracle", Rpm, true;
    Amazon = 27, "Amazon Linux", "rpm", "amzn", Rpm, true;
    Fedora = 28, "Fedora", "rpm", "fedora", Rpm, true;
    Mageia = 29, "Mageia", "rpm", "mageia", Rpm, true;
    OpenEuler = 30, "openEuler", "rpm", "openeuler", Rpm, true;
    Azure = 31, "Azure Linux", "rpm", "azurelinux", Rpm, true;
    Arch = 32, "Arch Linux", "alpm", "arch", Alpm, true;
    Bitnami = 33, "Bitnami", "bitnami", "", Semver, false;
    Android = 34, "Android", "android", "", Generic, false;
    Linux = 35, "Linux", "linux", "", Kernel, false;
    OssFuzz = 36, "OSS-Fuzz", "oss-fuzz", "", Generic, false;
    Drupal = 37, "Drupal", "composer", "drupal", Composer, false;
    Ghc = 38, "GHC", "ghc", "", Hackage, false;
    Julia = 39, "Julia", "julia", "", Semver, false;
    MinimOs = 40, "MinimOS", "apk", "minimos", Apk, true;
    Echo = 41, "Echo", "deb", "echo", Debian, true;
    Bioconductor = 42, "Bioconductor", "bioconductor", "", Cran, false;
    Vscode = 43, "VSCode", "vscode-extension", "", Semver, false;
    Opam = 44, "opam", "opam", "", Debian, false;
    Gentoo = 45, "Gentoo", "ebuild", "gentoo", Gentoo, true;
    Cocoapods = 46, "CocoaPods", "cocoapods", "", Gem, false;
    Conda = 47, "Conda", "conda", "", Pypi, false;
}

impl Ecosystem {
    /// The ecosystem and release of an OSV `ecosystem` string (`Debian:12`, `Alpine:v3.18`, `Ubuntu:22.04:LTS`).
    /// The release is what stands after the first `:`, without `:LTS`, `:Pro` words and a leading `v`;
    /// the Maven and `crates` registries after the `:` are no release.
    pub fn from_osv(text: &str) -> Option<(Ecosystem, String)> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let eco = ALL.iter().copied().find(|e| e.osv_name() == name)?;
        if !eco.is_distribution() {
            return Some((eco, String::new()));
        }
        Some((eco, crate::ecosystem::release_of(eco, rest)))
    }

    /// A package name as this ecosystem compares it: PEP 503 for PyPI; lower case for NuGet, Composer, Hex, Pub,
    /// GitHub Actions and Swift; also where package URLs are written in lower case though the ecosystem is not
    /// (Go, deb, apk, alpm), since a purl would never meet an advisory's own spelling; unchanged elsewhere.
    pub fn normalise_name(self, name: &str) -> String {
        match self {
            Ecosystem::Pypi => {
                let mut out = String::with_capacity(name.len());
                let mut dash = false;
                for c in name.trim().chars() {
                    if matches!(c, '-' | '_' | '.') {
                        dash = true;
                    } else {
                        if dash && !out.is_empty() {
                            out.push('-');
                        }
                        dash = false;
                        out.extend(c.to_lowercase());
                    }
                }
                out
            }
            Ecosystem::Nuget
            | Ecosystem::Packagist
            | Ecosystem::Drupal
            | Ecosystem::Hex
            | Ecosystem::Pub
            | Ecosystem::GithubActions
            | Ecosystem::Swift
            | Ecosystem::Go
            | Ecosystem::Bitnami => name.trim().to_lowercase(),
            _ if matches!(self.purl_type().0, "deb" | "apk" | "alpm") => name.trim().to_lowercase(),
            _ => name.trim().to_owned(),
        }
    }
}

/// Ecosystem and package name of a purl (purl type definitions; OSV schema, "Defined ecosystems").
pub fn of_purl(purl: &Purl) -> Option<(Ecosystem, String)> {
    let ns = purl.namespace.as_deref().unwrap_or("");
    let distro = purl.qualifier("distro").unwrap_or("");
    let eco = match (purl.ty.as_str(), ns.to_ascii_lowercase().as_str()) {
        ("rpm", "rhel" | "centos" | "redhat" | "red hat") => Ecosystem::RedHat,
        ("rpm", "alma") => Ecosystem::AlmaLinux,
        ("rpm", "rockylinux" | "rocky linux") => Ecosystem::Rocky,
        ("rpm", "sles" | "sled" | "sle") => Ecosystem::Suse,
        ("rpm", n) if n.starts_with("opensuse") => Ecosystem::OpenSuse,
        ("rpm", "ol" | "oraclelinux") => Ecosystem::Oracle,
        ("rpm", "amazon" | "amazonlinux") => Ecosystem::Amazon,
        ("rpm", "mariner" | "azure") => Ecosystem::Azure,
        ("deb", "") if distro.starts_with("ubuntu") => Ecosystem::Ubuntu,
        ("deb", "") if distro.starts_with("debian") => Ecosystem::Debian,
        ("apk", "") if distro.starts_with("alpine") => Ecosystem::Alpine,
        ("alpm" | "arch", _) => Ecosystem::Arch,
        ("generic" | "github", _) if purl.name == "linux" && matches!(ns, "" | "torvalds") => {
            Ecosystem::Linux
        }
        (ty, n) => *ALL.iter().find(|e| {
            let (want, space) = e.purl_type();
            **e != Ecosystem::Drupal && want == ty && (space.is_empty() || space == n)
        })?,
    };
    let name = match eco {
        Ecosystem::Linux => "Kernel".to_owned(),
        Ecosystem::Maven => format!("{ns}:{}", purl.name),
        e if e.is_distribution() => purl.name.clone(),
        Ecosystem::Conan | Ecosystem::Bitnami => purl.name.clone(),
        _ if ns.is_empty() => purl.name.clone(),
        _ => format!("{ns}/{}", purl.name),
    };
    Some((eco, eco.normalise_name(&name)))
}

/// Codenames of Debian and Ubuntu releases.
const CODENAMES: &[(Ecosystem, &str, &str)] = &[
    (Ecosystem::Debian, "lenny", "5"),
    (Ecosystem::Debian, "squeeze", "6"),
    (Ecosystem::Debian, "wheezy", "7"),
    (Ecosystem::Debian, "jessie", "8"),
    (Ecosystem::Debian, "stretch", "9"),
    (Ecosystem::Debian, "buster", "10"),
    (Ecosystem::Debian, "bullseye", "11"),
    (Ecosystem::Debian, "bookworm", "12"),
    (Ecosystem::Debian, "trixie", "13"),
    (Ecosystem::Debian, "forky", "14"),
    (Ecosystem::Debian, "duke", "15"),
    (Ecosystem::Ubuntu, "trusty", "14.04"),
    (Ecosystem::Ubuntu, "xenial", "16.04"),
    (Ecosystem::Ubuntu, "bionic", "18.04"),
    (Ecosystem::Ubuntu, "focal", "20.04"),
    (Ecosystem::Ubuntu, "jammy", "22.04"),
    (Ecosystem::Ubuntu, "noble", "24.04"),
    (Ecosystem::Ubuntu, "oracular", "24.10"),
    (Ecosystem::Ubuntu, "plucky", "25.04"),
    (Ecosystem::Ubuntu, "questing", "25.10"),
];

/// A distribution release as every part of Tocsin writes it: `12`, `22.04`, `3.18`, `9`, `edge`.
/// Takes what OSV, purl `distro=` qualifiers and os-release write: `debian-12`, `bookworm`, `v3.18`,
/// `3.18.4` (Alpine: two parts), `Ubuntu:Pro:22.04:LTS`, `rhel-9.2`, `el9`, `9`.
pub fn release_of(eco: Ecosystem, text: &str) -> String {
    let mut word = "";
    for part in text.split([':', '-', '/', ' ']) {
        let lower = part.trim();
        if lower.is_empty() {
            continue;
        }
        if let Some((_, _, n)) = CODENAMES.iter().find(|(e, c, _)| *e == eco && lower.eq_ignore_ascii_case(c))
        {
            return (*n).to_owned();
        }
        if lower.chars().any(|c| c.is_ascii_digit()) && word.is_empty() {
            word = lower;
        } else if lower.eq_ignore_ascii_case("edge") || lower.eq_ignore_ascii_case("sid") {
            return lower.to_lowercase();
        }
    }
    let digits = word.trim_start_matches(|c: char| !c.is_ascii_digit());
    let parts: Vec<&str> = digits.split('.').collect();
    let keep = match eco {
        Ecosystem::Debian
        | Ecosystem::RedHat
        | Ecosystem::Rocky
        | Ecosystem::AlmaLinux
        | Ecosystem::Oracle
        | Ecosystem::Fedora
        | Ecosystem::Amazon
        | Ecosystem::Mageia => 1,
        Ecosystem::Alpine | Ecosystem::Ubuntu | Ecosystem::Photon => 2,
        _ => parts.len(),
    };
    parts.into_iter().take(keep).collect::<Vec<_>>().join(".")
}

/// Free text vendor or product as names are compared: lower case, runs of blanks, `_` and `-` one `_`.
pub fn plain_name(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c == '_' || c == '-').filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push('_');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}
