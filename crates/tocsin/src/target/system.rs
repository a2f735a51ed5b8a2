//! Which files of a tree are documents, and which system they are of: package databases do not say themselves of
//! which distribution they are, `os-release` of the same root does.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use tocsin_formats::archive::Wanted;
use tocsin_formats::lock::{self, Distro, os_release};
use tocsin_formats::sbom;

use super::image;

/// Folders whose content is not looked into: history, installed dependencies and build products repeat what
/// the lock file beside them says.
pub(super) const SKIPPED: [&str; 3] = [".git", "node_modules", "target"];
/// Folders at the top of a running system that hold no files.
pub(super) const VIRTUAL: [&str; 3] = ["dev", "proc", "sys"];
/// Endings of files that can be an SBOM.
const ENDINGS: [&str; 7] = ["json", "xml", "spdx", "rdf", "yaml", "yml", "cdx"];
/// Endings of archives that are looked into.
const ARCHIVES: [&str; 4] = ["tar", "tgz", "tzst", "zip"];
/// Where a system says what it is, the first before the second (os-release(5)).
const RELEASES: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];
/// Package databases by their place in a system, longest first where one ends in another.
const DATABASES: [&str; 11] = [
    "var/lib/dpkg/status",
    "usr/lib/apk/db/installed",
    "lib/apk/db/installed",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/Packages.db",
    "usr/lib/sysimage/rpm/Packages",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/Packages",
    "usr/lib/opkg/status",
    "var/lib/opkg/status",
];
/// Most bytes of an `os-release` that are read.
const RELEASE_BYTES: u64 = 64 << 10;

/// What is held of an archive: documents, and what tells of the system around them or how layers lie.
pub(super) struct Documents;

impl Wanted for Documents {
    fn maybe(&self, path: &str, head: &[u8]) -> bool {
        let skipped =
            path.split('/').any(|part| SKIPPED.contains(&part) || part.starts_with(image::WHITE_OUT));
        !skipped
            && (root_of_release(path).is_some() || may_be_document(path, head) || image::tells(path, head))
    }

    fn surely(&self, path: &str, bytes: &[u8]) -> bool {
        root_of_release(path).is_some() || image::tells(path, bytes) || sbom::recognise(path, bytes)
    }

    fn opens(&self, path: &str) -> bool {
        opens(path) || image::is_blob(path)
    }
}

/// Whether a file may be an SBOM or lock file, by its name and beginning.
pub(super) fn may_be_document(path: &str, head: &[u8]) -> bool {
    ENDINGS.contains(&ending(path).as_str()) || lock::recognise(path, head)
}

/// Whether a file is looked into if it is an archive: an archive by its name, or a document that was compressed.
pub(super) fn opens(path: &str) -> bool {
    match ending(path).as_str() {
        "gz" | "zst" => {
            let stem = path.rsplit_once('.').map_or("", |(stem, _)| stem);
            ending(stem) == "tar" || may_be_document(stem, &[])
        }
        other => ARCHIVES.contains(&other),
    }
}

fn ending(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or_else(String::new, |(_, ending)| ending.to_ascii_lowercase())
}

/// The root a path is the `os-release` of, empty or ending in `/`, and its place in [`RELEASES`].
pub(super) fn root_of_release(path: &str) -> Option<(&str, usize)> {
    RELEASES.iter().enumerate().find_map(|(rank, end)| Some((root_before(path, end)?, rank)))
}

/// What stands before `end`, where `end` begins at a folder.
fn root_before<'p>(path: &'p str, end: &str) -> Option<&'p str> {
    path.strip_suffix(end).filter(|root| root.is_empty() || root.ends_with('/'))
}

/// The systems of a tree, by their roots.
#[derive(Default)]
pub(super) struct Systems(HashMap<String, (usize, Distro)>);

impl Systems {
    /// Takes what a file tells, if it is an `os-release`.
    pub fn learn(&mut self, path: &str, bytes: &[u8]) {
        let Some((root, rank)) = root_of_release(path) else { return };
        if self.0.get(root).is_none_or(|(known, _)| rank < *known) {
            self.0.insert(root.to_owned(), (rank, os_release(bytes)));
        }
    }

    /// The system a file is of: the one whose root is nearest above it.
    pub fn of(&self, path: &str) -> Option<&Distro> {
        let above = path.rmatch_indices('/').filter_map(|(at, _)| path.get(..=at));
        above.chain([""]).find_map(|root| self.0.get(root)).map(|(_, distro)| distro)
    }
}

/// Files that repeat what another of the tree says: opkg keeps the control files of packages beside its `status`.
pub(super) fn repeated<'p>(paths: impl Iterator<Item = &'p str> + Clone) -> HashSet<&'p str> {
    let kept: HashSet<&str> = paths.clone().filter_map(|p| p.strip_suffix("opkg/status")).collect();
    paths.filter(|p| p.split_once("opkg/info/").is_some_and(|(root, _)| kept.contains(root))).collect()
}

/// The system around a package database on disk that is scanned by itself.
pub(super) fn around(path: &Path) -> Option<Distro> {
    let whole = std::path::absolute(path).ok()?;
    let whole = whole.to_str()?;
    let root = DATABASES.iter().find_map(|end| root_before(whole, end))?;
    RELEASES.iter().find_map(|end| {
        let mut bytes = Vec::new();
        File::open(Path::new(root).join(end)).ok()?.take(RELEASE_BYTES).read_to_end(&mut bytes).ok()?;
        Some(os_release(&bytes))
    })
}
