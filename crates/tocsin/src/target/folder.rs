//! A folder, walked in sorted order.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use tocsin_formats::archive::{Content, HEAD, Opener, Tree};
use tocsin_formats::input::{ReadOptions, wrapping};
use tocsin_formats::sbom;
use tocsin_model::diagnostic::Diagnostic;

use super::system::{self, Documents, SKIPPED, Systems, VIRTUAL};
use super::{Input, take, take_tree};

/// Deepest folder below the target.
const MAX_DEPTH: usize = 64;

/// Takes every document below `root`, and those in archives there.
pub(super) fn read(root: &Path, options: &ReadOptions, input: &mut Input) {
    let files = walk(root, options.limits.entries, &mut input.diagnostics);
    let layouts: Vec<&str> = files.iter().filter_map(|f| f.strip_suffix("oci-layout")).collect();
    let mut systems = Systems::default();
    for name in files.iter().filter(|f| system::root_of_release(f).is_some()) {
        match opened(root, name, options.limits.document_bytes) {
            Ok((bytes, _)) => systems.learn(name, &bytes),
            Err(why) => input.diagnostics.push(why),
        }
    }
    let shadowed = system::repeated(files.iter().map(String::as_str));
    for name in &files {
        if shadowed.contains(name.as_str()) {
            continue;
        }
        if layouts.iter().any(|l| name.strip_prefix(l).is_some_and(|rest| rest.starts_with("blobs/"))) {
            continue; // read below, in the order of its layers
        }
        if let Err(why) = file(root, name, &systems, options, input) {
            input.diagnostics.push(why);
        }
    }
    for layout in layouts {
        let tree = layout_tree(root, layout, &files, options);
        take_tree(input, layout.trim_end_matches('/'), tree, options);
    }
}

/// Takes the document or archive that a file is, if it is one.
fn file(
    root: &Path,
    name: &str,
    systems: &Systems,
    options: &ReadOptions,
    input: &mut Input,
) -> Result<(), Diagnostic> {
    let (head, rest) = opened(root, name, HEAD)?;
    if wrapping(&head).is_some() {
        if system::opens(name) {
            let mut whole = head.as_slice().chain(rest);
            match Opener::new(&options.limits, &Documents).open(name, &mut whole)? {
                Content::Archive(tree) => take_tree(input, name, tree, options),
                Content::File(inner, bytes) if sbom::recognise(&inner, &bytes) => {
                    take(input, &inner, sbom::read(&inner, &bytes, options, systems.of(name)));
                }
                Content::File(..) => {}
            }
        }
        return Ok(());
    }
    if !system::may_be_document(name, &head) {
        return Ok(());
    }
    let limit = options.limits.document_bytes;
    let mut bytes = head;
    rest.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| unreadable(name, &e))?;
    if bytes.len() as u64 > limit {
        let message = format!("the file is larger than {limit} bytes");
        return Err(Diagnostic::new("limit-size", name, message));
    }
    // A folder is full of other JSON and XML; that is no fault of the input.
    if sbom::recognise(name, &bytes) {
        if name.ends_with("rpmdb.sqlite")
            && fs::metadata(root.join(format!("{name}-wal"))).is_ok_and(|m| m.len() > 0)
        {
            let what = "changes not yet written into the database (its -wal file) were not read";
            input.diagnostics.push(Diagnostic::new("value-ignored", name, what));
        }
        take(input, name, sbom::read(name, &bytes, options, systems.of(name)));
    }
    Ok(())
}

/// The first `most` bytes of a file, and the file behind them.
fn opened(root: &Path, name: &str, most: u64) -> Result<(Vec<u8>, File), Diagnostic> {
    let mut file = File::open(root.join(name)).map_err(|e| unreadable(name, &e))?;
    let mut head = Vec::new();
    Read::by_ref(&mut file).take(most).read_to_end(&mut head).map_err(|e| unreadable(name, &e))?;
    Ok((head, file))
}

/// An image that lies unpacked in the folder `layout` (OCI image layout), as the tree it would be in an archive.
fn layout_tree(root: &Path, layout: &str, files: &BTreeSet<String>, options: &ReadOptions) -> Tree {
    let mut tree = Tree::default();
    let mut opener = Opener::new(&options.limits, &Documents);
    for name in files {
        let Some(path) = name.strip_prefix(layout) else { continue };
        if !path.starts_with("blobs/") && path != "index.json" {
            continue;
        }
        match File::open(root.join(name)) {
            Ok(mut file) => {
                opener.add(&mut tree, layout.trim_end_matches('/'), path, &mut file);
            }
            Err(e) => tree.diagnostics.push(unreadable(name, &e)),
        }
    }
    tree
}

/// The files below `root` as paths with `/` relative to it. Symbolic links are never followed: what they name
/// inside the folder is met at its own place, what they name outside is not part of the target.
fn walk(root: &Path, most: u64, diagnostics: &mut Vec<Diagnostic>) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut open: Vec<(PathBuf, String, usize)> = vec![(root.to_owned(), String::new(), 0)];
    let mut seen = 0_u64;
    while let Some((dir, prefix, depth)) = open.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) => {
                diagnostics.push(Diagnostic::new("input-unreadable", prefix, e.to_string()));
                continue;
            }
        };
        let system = dir.join("etc/os-release").exists() || dir.join("usr/lib/os-release").exists();
        for entry in entries.flatten() {
            seen += 1;
            if seen > most {
                let message = format!("the folder has more than {most} entries");
                diagnostics.push(Diagnostic::new("limit-entries", prefix, message));
                return files;
            }
            let Ok(kind) = entry.file_type() else { continue };
            let Ok(name) = entry.file_name().into_string() else { continue };
            let place = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            if kind.is_file() {
                files.insert(place);
            } else if kind.is_dir()
                && !SKIPPED.contains(&name.as_str())
                && !(system && VIRTUAL.contains(&name.as_str()))
            {
                if depth >= MAX_DEPTH {
                    let message = format!("folders deeper than {MAX_DEPTH} were not looked into");
                    diagnostics.push(Diagnostic::new("limit-depth", place, message));
                } else {
                    open.push((entry.path(), place, depth + 1));
                }
            }
        }
    }
    files
}

fn unreadable(name: &str, error: &std::io::Error) -> Diagnostic {
    Diagnostic::new("input-unreadable", name, error.to_string())
}
