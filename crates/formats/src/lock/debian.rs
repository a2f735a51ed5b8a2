//! Package databases in the control format (Debian Policy chapter 5): dpkg `status`, distroless `status.d`, opkg
//! `status` and `*.control`.

use std::collections::HashMap;

use tocsin_model::diagnostic::excerpt;

use super::build::{Builder, Entry, Refusal, syntax};

/// A paragraph: its first line and its fields, names lower case.
pub(super) struct Paragraph {
    pub line: usize,
    pub fields: HashMap<String, String>,
}

impl Paragraph {
    pub fn get(&self, key: &str) -> &str {
        self.fields.get(key).map_or("", String::as_str)
    }
}

/// Fields that are looked at; the others (conffiles, descriptions) may be large and are not kept.
const KEPT: &[&str] = &[
    "package",
    "version",
    "architecture",
    "source",
    "status",
    "depends",
    "pre-depends",
    "provides",
    "maintainer",
];

/// Reads paragraphs, `keep` naming the fields to hold.
pub(super) fn paragraphs(text: &str, keep: &[&str]) -> Vec<Paragraph> {
    let mut out = Vec::new();
    let mut now = Paragraph { line: 1, fields: HashMap::new() };
    let mut last: Option<String> = None;
    for (n, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            if !now.fields.is_empty() {
                out.push(now);
            }
            now = Paragraph { line: n + 2, fields: HashMap::new() };
            last = None;
        } else if line.starts_with([' ', '\t']) {
            if let Some(v) = last.as_ref().and_then(|k| now.fields.get_mut(k)) {
                v.push(' ');
                v.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            let key = key.trim().to_ascii_lowercase();
            if now.fields.is_empty() {
                now.line = n + 1;
            }
            last = keep.contains(&key.as_str()).then(|| key.clone());
            if last.is_some() {
                now.fields.insert(key, value.trim().to_owned());
            }
        }
    }
    if !now.fields.is_empty() {
        out.push(now);
    }
    out
}

/// Reads a dpkg or (`opkg`) an opkg database.
pub(super) fn read(text: &str, opkg: bool, b: &mut Builder) -> Result<(), Refusal> {
    let all = paragraphs(text, KEPT);
    let mut rows = Vec::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut provided: HashMap<String, usize> = HashMap::new();
    let mut good = 0_usize;
    let distro = b.distro;
    let id = distro.map_or("debian", |d| d.id.as_str());
    let release = distro.map(super::Distro::qualifier).unwrap_or_default();
    for p in &all {
        let path = format!("line {}", p.line);
        let name = p.get("package");
        if name.is_empty() {
            if !p.get("version").is_empty() || !p.get("status").is_empty() {
                b.remark("component-unidentified", path, "the paragraph has no Package field");
            }
            continue;
        }
        good += 1;
        let status = p.get("status").split_whitespace().last().unwrap_or("installed");
        // Removed packages stay in the file; nothing of their code is there.
        if matches!(status, "not-installed" | "config-files")
            || p.get("status").starts_with("deinstall ok not")
        {
            continue;
        }
        let arch = p.get("architecture");
        let mut e = Entry::new(if opkg { "opkg" } else { "deb" }, name)
            .version(p.get("version"))
            .qualifier("arch", arch)
            .at(path);
        if !opkg {
            // Ubuntu marks its own versions; what else a dpkg database holds is Debian's or rebuilt from it
            let own = distro.is_none() && p.get("version").contains("ubuntu");
            e = e.namespace(if own { "ubuntu" } else { id }).qualifier("distro", &release);
        }
        let source = p.get("source");
        if !source.is_empty() && !opkg {
            let (src, version) = source.split_once('(').unwrap_or((source, ""));
            let (src, version) = (src.trim(), version.trim_end_matches(')').trim());
            let upstream = if version.is_empty() { src.to_owned() } else { format!("{src}@{version}") };
            e = e.qualifier("upstream", &upstream);
        }
        if let Some(i) = b.add(e) {
            names.entry(name.to_owned()).or_insert(i);
            for (virt, _) in relations(p.get("provides")) {
                provided.entry(virt.to_owned()).or_insert(i);
            }
            rows.push((i, p));
        }
    }
    if good == 0 && !text.trim().is_empty() {
        return Err(syntax("line 1", format!("no paragraph has a Package field: {}", excerpt(text.trim()))));
    }
    for (i, p) in rows {
        for field in ["pre-depends", "depends"] {
            for group in p.get(field).split(',') {
                // Of alternatives the one that is installed is what is used.
                let found = group
                    .split('|')
                    .flat_map(relations)
                    .find_map(|(n, _)| names.get(n).or_else(|| provided.get(n)).copied());
                if let Some(to) = found {
                    b.edge(i, to);
                }
            }
        }
    }
    Ok(())
}

/// Names of a relation field, each with what follows it (`libc6:any (>= 2.36)` is `libc6`).
fn relations(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(',').filter_map(|r| {
        let r = r.trim();
        let end = r.find([' ', '(', ':', '[']).unwrap_or(r.len());
        let (name, rest) = r.split_at(end);
        (!name.is_empty()).then_some((name, rest))
    })
}
