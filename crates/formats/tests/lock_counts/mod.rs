//! How many packages a lock file names, counted from its text in the plainest way: a second opinion on the
//! readers, which shares no code with them.

use std::collections::BTreeSet;

use serde_json::Value;

/// The count for a file of a kind, as [`tocsin_model::bom::BomFormat::name`] calls it.
pub fn count(kind: &str, text: &str) -> usize {
    let json = || -> Value { serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default() };
    let lines = |f: &dyn Fn(&str) -> bool| text.lines().filter(|l| f(l)).count();
    let len = |v: &Value| v.as_array().map_or_else(|| v.as_object().map_or(0, |o| o.len()), Vec::len);
    match kind {
        "Cargo.lock" => lines(&|l| l.trim_end() == "[[package]]"),
        "Python lock file" => lines(&|l| matches!(l.trim_end(), "[[package]]" | "[[packages]]")),
        "package-lock.json" => npm(&json()),
        "go.sum" => {
            let all = text.lines().filter_map(|l| l.rsplit_once(' ').map(|(m, _)| m));
            all.filter(|m| !m.ends_with("/go.mod")).collect::<BTreeSet<_>>().len()
        }
        "go.mod" => go_mod(text),
        "requirements.txt" => requirements(text),
        "dpkg" | "opkg" => paragraphs(text),
        "apk" => lines(&|l| l.starts_with("P:")),
        // what `rpm -qa` lists of the one database in the corpus
        "rpm" => 1,
        "yarn.lock" => yarn(text),
        "pnpm-lock.yaml" => pnpm(text),
        "bun.lock" => bun(text),
        "Pipfile.lock" => len(&json()["default"]) + len(&json()["develop"]),
        "composer.lock" => match json() {
            Value::Array(list) => list.len(),
            all => len(&all["packages"]) + len(&all["packages-dev"]),
        },
        "Gemfile.lock" => gems(text),
        "pom.xml" => pom(text),
        "gradle.lockfile" => lines(&|l| !l.starts_with('#') && !l.starts_with("empty=") && l.contains(':')),
        "packages.lock.json" => {
            let mut seen = BTreeSet::new();
            for (name, p) in json()["dependencies"].as_object().into_iter().flatten().flat_map(|(_, t)| {
                t.as_object().into_iter().flatten().map(|(n, p)| (n.clone(), p.clone())).collect::<Vec<_>>()
            }) {
                if p["type"] != "Project" {
                    seen.insert((name.to_lowercase(), p["resolved"].to_string()));
                }
            }
            seen.len()
        }
        "packages.config" => text.matches("<package ").count(),
        "deps.json" => len(&json()["libraries"]),
        "conan.lock" => {
            let all = json();
            let refs = ["requires", "build_requires", "python_requires"]
                .iter()
                .map(|k| len(&all[*k]))
                .sum::<usize>();
            let nodes = all["graph_lock"]["nodes"].as_object().into_iter().flatten();
            refs + nodes.filter(|(_, n)| n["ref"].is_string()).count()
        }
        "pubspec.lock" => section(text, "packages:", 2),
        "Package.resolved" => text.matches("\"state\"").count(),
        "Podfile.lock" => {
            let pods = text.split("\n\n").next().unwrap_or("").lines();
            let name = |l: &str| {
                l.trim_start_matches([' ', '-', '"']).split([' ', '/']).next().unwrap_or("").to_owned()
            };
            pods.filter(|l| l.starts_with("  - ")).map(name).collect::<BTreeSet<_>>().len()
        }
        "mix.lock" => lines(&|l| l.trim_start().starts_with('"') && l.contains(": {:")),
        "renv.lock" => len(&json()["Packages"]),
        "stack.yaml.lock" => text.split("snapshots:").next().unwrap_or("").matches("completed:").count(),
        "cabal.project.freeze" => text.matches(" ==").count(),
        "rebar.lock" => text.matches("{pkg,").count(),
        "build.sbt.lock" => text.matches("\"org\"").count(),
        "rpm manifest" => lines(&|l| l.matches('\t').count() == 9),
        other => panic!("no count for {other}"),
    }
}

