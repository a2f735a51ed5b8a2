//! A segment: rules by key and vulnerabilities by number and id. Sections: 0 key table, 1 buckets of rules,
//! 2 id table, 3 vulnerabilities (offsets, then blocks; the last block lists replaced ids).

use tocsin_model::cpe::Cpe;
use tocsin_model::record::{Configuration, CpeMatch, Node, Record, RecordKind, RecordState, Score, Source};

use super::codec::{Reader, put_bytes, put_number, put_strings};
use super::rule::{self, Stored};
use super::{Bytes, Group, IndexError, block, container, key};

const KIND: u32 = 1;

/// A group made ready for the index; can be made on many threads.
pub struct Encoded {
    ids: Vec<String>,
    block: Vec<u8>,
    rules: Vec<Stored>,
}

/// Who wrote the record.
pub(crate) fn source_of(record: &Record) -> Source {
    match record.affected.first() {
        Some(a) => a.source,
        None if !record.configurations.is_empty() => Source::Nvd,
        None if record.id.starts_with("GHSA-") => Source::Ghsa,
        None if record.id.starts_with("RUSTSEC-") => Source::RustSec,
        None if record.id.starts_with("EUVD-") => Source::Euvd,
        None if record.id.starts_with("JVNDB-") => Source::Jvn,
        None if record.id.starts_with("VULNDB-") => Source::VulnDb,
        None if record.id.starts_with("CVE-") => Source::Cna,
        None => Source::Osv,
    }
}

/// Whose title, and whose score, is shown first.
fn say(source: Source) -> u8 {
    match source {
        Source::Csaf => 0,
        Source::Ghsa => 1,
        Source::RustSec => 2,
        Source::Osv => 3,
        Source::Cna => 4,
        Source::Adp => 5,
        Source::Nvd => 6,
        Source::VulnDb => 7,
        Source::Euvd => 8,
        Source::Jvn => 9,
        Source::Distribution => 10,
        Source::Own => 11,
    }
}

/// Encodes one group. Withdrawn and rejected records make no rules.
pub fn encode(group: &Group) -> Encoded {
    let mut records: Vec<&Record> = group.records.iter().collect();
    records.sort_by_key(|r| (say(source_of(r)), r.id.clone()));
    let mut rules = Vec::new();
    let mut configs: Vec<&Configuration> = Vec::new();
    for (n, record) in records.iter().enumerate() {
        if matches!(record.state, RecordState::Withdrawn | RecordState::Rejected) {
            continue;
        }
        for affected in &record.affected {
            rule::of_affected(affected, n, &mut rules);
        }
        for config in &record.configurations {
            let asks_others = config.negate
                || config.nodes.iter().any(|n| n.negate)
                || (config.and && config.nodes.len() > 1)
                || config.nodes.iter().any(|n| n.and && n.matches.len() > 1);
            let number = asks_others.then_some(configs.len());
            if asks_others {
                configs.push(config);
            }
            for m in config.nodes.iter().flat_map(|n| &n.matches).filter(|m| m.vulnerable) {
                rule::of_criterion(m, source_of(record), n, number, &mut rules);
            }
        }
    }
    let mut ids = vec![group.id.clone()];
    ids.extend(group.aliases.iter().filter(|a| **a != group.id).cloned());
    let upstream = upstream(group, &records);
    let mut keys: Vec<u64> = rules.iter().map(|(key, _)| container::hash(key)).collect();
    keys.sort_unstable();
    keys.dedup();
    let body = vulnerability_block(group, &records, &configs, &upstream, &keys);
    let mut print = container::hash(&body);
    for (key, rule) in &rules {
        print = print.rotate_left(5) ^ container::hash(key) ^ container::hash(rule).rotate_left(32);
    }
    let mut block = print.to_le_bytes().to_vec();
    block.extend_from_slice(&body);
    rules.extend(upstream.iter().map(|id| (key::upstream(id), Vec::new())));
    Encoded { block, ids, rules }
}

