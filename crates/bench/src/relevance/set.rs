//! The stories with labels (`testdata/stories`) and the three makers whose view of them is labelled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tocsin_demo::maker::{Maker, Row, table};
use tocsin_engine::entities::{Dictionary, Thing, ThingKind};
use tocsin_engine::relevance::Profile as Followed;
use tocsin_model::purl::Purl;

/// The files of stories.
const FILES: [&str; 6] = [
    "components-1.toml",
    "components-2.toml",
    "medical.toml",
    "vehicles.toml",
    "industry.toml",
    "others.toml",
];

/// An item with its labels.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// Its id in the set.
    pub id: String,
    /// Who tells it.
    pub by: String,
    /// Sort of the source: `psirt`, `cert`, `list`, `news`, `blog`, `social`.
    pub kind: String,
    /// The day it was published.
    pub on: String,
    /// Codes of the makers for which it is relevant.
    #[serde(rename = "for")]
    pub relevant: Vec<String>,
    /// The clause of the rule that says so. For people; a test reads that it fits the labels.
    #[cfg_attr(not(test), allow(dead_code, reason = "read by people and by a test"))]
    pub why: String,
    /// The story that it is of, where it is not alone.
    pub one: Option<String>,
    /// Title in the first line, then the text.
    pub text: String,
}

impl Story {
    /// Whether it is of the held-out half: by a hash of its story, so that no story is in both.
    pub fn held_out(&self) -> bool {
        let digest = Sha256::digest(self.one.as_ref().unwrap_or(&self.id).as_bytes());
        digest.first().is_some_and(|byte| byte % 2 == 1)
    }

    /// Reliability of the source in the Admiralty code, by its sort.
    pub fn reliability(&self) -> char {
        match self.kind.as_str() {
            "psirt" | "cert" => 'A',
            "list" | "news" => 'B',
            "blog" => 'C',
            _ => 'D',
        }
    }
}

/// A maker's profile as the file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its code in the labels.
    pub code: String,
    /// What it makes.
    pub name: String,
    /// Product line of the demo's maker.
    pub line: String,
    /// Industries that it follows.
    pub industries: Vec<String>,
    /// Firms that it follows.
    pub vendors: Vec<String>,
    /// What a person would type into a keyword filter. Only the rivals use it.
    pub keywords: Vec<String>,
    /// Names of its products and of the parts that it ships, as they are written in SBOMs.
    #[serde(skip)]
    pub names: BTreeSet<String>,
    #[serde(skip)]
    parts: BTreeMap<(String, String), Row>,
    #[serde(skip)]
    products: Vec<String>,
}

impl Profile {
    /// What texts are searched by: products, parts and their suppliers, firms that are followed.
    fn things(&self) -> BTreeMap<(ThingKind, String), Thing> {
        let mut things = BTreeMap::new();
        let mut put = |kind: ThingKind, name: &str| {
            things.entry((kind, name.to_owned())).or_insert_with(|| Thing::new(kind, name));
        };
        for name in &self.products {
            put(ThingKind::Product, name);
        }
        let suppliers = self.parts.values().map(|row| &row.supplier);
        for name in self.vendors.iter().chain(suppliers).filter(|n| n.chars().count() > 2) {
            put(ThingKind::Vendor, name);
        }
        for ((set, name), row) in &self.parts {
            let mut thing = match purl(set, name) {
                Some(purl) => Thing::package(name, &purl),
                None => Thing::new(ThingKind::Component, name),
            };
            if let Some((vendor, product)) = row.cpe.split_once(':') {
                thing = thing.with_cpe(vendor, product);
            }
            let known = things.entry((ThingKind::Component, name.clone()));
            known.and_modify(|k| k.names.extend(thing.names.clone())).or_insert(thing);
        }
        things
    }

    /// What it ships, as a dictionary.
    pub fn dictionary(&self) -> Dictionary {
        Dictionary::new(self.things().into_values())
    }

    /// What it follows by default: its industries, and nothing that somebody typed.
    pub fn followed(&self) -> Followed {
        Followed::new(self.industries.iter().cloned(), Vec::new())
    }
}

