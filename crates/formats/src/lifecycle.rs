//! endoflife.date, API v1 (`/api/v1/products/full`, schema 1.x): how long the series of a product are maintained.

use serde::Deserialize;
use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::purl::Purl;

/// Products taken of one document; there are about 450 (2025).
const PRODUCTS: usize = 20_000;
/// Series taken of one product.
const SERIES: usize = 2_000;
/// Bytes of a name, a version or an identifier.
const LONGEST: usize = 300;
/// Kinds of packages that a distribution makes and maintains: how long upstream does is not what holds for them.
const DISTRIBUTED: [&str; 6] = ["alpm", "apk", "deb", "opkg", "rpm", "yocto"];

/// A product and its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// What a reader calls it.
    pub label: String,
    /// What names it: package URLs without version, and `cpe:2.3:PART:VENDOR:PRODUCT`.
    pub keys: Vec<String>,
    /// Its series, as the document has them: newest first.
    pub series: Vec<Series>,
}

/// A series of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// How its versions begin: `3.0`.
    pub name: String,
    /// Latest version, or empty.
    pub latest: String,
    /// Last day on which everybody gets security fixes (`YYYY-MM-DD`; `eolFrom`), or empty.
    pub ends: String,
    /// That is over (`isEol`), also where the day is not known.
    pub over: bool,
}

