//! What the files under `demo/maker` say.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The maker: who works there, what it ships, what it decided.
#[derive(Debug, Deserialize)]
pub struct Maker {
    /// People.
    pub person: Vec<Person>,
    /// Products with their releases.
    pub product: Vec<Product>,
    /// Decisions.
    pub decision: Vec<Decision>,
}

/// A person of the team.
#[derive(Debug, Deserialize)]
pub struct Person {
    /// What they sign in with.
    pub login: String,
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Role by its stored name.
    pub role: String,
    /// Product line that the role is limited to.
    pub line: Option<String>,
}

/// A product.
#[derive(Debug, Deserialize)]
pub struct Product {
    /// Product line.
    pub line: String,
    /// Name.
    pub name: String,
    /// Components of its sets that it leaves out.
    #[serde(default)]
    pub without: Vec<String>,
    /// Releases, oldest first.
    pub release: Vec<Release>,
    /// Customer, region and units in the field, spread over the releases.
    pub units: Vec<(String, String, i64)>,
}

/// A release: which generation (1 to 3) of which set of components it holds.
#[derive(Debug, Deserialize)]
pub struct Release {
    /// Version.
    pub version: String,
    /// Day on which it was released.
    pub released: String,
    /// Last day of its support.
    pub support: String,
    /// Components in another version than their generation's.
    #[serde(default)]
    pub upgrade: BTreeMap<String, String>,
    /// Generation by set.
    #[serde(flatten)]
    pub sets: BTreeMap<String, usize>,
}

/// What is known of the life of a series of a package.
#[derive(Debug, Deserialize)]
pub struct Told {
    /// Package URL without version, or part, vendor and product of a CPE name.
    pub package: String,
    /// Series of versions.
    pub cycle: String,
    /// Its latest version, or empty.
    pub latest: String,
    /// Last day of its maintenance.
    pub ends: String,
    /// Who says so.
    pub source: String,
}

/// A decision on findings.
#[derive(Debug, Deserialize)]
pub struct Decision {
    /// Login of who decides.
    pub by: String,
    /// Vulnerability.
    pub vulnerability: String,
    /// Product.
    pub product: String,
    /// Release; all where missing.
    pub version: Option<String>,
    /// Status.
    pub status: String,
    /// Justification.
    #[serde(default)]
    pub justification: String,
    /// Response.
    #[serde(default)]
    pub response: String,
    /// In words.
    pub detail: String,
}

/// A row of `components/SET.csv`.
#[derive(Debug, Clone, Deserialize)]
pub struct Row {
    /// Name as the ecosystem writes it.
    pub name: String,
    /// `vendor:product` of its CPE name, or empty.
    pub cpe: String,
    /// SPDX expression, or empty.
    pub licence: String,
    /// Supplier, or empty.
    pub supplier: String,
    /// Which component of the set brings it in; the device itself where empty.
    pub by: String,
    /// Version in the first generation.
    pub v1: String,
    /// In the second.
    pub v2: String,
    /// In the third.
    pub v3: String,
}

/// A row of `vulnerabilities.csv`: one vulnerability in one package.
#[derive(Debug, Clone, Deserialize)]
pub struct Flaw {
    /// CVE id, or another where there is none.
    pub id: String,
    /// GHSA id, or empty.
    pub alias: String,
    /// `ecosystem:name`, or `cpe:vendor:product`.
    pub package: String,
    /// `>=A <B` and the like, separated by commas.
    pub ranges: String,
    /// CVSS 3.1 base metrics, or empty.
    pub cvss: String,
    /// Number of the weakness, or empty.
    pub cwe: String,
    /// Day on which CISA listed it as exploited, or empty.
    pub kev: String,
    /// EPSS probability, or empty.
    pub epss: String,
    /// EPSS percentile, or empty.
    pub percentile: String,
    /// In our words.
    pub title: String,
}

impl Maker {
    /// Reads `maker.toml`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(folder: &Path) -> Result<Maker> {
        let file = folder.join("maker.toml");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        toml::from_str(&text).with_context(|| file.display().to_string())
    }
}

/// Reads a table of `folder`.
///
/// # Errors
/// It cannot be read.
pub fn table<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Vec<T>> {
    let file = folder.join(name);
    let mut reader = csv::Reader::from_path(&file).with_context(|| file.display().to_string())?;
    reader.deserialize().collect::<Result<_, _>>().with_context(|| file.display().to_string())
}
