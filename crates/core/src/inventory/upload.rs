//! An SBOM becomes the content of a release: read and matched outside any transaction ([`prepare`]), then put in
//! place in one ([`upload`]).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;
use tocsin_engine::index::Index;
use tocsin_engine::matching::{self, Options, Report};
use tocsin_model::bom::{Bom, Component, License};
use tocsin_model::finding::Confidence;
use tocsin_model::vex::VexStatement;

use super::document::{self, Difference, Document};
use super::{Release, component_ids, plain, release_of};
use crate::detection;
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// Most places of one component that are kept; more are counted in the last.
const PLACES: usize = 200;

/// A document that was read and matched and waits to be put in place.
pub struct Prepared {
    bom: Bom,
    report: Report,
    bytes: Vec<u8>,
    name: String,
    placed: Vec<Placed>,
    /// For each component of the document its number in `placed`.
    of: Vec<usize>,
}

/// One distinct component of a document.
pub(crate) struct Placed {
    /// What identifies it.
    pub hash: String,
    /// First of the document's components that are it.
    pub first: usize,
    /// References and locations in the document.
    pub places: Vec<String>,
    /// Named by the product itself.
    pub direct: bool,
}

/// What an upload did.
#[derive(Debug, Clone, Serialize)]
pub struct Uploaded {
    /// The release.
    pub release: i64,
    /// The document's id.
    pub document: i64,
    /// Same bytes as the release's current document: nothing was changed but findings.
    pub unchanged: bool,
    /// Components in the document.
    pub components: usize,
    /// Distinct components.
    pub distinct: usize,
    /// What changed against the document before.
    pub difference: Difference,
    /// What changed in findings.
    pub findings: detection::Outcome,
}

/// Matches a document that was read from `bytes`. No database is asked; this is where the time goes, so call it where
/// blocking is allowed.
///
/// # Errors
/// The index is damaged.
pub fn prepare(
    name: &str,
    bytes: Vec<u8>,
    bom: Bom,
    index: Option<&Index>,
    vex: &[VexStatement],
) -> Result<Prepared> {
    let report = rematch(index, &bom, vex)?;
    let (placed, of) = place(&bom);
    Ok(Prepared { bom, report, bytes, name: name.to_owned(), placed, of })
}

/// Matches a document; what is only guessed is kept apart by its confidence.
pub(crate) fn rematch(index: Option<&Index>, bom: &Bom, vex: &[VexStatement]) -> Result<Report> {
    let options = Options { min_confidence: Confidence::Inferred, explain: false };
    index.map_or(Ok(Report::default()), |index| {
        matching::scan(index, bom, vex, &options)
            .map_err(|e| Error::Internal { doing: "matching".to_owned(), cause: Box::new(e) })
    })
}

fn identity(c: &Component) -> String {
    let mut cpes: Vec<String> = c.cpes.iter().map(ToString::to_string).collect();
    cpes.sort();
    let mut text = String::new();
    let purl = c.purl.as_ref().map(ToString::to_string).unwrap_or_default();
    let group = c.group.as_deref().unwrap_or("");
    let version = c.version.as_deref().unwrap_or("");
    let supplier = c.supplier.as_deref().unwrap_or("");
    for part in [kind(c), group, &c.name, version, &purl, supplier] {
        let _ = write!(text, "{}:{part}", part.len());
    }
    for cpe in cpes {
        let _ = write!(text, "{}:{cpe}", cpe.len());
    }
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
}

fn kind(c: &Component) -> &'static str {
    use tocsin_model::bom::ComponentKind as K;
    match c.kind {
        K::Application => "application",
        K::Framework => "framework",
        K::Library => "library",
        K::Container => "container",
        K::Platform => "platform",
        K::OperatingSystem => "operating-system",
        K::Device => "device",
        K::DeviceDriver => "device-driver",
        K::Firmware => "firmware",
        K::File => "file",
        K::MachineLearningModel => "machine-learning-model",
        K::Data => "data",
        K::CryptographicAsset => "cryptographic-asset",
    }
}

/// Folds components that are the same thing in several places of the document into one.
pub(crate) fn place(bom: &Bom) -> (Vec<Placed>, Vec<usize>) {
    let direct: HashSet<usize> =
        bom.dependencies.iter().filter(|(from, _)| Some(*from) == bom.root).map(|(_, to)| *to).collect();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut placed: Vec<Placed> = Vec::new();
    let mut of = Vec::with_capacity(bom.components.len());
    for (n, c) in bom.components.iter().enumerate() {
        let hash = identity(c);
        let at = *known.entry(hash.clone()).or_insert_with(|| {
            placed.push(Placed { hash, first: n, places: Vec::new(), direct: false });
            placed.len() - 1
        });
        if let Some(p) = placed.get_mut(at) {
            p.direct |= direct.contains(&n);
            for place in std::iter::once(&c.reference).chain(&c.locations) {
                if p.places.len() < PLACES && !p.places.contains(place) {
                    p.places.push(place.clone());
                }
            }
        }
        of.push(at);
    }
    (placed, of)
}

/// Puts a document in place as the content of a release, with its findings, in one transaction.
///
/// # Errors
/// Denied; [`Error::NotFound`]; the database does not answer. Nothing is changed then.
pub async fn upload(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    prepared: &Prepared,
) -> Result<Uploaded> {
    let mut change = Change::begin(db, actor).await?;
    let done = apply(&mut change, release, prepared).await?;
    change.commit().await?;
    Ok(done)
}

