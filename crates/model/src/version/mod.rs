//! The only version order in the system.
//!
//! Every scheme turns a version into a **sort key**: a byte string whose plain byte order (`memcmp`) is the
//! order of the scheme. Keys are what the index stores, what SQL can compare, and what makes order total by
//! construction. One module per scheme writes the keys; nothing else compares versions.

mod apk;
mod composer;
mod conan;
mod date;
mod debian;
mod gem;
mod generic;
mod ints;
mod key;
mod maven;
mod pypi;
mod rpm;
mod semver;
pub mod vers;

#[cfg(test)]
mod tests;

use semver::Flavour;

/// A version scheme: how versions of an ecosystem or record are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Scheme {
    /// SemVer 2.0.0 (OSV `SEMVER`, Cargo, Hex, Pub, Swift); leading `v` allowed, fewer than three parts padded.
    Semver = 0,
    /// npm: SemVer order, loose spelling.
    Npm = 1,
    /// Python, PEP 440.
    Pypi = 2,
    /// RubyGems.
    Gem = 3,
    /// Maven ComparableVersion (Maven 3.9 / POM reference).
    Maven = 4,
    /// NuGet (four-part SemVer, case-insensitive pre-release).
    Nuget = 5,
    /// Composer (Packagist).
    Composer = 6,
    /// Go modules, with pseudo-versions and `+incompatible`, `go1.2rc3` of the toolchain.
    Go = 7,
    /// Debian and Ubuntu (deb-version(7)).
    Debian = 8,
    /// RPM (rpmvercmp with tilde and caret; absent epoch is 0).
    Rpm = 9,
    /// Alpine apk-tools.
    Apk = 10,
    /// Arch Linux vercmp.
    Alpm = 11,
    /// OpenSSL before 3 (`1.0.2zb`).
    Openssl = 12,
    /// Calendar dates.
    Date = 13,
    /// Linux kernel (`6.1.55`, `6.2-rc3`, `5.10`).
    Kernel = 14,
    /// Vendor versions of any kind: dotted numbers, letters, `p15`, builds.
    Generic = 15,
    /// Gentoo (PMS).
    Gentoo = 16,
    /// Conan.
    Conan = 17,
    /// Integers joined by dots, any number of parts (VERS `intdot`).
    Intdot = 18,
    /// CRAN: integers joined by `.` or `-`.
    Cran = 19,
    /// Hackage PVP: integers joined by dots, no padding.
    Hackage = 20,
    /// Plain byte order (VERS `lexicographic`).
    Lexicographic = 21,
    /// Dart's pub: SemVer where builds count (pub_semver).
    Pub = 22,
}

/// Every scheme with its name.
const SCHEMES: &[(Scheme, &str)] = &[
    (Scheme::Semver, "semver"),
    (Scheme::Npm, "npm"),
    (Scheme::Pypi, "pypi"),
    (Scheme::Gem, "gem"),
    (Scheme::Maven, "maven"),
    (Scheme::Nuget, "nuget"),
    (Scheme::Composer, "composer"),
    (Scheme::Go, "golang"),
    (Scheme::Debian, "deb"),
    (Scheme::Rpm, "rpm"),
    (Scheme::Apk, "apk"),
    (Scheme::Alpm, "alpm"),
    (Scheme::Openssl, "openssl"),
    (Scheme::Date, "datetime"),
    (Scheme::Kernel, "kernel"),
    (Scheme::Generic, "generic"),
    (Scheme::Gentoo, "gentoo"),
    (Scheme::Conan, "conan"),
    (Scheme::Intdot, "intdot"),
    (Scheme::Cran, "cran"),
    (Scheme::Hackage, "hackage"),
    (Scheme::Lexicographic, "lexicographic"),
    (Scheme::Pub, "pub"),
];

/// A version is at most this long (bytes); longer text is no version.
const MAX_VERSION: usize = 4096;

/// A version could not be read in its scheme. It is then undecidable, never smaller or larger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{version}` is not a version of the scheme {scheme}")]
pub struct VersionError {
    /// The offending text, shortened.
    pub version: String,
    /// The scheme's name.
    pub scheme: &'static str,
}

