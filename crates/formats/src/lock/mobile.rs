//! Mobile and other ecosystems: `pubspec.lock`, `Package.resolved`, `Podfile.lock`, `mix.lock`, `renv.lock`,
//! `stack.yaml.lock`.

use serde_json::Value;

use super::build::{Builder, Entry, Refusal, json, text as member, yaml};

/// Dart's `pubspec.lock`; packages of a path, git or the SDK are no packages of the registry.
pub(super) fn read_pub(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    for doc in yaml(text)? {
        for (name, p) in doc.get("packages").and_then(Value::as_object).into_iter().flatten() {
            let version = member(p, "version").unwrap_or("");
            let entry = Entry::new("pub", name).version(version).at(format!("packages.{name}"));
            let source = member(p, "source").unwrap_or("hosted");
            b.add(if source == "hosted" { entry } else { entry.local(source) });
        }
    }
    Ok(())
}

/// Swift's `Package.resolved`, versions 1 to 3. A package is named by its repository.
pub(super) fn read_swift(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(text, b)?;
    let pins = doc.get("pins").or_else(|| doc.pointer("/object/pins")).and_then(Value::as_array);
    for (n, pin) in pins.into_iter().flatten().enumerate() {
        let place = format!("pins[{n}]");
        let url = member(pin, "location").or_else(|| member(pin, "repositoryURL")).unwrap_or("");
        let version = pin.pointer("/state/version").and_then(Value::as_str).unwrap_or("");
        // git@host:owner/name.git and https://host/owner/name.git are one repository
        let bare = url.split_once("://").map_or(url, |(_, rest)| rest);
        let bare = bare.rsplit_once('@').map_or(bare, |(_, rest)| rest).replacen(':', "/", 1);
        let name = bare.trim_end_matches('/').trim_end_matches(".git");
        if name.contains('/') {
            b.add(Entry::new("swift", name).version(version).at(place));
        } else {
            let identity = member(pin, "identity").or_else(|| member(pin, "package")).unwrap_or("");
            b.add(Entry::new("swift", identity).version(version).at(place).local(url));
        }
    }
    Ok(())
}

/// CocoaPods' `Podfile.lock`: `PODS`, each `Name (version)`, subspecs (`Name/Part`) being part of their pod.
pub(super) fn read_pods(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let mut seen = std::collections::BTreeSet::new();
    for doc in yaml(text)? {
        for (n, pod) in doc.get("PODS").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let told =
                pod.as_str().or_else(|| pod.as_object().and_then(|o| o.keys().next()).map(String::as_str));
            let Some((name, version)) = told.and_then(|t| t.trim().split_once(" (")) else { continue };
            let name = name.split('/').next().unwrap_or(name);
            let version = version.trim_end_matches(')').trim_start_matches("= ");
            if seen.insert((name.to_owned(), version.to_owned())) {
                b.add(Entry::new("cocoapods", name).version(version).at(format!("PODS[{n}]")));
            }
        }
    }
    Ok(())
}

/// Elixir's `mix.lock`: `"name": {:hex, :name, "version", …`.
pub(super) fn read_mix(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    for (n, line) in text.lines().enumerate() {
        let Some((name, rest)) = line.trim().strip_prefix('"').and_then(|l| l.split_once("\":")) else {
            continue;
        };
        let rest = rest.trim().trim_start_matches('{');
        let place = format!("line {}", n + 1);
        if !rest.starts_with(":hex") {
            b.add(Entry::new("hex", name).at(place).local(rest.split(',').next().unwrap_or("")));
            continue;
        }
        let mut parts = rest.split(',').skip(1);
        let package = parts.next().unwrap_or(name).trim().trim_start_matches(':').trim_matches('"');
        let version = parts.next().unwrap_or("").trim().trim_matches('"');
        b.add(Entry::new("hex", package).version(version).at(place));
    }
    Ok(())
}

/// R's `renv.lock`.
pub(super) fn read_renv(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(text, b)?;
    for (name, p) in doc.get("Packages").and_then(Value::as_object).into_iter().flatten() {
        let version = member(p, "Version").unwrap_or("");
        let entry = Entry::new("cran", name).version(version).at(format!("Packages.{name}"));
        let source = member(p, "Source").unwrap_or("Repository");
        b.add(if source == "Repository" { entry } else { entry.local(source) });
    }
    Ok(())
}

/// Haskell's `stack.yaml.lock`: `completed.hackage: name-version@sha256:…`.
pub(super) fn read_stack(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    for doc in yaml(text)? {
        for (n, p) in doc.get("packages").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let told = p.pointer("/completed/hackage").or_else(|| p.pointer("/original/hackage"));
            let place = format!("packages[{n}]");
            let Some(coordinates) = told.and_then(Value::as_str).and_then(|t| t.split('@').next()) else {
                // from a repository or an archive
                let done = p.get("completed").unwrap_or(&Value::Null);
                let source = member(done, "git").or_else(|| member(done, "url")).unwrap_or("local");
                let version = member(done, "version").unwrap_or("");
                let name = member(done, "name").unwrap_or("");
                b.add(Entry::new("hackage", name).version(version).local(source).at(place));
                continue;
            };
            if let Some((name, version)) = coordinates.rsplit_once('-') {
                b.add(Entry::new("hackage", name).version(version).at(place));
            }
        }
    }
    Ok(())
}

/// Erlang's `rebar.lock`: `{<<"name">>,{pkg,<<"package">>,<<"version">>},0}`, one to a line.
pub(super) fn read_rebar(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    for (n, line) in text.lines().enumerate() {
        let mut texts = line.split("<<\"").skip(1).filter_map(|t| t.split_once("\">>").map(|(t, _)| t));
        let place = format!("line {}", n + 1);
        if line.contains(",{pkg,") {
            let (_, package, version) = (texts.next(), texts.next(), texts.next());
            b.add(Entry::new("hex", package.unwrap_or("")).version(version.unwrap_or("")).at(place));
        } else if line.contains(",{git") {
            b.add(Entry::new("hex", texts.next().unwrap_or("")).local("git").at(place));
        }
    }
    Ok(())
}

/// Haskell's `cabal.project.freeze`: `any.name ==version` among constraints; flags of packages are no packages.
pub(super) fn read_cabal(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    for (n, line) in text.lines().enumerate() {
        let line = line.trim_start().strip_prefix("constraints:").unwrap_or(line);
        for constraint in line.split(',') {
            let Some((name, version)) = constraint.trim().split_once("==") else { continue };
            let name = name.trim().strip_prefix("any.").unwrap_or(name.trim());
            b.add(Entry::new("hackage", name).version(version.trim()).at(format!("line {}", n + 1)));
        }
    }
    Ok(())
}
