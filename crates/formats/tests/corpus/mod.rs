//! Files of the corpus, for every test that reads them.

use std::io::Read;
use std::path::PathBuf;

/// Files of a packed part of the corpus as (name, bytes); nothing, loudly, where it is absent.
pub fn corpus(part: &str) -> Vec<(String, Vec<u8>)> {
    let base = std::env::var_os("TOCSIN_CORPUS").map(PathBuf::from);
    let base =
        base.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")));
    let Ok(file) = std::fs::File::open(base.join(part)) else {
        eprintln!("SKIPPED: {part} is not in the corpus ({})", base.display());
        return Vec::new();
    };
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).expect("zstd"));
    let mut out = Vec::new();
    for entry in archive.entries().expect("tar") {
        let mut entry = entry.expect("entry");
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().expect("path").to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("content");
        out.push((name.trim_start_matches("./").to_owned(), bytes));
    }
    out
}