/// Ids of the flaws that standing records say they are about.
fn upstream(group: &Group, records: &[&Record]) -> Vec<String> {
    let mut upstream: Vec<String> = records
        .iter()
        .filter(|r| r.state == RecordState::Published || r.state == RecordState::Disputed)
        .flat_map(|r| r.upstream.clone())
        .filter(|u| *u != group.id && !group.aliases.contains(u))
        .collect();
    upstream.sort();
    upstream.dedup();
    upstream
}

/// What a block holds behind the fingerprint at its head, which is over this and the rules.
fn vulnerability_block(
    group: &Group,
    records: &[&Record],
    configs: &[&Configuration],
    upstream: &[String],
    keys: &[u64],
) -> Vec<u8> {
    let mut b = Vec::new();
    put_bytes(&mut b, &group.id);
    put_strings(&mut b, &group.aliases);
    put_strings(&mut b, upstream);
    put_bytes(&mut b, title(records));
    put_scores(&mut b, records);
    let mut cwes: Vec<String> = records.iter().flat_map(|r| r.cwes.clone()).collect();
    cwes.sort();
    cwes.dedup();
    put_strings(&mut b, &cwes);
    b.push(state(records));
    b.push(kind(records));
    put_number(&mut b, records.len() as u64);
    for r in records {
        put_bytes(&mut b, &r.id);
    }
    put_number(&mut b, configs.len() as u64);
    for c in configs {
        put_config(&mut b, c);
    }
    put_bytes(&mut b, keys.iter().flat_map(|k| k.to_le_bytes()).collect::<Vec<u8>>());
    b
}

/// The first title; else the first sentence of the first description.
fn title(records: &[&Record]) -> String {
    if let Some(r) = records.iter().find(|r| !r.title.trim().is_empty()) {
        return r.title.trim().to_owned();
    }
    let text = records.iter().map(|r| r.description.trim()).find(|d| !d.is_empty()).unwrap_or("");
    let line = text.lines().next().unwrap_or("");
    let sentence = line.split_once(". ").map_or(line, |(s, _)| s);
    sentence.chars().take(160).collect()
}

fn put_scores(b: &mut Vec<u8>, records: &[&Record]) {
    let mut seen = Vec::new();
    for r in records {
        for s in &r.scores {
            if !seen.contains(&(&s.cvss.vector, &s.by)) {
                seen.push((&s.cvss.vector, &s.by));
            }
        }
    }
    put_number(b, seen.len() as u64);
    let scores = || records.iter().flat_map(|r| &r.scores);
    for (vector, by) in &seen {
        let Some(s) = scores().find(|s| s.cvss.vector == **vector && s.by == **by) else { continue };
        put_bytes(b, s.cvss.version);
        put_bytes(b, vector);
        put_number(b, s.cvss.score.to_bits().into());
        put_bytes(b, by);
    }
    // the first source that scored decides, its newest CVSS version first; CVSS 2 only where nothing else is
    let best = records.iter().find_map(|r| newest(r)).or_else(|| scores().next());
    let words = ["unknown", "none", "low", "medium", "high", "critical"];
    let word = match best {
        Some(s) => band(s.cvss.version, s.cvss.score),
        None => {
            let said =
                records.iter().find_map(|r| r.severity_word.as_deref()).unwrap_or("").to_ascii_lowercase();
            match said.as_str() {
                "moderate" => 3,
                "important" => 4,
                other => words.iter().position(|w| *w == other).unwrap_or(0),
            }
        }
    };
    b.push(word as u8);
    b.push(u8::from(best.is_some()));
    put_number(b, best.map_or(0, |s| s.cvss.score.to_bits().into()));
}

/// The record's score by the newest CVSS version, CVSS 2 aside.
fn newest(r: &Record) -> Option<&Score> {
    r.scores.iter().filter(|s| s.cvss.version != "2.0").max_by(|a, b| a.cvss.version.cmp(b.cvss.version))
}

