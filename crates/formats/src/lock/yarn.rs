//! `yarn.lock`, version 1 and Berry (2 and later).
//!
//! Berry's file is YAML in form, but of the same fixed shape; one reader by indentation takes both.

use std::collections::HashMap;

use tocsin_model::diagnostic::excerpt;

use super::build::{Builder, Entry, Refusal, syntax};
use super::npm::is_url;

#[derive(Default)]
struct Block {
    line: usize,
    specs: Vec<String>,
    version: String,
    resolved: String,
    integrity: String,
    dependencies: Vec<(String, String)>,
}

pub(super) fn read(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let (blocks, berry) = blocks(text);
    if blocks.is_empty() {
        // A project without dependencies has a file of comments alone.
        let comments = text.lines().all(|l| l.trim().is_empty() || l.starts_with('#'));
        return if comments || berry {
            Ok(())
        } else {
            Err(syntax("line 1", "no entry of a yarn.lock was found"))
        };
    }
    b.bom.format.version = if berry { "berry" } else { "1" }.to_owned();
    let mut by_spec: HashMap<&str, usize> = HashMap::new();
    let mut rows = Vec::new();
    for block in &blocks {
        if let Some(i) = b.add(entry(block)) {
            for s in &block.specs {
                by_spec.insert(s, i);
            }
            rows.push((i, block));
        }
    }
    if rows.is_empty() {
        return Err(syntax("line 1", "no entry of a yarn.lock was found"));
    }
    for (i, block) in rows {
        for (name, range) in &block.dependencies {
            let found = by_spec
                .get(format!("{name}@{range}").as_str())
                .or_else(|| by_spec.get(format!("{name}@npm:{range}").as_str()));
            if let Some(to) = found {
                b.edge(i, *to);
            }
        }
    }
    Ok(())
}

fn unquote(text: &str) -> &str {
    text.trim().trim_matches('"')
}

fn blocks(text: &str) -> (Vec<Block>, bool) {
    let mut out: Vec<Block> = Vec::new();
    let (mut berry, mut open, mut section) = (false, false, false);
    for (n, line) in text.lines().enumerate() {
        let body = line.trim();
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if indent == 0 {
            section = false;
            open = false;
            let Some(head) = body.strip_suffix(':') else { continue };
            if head == "__metadata" {
                berry = true;
                continue;
            }
            open = true;
            let specs = head.split(',').map(|s| unquote(s).to_owned()).filter(|s| !s.is_empty()).collect();
            out.push(Block { line: n + 1, specs, ..Block::default() });
            continue;
        }
        let Some(block) = out.last_mut().filter(|_| open) else { continue };
        if indent <= 2 {
            section = matches!(unquote(body.trim_end_matches(':')), "dependencies" | "optionalDependencies");
            let Some((key, value)) = pair(body) else { continue };
            match key {
                "version" => block.version = value.to_owned(),
                "resolved" | "resolution" => block.resolved = value.to_owned(),
                "integrity" => block.integrity = value.to_owned(),
                _ => {}
            }
        } else if indent <= 4
            && section
            && let Some((key, value)) = pair(body)
        {
            block.dependencies.push((key.to_owned(), value.to_owned()));
        }
    }
    (out, berry)
}

/// `key value`, `"key" "value"` or `key: value`.
fn pair(body: &str) -> Option<(&str, &str)> {
    let (key, value) = match body.strip_prefix('"') {
        Some(rest) => rest.split_once('"')?,
        None => body.split_once([' ', ':'])?,
    };
    let value = unquote(value.trim_start_matches(':'));
    (!value.is_empty()).then_some((key.trim_end_matches(':'), value))
}

/// Splits `@scope/name@range` at the `@` that is not the scope's.
pub(super) fn split_spec(spec: &str) -> (&str, &str) {
    let from = usize::from(spec.starts_with('@'));
    match spec.get(from..).and_then(|s| s.find('@')) {
        Some(at) => (spec.get(..at + from).unwrap_or(spec), spec.get(at + from + 1..).unwrap_or("")),
        None => (spec, ""),
    }
}

fn entry(block: &Block) -> Entry {
    let spec = block.specs.first().map_or("", String::as_str);
    let (alias, range) = split_spec(spec);
    // Berry's resolution (`name@npm:1.0.0`) and an alias's range (`npm:name@^1`) name the true package.
    let berry = !is_url(&block.resolved) && block.resolved.contains('@');
    let (name, locator) = if berry {
        split_spec(&block.resolved)
    } else if let Some(real) = range.strip_prefix("npm:").filter(|r| r.trim_start_matches('@').contains('@'))
    {
        (split_spec(real).0, range)
    } else {
        (alias, range)
    };
    let mut e = Entry::new("npm", name)
        .version(&block.version)
        .integrity(&block.integrity)
        .at(format!("line {}", block.line))
        .reference(excerpt(spec));
    if name != alias {
        e = e.property("tocsin:lock:alias", alias);
    }
    let local = ["workspace:", "link:", "portal:", "file:"].iter().any(|p| locator.starts_with(p))
        || block.resolved.starts_with("file:");
    if local {
        e.local(locator)
    } else if block.resolved.starts_with("git") || (berry && locator.contains("#commit=")) {
        e.qualifier("vcs_url", if berry { locator } else { &block.resolved })
    } else {
        e
    }
}