#[derive(Deserialize)]
struct Answer {
    schema_version: String,
    result: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct One {
    name: String,
    label: String,
    identifiers: Vec<Identifier>,
    releases: Vec<Release>,
}

#[derive(Deserialize)]
struct Identifier {
    id: String,
    r#type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    name: String,
    is_eol: bool,
    eol_from: Option<String>,
    latest: Option<Latest>,
}

#[derive(Deserialize)]
struct Latest {
    name: String,
}

/// What names a product beyond all versions of it, as [`Product::keys`] have it; nothing where the text is no
/// identifier that a component could have.
pub fn key(kind: &str, id: &str) -> Option<String> {
    match kind {
        "purl" => {
            let p = Purl::parse(id).ok().filter(|p| !DISTRIBUTED.contains(&p.ty.as_str()))?;
            Some(Purl { version: None, qualifiers: Vec::new().into(), subpath: None, ..p }.to_string())
        }
        "cpe" => cpe(id),
        _ => None,
    }
}

/// Part, vendor and product of a CPE name, as [`Product::keys`] have them; a name may end behind its product.
pub fn cpe(id: &str) -> Option<String> {
    let whole = |text: &str| Cpe::parse(text).ok();
    let c = whole(id).or_else(|| whole(&format!("{id}{}", ":*".repeat(8))))?;
    let literal = |value: &CpeValue| match value {
        CpeValue::Text(text) if !value.is_pattern() => Some(text.clone()),
        _ => None,
    };
    Some(format!("cpe:2.3:{}:{}:{}", literal(&c.part)?, literal(&c.vendor)?, literal(&c.product)?))
}

/// Reads the list of all products. Products that are not understood are remarks, and the others are read; those
/// without an identifier of a package or CPE are passed over.
///
/// # Errors
/// It is no such document, or of another version of the schema.
pub fn read(bytes: &[u8]) -> Result<(Vec<Product>, Vec<Diagnostic>), Diagnostic> {
    let answer: Answer = serde_json::from_slice(bytes).map_err(|e| {
        Diagnostic::new("input-syntax", format!("line {}", e.line()), excerpt(&e.to_string()))
    })?;
    if !answer.schema_version.starts_with("1.") {
        let what = format!("schema_version is {:?}; 1.x is read", excerpt(&answer.schema_version));
        return Err(Diagnostic::new("record-invalid", "schema_version", what));
    }
    let mut remarks = Vec::new();
    let mut products = Vec::new();
    if answer.result.len() > PRODUCTS {
        let what = format!("{} products; the first {PRODUCTS} are read", answer.result.len());
        remarks.push(Diagnostic::new("limit-entries", "result", what));
    }
    for (n, value) in answer.result.into_iter().take(PRODUCTS).enumerate() {
        match serde_json::from_value::<One>(value) {
            Ok(one) => products.extend(product(one)),
            Err(e) => {
                remarks.push(Diagnostic::new(
                    "record-invalid",
                    format!("result[{n}]"),
                    excerpt(&e.to_string()),
                ));
            }
        }
    }
    Ok((products, remarks))
}

fn product(one: One) -> Option<Product> {
    let fits = |text: &str| !text.is_empty() && text.len() <= LONGEST && !text.contains('\0');
    let mut keys: Vec<String> = one.identifiers.iter().filter_map(|i| key(&i.r#type, &i.id)).collect();
    keys.retain(|k| fits(k));
    keys.sort();
    keys.dedup();
    let label = if fits(&one.label) { one.label } else { one.name };
    let series: Vec<Series> = one
        .releases
        .into_iter()
        .take(SERIES)
        .filter(|r| fits(&r.name))
        .map(|r| Series {
            name: r.name,
            latest: r.latest.map(|l| l.name).filter(|l| fits(l)).unwrap_or_default(),
            ends: r.eol_from.filter(|day| is_day(day)).unwrap_or_default(),
            over: r.is_eol,
        })
        .collect();
    (!keys.is_empty() && !series.is_empty() && fits(&label)).then_some(Product { label, keys, series })
}

/// Whether a text has the shape of a day (`YYYY-MM-DD`).
fn is_day(text: &str) -> bool {
    let shape = |(n, b): (usize, u8)| if n == 4 || n == 7 { b == b'-' } else { b.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(products: &str) -> Vec<u8> {
        format!(r#"{{"schema_version":"1.2.0","total":1,"result":[{products}]}}"#).into_bytes()
    }

    #[test]
    fn identifiers_of_packages_and_cpes_name_a_product() {
        let text = r#"{"name":"openssl","label":"OpenSSL","identifiers":[
            {"id":"cpe:/a:openssl:openssl","type":"cpe"},{"id":"cpe:2.3:a:openssl:openssl","type":"cpe"},{"id":"cpe:2.3:a:*:x","type":"cpe"},
            {"id":"pkg:github/openssl/openssl","type":"purl"},{"id":"pkg:deb/debian/openssl","type":"purl"},
            {"id":"openssl","type":"repology"}],
            "releases":[{"name":"3.0","isEol":false,"eolFrom":"2026-09-07","latest":{"name":"3.0.15"}},
            {"name":"1.1.0","isEol":true,"eolFrom":null,"latest":null}]}"#;
        let (products, remarks) = read(&document(text)).unwrap();
        assert!(remarks.is_empty());
        let series = |name: &str, latest: &str, ends: &str, over| Series {
            name: name.to_owned(),
            latest: latest.to_owned(),
            ends: ends.to_owned(),
            over,
        };
        assert_eq!(
            products,
            [Product {
                label: "OpenSSL".to_owned(),
                // a distribution's package is maintained by the distribution
                keys: vec!["cpe:2.3:a:openssl:openssl".to_owned(), "pkg:github/openssl/openssl".to_owned()],
                series: vec![series("3.0", "3.0.15", "2026-09-07", false), series("1.1.0", "", "", true)],
            }]
        );
    }

    #[test]
    fn what_is_not_understood_takes_nothing_else_away() {
        let good = r#"{"name":"x","label":"X","identifiers":[{"id":"pkg:npm/x","type":"purl"}],
            "releases":[{"name":"1","isEol":false,"eolFrom":"soon","latest":null}]}"#;
        let (products, remarks) = read(&document(&format!(r#"{{"name":7}},{good},[]"#))).unwrap();
        assert_eq!(products.len(), 1);
        assert_eq!(products[0].series[0].ends, "");
        assert_eq!(remarks.iter().map(|d| d.path.as_str()).collect::<Vec<_>>(), ["result[0]", "result[2]"]);
        for (text, code) in [
            ("", "input-syntax"),
            (r#"{"schema_version":"1.0.0"}"#, "input-syntax"),
            (r#"{"schema_version":"2.0.0","result":[]}"#, "record-invalid"),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err().code, code, "{text}");
        }
    }
}
