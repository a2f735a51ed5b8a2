//! Step 4: NVD configurations (AND, OR, negate, running-on platforms) decided against the other components of
//! the release. What the inventory cannot tell is unknown, never false.

use std::collections::HashMap;

use tocsin_model::bom::Bom;
use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::record::{Configuration, CpeMatch, VersionStatus};

use super::decide::is_hardware;
use crate::index::key;
use crate::index::rule::{joined, limits_of, scheme_of, versions_of};

/// The declared CPE names of a release, by product.
pub(crate) struct Context<'a>(HashMap<Vec<u8>, Vec<(&'a Cpe, Option<&'a str>)>>);

/// A three-valued truth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Truth {
    Yes,
    No,
    Unknown,
}

impl Truth {
    fn not(self) -> Truth {
        match self {
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            Truth::Unknown => Truth::Unknown,
        }
    }

    /// Kleene's AND or OR over many.
    fn join(and: bool, all: impl Iterator<Item = Truth>) -> Truth {
        let (stop, go) = if and { (Truth::No, Truth::Yes) } else { (Truth::Yes, Truth::No) };
        let mut out = go;
        for t in all {
            if t == stop {
                return stop;
            }
            if t == Truth::Unknown {
                out = Truth::Unknown;
            }
        }
        out
    }
}

impl<'a> Context<'a> {
    pub(crate) fn new(bom: &'a Bom) -> Self {
        let mut by_product: HashMap<Vec<u8>, Vec<_>> = HashMap::new();
        for c in &bom.components {
            for cpe in &c.cpes {
                if let Some(key) = key::criterion(cpe) {
                    by_product.entry(key).or_default().push((cpe, c.version.as_deref()));
                }
            }
        }
        Context(by_product)
    }

    /// Whether a configuration holds for a component called `own` (with `version`), and which platform is
    /// unknown.
    pub(crate) fn decide(&self, config: &Configuration, own: &Cpe, version: Option<&str>) -> (Truth, String) {
        let mut unknown = String::new();
        let nodes = config.nodes.iter().map(|node| {
            let truth = Truth::join(
                node.and,
                node.matches.iter().map(|m| {
                    let t = self.leaf(m, own, version);
                    if t == Truth::Unknown && unknown.is_empty() {
                        unknown = m.cpe.to_string();
                    }
                    t
                }),
            );
            if node.negate { truth.not() } else { truth }
        });
        let nodes: Vec<Truth> = nodes.collect();
        let truth = Truth::join(config.and, nodes.into_iter());
        (if config.negate { truth.not() } else { truth }, unknown)
    }

    fn leaf(&self, m: &CpeMatch, own: &Cpe, version: Option<&str>) -> Truth {
        if same_product(&m.cpe, own) && meets(m, own, version) == Truth::Yes {
            return Truth::Yes;
        }
        let others = key::criterion(&m.cpe).and_then(|k| self.0.get(&k));
        match others {
            Some(list) => Truth::join(false, list.iter().map(|(cpe, version)| meets(m, cpe, *version))),
            // the product itself being one of the alternatives, another one is simply not it
            None if m.vulnerable && same_product(&m.cpe, own) => Truth::No,
            None => Truth::Unknown,
        }
    }
}

fn same_product(a: &Cpe, b: &Cpe) -> bool {
    (&a.part, &a.vendor, &a.product) == (&b.part, &b.vendor, &b.product)
}

/// Whether a component's CPE meets a criterion of the same product.
fn meets(m: &CpeMatch, cpe: &Cpe, version: Option<&str>) -> Truth {
    for (wanted, own) in limits_of(&m.cpe).into_iter().zip(limits_of(cpe)) {
        match (wanted, own) {
            (CpeValue::Any, _) | (CpeValue::Na, CpeValue::Na | CpeValue::Any) => {}
            (CpeValue::Text(a), CpeValue::Text(b)) if a == b => {}
            (CpeValue::Text(_), CpeValue::Any) => return Truth::Unknown,
            _ => return Truth::No,
        }
    }
    let own = match &cpe.version {
        CpeValue::Text(v) => Some(joined(v, &cpe.update)),
        _ => version.map(str::to_owned),
    };
    match &m.cpe.version {
        CpeValue::Na if !m.vulnerable || own.is_none() || is_hardware(cpe) => return Truth::Yes,
        CpeValue::Na => return Truth::No,
        CpeValue::Any if m.low.is_none() && m.high.is_none() => return Truth::Yes,
        _ => {}
    }
    let Some(own) = own else { return Truth::Unknown };
    let versions = versions_of(m);
    let scheme = scheme_of(&m.cpe);
    let bare = match (&m.cpe.update, &cpe.version) {
        (CpeValue::Any, CpeValue::Text(v)) if matches!(m.cpe.version, CpeValue::Text(_)) => v.clone(),
        _ => own,
    };
    let Ok(key) = scheme.key(&bare) else { return Truth::Unknown };
    let mut truth = Truth::No;
    for e in versions.entries.iter().filter(|e| e.status == VersionStatus::Affected) {
        let bound = |b: &Option<String>| b.as_deref().map(|b| scheme.key(b)).transpose();
        let (Ok(low), Ok(high)) = (bound(&e.low), bound(&e.high)) else {
            truth = Truth::Unknown;
            continue;
        };
        let above = low.is_none_or(|l| if e.low_open { key > l } else { key >= l });
        let below = high.is_none_or(|h| if e.high_closed { key <= h } else { key < h });
        if above && below {
            return Truth::Yes;
        }
    }
    truth
}
