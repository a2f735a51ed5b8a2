//! Java: `pom.xml` with fixed versions, `gradle.lockfile`, `build.sbt.lock`.

use std::collections::HashMap;

use roxmltree::Node;
use serde_json::Value;

use super::build::{Builder, Entry, Lines, Refusal, json, syntax, text as member, xml};

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|c| c.is_element() && c.tag_name().name() == name)
}

fn text<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    child(node, name).and_then(|c| c.text()).unwrap_or("").trim()
}

/// Replaces `${name}` by properties of the same file; `None` where one is not told here.
fn resolved(value: &str, properties: &HashMap<String, String>) -> Option<String> {
    let mut out = value.to_owned();
    // properties may name properties; a chain longer than this is a circle
    for _ in 0..8 {
        let Some(start) = out.find("${") else { return Some(out) };
        let end = start + out.get(start..)?.find('}')?;
        let known = properties.get(out.get(start + 2..end)?)?.clone();
        out.replace_range(start..=end, &known);
        if out.len() > 4096 {
            return None;
        }
    }
    None
}

/// `pom.xml` (POM 4.0.0): dependencies with versions that are fixed, by a property, or by the file's own
/// dependencyManagement. Parents and imported BOMs are other files; what depends on them stays unresolved.
pub(super) fn read_pom(file: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = xml(file, b)?;
    let project = doc.root_element();
    if project.tag_name().name() != "project" {
        return Err(syntax("", "the root element is not project"));
    }
    let mut properties = HashMap::new();
    let parent = child(project, "parent");
    for key in ["groupId", "artifactId", "version"] {
        let own = text(project, key);
        let value = if own.is_empty() { parent.map_or("", |p| text(p, key)) } else { own };
        if !value.is_empty() {
            properties.insert(format!("project.{key}"), value.to_owned());
            properties.insert(format!("pom.{key}"), value.to_owned());
        }
    }
    if let Some(list) = child(project, "properties") {
        for p in list.children().filter(Node::is_element) {
            properties.insert(p.tag_name().name().to_owned(), p.text().unwrap_or("").trim().to_owned());
        }
    }
    let dependencies = |of: Node<'_, '_>| -> Vec<(String, String, String, String, usize)> {
        let mut lines = Lines::new(file);
        let list = child(of, "dependencies");
        list.into_iter()
            .flat_map(|l| l.children().filter(|c| c.tag_name().name() == "dependency").collect::<Vec<_>>())
            .map(|d| {
                let get =
                    |key| resolved(text(d, key), &properties).unwrap_or_else(|| text(d, key).to_owned());
                let line = lines.of(d.range().start);
                (
                    get("groupId"),
                    get("artifactId"),
                    text(d, "version").to_owned(),
                    text(d, "scope").to_owned(),
                    line,
                )
            })
            .collect()
    };
    let managed: HashMap<(String, String), String> = child(project, "dependencyManagement")
        .map(&dependencies)
        .unwrap_or_default()
        .into_iter()
        .map(|(group, artifact, version, ..)| ((group, artifact), version))
        .collect();
    for (group, artifact, version, scope, line) in dependencies(project) {
        let told = if version.is_empty() {
            managed.get(&(group.clone(), artifact.clone())).cloned().unwrap_or_default()
        } else {
            version
        };
        let entry = Entry::new("maven", &artifact).namespace(&group).at(format!("line {line}")).scope(&scope);
        // a range such as [1.0,2.0) is decided elsewhere; [1.0] is one version
        let single = told.strip_prefix('[').and_then(|t| t.strip_suffix(']')).filter(|t| !t.contains(','));
        let fixed = single.unwrap_or(&told);
        match resolved(fixed, &properties) {
            Some(v) if !v.is_empty() && !v.contains(['[', '(', ',']) => b.add(entry.version(&v)),
            _ => b.add(entry.unresolved(&told)),
        };
    }
    Ok(())
}

/// `gradle.lockfile`: `group:artifact:version=configurations` a line.
pub(super) fn read_gradle(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("empty=") {
            continue;
        }
        let place = format!("line {}", n + 1);
        let coordinates = line.split('=').next().unwrap_or("");
        match coordinates.split(':').collect::<Vec<_>>().as_slice() {
            [group, artifact, version] => {
                b.add(Entry::new("maven", artifact).namespace(group).version(version).at(place));
            }
            _ => b.remark("value-ignored", place, "a line is group:artifact:version=configurations"),
        }
    }
    Ok(())
}

/// `build.sbt.lock` (sbt-dependency-lock): its `dependencies`.
pub(super) fn read_sbt(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let doc = json(text, b)?;
    let list = doc.get("dependencies").and_then(Value::as_array);
    for (n, d) in list.ok_or_else(|| syntax("", "there are no `dependencies`"))?.iter().enumerate() {
        let get = |key| member(d, key).unwrap_or("");
        let entry = Entry::new("maven", get("name")).namespace(get("org")).version(get("version"));
        b.add(entry.at(format!("dependencies[{n}]")));
    }
    Ok(())
}
