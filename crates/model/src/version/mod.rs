//! The only version order in the system.
//!
//! Every scheme turns a version into a **sort key**: a byte string whose plain byte order (`memcmp`) is the
//! order of the scheme. Keys are what the index stores, what SQL can compare, and what makes order total by
//! construction. One module per scheme writes the keys; nothing else compares versions.

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
}

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
        let _ = version;
        Err(VersionError { version: version.to_owned(), scheme: self.as_str() })
    }

    /// The scheme's name.
    pub fn as_str(self) -> &'static str {
        "generic"
    }

    /// The scheme with this number (`as u8`).
    pub fn from_u8(n: u8) -> Option<Scheme> {
        let _ = n;
        None
    }

    /// Compares two versions; `None` when either cannot be read.
    pub fn compare(self, a: &str, b: &str) -> Option<std::cmp::Ordering> {
        Some(self.key(a).ok()?.cmp(&self.key(b).ok()?))
    }
}