impl Scheme {
    /// The sort key of `version`: byte order of keys is the order of versions, equal keys are equal versions.
    ///
    /// # Errors
    /// The text is not a version of this scheme (empty, `*`, `latest`, `${…}`, no digits where needed …).
    pub fn key(self, version: &str) -> Result<Vec<u8>, VersionError> {
        self.write(version).ok_or_else(|| VersionError {
            version: crate::diagnostic::excerpt(version),
            scheme: self.as_str(),
        })
    }

    fn write(self, version: &str) -> Option<Vec<u8>> {
        let s = version.trim_ascii().as_bytes();
        if s.is_empty() || s.len() > MAX_VERSION || s.iter().any(u8::is_ascii_control) {
            return None;
        }
        let mut out = Vec::with_capacity(s.len() * 2 + 8);
        match self {
            Scheme::Semver | Scheme::Npm => semver::key(s, Flavour::Plain, &mut out),
            Scheme::Nuget => semver::key(s, Flavour::Nuget, &mut out),
            Scheme::Pub => semver::key(s, Flavour::Pub, &mut out),
            Scheme::Go => semver::key(s, Flavour::Go, &mut out),
            Scheme::Pypi => pypi::key(s, &mut out),
            Scheme::Gem => gem::key(s, &mut out),
            Scheme::Maven => maven::key(s, &mut out),
            Scheme::Composer => composer::key(s, &mut out),
            Scheme::Debian => debian::key(s, &mut out),
            Scheme::Rpm => rpm::key(s, &mut out),
            Scheme::Alpm => rpm::alpm(s, &mut out),
            Scheme::Apk => apk::key(s, &mut out),
            Scheme::Gentoo => apk::gentoo(s, &mut out),
            Scheme::Openssl => generic::openssl(s, &mut out),
            Scheme::Kernel => generic::kernel(s, &mut out),
            Scheme::Generic => generic::key(s, &mut out),
            Scheme::Date => date::key(s, &mut out),
            Scheme::Conan => conan::key(s, &mut out),
            Scheme::Intdot | Scheme::Hackage => ints::key(s, false, &mut out),
            Scheme::Cran => ints::key(s, true, &mut out),
            Scheme::Lexicographic => {
                out.extend_from_slice(s);
                Some(())
            }
        }?;
        Some(out)
    }

    /// The scheme's name, as VERS writes it where VERS has it.
    pub fn as_str(self) -> &'static str {
        SCHEMES.iter().find(|(s, _)| *s == self).map_or("generic", |(_, name)| name)
    }

    /// The scheme with this number (`as u8`).
    pub fn from_u8(n: u8) -> Option<Scheme> {
        SCHEMES.iter().map(|(s, _)| *s).find(|s| *s as u8 == n)
    }

    /// The scheme a CVE record's `versionType` or a VERS versioning scheme names, in any case.
    ///
    /// `custom` and `other` are [`Scheme::Generic`]; `git` and unknown names have no order and give `None`.
    pub fn from_name(name: &str) -> Option<Scheme> {
        let name = name.trim().to_ascii_lowercase();
        if let Some((s, _)) = SCHEMES.iter().find(|(_, n)| *n == name) {
            return Some(*s);
        }
        Some(match name.as_str() {
            "python" | "pep440" => Scheme::Pypi,
            "rubygems" | "ruby" => Scheme::Gem,
            "go" => Scheme::Go,
            "packagist" | "php" => Scheme::Composer,
            "dpkg" | "debian" | "ubuntu" => Scheme::Debian,
            "ebuild" => Scheme::Gentoo,
            "redhat" => Scheme::Rpm,
            "alpine" => Scheme::Apk,
            "arch" | "archlinux" => Scheme::Alpm,
            "cargo" | "hex" | "github" | "nginx" | "swift" | "semver-2.0.0" => Scheme::Semver,
            "date" | "calver" => Scheme::Date,
            "linux" => Scheme::Kernel,
            "custom" | "other" | "unspecified" | "" => Scheme::Generic,
            _ => return None,
        })
    }

    /// Compares two versions; `None` when either cannot be read.
    pub fn compare(self, a: &str, b: &str) -> Option<std::cmp::Ordering> {
        Some(self.key(a).ok()?.cmp(&self.key(b).ok()?))
    }
}