/// Qualitative band of a score: CVSS 3.1 section 5, CVSS 4.0 section 6; CVSS 2 as NVD bands it.
fn band(version: &str, score: f32) -> usize {
    match score {
        s if version == "2.0" => match s {
            s if s >= 7.0 => 4,
            s if s >= 4.0 => 3,
            _ => 2,
        },
        s if s >= 9.0 => 5,
        s if s >= 7.0 => 4,
        s if s >= 4.0 => 3,
        s if s > 0.0 => 2,
        _ => 1,
    }
}

fn state(records: &[&Record]) -> u8 {
    let any = |s: RecordState| records.iter().any(|r| r.state == s);
    // one standing record keeps the vulnerability standing; a dispute by any is shown
    if any(RecordState::Disputed) {
        1
    } else if any(RecordState::Published) || records.is_empty() {
        0
    } else if any(RecordState::Rejected) {
        3
    } else {
        2
    }
}

fn kind(records: &[&Record]) -> u8 {
    let any = |k: RecordKind| records.iter().any(|r| r.kind == k);
    if any(RecordKind::Malware) {
        1
    } else if any(RecordKind::Informational) && !any(RecordKind::Vulnerability) {
        2
    } else {
        0
    }
}

fn put_config(b: &mut Vec<u8>, c: &Configuration) {
    b.push(u8::from(c.and) | u8::from(c.negate) << 1);
    put_number(b, c.nodes.len() as u64);
    for n in &c.nodes {
        b.push(u8::from(n.and) | u8::from(n.negate) << 1);
        put_number(b, n.matches.len() as u64);
        for m in &n.matches {
            let bits = [m.vulnerable, m.low_open, m.high_closed, m.low.is_some(), m.high.is_some()];
            b.push(bits.iter().enumerate().map(|(i, on)| u8::from(*on) << i).sum());
            put_bytes(b, m.cpe.to_string());
            put_bytes(b, m.low.as_deref().unwrap_or(""));
            put_bytes(b, m.high.as_deref().unwrap_or(""));
        }
    }
}

fn read_config(r: &mut Reader<'_>) -> Result<Configuration, IndexError> {
    let flags = r.byte()?;
    let mut c = Configuration { and: flags & 1 != 0, negate: flags & 2 != 0, nodes: Vec::new() };
    for _ in 0..r.number()? {
        let flags = r.byte()?;
        let mut node = Node { and: flags & 1 != 0, negate: flags & 2 != 0, matches: Vec::new() };
        for _ in 0..r.number()? {
            let flags = r.byte()?;
            let cpe = Cpe::parse(r.str()?).map_err(|_| IndexError::Foreign)?;
            let (low, high) = (r.string()?, r.string()?);
            node.matches.push(CpeMatch {
                vulnerable: flags & 1 != 0,
                cpe,
                low: (flags & 8 != 0).then_some(low),
                low_open: flags & 2 != 0,
                high: (flags & 16 != 0).then_some(high),
                high_closed: flags & 4 != 0,
            });
        }
        c.nodes.push(node);
    }
    Ok(c)
}

/// Collects encoded groups into one segment.
#[derive(Default)]
pub struct SegmentBuilder {
    arena: Vec<u8>,
    /// (key start, key length, body length, vulnerability); the body follows the key.
    rules: Vec<(u64, u32, u32, u32)>,
    blocks: Vec<u8>,
    offsets: Vec<u64>,
    ids: Vec<(u64, u64)>,
    replaced: Vec<String>,
}

