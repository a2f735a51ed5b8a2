//! What the targets share: small limits, and what holds of every answer whatever the input was.

use std::ops::ControlFlow;

use tocsin_formats::archive::{Content, Opener, Tree, Wanted};
use tocsin_formats::input::{Limits, ReadOptions};
use tocsin_formats::intel::{Item, RawKind};
use tocsin_formats::{intel, sbom};
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::{Diagnostic, code_info};

/// Limits that a fuzzer's input can reach.
pub fn limits() -> Limits {
    Limits {
        document_bytes: 1 << 20,
        archive_bytes: 4 << 20,
        expansion_ratio: 200,
        entries: 1000,
        wrappings: 4,
        depth: 100,
        string_bytes: 1 << 14,
        list_items: 100,
    }
}

/// Reading as usual, and strictly when the first bit of `choice` is set.
pub fn options(choice: u8) -> ReadOptions {
    ReadOptions { strict: choice & 1 == 1, limits: limits() }
}

/// A diagnostic is of a registered code and says something.
pub fn check_diagnostic(d: &Diagnostic) {
    assert!(code_info(d.code).is_some(), "unregistered code {}", d.code);
    assert!(!d.message.is_empty(), "{} says nothing", d.code);
}

/// Every index in a document points at a component, and nothing contains itself.
pub fn check_bom(bom: &Bom) {
    let n = bom.components.len();
    assert!(bom.root.is_none_or(|r| r < n), "root");
    assert!(bom.dependencies.iter().all(|(a, b)| *a < n && *b < n), "edge");
    for (i, c) in bom.components.iter().enumerate() {
        assert!(c.parent.is_none_or(|p| p < n && p != i), "{} lies in nothing", c.path);
    }
    bom.diagnostics.iter().for_each(check_diagnostic);
}

/// Checks the outcome of a reader: a document, or at least one reason.
pub fn check_outcome(outcome: Result<Bom, Vec<Diagnostic>>) {
    match outcome {
        Ok(bom) => check_bom(&bom),
        Err(reasons) => {
            assert!(!reasons.is_empty(), "refused without a reason");
            reasons.iter().for_each(check_diagnostic);
        }
    }
}

/// Reads a file through the one entrance of SBOMs and lock files, which also keeps to the limits.
pub fn check_file(name: &str, bytes: &[u8], options: &ReadOptions) {
    sbom::recognise(name, bytes);
    let outcome = sbom::read(name, bytes, options, None);
    for c in outcome.iter().flat_map(|bom| &bom.components) {
        let limits = &options.limits;
        let texts = [Some(&c.name), c.version.as_ref(), c.group.as_ref(), c.supplier.as_ref()];
        assert!(texts.iter().flatten().all(|t| t.len() <= limits.string_bytes), "a string past its limit");
        let lists = [c.licenses.len(), c.hashes.len(), c.references.len(), c.properties.len(), c.cpes.len()];
        assert!(lists.iter().all(|n| *n <= limits.list_items), "a list past its limit");
    }
    check_outcome(outcome);
}

/// Files of every name and content, archives of every name.
struct Everything;

impl Wanted for Everything {
    fn maybe(&self, _: &str, _: &[u8]) -> bool {
        true
    }
    fn surely(&self, _: &str, _: &[u8]) -> bool {
        true
    }
    fn opens(&self, _: &str) -> bool {
        true
    }
}

/// Opens a file that may be an archive, and reads what comes out.
pub fn check_archive(name: &str, mut bytes: &[u8], options: &ReadOptions) {
    match Opener::new(&options.limits, &Everything).open(name, &mut bytes) {
        Ok(Content::File(inner, bytes)) => check_file(&inner, &bytes, options),
        Ok(Content::Archive(tree)) => {
            let held = check_tree(&tree, options);
            assert!(held as u64 <= options.limits.document_bytes, "more held than the limit");
        }
        Err(d) => check_diagnostic(&d),
    }
}

/// Paths lead nowhere else, and all that is held can be read; the number of bytes held.
fn check_tree(tree: &Tree, options: &ReadOptions) -> usize {
    tree.diagnostics.iter().for_each(check_diagnostic);
    let files = tree.files.iter().map(|(path, _)| path);
    for path in files.chain(&tree.paths).chain(tree.links.iter().map(|(_, to)| to)) {
        assert!(!path.starts_with('/') && path.split('/').all(|p| p != ".."), "{path:?} leads elsewhere");
    }
    for (path, bytes) in &tree.files {
        check_file(path, bytes, options);
    }
    let held: usize = tree.files.iter().map(|(_, b)| b.len()).sum();
    held + tree.archives.iter().map(|(_, sub)| check_tree(sub, options)).sum::<usize>()
}

/// Parses a record; its parts name themselves.
pub fn check_record(kind: RawKind, bytes: &[u8]) {
    let _ = kind.document_id(bytes);
    match intel::parse(kind, bytes) {
        Ok((records, remarks)) => {
            assert!(records.iter().all(|r| !r.id.is_empty()), "a record without id");
            remarks.iter().for_each(check_diagnostic);
        }
        Err(d) => check_diagnostic(&d),
    }
}

/// Splits a stream and parses what comes out.
pub fn check_stream(name: &str, mut bytes: &[u8]) {
    let outcome = intel::split(name, &mut bytes, &limits(), &mut |item| {
        match item {
            Item::Record(r) => check_record(r.kind, &r.bytes),
            Item::Problem(d, kept) => {
                assert!(kept.len() <= 64 << 10, "more kept than promised");
                check_diagnostic(&d);
            }
            Item::Fact(_) | Item::Vex(_) | Item::Skipped(_) => {}
        }
        ControlFlow::Continue(())
    });
    if let Err(d) = outcome {
        check_diagnostic(&d);
    }
}

/// Cuts the first byte off: it makes a choice for the target.
pub fn choose(data: &[u8]) -> (usize, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (usize::from(*first), rest))
}
