//! One package header: an index of tags, each with a type, an offset into a store and a count (rpm documentation,
//! "RPM v4 header format"; numbers are big-endian).

use std::collections::HashSet;

use super::{be32, clean, nameless, slice};

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const VENDOR: u32 = 1011;
const LICENSE: u32 = 1014;
const ARCH: u32 = 1022;
const SOURCERPM: u32 = 1044;
const PROVIDENAME: u32 = 1047;
const REQUIRENAME: u32 = 1049;
const MODULARITYLABEL: u32 = 5096;

/// Tags that are read.
const TAGS: &[u32] = &[
    NAME,
    VERSION,
    RELEASE,
    EPOCH,
    VENDOR,
    LICENSE,
    ARCH,
    SOURCERPM,
    PROVIDENAME,
    REQUIRENAME,
    MODULARITYLABEL,
];

const TYPE_INT32: u32 = 4;
const TYPE_STRING: u32 = 6;
const TYPE_STRING_ARRAY: u32 = 8;
const TYPE_I18N: u32 = 9;

/// Most tags of one header (rpm refuses more).
const MOST_TAGS: usize = 0xffff;

/// What is read of a header; texts are empty where a tag is missing.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub name: String,
    pub epoch: Option<u32>,
    pub version: String,
    pub release: String,
    pub arch: String,
    /// File name of the source package: `bash-5.1.8-6.el9.src.rpm`.
    pub source: String,
    pub vendor: String,
    pub license: String,
    pub module: String,
    pub provides: Vec<String>,
    pub requires: Vec<String>,
}

impl Header {
    /// Reads one header; the error says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Header, String> {
        let damaged = || "the header is damaged".to_owned();
        let tags = be32(bytes, 0).ok_or_else(damaged)? as usize;
        let stored = be32(bytes, 4).ok_or_else(damaged)? as usize;
        if tags > MOST_TAGS {
            return Err(format!("the header has {tags} tags, more than RPM allows"));
        }
        let index = slice(bytes, 8, tags * 16).ok_or_else(damaged)?;
        let store = slice(bytes, 8 + tags * 16, stored).ok_or_else(damaged)?;
        let mut h = Header::default();
        let mut seen = HashSet::new();
        for entry in index.chunks_exact(16) {
            let word = |n: usize| be32(entry, n * 4).unwrap_or(0);
            let (tag, kind, at, count) = (word(0), word(1), word(2) as usize, word(3) as usize);
            let Some(data) = store.get(at..) else { continue };
            // a tag stands once; repeats would have the same text read over and over
            if !TAGS.contains(&tag) || !seen.insert(tag) {
                continue;
            }
            let one = || match kind {
                TYPE_STRING | TYPE_STRING_ARRAY | TYPE_I18N => {
                    strings(data).next().map(clean).unwrap_or_default()
                }
                _ => String::new(),
            };
            let many = || strings(data).take(count).map(clean).collect();
            match tag {
                NAME => h.name = one(),
                VERSION => h.version = one(),
                RELEASE => h.release = one(),
                ARCH => h.arch = one(),
                SOURCERPM => h.source = one(),
                VENDOR => h.vendor = one(),
                LICENSE => h.license = one(),
                MODULARITYLABEL => h.module = one(),
                EPOCH if kind == TYPE_INT32 => h.epoch = be32(data, 0),
                PROVIDENAME if kind == TYPE_STRING_ARRAY => h.provides = many(),
                REQUIRENAME if kind == TYPE_STRING_ARRAY => h.requires = many(),
                _ => {}
            }
        }
        if h.name.is_empty() { Err(nameless(&h.version)) } else { Ok(h) }
    }
}

/// Strings that end in a zero byte; what has no end is none.
fn strings(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = data.iter().position(|b| *b == 0)?;
        let (text, rest) = (data.get(..end)?, data.get(end + 1..)?);
        data = rest;
        Some(text)
    })
}
