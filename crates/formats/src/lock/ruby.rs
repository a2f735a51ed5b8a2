//! `Gemfile.lock` of Bundler.

use std::collections::HashMap;

use super::build::{Builder, Entry, Refusal, syntax};

pub(super) fn read(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let (mut section, mut remote, mut revision) = (String::new(), String::new(), String::new());
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut edges = Vec::new();
    let mut now = None;
    let mut known = false;
    for (n, line) in text.lines().enumerate() {
        let body = line.trim();
        if body.is_empty() {
            continue;
        }
        let indent = line.len() - line.trim_start_matches(' ').len();
        match indent {
            0 => {
                section = body.to_owned();
                known |=
                    matches!(body, "GEM" | "GIT" | "PATH" | "PLATFORMS" | "DEPENDENCIES" | "PLUGIN SOURCE");
                (remote, revision, now) = (String::new(), String::new(), None);
            }
            2 => {
                if let Some(v) = body.strip_prefix("remote:") {
                    remote = v.trim().to_owned();
                } else if let Some(v) = body.strip_prefix("revision:") {
                    revision = v.trim().to_owned();
                }
            }
            4 if matches!(section.as_str(), "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => {
                let (name, version) = body.split_once(" (").unwrap_or((body, ""));
                let version = version.trim_end_matches(')');
                // `1.15.4-x86_64-linux` is version and platform; a gem's version itself has no `-`.
                let (version, platform) = version.split_once('-').unwrap_or((version, ""));
                let mut e = Entry::new("gem", name)
                    .version(version)
                    .qualifier("platform", platform)
                    .at(format!("line {}", n + 1));
                e = match section.as_str() {
                    "PATH" => e.local(if remote.is_empty() { "local" } else { &remote }),
                    "GIT" => e.qualifier("vcs_url", &format!("git+{remote}@{revision}")),
                    _ => e,
                };
                now = b.add(e);
                if let Some(i) = now {
                    names.entry(name.to_owned()).or_insert(i);
                }
            }
            6 => {
                if let Some(i) = now {
                    edges.push((i, body.split([' ', '!']).next().unwrap_or(body).to_owned()));
                }
            }
            _ => {}
        }
    }
    if !known {
        return Err(syntax("line 1", "no section of a Gemfile.lock was found"));
    }
    for (i, name) in edges {
        if let Some(to) = names.get(&name) {
            b.edge(i, *to);
        }
    }
    Ok(())
}
