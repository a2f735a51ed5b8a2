//! `requirements.txt` and constraint files of pip ("Requirements File Format"), requirement texts of PEP 508, and
//! pins written `NAME==VERSION` elsewhere.

use tocsin_model::diagnostic::excerpt;

use super::build::{Builder, Entry, PROPERTY_REQUIREMENT, Refusal};

/// What a requirement text says.
pub(super) struct Requirement {
    pub name: String,
    /// The version, when one alone can satisfy it.
    pub pin: Option<String>,
    /// What is asked for, after the name.
    pub wanted: String,
    pub url: Option<String>,
    pub marker: Option<String>,
}

/// Reads a PEP 508 requirement; `None` where there is no name.
pub(super) fn requirement(text: &str) -> Option<Requirement> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !ends_well(name.chars().next()) || !ends_well(name.chars().last()) {
        return None;
    }
    let mut rest = rest.trim_start();
    if rest.starts_with('[') {
        rest = rest.split_once(']')?.1.trim_start();
    }
    let (rest, marker) = match rest.split_once(';') {
        Some((r, m)) if !r.trim_start().starts_with('@') => (r, Some(m.trim().to_owned())),
        _ => (rest, None),
    };
    let rest = rest.trim();
    let mut out =
        Requirement { name: name.to_owned(), pin: None, wanted: rest.to_owned(), url: None, marker };
    if let Some(url) = rest.strip_prefix('@') {
        out.url = Some(url.split(" ;").next().unwrap_or(url).trim().to_owned());
        return Some(out);
    }
    let inner = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')).unwrap_or(rest);
    if !inner.is_empty() && !inner.starts_with(['=', '<', '>', '!', '~']) {
        return None;
    }
    let mut pins = inner.split(',').filter_map(|s| {
        let s = s.trim();
        s.strip_prefix("===").or_else(|| s.strip_prefix("==")).map(str::trim)
    });
    if let (Some(pin), None) = (pins.next(), pins.next())
        && !pin.contains('*')
        && !pin.is_empty()
    {
        out.pin = Some(pin.to_owned());
    }
    Some(out)
}

pub(super) fn read(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let mut lines = text.lines().enumerate();
    let mut good = 0_usize;
    while let Some((n, first)) = lines.next() {
        let mut line = first.to_owned();
        // A comment line never continues; any other does after a backslash.
        while !line.trim_start().starts_with('#') && line.trim_end().ends_with('\\') {
            let kept = line.trim_end().trim_end_matches('\\').len();
            line.truncate(kept);
            let Some((_, next)) = lines.next() else { break };
            line.push(' ');
            line.push_str(next);
            if line.len() > b.options.limits.string_bytes {
                let what = "the continued line is longer than the limit";
                return Err(super::build::syntax(format!("line {}", n + 1), what));
            }
        }
        good += usize::from(one(&line, &format!("line {}", n + 1), b));
    }
    if good == 0 && text.lines().any(|l| !l.trim().is_empty() && !l.trim_start().starts_with('#')) {
        return Err(super::build::syntax("", "no line is a requirement"));
    }
    Ok(())
}

/// Reads one logical line; says whether it was understood.
fn one(line: &str, path: &str, b: &mut Builder) -> bool {
    let line = strip_comment(line);
    if line.is_empty() {
        return true;
    }
    if let Some(option) = line.strip_prefix('-') {
        let is = |names: &[&str]| names.iter().any(|n| option.starts_with(n));
        if is(&["r", "c", "-requirement", "-constraint"]) {
            b.remark(
                "lock-unresolved",
                path,
                format!("names another file, which is read on its own: {}", excerpt(line)),
            );
        } else if is(&["e", "-editable"]) {
            let target = option.split_once([' ', '=']).map_or("", |(_, t)| t).trim();
            location(target, path, b);
        }
        return true;
    }
    let (body, hashes) = match line.find(" --") {
        Some(at) => line.split_at(at),
        None => (line, ""),
    };
    if let Some(r) = requirement(body) {
        let mut e = Entry::new("pypi", &r.name).at(path);
        e = match (&r.url, &r.pin) {
            (Some(url), _) if url.starts_with("file:") || url.starts_with('.') => e.local(url),
            (Some(url), _) => {
                let key = if url.starts_with("git+") { "vcs_url" } else { "download_url" };
                e.unresolved(url).qualifier(key, url)
            }
            (None, Some(pin)) => e.version(pin),
            (None, None) => e.unresolved(&r.wanted),
        };
        if r.url.is_none() && r.pin.is_some() && r.wanted.contains(',') {
            e = e.property(PROPERTY_REQUIREMENT, &r.wanted);
        }
        if let Some(m) = &r.marker {
            e = e.property("tocsin:lock:marker", m);
        }
        for hash in
            hashes.split("--hash").filter_map(|h| h.trim_start_matches(['=', ' ']).strip_prefix("sha256:"))
        {
            e = e.hash("SHA-256", hash.trim());
        }
        b.add(e);
        return true;
    }
    let word = body.split(" #").next().unwrap_or(body).trim();
    if super::npm::is_url(word) || word.contains('/') || word.ends_with(".whl") || word.ends_with(".gz") {
        location(word, path, b);
        return true;
    }
    b.remark("value-ignored", path, format!("no requirement: {}", excerpt(line)));
    false
}

/// A requirement that is only a place: `git+https://…#egg=name`, a wheel, a folder.
fn location(target: &str, path: &str, b: &mut Builder) {
    let (place, fragment) = target.split_once('#').unwrap_or((target, ""));
    let egg = fragment.split('&').find_map(|f| f.strip_prefix("egg="));
    let file = place.trim_end_matches('/').rsplit('/').next().unwrap_or(place);
    let file = file.split('@').next().unwrap_or(file);
    // A wheel is called NAME-VERSION-PYTHON-ABI-PLATFORM.whl (PEP 427).
    let wheel = file.strip_suffix(".whl").and_then(|f| {
        let mut parts = f.split('-');
        Some((parts.next()?, parts.next()?))
    });
    let remote = place.contains("://") || place.starts_with("git+");
    let e = match (egg, wheel) {
        (None, Some((name, version))) => Entry::new("pypi", name).version(version),
        _ => {
            let name = egg.unwrap_or_else(|| file.trim_end_matches(".git"));
            let name = name.split('[').next().unwrap_or(name);
            Entry::new("pypi", if name.is_empty() || name == "." { "." } else { name }).unresolved(target)
        }
    };
    let e = if remote { e.qualifier("vcs_url", place) } else { e.local(target) };
    b.add(e.at(path));
}

fn strip_comment(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') {
        return "";
    }
    // In a URL `#` begins a fragment; elsewhere it is nothing a requirement can hold.
    let cut = if line.contains("://") || line.contains(" @ ") { line.find(" #") } else { line.find('#') };
    cut.and_then(|n| line.get(..n)).unwrap_or(line).trim()
}
