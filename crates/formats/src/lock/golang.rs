//! `go.mod` (Go Modules Reference, "go.mod files") and `go.sum`.

use std::collections::{HashMap, HashSet};

use super::build::{Builder, Entry, PROPERTY_SCOPE, Refusal};

/// Splits a line into words; strings may be quoted with `"` or `` ` ``; a comment ends it.
fn words(line: &str) -> (Vec<String>, &str) {
    let (code, comment) = match line.find("//") {
        // `//` inside a quoted string or a URL does not occur in module paths.
        Some(n) => (line.get(..n).unwrap_or(line), line.get(n + 2..).unwrap_or("")),
        None => (line, ""),
    };
    let code = code.replace('(', " ( ").replace(')', " ) ");
    (code.split_whitespace().map(|w| w.trim_matches(['"', '`']).to_owned()).collect(), comment.trim())
}

/// Reads `go.mod`: the module, what it requires after `replace`, and the standard library.
pub(super) fn read_mod(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let mut block = String::new();
    let mut module = None;
    let mut requires: Vec<(String, String, bool, usize)> = Vec::new();
    let mut replaces: HashMap<(String, String), (String, String)> = HashMap::new();
    let mut go: Option<(String, usize)> = None;
    let mut toolchain: Option<(String, usize)> = None;
    let mut known = 0_usize;
    for (n, line) in text.lines().enumerate() {
        let (mut w, comment) = words(line);
        if w.is_empty() {
            continue;
        }
        if block.is_empty() {
            let verb = w.remove(0);
            if w.first().is_some_and(|x| x == "(") {
                block = verb;
                known += 1;
                continue;
            }
            w.insert(0, verb);
        } else if w.first().is_some_and(|x| x == ")") {
            block.clear();
            continue;
        } else {
            w.insert(0, block.clone());
        }
        let line = n + 1;
        let list: Vec<&str> = w.iter().map(String::as_str).collect();
        known += 1;
        match list.as_slice() {
            ["module", path, ..] => module = Some(((*path).to_owned(), line)),
            ["go", v, ..] => go = Some(((*v).to_owned(), line)),
            ["toolchain", v, ..] => toolchain = Some(((*v).to_owned(), line)),
            ["require", path, v, ..] => {
                let indirect = comment == "indirect" || comment.starts_with("indirect;");
                requires.push(((*path).to_owned(), (*v).to_owned(), indirect, line));
            }
            ["replace", old, "=>", new @ ..] => {
                replaces.insert(((*old).to_owned(), String::new()), pair(new));
            }
            ["replace", old, v, "=>", new @ ..] => {
                replaces.insert(((*old).to_owned(), (*v).to_owned()), pair(new));
            }
            ["exclude" | "retract" | "tool" | "godebug" | "ignore" | "module", ..] => {}
            _ => {
                known -= 1;
                let what = format!("not understood: {}", tocsin_model::diagnostic::excerpt(&list.join(" ")));
                b.remark("value-ignored", format!("line {line}"), what);
            }
        }
    }
    if known == 0 {
        return Err(super::build::syntax("", "no directive of a go.mod file was found"));
    }
    let root = module.and_then(|(path, line)| {
        b.add(Entry::new("golang", &path).local("local").at(format!("line {line}")).reference(path))
    });
    b.root(root);
    let mut seen = HashSet::new();
    for (path, version, indirect, line) in requires {
        if !seen.insert((path.clone(), version.clone())) {
            continue;
        }
        let new = replaces
            .get(&(path.clone(), version.clone()))
            .or_else(|| replaces.get(&(path.clone(), String::new())));
        let mut e = match new {
            Some((to, v)) if v.is_empty() => Entry::new("golang", &path).version(&version).local(to),
            Some((to, v)) => {
                let was = format!("{path} {version}");
                Entry::new("golang", to).version(v).property("tocsin:lock:replaces", &was)
            }
            None => Entry::new("golang", &path).version(&version),
        };
        if indirect {
            e = e.property(PROPERTY_SCOPE, "indirect");
        }
        let added = b.add(e.at(format!("line {line}")));
        if let (Some(r), Some(i), false) = (root, added, indirect) {
            b.edge(r, i);
        }
    }
    // The toolchain line, where there is one, names what is built with; `default` means the go line.
    let built = toolchain.filter(|(v, _)| v != "default").or(go);
    if let Some((v, line)) = built {
        let v = v.trim_start_matches("go");
        // `1.22.3-custom` names a vendor's build of 1.22.3.
        let v = v.split('-').next().unwrap_or(v);
        let i = b.add(Entry::new("golang", "stdlib").version(v).at(format!("line {line}")));
        if let (Some(r), Some(i)) = (root, i) {
            b.edge(r, i);
        }
    }
    Ok(())
}

fn pair(new: &[&str]) -> (String, String) {
    (
        new.first().map(|s| (*s).to_owned()).unwrap_or_default(),
        new.get(1).map(|s| (*s).to_owned()).unwrap_or_default(),
    )
}

/// Reads `go.sum`: the modules whose zip has a hash. A line for `/go.mod` alone means that only the requirements
/// of that version were looked at, never its code.
pub(super) fn read_sum(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    let mut good = 0_usize;
    for (n, line) in text.lines().enumerate() {
        let path = format!("line {}", n + 1);
        let w: Vec<&str> = line.split_whitespace().collect();
        match w.as_slice() {
            [] => continue,
            [module, version, hash] if version.starts_with('v') => {
                good += 1;
                if version.ends_with("/go.mod") || !seen.insert(((*module).to_owned(), (*version).to_owned()))
                {
                    continue;
                }
                b.add(Entry::new("golang", module).version(version).property("tocsin:go:sum", hash).at(path));
            }
            _ => {
                let what = format!("not `module version hash`: {}", tocsin_model::diagnostic::excerpt(line));
                b.remark("value-ignored", path, what);
            }
        }
    }
    if good == 0 && !text.trim().is_empty() {
        return Err(super::build::syntax("line 1", "no line is `module version hash`"));
    }
    Ok(())
}