impl SegmentBuilder {
    /// Adds a group.
    pub fn push(&mut self, group: Encoded) {
        let number = self.offsets.len() as u32;
        self.offsets.push(self.blocks.len() as u64);
        self.blocks.extend_from_slice(&(group.block.len() as u32).to_le_bytes());
        self.blocks.extend_from_slice(&group.block);
        for id in &group.ids {
            self.ids.push((id_hash(id), number.into()));
        }
        for (key, body) in group.rules {
            self.rules.push((self.arena.len() as u64, key.len() as u32, body.len() as u32, number));
            self.arena.extend_from_slice(&key);
            self.arena.extend_from_slice(&body);
        }
    }

    /// Names a group id of older segments that this segment removes (a group pushed here under an id replaces
    /// the older one of that id without being named).
    pub fn replace(&mut self, id: &str) {
        self.replaced.push(id.to_owned());
    }

    /// The segment's bytes.
    pub fn finish(self) -> Vec<u8> {
        let SegmentBuilder { arena, mut rules, mut blocks, mut offsets, ids, replaced } = self;
        let key_of = |r: &(u64, u32, u32, u32)| &arena[r.0 as usize..][..r.1 as usize];
        rules.sort_by(|a, b| key_of(a).cmp(key_of(b)).then(a.3.cmp(&b.3)));
        let mut buckets = Vec::with_capacity(arena.len());
        let mut slots = Vec::new();
        for same in rules.chunk_by(|a, b| key_of(a) == key_of(b)) {
            let key = key_of(&same[0]);
            slots.push((container::hash(key), buckets.len() as u64));
            let at = buckets.len();
            buckets.extend_from_slice(&[0; 4]);
            put_bytes(&mut buckets, key);
            put_number(&mut buckets, same.len() as u64);
            for r in same {
                put_number(&mut buckets, r.3.into());
                put_bytes(&mut buckets, &arena[r.0 as usize + r.1 as usize..][..r.2 as usize]);
            }
            let len = (buckets.len() - at - 4) as u32;
            buckets[at..at + 4].copy_from_slice(&len.to_le_bytes());
        }
        let groups = offsets.len() as u64;
        offsets.push(blocks.len() as u64);
        let mut last = Vec::new();
        put_strings(&mut last, &replaced);
        blocks.extend_from_slice(&(last.len() as u32).to_le_bytes());
        blocks.extend_from_slice(&last);
        let mut vulnerabilities = Vec::with_capacity(8 + offsets.len() * 8 + blocks.len());
        vulnerabilities.extend_from_slice(&groups.to_le_bytes());
        let base = 8 + offsets.len() as u64 * 8;
        for o in offsets {
            vulnerabilities.extend_from_slice(&(base + o).to_le_bytes());
        }
        vulnerabilities.extend_from_slice(&blocks);
        container::write(
            KIND,
            [container::write_table(&slots), buckets, container::write_table(&ids), vulnerabilities],
        )
    }
}

fn id_hash(id: &str) -> u64 {
    container::hash(id.to_ascii_uppercase().as_bytes())
}

/// A vulnerability block read back.
pub(crate) struct Block {
    pub id: String,
    pub aliases: Vec<String>,
    pub title: String,
    pub cvss: Vec<(String, String, f32, String)>,
    pub severity: u8,
    pub score: Option<f32>,
    pub cwes: Vec<String>,
    pub state: u8,
    pub kind: u8,
    pub records: Vec<String>,
    pub configs: Vec<Configuration>,
    /// Hashes of the keys under which its rules stand.
    pub keys: Vec<u64>,
}

/// An opened segment.
pub(crate) struct Segment {
    file: container::File,
    pub groups: u64,
}

impl Segment {
    pub(crate) fn open(bytes: Bytes) -> Result<Segment, IndexError> {
        let file = container::File::open(KIND, bytes)?;
        let groups = number_at(&file, 0)?;
        let (start, end) = file.section(3);
        // each vulnerability has its offset there, so a count that is none cannot ask for memory
        if groups >= (end - start) / 8 || groups > u32::MAX.into() {
            return Err(IndexError::Damaged(start));
        }
        Ok(Segment { file, groups })
    }

    pub(crate) fn verify(&self) -> Result<(), IndexError> {
        self.file.verify()
    }

