//! The database of Alpine's package keeper: `lib/apk/db/installed` (apk-tools "installed database", v2).

use std::collections::HashMap;

use super::build::{Builder, Entry, Refusal, syntax};

/// One package: its first line and its single-letter fields.
type Row<'t> = (usize, HashMap<char, &'t str>);

pub(super) fn read(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let mut rows: Vec<Row> = Vec::new();
    let mut now: Row = (1, HashMap::new());
    for (n, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            let done = std::mem::replace(&mut now, (n + 2, HashMap::new()));
            if !done.1.is_empty() {
                rows.push(done);
            }
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let mut letters = key.chars();
        if let (Some(c @ ('P' | 'V' | 'A' | 'o' | 'D' | 'p' | 'L')), None) = (letters.next(), letters.next())
        {
            now.1.entry(c).or_insert(value.trim());
        }
    }
    if !now.1.is_empty() {
        rows.push(now);
    }
    let distro = b.distro;
    let id = distro.map_or("alpine", |d| d.id.as_str());
    let release = distro.map(super::Distro::qualifier).unwrap_or_default();
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut added = Vec::new();
    for (line, f) in &rows {
        let get = |c: char| f.get(&c).copied().unwrap_or_default();
        let name = get('P');
        let mut e = Entry::new("apk", name)
            .namespace(id)
            .version(get('V'))
            .qualifier("arch", get('A'))
            .qualifier("distro", &release)
            .license(get('L'))
            .at(format!("line {line}"));
        if get('o') != name {
            e = e.qualifier("upstream", get('o'));
        }
        if let Some(i) = b.add(e) {
            names.insert(name, i);
            for p in get('p').split_whitespace() {
                names.entry(bare(p)).or_insert(i);
            }
            added.push((i, get('D')));
        }
    }
    if added.is_empty() && !text.trim().is_empty() {
        return Err(syntax("line 1", "no entry has a name (a line `P:`)"));
    }
    for (i, depends) in added {
        // `!name` is a conflict.
        for d in depends.split_whitespace().filter(|d| !d.starts_with('!')) {
            if let Some(to) = names.get(bare(d)) {
                b.edge(i, *to);
            }
        }
    }
    Ok(())
}

/// A dependency without its version bound: `so:libc.musl-x86_64.so.1=1` is `so:libc.musl-x86_64.so.1`.
fn bare(text: &str) -> &str {
    text.split(['=', '<', '>', '~']).next().unwrap_or(text)
}