/// As [`upload`], inside a change that goes on.
///
/// # Errors
/// As [`upload`].
pub async fn apply(change: &mut Change<'_>, release: i64, p: &Prepared) -> Result<Uploaded> {
    let release: Release = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::SbomUpload, release.line)?;
    let ids = components(change, p).await?;
    let before = document::content(change, release.id).await?;
    let after: Vec<i64> = p.placed.iter().filter_map(|c| ids.get(&c.hash).copied()).collect();
    let difference = document::difference(change, &before, &after).await?;
    let current = document::current(change, release.id).await?;
    let hash = document::keep(change, &p.bytes).await?;
    let unchanged = current.as_ref().is_some_and(|(_, blob)| *blob == hash);
    let document = match current {
        Some((id, _)) if unchanged => id,
        _ => {
            let note = Document::draft(&p.bom, &p.name, hash, &difference);
            let id = document::insert(change, release.id, &note).await?;
            occurrences(change, release.id, p, &ids).await?;
            let name = format!("{} {}", release.product_name, release.version);
            let subject = format!("release/{}", release.id);
            change.record(
                "sbom.upload",
                subject,
                &name,
                &(),
                &(&p.name, difference.added, difference.removed),
            );
            id
        }
    };
    let numbers: Vec<i64> =
        p.of.iter()
            .map(|at| p.placed.get(*at).and_then(|c| ids.get(&c.hash)).copied().unwrap_or(0))
            .collect();
    let findings = detection::apply(change, &release, &p.report, &numbers, &difference).await?;
    let update = "UPDATE release SET components = $2 WHERE id = $1";
    let count = p.placed.len() as i64;
    sql::run(&change.tx, "counting components", update, vec![release.id.into(), count.into()]).await?;
    Ok(Uploaded {
        release: release.id,
        document,
        unchanged,
        components: p.bom.components.len(),
        distinct: p.placed.len(),
        difference,
        findings,
    })
}

/// Makes the components that are not known yet; ids of all by hash.
async fn components(change: &Change<'_>, p: &Prepared) -> Result<HashMap<String, i64>> {
    let hashes: Vec<String> = p.placed.iter().map(|c| c.hash.clone()).collect();
    let known = component_ids(&change.tx, &hashes).await?;
    let rows: Vec<[Value; 9]> = p
        .placed
        .iter()
        .filter(|c| !known.contains_key(&c.hash))
        .filter_map(|c| Some((c, p.bom.components.get(c.first)?)))
        .map(|(placed, c)| {
            let cpes: Vec<String> = c.cpes.iter().map(ToString::to_string).collect();
            [
                placed.hash.clone().into(),
                kind(c).into(),
                sql::text(c.group.as_deref().unwrap_or("")),
                sql::text(&c.name),
                sql::text(c.version.as_deref().unwrap_or("")),
                c.purl.as_ref().map(ToString::to_string).unwrap_or_default().into(),
                serde_json::to_string(&cpes).unwrap_or_default().into(),
                sql::text(c.supplier.as_deref().unwrap_or("")),
                sql::text(&plain(&c.name)),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Ok(known);
    }
    let head = "INSERT INTO component (hash, kind, grp, name, version, purl, cpes, supplier, plain)";
    bulk::insert(&change.tx, "making components", head, "ON CONFLICT (hash) DO NOTHING", rows).await?;
    component_ids(&change.tx, &hashes).await
}

fn licence(l: &License) -> &str {
    match l {
        License::Expression(text) | License::Named(text) => text,
    }
}

async fn occurrences(
    change: &Change<'_>,
    release: i64,
    p: &Prepared,
    ids: &HashMap<String, i64>,
) -> Result<()> {
    let what = "storing what the release holds";
    for table in ["occurrence", "edge", "occurrence_hash", "occurrence_licence"] {
        sql::run(&change.tx, what, &format!("DELETE FROM {table} WHERE release = $1"), vec![release.into()])
            .await?;
    }
    let (mut rows, mut hashes, mut licences) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for placed in &p.placed {
        let (Some(c), Some(id)) = (p.bom.components.get(placed.first), ids.get(&placed.hash)) else {
            continue;
        };
        let names: Vec<&str> = c.licenses.iter().map(licence).collect();
        rows.push([
            release.into(),
            (*id).into(),
            sql::text(&c.reference),
            sql::text(&serde_json::to_string(&placed.places).unwrap_or_default()),
            sql::text(&names.join(" AND ")),
            Value::from(""),
            i64::from(placed.direct).into(),
            serde_json::to_string(&c.hashes).unwrap_or_default().into(),
        ]);
        for (_, value) in &c.hashes {
            hashes.insert((value.clone(), *id), ());
        }
        for name in names {
            licences.insert((name.to_owned(), *id), ());
        }
    }
    let head = "INSERT INTO occurrence (release, component, ref, places, licences, scope, direct, hashes)";
    bulk::insert(&change.tx, what, head, "", rows).await?;
    let pairs = |map: BTreeMap<(String, i64), ()>| -> Vec<[Value; 3]> {
        map.into_keys().map(|(text, id)| [release.into(), sql::text(&text), id.into()]).collect()
    };
    let head = "INSERT INTO occurrence_hash (release, value, component)";
    bulk::insert(&change.tx, what, head, "", pairs(hashes)).await?;
    let head = "INSERT INTO occurrence_licence (release, licence, component)";
    bulk::insert(&change.tx, what, head, "", pairs(licences)).await?;
    let id =
        |n: &usize| p.of.get(*n).and_then(|at| p.placed.get(*at)).and_then(|c| ids.get(&c.hash)).copied();
    let edges: HashSet<(i64, i64)> =
        p.bom.dependencies.iter().filter_map(|(from, to)| Some((id(from)?, id(to)?))).collect();
    let rows = edges.into_iter().map(|(from, to)| [release.into(), from.into(), to.into()]).collect();
    bulk::insert(&change.tx, what, "INSERT INTO edge (release, parent, child)", "", rows).await?;
    Ok(())
}
