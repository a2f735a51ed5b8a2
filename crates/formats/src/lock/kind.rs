//! Which format a file is of: by its name, and by its first bytes where the name is not enough.

/// A format read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Cargo,
    Npm,
    GoMod,
    GoSum,
    Requirements,
    Dpkg,
    Opkg,
    Apk,
    Rpm,
    RpmManifest,
    Yarn,
    Pnpm,
    Bun,
    Python,
    Pipfile,
    Composer,
    Gemfile,
    Pom,
    Gradle,
    Sbt,
    NugetLock,
    NugetConfig,
    Deps,
    Conan,
    Yocto,
    Buildroot,
    Pub,
    Swift,
    Pods,
    Mix,
    Renv,
    Stack,
    Cabal,
    Rebar,
}

impl Kind {
    /// The name documents carry ([`tocsin_model::bom::BomFormat::name`]).
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cargo => "Cargo.lock",
            Kind::Npm => "package-lock.json",
            Kind::GoMod => "go.mod",
            Kind::GoSum => "go.sum",
            Kind::Requirements => "requirements.txt",
            Kind::Dpkg => "dpkg",
            Kind::Opkg => "opkg",
            Kind::Apk => "apk",
            Kind::Rpm => "rpm",
            Kind::RpmManifest => "rpm manifest",
            Kind::Yarn => "yarn.lock",
            Kind::Pnpm => "pnpm-lock.yaml",
            Kind::Bun => "bun.lock",
            Kind::Python => "Python lock file",
            Kind::Pipfile => "Pipfile.lock",
            Kind::Composer => "composer.lock",
            Kind::Gemfile => "Gemfile.lock",
            Kind::Pom => "pom.xml",
            Kind::Gradle => "gradle.lockfile",
            Kind::NugetLock => "packages.lock.json",
            Kind::NugetConfig => "packages.config",
            Kind::Deps => "deps.json",
            Kind::Conan => "conan.lock",
            Kind::Yocto => "Yocto manifest",
            Kind::Buildroot => "Buildroot manifest",
            Kind::Pub => "pubspec.lock",
            Kind::Swift => "Package.resolved",
            Kind::Pods => "Podfile.lock",
            Kind::Mix => "mix.lock",
            Kind::Renv => "renv.lock",
            Kind::Stack => "stack.yaml.lock",
            Kind::Cabal => "cabal.project.freeze",
            Kind::Rebar => "rebar.lock",
            Kind::Sbt => "build.sbt.lock",
        }
    }

    pub fn encoding(self) -> &'static str {
        match self {
            Kind::Npm
            | Kind::Pipfile
            | Kind::Composer
            | Kind::Bun
            | Kind::NugetLock
            | Kind::Deps
            | Kind::Conan
            | Kind::Swift
            | Kind::Renv
            | Kind::Sbt => "json",
            Kind::Cargo | Kind::Python => "toml",
            Kind::Pnpm | Kind::Pub | Kind::Pods | Kind::Stack => "yaml",
            Kind::Pom | Kind::NugetConfig => "xml",
            Kind::Rpm => "binary",
            _ => "text",
        }
    }
}

/// The format of a file by its path and first bytes.
pub(super) fn of(path: &str, head: &[u8]) -> Option<Kind> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let lower = name.to_ascii_lowercase();
    let within = |folder: &str| path.contains(folder);
    let head = head.get(..4096).unwrap_or(head);
    Some(match lower.as_str() {
        "cargo.lock" => Kind::Cargo,
        "npm-shrinkwrap.json" => Kind::Npm,
        "go.mod" => Kind::GoMod,
        "go.sum" => Kind::GoSum,
        "yarn.lock" => Kind::Yarn,
        "pnpm-lock.yaml" => Kind::Pnpm,
        "bun.lock" => Kind::Bun,
        "poetry.lock" | "uv.lock" | "pdm.lock" | "pylock.toml" => Kind::Python,
        "pipfile.lock" => Kind::Pipfile,
        "composer.lock" => Kind::Composer,
        "installed.json" if within("composer/") || has(head, b"\"version_normalized\"") => Kind::Composer,
        "gemfile.lock" | "gems.locked" | "gemfile.next.lock" => Kind::Gemfile,
        "pom.xml" => Kind::Pom,
        "gradle.lockfile" | "buildscript-gradle.lockfile" => Kind::Gradle,
        "packages.lock.json" => Kind::NugetLock,
        "packages.config" => Kind::NugetConfig,
        "project.assets.json" => Kind::Deps,
        _ if lower.ends_with(".deps.json") => Kind::Deps,
        "conan.lock" => Kind::Conan,
        "manifest.csv" if head.starts_with(b"\"PACKAGE\"") || head.starts_with(b"PACKAGE,") => {
            Kind::Buildroot
        }
        _ if lower.ends_with(".manifest") && three_words(head) => Kind::Yocto,
        "pubspec.lock" => Kind::Pub,
        "package.resolved" => Kind::Swift,
        "podfile.lock" => Kind::Pods,
        "mix.lock" => Kind::Mix,
        "renv.lock" => Kind::Renv,
        "stack.yaml.lock" => Kind::Stack,
        "cabal.project.freeze" => Kind::Cabal,
        "rebar.lock" => Kind::Rebar,
        _ if lower.ends_with(".sbt.lock") => Kind::Sbt,
        "container-manifest-2" => Kind::RpmManifest,
        // what `uv lock --script` writes beside a script
        _ if lower.ends_with(".py.lock") => Kind::Python,
        _ if lower.starts_with("pylock.") && lower.ends_with(".toml") => Kind::Python,
        "installed" if within("apk/db/") || head.starts_with(b"C:Q1") => Kind::Apk,
        "rpmdb.sqlite" => Kind::Rpm,
        "packages.db" | "packages"
            if super::rpm::recognise(head) || within("lib/rpm/") || within("sysimage/rpm/") =>
        {
            Kind::Rpm
        }
        "status" if within("opkg/") => Kind::Opkg,
        "status" if within("dpkg/") => Kind::Dpkg,
        _ if lower.contains("status") && deb822(head) => Kind::Dpkg,
        _ if lower.ends_with("package-lock.json") => Kind::Npm,
        _ if within("dpkg/status.d/") && !lower.ends_with(".md5sums") => Kind::Dpkg,
        _ if within("opkg/info/") && lower.ends_with(".control") => Kind::Opkg,
        _ if lower.ends_with(".txt") && (lower.contains("requirements") || within("requirements/")) => {
            Kind::Requirements
        }
        _ => return None,
    })
}

/// The first lines are name, architecture and version, as Yocto writes its image manifests.
fn three_words(head: &[u8]) -> bool {
    let words = |l: &[u8]| l.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).count();
    let mut lines = head.split(|b| *b == b'\n').take(3).filter(|l| !l.trim_ascii().is_empty()).peekable();
    lines.peek().is_some() && lines.all(|l| words(l) == 3 && !l.contains(&b'{') && !l.contains(&b'<'))
}

fn has(head: &[u8], word: &[u8]) -> bool {
    head.windows(word.len()).any(|w| w == word)
}

/// The first paragraph names a package as control files do.
fn deb822(head: &[u8]) -> bool {
    head.split(|b| *b == b'\n').take(5).any(|l| l.starts_with(b"Package: "))
}
