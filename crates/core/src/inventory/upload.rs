//! An SBOM becomes the content of a release: read and matched outside any transaction ([`prepare`]), then put in
//! place in one ([`upload`]).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;
use tocsin_engine::index::Index;
use tocsin_engine::matching::{self, Options, Report};
use tocsin_model::bom::{Bom, Component, ComponentKind, License};
use tocsin_model::finding::Confidence;
use tocsin_model::vex::VexStatement;
use utoipa::ToSchema;

use super::document::{self, Difference, Document};
use super::{Release, component_ids, plain, release_of, unusual};
use crate::detection;
use crate::error::{Error, Result};
use crate::intel::Opened;
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// Most places of one component that are kept; more are counted in the last.
const PLACES: usize = 200;

/// Most characters of a licence by which it is looked up; documents put whole texts there.
const LICENCE: usize = 500;

/// A document that was read and matched and waits to be put in place.
pub struct Prepared {
    pub(super) bom: Bom,
    report: Report,
    pub(super) bytes: Vec<u8>,
    pub(super) name: String,
    pub(super) placed: Vec<Placed>,
    /// Answer to [`super::Unusual::confirm`].
    pub(super) confirm: Option<String>,
    /// For each component of the document its number in `placed`.
    of: Vec<usize>,
    /// What it was matched with.
    opened: Option<Arc<Opened>>,
}

impl Prepared {
    /// The same with the answer to the question whether an unusual upload is meant ([`super::Unusual::confirm`]).
    #[must_use]
    pub fn confirmed(self, token: Option<String>) -> Prepared {
        Prepared { confirm: token, ..self }
    }
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
#[derive(Debug, Clone, Serialize, ToSchema)]
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
    Ok(Prepared { bom, report, bytes, name: name.to_owned(), placed, of, confirm: None, opened: None })
}

/// As [`prepare`], with the index of this moment; findings are known to be of its edition then.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_with(name: &str, bytes: Vec<u8>, bom: Bom, opened: Option<Arc<Opened>>) -> Result<Prepared> {
    let (index, vex) = opened.as_deref().map_or((None, &[][..]), |o| (Some(&o.index), &o.vex[..]));
    Ok(Prepared { opened: opened.clone(), ..prepare(name, bytes, bom, index, vex)? })
}

/// Matches a document; what is only guessed is kept apart by its confidence.
pub(crate) fn rematch(index: Option<&Index>, bom: &Bom, vex: &[VexStatement]) -> Result<Report> {
    let options = options();
    index.map_or(Ok(Report::default()), |index| {
        matching::scan(index, bom, vex, &options)
            .map_err(|e| Error::Internal { doing: "matching".to_owned(), cause: Box::new(e) })
    })
}

/// How releases are matched: guesses too, and nothing that was dismissed.
pub(crate) fn options() -> Options {
    Options { min_confidence: Confidence::Inferred, explain: false }
}

/// What identifies a component in `component.hash`.
pub(crate) fn identity(c: &Component) -> String {
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
    kind_word(c.kind)
}

