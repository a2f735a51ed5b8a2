//! The matching index, as opened from a file that may be damaged or made by somebody else.

use std::sync::{Arc, LazyLock};

use tocsin_engine::index::{Bytes, FactsBuilder, Group, Index, SegmentBuilder, encode};
use tocsin_engine::matching::{Options, scan};
use tocsin_formats::{cyclonedx, osv};
use tocsin_model::bom::Bom;
use tocsin_model::finding::Confidence;
use tocsin_model::record::Fact;

use super::check::{choose, options};

static SEGMENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let text = br#"{"id":"GHSA-aaaa-bbbb-cccc","aliases":["CVE-2024-0001"],"modified":"2024-01-01T00:00:00Z",
        "affected":[{"package":{"ecosystem":"npm","name":"left"},"ranges":[{"type":"SEMVER",
        "events":[{"introduced":"0"},{"fixed":"1.2.3"}]}],"versions":["1.0.0"]}]}"#;
    let mut builder = SegmentBuilder::default();
    for id in ["CVE-2024-0001", "CVE-2024-0002"] {
        let records = osv::parse(text).map(|(r, _)| r).unwrap_or_default();
        builder.push(encode(&Group { id: id.into(), aliases: vec!["GHSA-aaaa-bbbb-cccc".into()], records }));
    }
    builder.replace("CVE-2023-0001");
    builder.finish()
});

static FACTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut builder = FactsBuilder::default();
    builder.push(&Fact::Kev {
        cve: "CVE-2024-0001".into(),
        date_added: "2024-01-01".into(),
        due_date: None,
        ransomware: true,
        name: "left".into(),
        released: None,
    });
    builder.finish()
});

static BOM: LazyLock<Bom> = LazyLock::new(|| {
    let text = br#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[
        {"type":"library","name":"left","version":"1.0.0","purl":"pkg:npm/left@1.0.0"}]}"#;
    cyclonedx::read(text, &options(0)).unwrap_or_default()
});

fn number(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, |b| u64::from_le_bytes(b) as usize)
}

/// Makes every checksum right, as far as the header names bytes that are there.
fn seal(bytes: &mut [u8]) {
    let end = number(bytes, 40);
    if let Some(body) = bytes.get(64..end) {
        let sums: Vec<u8> = body.chunks(4096).flat_map(|p| crc32fast::hash(p).to_le_bytes()).collect();
        if let Some(list) = bytes.get_mut(end..end + sums.len()) {
            list.copy_from_slice(&sums);
            let sum = crc32fast::hash(&sums).to_le_bytes();
            bytes[48..52].copy_from_slice(&sum);
        }
    }
    let own = crc32fast::hash(&bytes[..52]).to_le_bytes();
    bytes[52..56].copy_from_slice(&own);
}

/// Asks an index for everything there is.
fn ask(index: &Index) {
    let _ = index.verify();
    let _ = (index.len(), index.is_empty());
    for id in ["CVE-2024-0001", "ghsa-aaaa-bbbb-cccc", "CVE-1999-0001"] {
        let _ = index.find(id);
    }
    let mut left = 100;
    let _ = index.each(&mut |_| {
        left -= 1;
        left > 0
    });
    let how = Options { min_confidence: Confidence::Inferred, explain: true };
    let _ = scan(index, &BOM, &[], &how);
}

/// An index file with bytes changed. The first byte chooses the file and whether its checksums are made right
/// again, so that what stands behind them is reached too; then come offsets (two bytes) with new values.
pub fn index_open(data: &[u8]) {
    let (choice, data) = choose(data);
    let (mut segment, mut facts) = (SEGMENT.clone(), FACTS.clone());
    let file = if choice & 1 == 1 { &mut facts } else { &mut segment };
    let (patches, tail) = data.as_chunks::<3>();
    for [high, low, value] in patches {
        let at = usize::from(*high) << 8 | usize::from(*low);
        let length = file.len();
        file[at % length] = *value;
    }
    if choice & 4 == 4 {
        file.truncate(file.len() - tail.len() * 40);
    }
    if choice & 2 == 2 && file.len() >= 64 {
        seal(file);
    }
    let older: Bytes = Arc::new(SEGMENT.clone());
    let changed: Bytes = Arc::new(segment);
    if let Ok(index) = Index::open(vec![older, changed], Some(Arc::new(facts))) {
        ask(&index);
    }
}
