//! Getting at what is to be scanned: a file, standard input, an archive, a container image or a folder; and the
//! system whose files they are.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use tocsin_formats::archive::{Content, Opener, Tree};
use tocsin_formats::input::ReadOptions;
use tocsin_formats::lock::Distro;
use tocsin_formats::sbom;
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::{Diagnostic, Level};

use crate::error::Error;

mod folder;
mod image;
mod system;

use system::{Documents, Systems};

/// What a target holds.
#[derive(Debug, Default)]
pub struct Input {
    /// The documents, in the order of their places.
    pub documents: Vec<Bom>,
    /// Where in the target each document stands: a path in a folder, `ARCHIVE!PATH`; empty for the target itself.
    pub places: Vec<String>,
    /// The bytes of the target, where it is one document and was kept as it is.
    pub raw: Option<Vec<u8>>,
    /// What went wrong with parts of the input.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads every document of `target`: `-` is standard input.
///
/// # Errors
/// Nothing usable is there; in strict mode, or for a single document, any document that cannot be read.
pub fn read(target: &str, options: &ReadOptions) -> Result<Input, Error> {
    if target == "-" {
        return single("-", &mut io::stdin().lock(), 0, None, options);
    }
    let path = Path::new(target);
    let meta = fs::metadata(path).map_err(|e| unreadable(target, &e))?;
    let mut input = Input::default();
    if meta.is_dir() {
        folder::read(path, options, &mut input);
        return finish(input, target, options.strict);
    }
    let mut file = File::open(path).map_err(|e| unreadable(target, &e))?;
    single(target, &mut file, meta.len(), system::around(path).as_ref(), options)
}

/// Reads every document of a file whose bytes are at hand.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Input, Error> {
    single(name, &mut io::Cursor::new(bytes), bytes.len() as u64, None, options)
}

fn single(
    name: &str,
    reader: &mut dyn Read,
    expected: u64,
    distro: Option<&Distro>,
    options: &ReadOptions,
) -> Result<Input, Error> {
    let mut input = Input::default();
    match Opener::new(&options.limits, &Documents).expecting(expected).open(name, reader) {
        Ok(Content::Archive(tree)) => take_tree(&mut input, name, tree, options),
        Ok(Content::File(inner, bytes)) => {
            let place = if inner == name { "" } else { &inner };
            take(&mut input, place, sbom::read(&inner, &bytes, options, distro));
            let cyclonedx = |bom: &Bom| bom.format.name == "CycloneDX" && bom.format.encoding == "json";
            input.raw = input.documents.iter().any(cyclonedx).then_some(bytes);
        }
        Err(why) => input.diagnostics.push(why),
    }
    finish(input, name, options.strict)
}

/// Takes the documents of an archive, and of the archives in it.
fn take_tree(input: &mut Input, place: &str, mut tree: Tree, options: &ReadOptions) {
    input.diagnostics.append(&mut tree.diagnostics);
    let images = image::images(place, &tree, &mut input.diagnostics);
    if !images.is_empty() {
        let several = images.len() > 1;
        for image in images {
            let place = if several { format!("{place}!{}", image.name) } else { place.to_owned() };
            take_files(input, &place, &image.files, options);
        }
        return;
    }
    tree.files.sort_by(|a, b| a.0.cmp(&b.0));
    tree.archives.sort_by(|a, b| a.0.cmp(&b.0));
    let files: Vec<(&str, &[u8])> = tree.files.iter().map(|(p, b)| (p.as_str(), b.as_slice())).collect();
    take_files(input, place, &files, options);
    for (path, sub) in tree.archives {
        take_tree(input, &format!("{place}!{path}"), sub, options);
    }
}

/// Takes the documents among files whose bytes are at hand, in the order given.
fn take_files(input: &mut Input, place: &str, files: &[(&str, &[u8])], options: &ReadOptions) {
    let mut systems = Systems::default();
    for (path, bytes) in files {
        systems.learn(path, bytes);
    }
    let shadowed = system::repeated(files.iter().map(|(path, _)| *path));
    for (path, bytes) in files {
        if shadowed.contains(path) {
            continue;
        }
        match sbom::read(path, bytes, options, systems.of(path)) {
            // what tells of the system or the layers is held too
            Err(why) if why.iter().all(|d| d.code == "input-unrecognised") => {}
            outcome => take(input, &format!("{place}!{path}"), outcome),
        }
    }
}

/// Takes one document, or why it could not be read.
fn take(input: &mut Input, place: &str, outcome: Result<Bom, Vec<Diagnostic>>) {
    let within = |d: Diagnostic| if place.is_empty() { d } else { d.within(place) };
    match outcome {
        Ok(mut bom) => {
            input.diagnostics.extend(std::mem::take(&mut bom.diagnostics).into_iter().map(within));
            input.documents.push(bom);
            input.places.push(place.to_owned());
        }
        Err(why) => input.diagnostics.extend(why.into_iter().map(within)),
    }
}

fn finish(input: Input, name: &str, strict: bool) -> Result<Input, Error> {
    let failed = input.diagnostics.iter().any(|d| d.level == Level::Error);
    if input.documents.is_empty() || (strict && failed) {
        let mut why = input.diagnostics;
        if why.is_empty() {
            why.push(Diagnostic::new("input-unrecognised", "", "no SBOM or lock file was found"));
        }
        let why = why.into_iter().map(|d| if d.path.starts_with(name) { d } else { d.within(name) });
        return Err(Error::Input(why.collect()));
    }
    Ok(input)
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    Error::Input(vec![Diagnostic::new("input-unreadable", name, error.to_string())])
}