fn kind_word(kind: ComponentKind) -> &'static str {
    use ComponentKind as K;
    match kind {
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
/// Denied; [`Error::NotFound`]; [`Error::Unusual`]: it moves far more than usual and was not confirmed; the database
/// does not answer. Nothing is changed then.
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

/// As [`apply`], for a document that is only matched again: nothing is changed where another one took its place.
///
/// # Errors
/// As [`upload`]; [`Error::Conflict`]: it is no longer the release's document.
pub async fn apply_again(change: &mut Change<'_>, release: i64, p: &Prepared) -> Result<Uploaded> {
    super::hold(change, release).await?;
    let current = document::current(change, release).await?;
    if current.is_none_or(|(_, blob)| blob != document::hash(&p.bytes)) {
        return Err(Error::Conflict("another document took its place meanwhile".to_owned()));
    }
    apply(change, release, p).await
}

/// As [`upload`], inside a change that goes on.
///
/// # Errors
/// As [`upload`].
pub async fn apply(change: &mut Change<'_>, release: i64, p: &Prepared) -> Result<Uploaded> {
    let release: Release = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::SbomUpload, release.line)?;
    super::hold(change, release.id).await?;
    let ids = components(change, p).await?;
    name_families(change, p, &ids).await?;
    let before = document::content(change, release.id).await?;
    let after: Vec<i64> = p.placed.iter().filter_map(|c| ids.get(&c.hash).copied()).collect();
    let difference = document::difference(change, &before, &after).await?;
    let current = document::current(change, release.id).await?;
    let hash = document::keep(change, &p.bytes).await?;
    let unchanged = current.as_ref().is_some_and(|(_, blob)| *blob == hash);
    if let Some((id, _)) = current.as_ref().filter(|_| !unchanged) {
        unusual::ask(change, &release, p, before.len(), &difference, (*id, hash.as_str())).await?;
    }
    let document = match current {
        Some((id, _)) if unchanged => id,
        _ => {
            let note = Document::draft(&p.bom, &p.name, hash, &difference);
            let id = document::insert(change, release.id, &note).await?;
            // the document holds its bytes now, which may be those that waited
            unusual::settled(change, release.id).await?;
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
    let root = p.bom.root.and_then(|at| ids.get(&p.placed.get(*p.of.get(at)?)?.hash).copied());
    let update =
        "UPDATE document SET root = $2, revision = $3 WHERE id = $1 AND (root IS NULL OR revision IS NULL)";
    // a document without a version is its first (CycloneDX 1.6, `version`)
    let revision = i64::try_from(p.bom.version.unwrap_or(1)).unwrap_or(i64::MAX);
    let values = vec![document.into(), root.into(), revision.into()];
    sql::run(&change.tx, "noting what a document describes", update, values).await?;
    let numbers: Vec<i64> =
        p.of.iter()
            .map(|at| p.placed.get(*at).and_then(|c| ids.get(&c.hash)).copied().unwrap_or(0))
            .collect();
    let opened = p.opened.as_deref();
    let root = p.bom.root.and_then(|at| numbers.get(at)).copied().unwrap_or(0);
    let update = "UPDATE release SET components = $2, told = $3, root = $4 WHERE id = $1";
    let count = p.placed.len() as i64;
    let values = vec![release.id.into(), count.into(), i64::from(told(&p.bom)).into(), root.into()];
    sql::run(&change.tx, "counting components", update, values).await?;
    let findings =
        detection::apply(change, &release, &p.report, &p.bom, &numbers, &difference, opened).await?;
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

/// Whether a document says more of its components' findings than what is kept of each: it has to be asked itself.
fn told(bom: &Bom) -> bool {
    let systems = bom.components.iter().filter(|c| c.kind == ComponentKind::OperatingSystem).count();
    !bom.vex.is_empty() || systems > 1 || bom.components.iter().any(|c| !c.resolves.is_empty())
}

/// Makes the components that are not known yet; ids of all by hash.
async fn components(change: &Change<'_>, p: &Prepared) -> Result<HashMap<String, i64>> {
    let what = "making components";
    let hashes: Vec<String> = p.placed.iter().map(|c| c.hash.clone()).collect();
    let known = component_ids(&change.tx, &hashes).await?;
    // In one order whoever writes: of two uploads with new components in common one waits, never each for the other.
    let mut new: Vec<&Placed> = p.placed.iter().filter(|c| !known.contains_key(&c.hash)).collect();
    new.sort_unstable_by(|a, b| a.hash.cmp(&b.hash));
    let mut families: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    let rows: Vec<[Value; 10]> = new
        .into_iter()
        .filter_map(|c| Some((c, p.bom.components.get(c.first)?)))
        .map(|(placed, c)| {
            let cpes: Vec<String> = c.cpes.iter().map(ToString::to_string).collect();
            let (family, keys) = family(c);
            families.insert(family, keys);
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
                family.into(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Ok(known);
    }
    let head = "INSERT INTO component (hash, kind, grp, name, version, purl, cpes, supplier, plain, family)";
    bulk::insert(&change.tx, what, head, "ON CONFLICT (hash) DO NOTHING", rows).await?;
    keep_families(change, families).await?;
    component_ids(&change.tx, &hashes).await
}

/// The set of keys under which rules for a component are looked up, and the number that stands for it.
fn family(c: &Component) -> (i64, Vec<u64>) {
    let keys = matching::keys(c);
    let bytes: Vec<u8> = keys.iter().flat_map(|k| k.to_le_bytes()).collect();
    // 0 says that the family is not known yet
    (xxhash_rust::xxh3::xxh3_64(&bytes) as i64 | 1, keys)
}

/// Stores the keys of families that are not known yet.
async fn keep_families(change: &Change<'_>, mut families: BTreeMap<i64, Vec<u64>>) -> Result<()> {
    let what = "making components";
    let ids: Vec<i64> = families.keys().copied().collect();
    for chunk in ids.chunks(20_000) {
        let list = sql::numbers(&change.tx, 1);
        let select = format!("SELECT DISTINCT family FROM family_key WHERE family IN {list}");
        let known: Vec<(i64,)> = sql::rows(&change.tx, what, &select, vec![sql::list(chunk)]).await?;
        known.iter().for_each(|(family,)| drop(families.remove(family)));
    }
    let rows = families
        .iter()
        .flat_map(|(family, keys)| keys.iter().map(|key| [Value::from(*key as i64), (*family).into()]))
        .collect();
    let head = "INSERT INTO family_key (key, family)";
    bulk::insert(&change.tx, what, head, "ON CONFLICT DO NOTHING", rows).await?;
    Ok(())
}

/// Gives the components of a document that were stored without a family theirs.
async fn name_families(change: &Change<'_>, p: &Prepared, ids: &HashMap<String, i64>) -> Result<()> {
    let what = "naming families of components";
    let all: Vec<i64> = ids.values().copied().collect();
    let mut nameless: HashSet<i64> = HashSet::new();
    for chunk in all.chunks(20_000) {
        let list = sql::numbers(&change.tx, 1);
        let select = format!("SELECT id FROM component WHERE family = 0 AND id IN {list}");
        let rows: Vec<(i64,)> = sql::rows(&change.tx, what, &select, vec![sql::list(chunk)]).await?;
        nameless.extend(rows.into_iter().map(|r| r.0));
    }
    let (mut families, mut pairs) = (BTreeMap::new(), Vec::new());
    for placed in p.placed.iter().filter(|_| !nameless.is_empty()) {
        let id = ids.get(&placed.hash).filter(|id| nameless.contains(id));
        if let (Some(id), Some(c)) = (id, p.bom.components.get(placed.first)) {
            let (family, keys) = family(c);
            families.insert(family, keys);
            pairs.push((*id, family));
        }
    }
    for chunk in pairs.chunks(20_000) {
        let list = sql::pairs(&change.tx, 1);
        let update = format!("UPDATE component SET family = p.b FROM {list} p WHERE component.id = p.a");
        sql::run(&change.tx, what, &update, vec![sql::list(chunk)]).await?;
    }
    keep_families(change, families).await
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
    let of =
        |n: &usize| p.of.get(*n).and_then(|at| p.placed.get(*at)).and_then(|c| ids.get(&c.hash)).copied();
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
            c.parent.as_ref().and_then(of).filter(|parent| parent != id).unwrap_or(0).into(),
        ]);
        for (_, value) in &c.hashes {
            hashes.insert((value.clone(), *id), ());
        }
        for name in names {
            licences.insert((name.chars().take(LICENCE).collect(), *id), ());
        }
    }
    let head =
        "INSERT INTO occurrence (release, component, ref, places, licences, scope, direct, hashes, parent)";
    bulk::insert(&change.tx, what, head, "", rows).await?;
    let pairs = |map: BTreeMap<(String, i64), ()>| -> Vec<[Value; 3]> {
        map.into_keys().map(|(text, id)| [release.into(), sql::text(&text), id.into()]).collect()
    };
    let head = "INSERT INTO occurrence_hash (release, value, component)";
    bulk::insert(&change.tx, what, head, "", pairs(hashes)).await?;
    let head = "INSERT INTO occurrence_licence (release, licence, component)";
    bulk::insert(&change.tx, what, head, "", pairs(licences)).await?;
    let edges: HashSet<(i64, i64)> =
        p.bom.dependencies.iter().filter_map(|(from, to)| Some((of(from)?, of(to)?))).collect();
    let rows = edges.into_iter().map(|(from, to)| [release.into(), from.into(), to.into()]).collect();
    bulk::insert(&change.tx, what, "INSERT INTO edge (release, parent, child)", "", rows).await?;
    super::licences::count(change, release).await?;
    super::suppliers::count(change, release).await
}

/// The kind of a component as it is stored.
pub(crate) fn kind_named(name: &str) -> Option<ComponentKind> {
    use ComponentKind as K;
    const ALL: [ComponentKind; 13] = [
        K::Application,
        K::Framework,
        K::Library,
        K::Container,
        K::Platform,
        K::OperatingSystem,
        K::Device,
        K::DeviceDriver,
        K::Firmware,
        K::File,
        K::MachineLearningModel,
        K::Data,
        K::CryptographicAsset,
    ];
    ALL.into_iter().find(|k| kind_word(*k) == name)
}
