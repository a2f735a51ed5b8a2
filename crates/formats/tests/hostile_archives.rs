//! Archives made to do harm, for scan and for import: what is wrong with one file in them costs that file alone, and
//! nothing they unpack to is without a bound.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::io::Write;
use std::ops::ControlFlow;

use tocsin_formats::archive::{Content, Opener, Tree, Wanted};
use tocsin_formats::input::{Limits, ReadOptions};
use tocsin_formats::intel::{self, Item};
use tocsin_formats::sbom;

/// A CycloneDX document with these components.
fn with_components(components: &str) -> String {
    format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{components}]}}"#)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        out.start_file(*name, zip::write::SimpleFileOptions::default().compression_level(Some(9))).unwrap();
        out.write_all(bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

/// Every file is wanted and every archive looked into.
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

/// The number of components, or the first code.
type Outcome = Result<usize, &'static str>;
/// Place and outcome.
type Answer = (String, Outcome);

fn is(place: &str, what: Outcome) -> Answer {
    (place.to_owned(), what)
}

/// What comes out of a file: documents before what went wrong, an archive before the archives in it.
fn found(name: &str, bytes: &[u8], limits: Limits) -> Vec<Answer> {
    let options = ReadOptions { limits, ..ReadOptions::default() };
    let read = |path: &str, bytes: &[u8]| {
        sbom::read(path, bytes, &options, None).map(|b| b.components.len()).map_err(|d| d[0].code)
    };
    fn walk(place: &str, tree: &Tree, read: &dyn Fn(&str, &[u8]) -> Outcome, out: &mut Vec<Answer>) {
        out.extend(tree.files.iter().map(|(path, b)| (format!("{place}!{path}"), read(path, b))));
        out.extend(tree.diagnostics.iter().map(|d| is(&d.path, Err(d.code))));
        for (path, sub) in &tree.archives {
            walk(&format!("{place}!{path}"), sub, read, out);
        }
    }
    let mut out = Vec::new();
    match Opener::new(&options.limits, &Everything).open(name, &mut &*bytes) {
        Ok(Content::File(inner, bytes)) => out.push((inner.clone(), read(&inner, &bytes))),
        Ok(Content::Archive(tree)) => walk(name, &tree, &read, &mut out),
        Err(d) => out.push(is(&d.path, Err(d.code))),
    }
    out
}

fn all(name: &str, bytes: &[u8]) -> Vec<Answer> {
    found(name, bytes, Limits::default())
}

#[test]
fn archives_in_archives_bombs_and_damage() {
    let one = with_components(r#"{"name":"a"}"#).into_bytes();
    let two = with_components(r#"{"name":"a"},{"name":"b"}"#).into_bytes();
    let bomb = gzip(&vec![b' '; 70 << 20]);
    assert!(bomb.len() * 200 < 70 << 20);

    let both = zipped(&[("a.json", &one), ("b/c.json.gz", &gzip(&two)), ("readme.txt", b"x")]);
    let answers = [
        is("x.zip!a.json", Ok(1)),
        is("x.zip!b/c.json", Ok(2)),
        is("x.zip!readme.txt", Err("input-unrecognised")),
    ];
    assert_eq!(all("x.zip", &both), answers);
    // the same in a compression: its place keeps the name of the file
    let places: Vec<_> = all("x.zip.gz", &gzip(&both)).into_iter().map(|(_, what)| what).collect();
    assert_eq!(places, answers.map(|(_, what)| what));
    let outer = zipped(&[("in.zip", &both), ("a.json", &one)]);
    let paths: Vec<_> = all("x.zip", &outer).into_iter().map(|(place, _)| place).collect();
    assert_eq!(
        paths,
        ["x.zip!a.json", "x.zip!in.zip!a.json", "x.zip!in.zip!b/c.json", "x.zip!in.zip!readme.txt"]
    );
    // the same document twice is two documents
    let same = zipped(&[("a.json", &one), ("b.json", &one)]);
    assert_eq!(all("x.zip", &same).len(), 2);
    // a bomb costs itself alone
    let mixed = zipped(&[("bomb.gz", &bomb), ("a.json", &one)]);
    assert_eq!(all("x.zip", &mixed), [is("x.zip!a.json", Ok(1)), is("x.zip!bomb", Err("limit-expansion"))]);
    let limits = Limits::default();
    let why = Opener::new(&limits, &Everything).open("x.gz", &mut &*bomb).unwrap_err();
    assert_eq!(why.message, "limit: expansion ratio of an archive passed (200 to 1)");
    // too deep, too many, too large
    let deep = (0..9).fold(one.clone(), |b, _| gzip(&b));
    assert_eq!(all("x.gz", &deep), [is("x", Err("limit-depth"))]);
    let few = Limits { entries: 1, ..Limits::default() };
    assert_eq!(found("x.zip", &same, few), [is("x.zip!a.json", Ok(1)), is("x.zip", Err("limit-entries"))]);
    let small = Limits { document_bytes: 50, ..Limits::default() };
    assert_eq!(found("x.json", &two, small.clone()), [is("x.json", Err("limit-size"))]);
    assert_eq!(found("x.gz", &gzip(&two), small), [is("x", Err("limit-size"))]);
    // cut off, and empty
    assert_eq!(all("x.zip", both.split_at(60).0), [is("x.zip", Err("input-syntax"))]);
    assert_eq!(all("x.gz", gzip(&one).split_at(30).0), [is("x", Err("input-syntax"))]);
    assert_eq!(all("x.zip", &zipped(&[])), []);
}

/// One damaged file of a zip costs itself alone; entries that share their bytes are counted each time.
#[test]
fn damaged_and_overlapping_entries_of_a_zip() {
    let one = with_components(r#"{"name":"a"}"#).into_bytes();
    let mut archive = zipped(&[("bad.json", &one), ("good.json", &one)]);
    let at = archive.windows(8).position(|w| w == b"bad.json").unwrap() + 8;
    archive[at] ^= 0xff;
    assert_eq!(
        all("x.zip", &archive),
        [is("x.zip!good.json", Ok(1)), is("x.zip!bad.json", Err("input-syntax"))]
    );
    let blanks = format!("{{\"id\":\"{}\"}}", " ".repeat(1 << 20));
    let many: Vec<(String, &[u8])> = (0..8).map(|n| (format!("{n}.json"), blanks.as_bytes())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(n, b)| (n.as_str(), *b)).collect();
    let limits = Limits { archive_bytes: 7 << 19, ..Limits::default() };
    let answers = found("x.zip", &zipped(&many), limits.clone());
    let passed = answers.iter().filter(|(_, what)| *what == Err("limit-size")).count();
    assert_eq!((answers.len(), passed), (8, 5), "{answers:?}");
    let mut problems = 0;
    intel::split("x.zip", &mut &*zipped(&many), &limits, &mut |item| {
        problems += u32::from(matches!(&item, Item::Problem(d, _) if d.code == "limit-size"));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(problems, 5);
}

/// Names are held in memory, so they are bounded: each by the reader of tar archives, all by the document size.
#[test]
fn long_names_in_archives() {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, size) in [("a".repeat(3000), 0), ("b".repeat(2 << 20), 0)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, std::io::empty()).unwrap();
    }
    let bytes = archive.into_inner().unwrap();
    let codes = |limits| found("x.tar", &bytes, limits).into_iter().map(|(_, what)| what).collect::<Vec<_>>();
    assert_eq!(codes(Limits::default()), [Err("input-empty"), Err("limit-size")]);
    let short = Limits { document_bytes: 2000, ..Limits::default() };
    assert_eq!(codes(short), [Err("limit-size")]);
    let why = intel::split("x.tar", &mut &*bytes, &Limits::default(), &mut |_| ControlFlow::Continue(()));
    assert_eq!(why.unwrap_err().code, "limit-size");
}

#[test]
fn a_bomb_in_the_stream_of_intelligence() {
    let mut bomb = br#"{"id":"X-1","modified":""#.to_vec();
    bomb.resize(70 << 20, b'x');
    let whole =
        intel::split("x.gz", &mut &*gzip(&bomb), &Limits::default(), &mut |_| ControlFlow::Continue(()));
    let why = whole.unwrap_err();
    assert_eq!((why.code, why.path.as_str()), ("limit-expansion", "x.gz"));
    assert_eq!(why.message, "limit: expansion ratio of an archive passed (200 to 1)");
    // in a zip it costs itself alone
    let record = br#"{"id":"X-2","modified":"2024-01-01T00:00:00Z"}"#;
    let archive = zipped(&[("bomb.json", &bomb), ("good.json", record)]);
    let mut seen = Vec::new();
    intel::split("x.zip", &mut &*archive, &Limits::default(), &mut |item| {
        seen.push(match item {
            Item::Record(r) => (r.place, "record"),
            Item::Problem(d, _) => (d.path, d.code),
            other => panic!("{other:?}"),
        });
        ControlFlow::Continue(())
    })
    .unwrap();
    let expected = [("x.zip!bomb.json", "limit-expansion"), ("x.zip!good.json", "record")];
    assert_eq!(seen, expected.map(|(place, what)| (place.to_owned(), what)));
}
