//! A release's SBOM, as its build would have written it: CycloneDX 1.6.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::maker::{Product, Release, Row};

/// The component tables by name of their set.
pub type Sets = BTreeMap<String, Vec<Row>>;

fn version<'a>(row: &'a Row, release: &'a Release, generation: usize) -> &'a str {
    release.upgrade.get(&row.name).map_or_else(
        || match generation {
            1 => row.v1.as_str(),
            2 => row.v2.as_str(),
            _ => row.v3.as_str(),
        },
        String::as_str,
    )
}

/// The package URL of a component of a language's set; none for what is built from source.
fn purl(set: &str, name: &str, version: &str) -> Option<String> {
    Some(match set {
        "npm" => format!("pkg:npm/{}@{version}", name.replace('@', "%40")),
        "maven" => format!("pkg:maven/{}@{version}", name.replacen(':', "/", 1)),
        "go" => format!("pkg:golang/{name}@{version}"),
        "pypi" | "cargo" => format!("pkg:{set}/{name}@{version}"),
        _ => return None,
    })
}

fn component(set: &str, row: &Row, version: &str) -> Value {
    let (group, name) = match row.name.split_once(':') {
        Some((group, name)) if set == "maven" => (Some(group), name),
        _ => (None, row.name.as_str()),
    };
    let mut c = json!({"type": "library", "bom-ref": format!("{set}/{}", row.name), "name": name, "version": version});
    let mut put = |key: &str, value: Option<Value>| {
        if let (Some(value), Some(map)) = (value, c.as_object_mut()) {
            map.insert(key.to_owned(), value);
        }
    };
    put("group", group.map(Into::into));
    put("purl", purl(set, &row.name, version).map(Into::into));
    put("cpe", (!row.cpe.is_empty()).then(|| cpe(&row.cpe, version).into()));
    put("supplier", (!row.supplier.is_empty()).then(|| json!({"name": row.supplier})));
    put("licenses", (!row.licence.is_empty()).then(|| json!([{"expression": row.licence}])));
    c
}

/// The CPE 2.3 name of `vendor:product` in a version.
pub fn cpe(pair: &str, version: &str) -> String {
    let part = if pair == "linux:linux_kernel" { 'o' } else { 'a' };
    format!("cpe:2.3:{part}:{pair}:{version}:*:*:*:*:*:*:*")
}

/// The document.
pub fn write(product: &Product, release: &Release, sets: &Sets) -> Value {
    let mut components = Vec::new();
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (set, generation) in &release.sets {
        let rows: Vec<&Row> =
            sets.get(set).into_iter().flatten().filter(|r| !product.without.contains(&r.name)).collect();
        for row in &rows {
            components.push(component(set, row, version(row, release, *generation)));
            let brought = rows.iter().any(|r| r.name == row.by);
            let by = if brought { format!("{set}/{}", row.by) } else { "device".to_owned() };
            needs.entry(by).or_default().push(format!("{set}/{}", row.name));
        }
    }
    let edges: Vec<Value> =
        needs.into_iter().map(|(by, list)| json!({"ref": by, "dependsOn": list})).collect();
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {
            "timestamp": format!("{}T06:00:00Z", release.released),
            "component": {"type": "device", "bom-ref": "device", "name": product.name, "version": release.version,
                "supplier": {"name": "Meridian Devices"}},
        },
        "components": components, "dependencies": edges,
    })
}