fn purl(set: &str, name: &str) -> Option<Purl> {
    let text = match set {
        "npm" => format!("pkg:npm/{}", name.replace('@', "%40")),
        "maven" => format!("pkg:maven/{}", name.replacen(':', "/", 1)),
        "go" => format!("pkg:golang/{name}"),
        "pypi" | "cargo" => format!("pkg:{set}/{name}"),
        _ => return None,
    };
    Purl::parse(&text).ok()
}

/// Stories and makers.
pub struct Set {
    /// The stories, in the order of their days.
    pub stories: Vec<Story>,
    /// The makers.
    pub profiles: Vec<Profile>,
}

fn read<T: serde::de::DeserializeOwned>(folder: &Path, file: &str) -> Result<T> {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Set {
    /// Reads the set.
    ///
    /// # Errors
    /// A file is not there, or does not hold what it should.
    pub fn read() -> Result<Set> {
        #[derive(Deserialize)]
        struct Stories {
            story: Vec<Story>,
        }
        #[derive(Deserialize)]
        struct Profiles {
            profile: Vec<Profile>,
        }
        let folder = root().join("testdata/stories");
        let mut stories = Vec::new();
        for file in FILES {
            stories.extend(read::<Stories>(&folder, file)?.story);
        }
        stories.sort_by(|a, b| (&a.on, &a.id).cmp(&(&b.on, &b.id)));
        let mut profiles = read::<Profiles>(&folder, "profiles.toml")?.profile;
        let demo = root().join("demo/maker");
        let maker = Maker::read(&demo)?;
        for profile in &mut profiles {
            for product in maker.product.iter().filter(|p| p.line == profile.line) {
                profile.products.push(product.name.clone());
                profile.names.insert(product.name.clone());
                let sets: BTreeSet<&String> = product.release.iter().flat_map(|r| r.sets.keys()).collect();
                for set in sets {
                    for row in table::<Row>(&demo.join("components"), &format!("{set}.csv"))? {
                        if !product.without.contains(&row.name) {
                            profile.names.insert(row.name.clone());
                            profile.parts.insert((set.clone(), row.name.clone()), row);
                        }
                    }
                }
            }
            ensure!(!profile.parts.is_empty(), "demo/maker has no product line {}", profile.line);
        }
        Ok(Set { stories, profiles })
    }

    /// The labels of a maker, in the order of the stories.
    pub fn labels(&self, profile: &Profile) -> Vec<bool> {
        self.stories.iter().map(|s| s.relevant.contains(&profile.code)).collect()
    }

    /// All that any of the makers ships: what clustering knows of names.
    pub fn everything(&self) -> Dictionary {
        let mut all = BTreeMap::new();
        for profile in &self.profiles {
            all.extend(profile.things());
        }
        Dictionary::new(all.into_values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_is_whole() {
        let set = Set::read().unwrap();
        assert_eq!(set.stories.len(), 300);
        assert_eq!(set.profiles.len(), 3);
        let codes: BTreeSet<&str> = set.profiles.iter().map(|p| p.code.as_str()).collect();
        let yes = ["own", "part", "supply", "kin", "site", "duty"];
        let no = ["word", "other", "field", "office", "trade", "fault", "calm", "stranger"];
        let mut ids = BTreeSet::new();
        let mut stories: BTreeMap<&str, usize> = BTreeMap::new();
        for s in &set.stories {
            assert!(ids.insert(&s.id), "{} is there twice", s.id);
            assert!(s.relevant.iter().all(|c| codes.contains(c.as_str())), "{}", s.id);
            assert!(
                ["psirt", "cert", "list", "news", "blog", "social"].contains(&s.kind.as_str()),
                "{}",
                s.id
            );
            let why = if s.relevant.is_empty() { &no[..] } else { &yes[..] };
            assert!(why.contains(&s.why.as_str()), "{}: {} does not fit its labels", s.id, s.why);
            assert!(s.on.parse::<jiff::civil::Date>().is_ok(), "{}: {}", s.id, s.on);
            assert!(s.text.trim().lines().count() >= 2 && s.text.len() > 120, "{} is no text", s.id);
            if let Some(one) = &s.one {
                *stories.entry(one).or_default() += 1;
            }
        }
        assert!(stories.values().all(|n| *n > 1), "a story of one item needs no name: {stories:?}");
        assert!(stories.values().sum::<usize>() >= 80);
        let held = set.stories.iter().filter(|s| s.held_out()).count();
        assert!((120..=180).contains(&held), "{held} of 300 are held out");
    }
}
