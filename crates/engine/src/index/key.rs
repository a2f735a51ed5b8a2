//! Keys under which rules are found: one byte for the kind, then the name.

use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::ecosystem::{Ecosystem, plain_name};
use tocsin_model::purl::Purl;

/// A package of an ecosystem by its normalised name.
pub(crate) fn package(ecosystem: Ecosystem, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 2);
    key.extend([1, ecosystem as u8]);
    key.extend_from_slice(name.as_bytes());
    key
}

/// A CPE product: part, vendor and product exactly as given.
pub(crate) fn cpe(part: &str, vendor: &str, product: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(vendor.len() + product.len() + 4);
    key.push(2);
    key.extend_from_slice(part.as_bytes());
    key.push(0);
    key.extend_from_slice(vendor.as_bytes());
    key.push(0);
    key.extend_from_slice(product.as_bytes());
    key
}

/// Everything of a vendor (criteria whose product is `*`).
pub(crate) fn cpe_vendor(part: &str, vendor: &str) -> Vec<u8> {
    let mut key = cpe(part, vendor, "");
    key[0] = 3;
    key
}

/// A product by free-text vendor and name.
pub(crate) fn named(vendor: &str, product: &str) -> Vec<u8> {
    let mut key = vec![4];
    key.extend_from_slice(plain_name(vendor).as_bytes());
    key.push(0);
    key.extend_from_slice(plain_name(product).as_bytes());
    key
}

/// Whatever is called so and may be of any vendor: the keys under which every component is looked up by its bare name.
pub(crate) fn alone(product: &str) -> Vec<Vec<u8>> {
    let name = plain_name(product).replace('_', "-");
    let mut keys: Vec<Vec<u8>> = ["a", "o", "h"].iter().map(|part| cpe(part, &name, &name)).collect();
    keys.push(named(&name, &name));
    keys
}

/// A package by a purl whose type is no ecosystem known here.
pub(crate) fn other_purl(purl: &Purl) -> Vec<u8> {
    let mut key = vec![5];
    key.extend_from_slice(purl.ty.as_bytes());
    key.push(0);
    key.extend_from_slice(purl.namespace.as_deref().unwrap_or("").as_bytes());
    key.push(0);
    key.extend_from_slice(purl.name.as_bytes());
    key
}

/// Vulnerabilities whose records name this id as the flaw they are about (`upstream`).
pub(crate) fn upstream(id: &str) -> Vec<u8> {
    let mut key = vec![6];
    key.extend_from_slice(id.to_ascii_uppercase().as_bytes());
    key
}

/// The text of a CPE attribute without wildcards, else nothing.
pub(crate) fn plain(value: &CpeValue) -> Option<&str> {
    use tocsin_model::cpe::{WILD_MANY, WILD_ONE};
    match value {
        CpeValue::Text(t) if !t.contains([WILD_MANY, WILD_ONE]) => Some(t),
        _ => None,
    }
}

/// The key of a criterion; nothing where its vendor is not told (it then names no product at all).
pub(crate) fn criterion(name: &Cpe) -> Option<Vec<u8>> {
    let (part, vendor) = (plain(&name.part)?, plain(&name.vendor)?);
    match &name.product {
        CpeValue::Any => Some(cpe_vendor(part, vendor)),
        product => Some(cpe(part, vendor, plain(product)?)),
    }
}
