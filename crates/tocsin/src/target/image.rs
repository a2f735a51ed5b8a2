//! Container images in archives: what `docker save` writes and the OCI image layout. Layers lie over one another
//! in their order, with their white-outs (OCI image specification, layer.md), as far as the files that are read
//! are concerned.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use tocsin_formats::archive::{Tree, clean};
use tocsin_model::diagnostic::{Diagnostic, excerpt};

/// Largest manifest, bytes.
const MANIFEST_BYTES: usize = 4 << 20;
/// Deepest nesting of indices.
const INDICES: u32 = 4;
/// Most images of one archive, and most layers of one image (Docker makes at most 127).
const MOST: usize = 256;
/// Before the name of what a layer takes away.
pub(super) const WHITE_OUT: &str = ".wh.";
/// Takes away all that lower layers have in its folder.
const OPAQUE: &str = ".wh..wh..opq";

/// One image of an archive.
pub(super) struct Image<'t> {
    /// Its first tag, or its digest.
    pub name: String,
    /// Its files, sorted by path.
    pub files: Vec<(&'t str, &'t [u8])>,
}

/// The parts of manifests and indices that are looked at.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    layers: Vec<String>,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

/// Whether a file may say how the layers of an image lie.
pub(super) fn tells(path: &str, head: &[u8]) -> bool {
    let first = head.trim_ascii_start().first();
    let told = match path {
        "manifest.json" => first == Some(&b'['),
        _ => (path == "index.json" || is_blob(path)) && first == Some(&b'{'),
    };
    told && head.len() <= MANIFEST_BYTES
}

/// Whether a path is one of content by digest: it has no ending that tells what it is.
pub(super) fn is_blob(path: &str) -> bool {
    path.starts_with("blobs/") && !path.rsplit('/').next().unwrap_or("").contains('.')
}

/// The images an archive holds; none where it is no image. Layers that are not there are told of.
pub(super) fn images<'t>(place: &str, tree: &'t Tree, diagnostics: &mut Vec<Diagnostic>) -> Vec<Image<'t>> {
    let lists = saved(tree).unwrap_or_else(|| laid_out(tree));
    let mut images = Vec::new();
    for (name, layers) in lists.into_iter().take(MOST) {
        let mut found = Vec::new();
        for layer in layers.iter().take(MOST) {
            match archive(tree, layer) {
                Some(layer) => {
                    diagnostics.extend(layer.diagnostics.iter().cloned());
                    found.push(layer);
                }
                None => {
                    let what =
                        format!("the layer {} of the image cannot be read or is not there", excerpt(layer));
                    diagnostics.push(Diagnostic::new("input-syntax", place, what));
                }
            }
        }
        images.push(Image { name, files: merge(&found) });
    }
    images
}

/// Images as `docker save` lists them: name and paths of the layers.
fn saved(tree: &Tree) -> Option<Vec<(String, Vec<String>)>> {
    let all: Vec<Saved> = serde_json::from_slice(bytes(tree, "manifest.json")?).ok()?;
    let named = |(n, s): (usize, Saved)| {
        let tag = s.repo_tags.unwrap_or_default().into_iter().next();
        (tag.unwrap_or_else(|| format!("image {}", n + 1)), s.layers)
    };
    Some(all.into_iter().enumerate().map(named).collect())
}

/// Images of an OCI image layout.
fn laid_out(tree: &Tree) -> Vec<(String, Vec<String>)> {
    let mut out = Vec::new();
    if let Some(index) = bytes(tree, "index.json").and_then(|b| serde_json::from_slice(b).ok()) {
        collect(tree, &index, "", INDICES, &mut HashSet::new(), &mut out);
    }
    out
}

fn collect(
    tree: &Tree,
    manifest: &Manifest,
    name: &str,
    depth: u32,
    seen: &mut HashSet<String>,
    out: &mut Vec<(String, Vec<String>)>,
) {
    // Statements about images are kept like images; their layers are no archives.
    let layers: Vec<String> = (manifest.layers.iter().flatten())
        .filter(|l| l.media_type.is_empty() || l.media_type.contains("tar"))
        .map(|l| blob(&l.digest))
        .collect();
    if !layers.is_empty() {
        out.push((name.to_owned(), layers));
    }
    for next in manifest.manifests.iter().flatten().take(MOST) {
        let read = bytes(tree, &blob(&next.digest)).and_then(|b| serde_json::from_slice(b).ok());
        if let Some(read) = read.filter(|_| depth > 0 && seen.insert(next.digest.clone())) {
            let name = next.annotations.get("org.opencontainers.image.ref.name").unwrap_or(&next.digest);
            collect(tree, &read, name, depth - 1, seen, out);
        }
    }
}

/// Where content of a digest lies: `sha256:ab` is `blobs/sha256/ab`.
fn blob(digest: &str) -> String {
    clean(&format!("blobs/{}", digest.replacen(':', "/", 1)))
}

fn bytes<'t>(tree: &'t Tree, path: &str) -> Option<&'t [u8]> {
    tree.files.iter().find(|(p, _)| p == path).map(|(_, b)| b.as_slice())
}

/// The archive at a path, or at what the path is a link to.
fn archive<'t>(tree: &'t Tree, path: &str) -> Option<&'t Tree> {
    let path = clean(path);
    let to = tree.links.iter().find(|(p, _)| *p == path).map_or(path.as_str(), |(_, to)| to);
    tree.archives.iter().find(|(p, _)| p == to).map(|(_, t)| t)
}

/// Lays layers over one another, the lowest first.
fn merge<'t>(layers: &[&'t Tree]) -> Vec<(&'t str, &'t [u8])> {
    let mut files: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for layer in layers {
        let mut gone: HashSet<String> = HashSet::new();
        let mut emptied: HashSet<&str> = HashSet::new();
        for path in &layer.paths {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            if name == OPAQUE {
                emptied.insert(folder);
            } else if let Some(name) = name.strip_prefix(WHITE_OUT) {
                gone.insert(clean(&format!("{folder}/{name}")));
            } else {
                gone.insert(path.clone());
            }
        }
        files.retain(|path, _| {
            let mut above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
            !gone.contains(*path)
                && !emptied.contains("")
                && !above.any(|folder| gone.contains(folder) || emptied.contains(folder))
        });
        files.extend(layer.files.iter().map(|(p, b)| (p.as_str(), b.as_slice())));
    }
    files.into_iter().collect()
}
