//! Lock files, package databases and manifests: what a build or an installation says of its own packages.
//!
//! [`recognise`] looks at the name first, so that it can be asked of every file of a big tree; [`read_with`] reads.
//! Packages that come from no registry (a folder, a path) are kept without a package URL and carry
//! [`PROPERTY_SOURCE`]; entries that are not pinned are kept without version and told of as `lock-unresolved`.

use std::borrow::Cow;

use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use crate::input::ReadOptions;

mod apk;
mod build;
mod cargo;
mod content;
mod debian;
mod distro;
mod dotnet;
mod golang;
mod jvm;
mod kind;
mod mobile;
mod native;
mod npm;
mod php;
mod pnpm;
mod python;
mod requirements;
mod rpm;
mod ruby;
#[cfg(test)]
mod tests;
mod yarn;

pub use build::{PROPERTY_REQUIREMENT, PROPERTY_SCOPE, PROPERTY_SOURCE};
pub use distro::{Distro, os_release};
use kind::Kind;

/// Whether a file of this name (a path with `/`) is a lock file read here; `bytes` is its content or the first
/// kilobytes of it, looked at only where the name alone does not tell.
pub fn recognise(name: &str, bytes: &[u8]) -> bool {
    kind::of(name, bytes).is_some()
}

/// Whether content alone tells that a file is a lock file read here, whatever it is named. Meant for a file that
/// somebody names, not for every file of a tree.
pub fn recognise_content(bytes: &[u8]) -> bool {
    content::of(bytes).is_some()
}

/// Reads a lock file, package database or manifest; the name decides where content alone cannot.
///
/// # Errors
/// The diagnostics that made it unusable.
pub fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    read_with(name, bytes, options, None)
}

/// Like [`read`], for a file of a system whose distribution is known (see [`os_release`]): package databases do not
/// say themselves which release they are of.
///
/// # Errors
/// The diagnostics that made it unusable.
pub fn read_with(
    name: &str,
    bytes: &[u8],
    options: &ReadOptions,
    distro: Option<&Distro>,
) -> Result<Bom, Vec<Diagnostic>> {
    let Some(kind) = kind::of(name, bytes).or_else(|| content::of(bytes)) else {
        let what = "the file is of no lock file or package database format that is read here";
        return Err(vec![Diagnostic::new("input-unrecognised", "", what)]);
    };
    if bytes.len() as u64 > options.limits.document_bytes {
        let what = format!("limit: a document of {} bytes", options.limits.document_bytes);
        return Err(vec![Diagnostic::new("limit-size", "", what)]);
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(vec![Diagnostic::new("input-empty", "", "the file has no content")]);
    }
    let mut b = build::Builder::new(kind.name(), kind.encoding(), options, distro);
    if kind == Kind::Rpm {
        rpm::read(bytes, &mut b)?;
        return b.finish();
    }
    let (text, damaged) = decode(bytes);
    if damaged {
        b.remark("input-encoding", "", "the file is not UTF-8; damaged characters were replaced");
    }
    match kind {
        Kind::Rpm => rpm::read(bytes, &mut b),
        Kind::RpmManifest => rpm::read_manifest(&text, &mut b),
        Kind::Cargo => cargo::read(&text, &mut b),
        Kind::Npm => npm::read(&text, &mut b),
        Kind::GoMod => golang::read_mod(&text, &mut b),
        Kind::GoSum => golang::read_sum(&text, &mut b),
        Kind::Requirements => requirements::read(&text, &mut b),
        Kind::Dpkg => debian::read(&text, false, &mut b),
        Kind::Opkg => debian::read(&text, true, &mut b),
        Kind::Apk => apk::read(&text, &mut b),
        Kind::Yarn => yarn::read(&text, &mut b),
        Kind::Pnpm => pnpm::read(&text, &mut b),
        Kind::Bun => pnpm::read_bun(&text, &mut b),
        Kind::Python => python::read(&text, &mut b),
        Kind::Pipfile => python::read_pipfile(&text, &mut b),
        Kind::Composer => php::read(&text, &mut b),
        Kind::Gemfile => ruby::read(&text, &mut b),
        Kind::Pom => jvm::read_pom(&text, &mut b),
        Kind::Gradle => jvm::read_gradle(&text, &mut b),
        Kind::Sbt => jvm::read_sbt(&text, &mut b),
        Kind::NugetLock => dotnet::read_lock(&text, &mut b),
        Kind::NugetConfig => dotnet::read_config(&text, &mut b),
        Kind::Deps => dotnet::read_deps(&text, &mut b),
        Kind::Conan => native::read_conan(&text, &mut b),
        Kind::Yocto => native::read_yocto(&text, &mut b),
        Kind::Buildroot => native::read_buildroot(&text, &mut b),
        Kind::Pub => mobile::read_pub(&text, &mut b),
        Kind::Swift => mobile::read_swift(&text, &mut b),
        Kind::Pods => mobile::read_pods(&text, &mut b),
        Kind::Mix => mobile::read_mix(&text, &mut b),
        Kind::Renv => mobile::read_renv(&text, &mut b),
        Kind::Stack => mobile::read_stack(&text, &mut b),
        Kind::Cabal => mobile::read_cabal(&text, &mut b),
        Kind::Rebar => mobile::read_rebar(&text, &mut b),
    }?;
    b.finish()
}

/// Text of a file: UTF-8, or UTF-16 where a byte order mark says so (Windows shells write requirements files that
/// way). The flag says that characters were replaced.
fn decode(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    let utf16 = |rest: &[u8], join: fn([u8; 2]) -> u16| {
        let units = rest
            .chunks_exact(2)
            .map(|c| join([c.first().copied().unwrap_or(0), c.get(1).copied().unwrap_or(0)]));
        let mut damaged = rest.len() % 2 == 1;
        let text: String = char::decode_utf16(units)
            .map(|c| {
                c.unwrap_or_else(|_| {
                    damaged = true;
                    char::REPLACEMENT_CHARACTER
                })
            })
            .collect();
        (Cow::Owned(text), damaged)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let text = String::from_utf8_lossy(body);
            let damaged = matches!(text, Cow::Owned(_));
            (text, damaged)
        }
    }
}