/// Packages of npm: entries of `packages` that are no links, or the tree of `dependencies`.
fn npm(all: &Value) -> usize {
    fn tree(v: &Value) -> usize {
        v.as_object().into_iter().flatten().map(|(_, d)| 1 + tree(&d["dependencies"])).sum()
    }
    match all["packages"].as_object() {
        Some(packages) => packages.values().filter(|p| p["link"] != true).count(),
        None => tree(&all["dependencies"]),
    }
}

/// The module, what it requires, and the toolchain.
fn go_mod(text: &str) -> usize {
    let (mut within, mut seen) = (false, BTreeSet::new());
    let mut extra = 0;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or("").trim();
        if line.starts_with("require (") {
            within = true;
        } else if line == ")" {
            within = false;
        } else if let Some(one) =
            line.strip_prefix("require ").or(Some(line).filter(|l| within && !l.is_empty()))
        {
            seen.insert(one.to_owned());
        } else if line.starts_with("module ") {
            extra += 1;
        }
    }
    let stdlib = text.lines().any(|l| l.starts_with("go ") || l.starts_with("toolchain "));
    seen.len() + extra + usize::from(stdlib)
}

/// Lines that ask for something, options and their continuations left out.
fn requirements(text: &str) -> usize {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    joined
        .lines()
        .map(|l| l.split(" #").next().unwrap_or("").trim())
        .filter(|l| !l.is_empty() && !l.starts_with(['#', '-']))
        .count()
}

/// Control paragraphs of packages that are there.
fn paragraphs(text: &str) -> usize {
    let there = |p: &&str| {
        let field = |key: &str| p.lines().find_map(|l| l.strip_prefix(key));
        let gone =
            field("Status:").is_some_and(|s| s.ends_with("not-installed") || s.ends_with("config-files"));
        field("Package:").is_some_and(|name| !name.trim().is_empty()) && !gone
    };
    text.split("\n\n").filter(there).count()
}

/// Blocks whose head is not indented.
fn yarn(text: &str) -> usize {
    let head = |l: &&str| {
        !l.starts_with([' ', '#', '\t']) && l.trim_end().ends_with(':') && !l.starts_with("__metadata")
    };
    text.lines().filter(head).count()
}

/// Keys of `packages` of every document.
fn pnpm(text: &str) -> usize {
    text.split("\n---").map(|document| section(document, "packages:", 2)).sum()
}

/// Keys at an indent below a head line.
fn section(text: &str, head: &str, indent: usize) -> usize {
    let rest = text.lines().skip_while(|l| l.trim_end() != head).skip(1);
    let inside = rest.take_while(|l| l.is_empty() || l.starts_with(' '));
    inside
        .filter(|l| l.len() > indent && l[..indent].trim().is_empty() && !l[indent..].starts_with([' ', '#']))
        .filter(|l| l.contains(':'))
        .count()
}

/// Members of `packages`, each on a line of its own.
fn bun(text: &str) -> usize {
    let rest = text.lines().skip_while(|l| l.trim() != "\"packages\": {").skip(1);
    rest.take_while(|l| !l.starts_with("  }")).filter(|l| l.starts_with("    \"")).count()
}

/// Lines of `specs:` with a name and a version.
fn gems(text: &str) -> usize {
    text.lines().filter(|l| l.starts_with("    ") && !l.starts_with("     ") && l.contains(" (")).count()
}

/// Dependencies outside of `dependencyManagement`, plug-ins and profiles.
fn pom(text: &str) -> usize {
    let mut path: Vec<&str> = Vec::new();
    let mut found = 0;
    let mut plain = String::new();
    for part in text.split("<!--") {
        plain.push_str(
            part.split_once("-->").map_or(if plain.is_empty() { part } else { "" }, |(_, rest)| rest),
        );
    }
    for part in plain.split('<').skip(1) {
        let tag = part.split(['>', ' ', '\n', '\r', '\t']).next().unwrap_or("");
        if let Some(end) = tag.strip_prefix('/') {
            while path.pop().is_some_and(|open| open != end) {}
        } else if !tag.is_empty() && !tag.starts_with(['!', '?']) && !tag.ends_with('/') {
            path.push(tag);
            if path == ["project", "dependencies", "dependency"] {
                found += 1;
            }
        }
    }
    found
}