    /// The rules under a key: calls `f` with vulnerability number and rule bytes.
    pub(crate) fn rules<'s>(
        &'s self,
        key: &[u8],
        f: &mut dyn FnMut(u32, Reader<'s>) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        for offset in container::probe(&self.file, 0, container::hash(key))? {
            let offset = offset?;
            let mut r = block(&self.file, 1, offset)?;
            if r.bytes()? != key {
                continue;
            }
            for _ in 0..r.number()? {
                let number = r.number()? as u32;
                f(number, Reader::new(r.bytes()?, offset))?;
            }
            return Ok(());
        }
        Ok(())
    }

    /// Numbers of the vulnerabilities that have this id.
    pub(crate) fn by_id(&self, id: &str) -> Result<Vec<u32>, IndexError> {
        let mut found = Vec::new();
        for number in container::probe(&self.file, 2, id_hash(id))? {
            let number = number? as u32;
            let v = self.vulnerability(number)?;
            if v.id.eq_ignore_ascii_case(id) || v.aliases.iter().any(|a| a.eq_ignore_ascii_case(id)) {
                found.push(number);
            }
        }
        Ok(found)
    }

    /// Main ids that this segment replaces in older ones.
    pub(crate) fn replaces(&self) -> Result<Vec<String>, IndexError> {
        let mut ids = block(&self.file, 3, number_at(&self.file, self.groups + 1)?)?.strings()?;
        for n in 0..self.groups {
            ids.push(self.reader(n as u32)?.string()?);
        }
        Ok(ids)
    }

    /// A block behind its fingerprint.
    fn reader(&self, number: u32) -> Result<Reader<'_>, IndexError> {
        Ok(self.printed(number)?.1)
    }

    /// The fingerprint of a vulnerability and its rules, and its block: equal ones decide alike.
    pub(crate) fn printed(&self, number: u32) -> Result<(u64, Reader<'_>), IndexError> {
        if u64::from(number) >= self.groups {
            return Err(IndexError::Damaged(self.file.section(3).0));
        }
        let mut r = block(&self.file, 3, number_at(&self.file, u64::from(number) + 1)?)?;
        Ok((r.fixed()?, r))
    }

    /// Main id and upstream ids of a vulnerability.
    pub(crate) fn links(&self, number: u32) -> Result<(String, Vec<String>), IndexError> {
        let mut r = self.reader(number)?;
        let id = r.string()?;
        r.strings()?;
        Ok((id, r.strings()?))
    }

    /// A vulnerability by number.
    pub(crate) fn vulnerability(&self, number: u32) -> Result<Block, IndexError> {
        let mut r = self.reader(number)?;
        let (id, aliases) = (r.string()?, r.strings()?);
        r.strings()?; // upstream ids: see `links`
        let title = r.string()?;
        let mut cvss = Vec::new();
        for _ in 0..r.number()? {
            cvss.push((r.string()?, r.string()?, f32::from_bits(r.number()? as u32), r.string()?));
        }
        let (severity, scored, bits) = (r.byte()?, r.byte()? != 0, r.number()? as u32);
        let cwes = r.strings()?;
        let (state, kind) = (r.byte()?, r.byte()?);
        let records = r.strings()?;
        let configs = (0..r.number()?).map(|_| read_config(&mut r)).collect::<Result<_, _>>()?;
        let score = scored.then(|| f32::from_bits(bits));
        let keys = r.bytes()?.as_chunks().0.iter().map(|k| u64::from_le_bytes(*k)).collect();
        Ok(Block { id, aliases, title, cvss, severity, score, cwes, state, kind, records, configs, keys })
    }
}

/// The `n`-th number at the head of section 3.
fn number_at(file: &container::File, n: u64) -> Result<u64, IndexError> {
    let bytes = file.read(3, n.saturating_mul(8), 8)?;
    Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| IndexError::Foreign)?))
}
