//! The JSON of `tocsin db`, described in `docs/db-json.md`.

use serde_json::{Value, json};
use tocsin_core::intel::{
    Counts, Hits, ImportReport, IndexStatus, Problem, RunRow, Shown, ShownRecord, Status,
};
use tocsin_model::record::{
    Affected, CatalogueEntry, Configuration, CpeMatch, Fact, RecordKind, RecordState, Target, VersionEntry,
};

use crate::output::said::version_status;

fn counts(source: &str, c: &Counts) -> Value {
    json!({"source": source, "read": c.read, "new": c.new, "changed": c.changed, "unchanged": c.unchanged,
           "older": c.older, "refused": c.refused})
}

/// `tocsin.db.import/1`.
pub(super) fn report(r: &ImportReport) -> Value {
    let sources: Vec<Value> = r.sources.iter().map(|(s, c)| counts(s, c)).collect();
    json!({"schema": "tocsin.db.import/1", "files": r.files, "skipped": r.skipped, "skipped_places": r.skipped_places,
           "problems": r.problems, "remarks": r.remarks, "interrupted": r.interrupted, "sources": sources})
}

fn run(r: &RunRow) -> Value {
    let sources: Vec<Value> = r.sources.iter().map(|(s, c)| counts(s, c)).collect();
    json!({"id": r.id, "paths": r.paths, "started": r.started, "ended": r.ended, "outcome": r.outcome,
           "files": r.files, "skipped": r.skipped, "problems": r.problems, "sources": sources})
}

fn index_state(i: &IndexStatus) -> Value {
    let written = i.written.and_then(|s| i64::try_from(s).ok());
    let written = written.and_then(|s| jiff::Timestamp::from_second(s).ok()).map(|t| t.to_string());
    json!({"usable": i.usable, "bytes": i.bytes, "segments": i.segments, "vulnerabilities": i.vulnerabilities,
           "vex_statements": i.vex, "written": written, "behind": i.behind})
}

/// `tocsin.db.index/1`.
pub(super) fn index(i: &IndexStatus) -> Value {
    json!({"schema": "tocsin.db.index/1", "index": index_state(i)})
}

/// `tocsin.db.status/1`.
pub(super) fn status(s: &Status) -> Value {
    let sources: Vec<Value> = s
        .sources
        .iter()
        .map(|s| {
            json!({"source": s.source, "records": s.records, "newest": s.newest, "imported": s.imported,
                   "problems": s.problems})
        })
        .collect();
    let imports: Vec<Value> = s.imports.iter().map(run).collect();
    json!({"schema": "tocsin.db.status/1", "sources": sources, "vulnerabilities": s.vulnerabilities,
           "epss": {"rows": s.epss.0, "newest": s.epss.1}, "kev": {"rows": s.kev.0, "newest": s.kev.1},
           "exploits": s.exploits, "cwes": s.cwes, "vex_statements": s.vex, "problems": s.problems,
           "remarks": s.remarks, "index": index_state(&s.index), "imports": imports, "database_bytes": s.database_bytes})
}

/// `tocsin.db.search/1`.
pub(super) fn hits(h: &Hits) -> Value {
    let words = |text: &str| Value::from(text.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>());
    let hits: Vec<Value> = h
        .hits
        .iter()
        .map(|h| json!({"id": h.id, "title": h.title, "ids": words(&h.ids), "packages": words(&h.packages)}))
        .collect();
    json!({"schema": "tocsin.db.search/1", "hits": hits, "next": h.next})
}

fn problem(p: &Problem) -> Value {
    let (severity, remedy) = tocsin_model::diagnostic::code_info(&p.code)
        .map_or(("warning", ""), |c| (c.level.as_str(), c.remedy));
    json!({"id": p.id, "seen": p.seen, "source": p.source, "place": p.place, "code": p.code, "severity": severity,
           "message": p.message, "remedy": remedy})
}

/// `tocsin.db.problems/1`.
pub(super) fn problems(list: &[Problem], next: Option<i64>) -> Value {
    json!({"schema": "tocsin.db.problems/1", "problems": list.iter().map(problem).collect::<Vec<_>>(), "next": next})
}

/// The word for the state of a record.
pub(super) fn state(state: RecordState) -> &'static str {
    match state {
        RecordState::Published => "published",
        RecordState::Disputed => "disputed",
        RecordState::Withdrawn => "withdrawn",
        RecordState::Rejected => "rejected",
    }
}

/// The word for what a record is about.
pub(super) fn kind(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Vulnerability => "vulnerability",
        RecordKind::Malware => "malware",
        RecordKind::Informational => "informational",
    }
}

fn target(t: &Target) -> Value {
    match t {
        Target::Package { ecosystem, release, name, qualifiers } => {
            json!({"ecosystem": ecosystem.osv_name(), "release": release, "name": name, "qualifiers": qualifiers})
        }
        Target::Cpe(cpe) => json!({"cpe": cpe.to_string()}),
        Target::Named { vendor, product } => json!({"vendor": vendor, "product": product}),
        Target::OtherPurl(purl) => json!({"purl": purl.to_string()}),
    }
}

fn entry(e: &VersionEntry) -> Value {
    json!({"from": e.low, "from_included": !e.low_open, "to": e.high, "to_included": e.high_closed,
           "status": version_status(e.status)})
}

fn affected(a: &Affected) -> Value {
    json!({"target": target(&a.target), "said_by": a.source.as_str(),
           "default": version_status(a.versions.default),
           "versions": a.versions.entries.iter().map(entry).collect::<Vec<_>>(),
           "undecidable": a.versions.undecidable, "fixed": a.versions.fixed, "symbols": a.symbols, "note": a.note})
}

fn cpe_match(m: &CpeMatch) -> Value {
    json!({"vulnerable": m.vulnerable, "cpe": m.cpe.to_string(), "from": m.low, "from_included": !m.low_open,
           "to": m.high, "to_included": m.high_closed})
}

fn configuration(c: &Configuration) -> Value {
    let word = |and: bool| if and { "and" } else { "or" };
    let nodes: Vec<Value> = c
        .nodes
        .iter()
        .map(|n| {
            json!({"operator": word(n.and), "negate": n.negate,
                   "matches": n.matches.iter().map(cpe_match).collect::<Vec<_>>()})
        })
        .collect();
    json!({"operator": word(c.and), "negate": c.negate, "nodes": nodes})
}

fn record(r: &ShownRecord) -> Value {
    let d = &r.record;
    let scores: Vec<Value> = d
        .scores
        .iter()
        .map(|s| {
            let score = f64::from((s.cvss.score * 10.0).round()) / 10.0;
            json!({"version": s.cvss.version, "vector": s.cvss.vector, "score": score, "by": s.by})
        })
        .collect();
    let references: Vec<Value> =
        d.references.iter().map(|(kind, url)| json!({"kind": kind, "url": url})).collect();
    let ssvc: Vec<Value> = d.ssvc.iter().map(|(k, v)| json!({"point": k, "value": v})).collect();
    let history: Vec<Value> =
        r.history.iter().map(|(until, modified)| json!({"until": until, "modified": modified})).collect();
    json!({
        "source": r.source, "record": r.record_id, "id": d.id, "aliases": d.aliases, "state": state(d.state),
        "kind": kind(d.kind), "title": d.title, "description": d.description, "published": d.published,
        "modified": d.modified, "first_seen": r.first_seen, "last_changed": r.last_seen,
        "severity": d.severity_word, "scores": scores, "cwes": d.cwes, "ssvc": ssvc, "references": references,
        "affected": d.affected.iter().map(affected).collect::<Vec<_>>(),
        "configurations": d.configurations.iter().map(configuration).collect::<Vec<_>>(),
        "history": history,
    })
}

/// Ids with the names the catalogue has for them.
fn named(ids: &[impl AsRef<str>], known: &[CatalogueEntry]) -> Vec<Value> {
    ids.iter()
        .map(|id| {
            let id = id.as_ref();
            let entry = known.iter().find(|k| k.id.eq_ignore_ascii_case(id));
            json!({"id": id, "name": entry.map(|k| &k.name), "status": entry.map(|k| &k.status)})
        })
        .collect()
}

/// `tocsin.db.weakness/1`.
pub(super) fn weakness(e: &CatalogueEntry, parents: &[CatalogueEntry], needs: &[CatalogueEntry]) -> Value {
    json!({"schema": "tocsin.db.weakness/1", "id": e.id, "name": e.name, "abstraction": e.abstraction,
           "status": e.status, "usage": e.usage, "release": e.release, "date": e.date,
           "parents": named(&e.parents, parents), "weaknesses": named(&e.weaknesses, needs)})
}

/// `tocsin.db.show/1`.
pub(super) fn shown(s: &Shown, known: &[CatalogueEntry]) -> Value {
    let (mut kev, mut epss, mut exploits) = (Value::Null, Value::Null, Vec::new());
    for fact in &s.facts {
        match fact {
            Fact::Kev { date_added, due_date, ransomware, name, released, .. } => {
                kev = json!({"added": date_added, "due": due_date, "ransomware": ransomware, "name": name,
                             "released": released});
            }
            Fact::Epss { score, percentile, date, .. } => {
                let rounded = |n: f32| (f64::from(n) * 1e5).round() / 1e5;
                epss = json!({"score": rounded(*score), "percentile": rounded(*percentile), "date": date});
            }
            Fact::Exploit { origin, id, title, date, verified, rank, .. } => {
                exploits.push(json!({"origin": origin, "id": id, "title": title, "date": date,
                                     "verified": verified, "rank": rank}));
            }
            Fact::Catalogue(_) => {}
        }
    }
    let history: Vec<Value> =
        s.epss_history.iter().map(|(d, s, p)| json!({"date": d, "score": s, "percentile": p})).collect();
    let see_also: Vec<Value> = s
        .see_also
        .iter()
        .map(|(how, id, main)| json!({"how": how, "id": id, "vulnerability": main}))
        .collect();
    let vex: Vec<Value> = s
        .vex
        .iter()
        .map(|v| {
            let products: Vec<Value> = v
                .products
                .iter()
                .map(|p| {
                    json!({"identifiers": p.identifiers, "subcomponents": p.subcomponents, "versions": p.versions})
                })
                .collect();
            json!({"vulnerability": v.vulnerability, "status": v.status.as_str(), "justification": v.justification,
                   "statement": v.statement, "timestamp": v.timestamp, "author": v.author,
                   "document": v.document, "products": products})
        })
        .collect();
    let remediations: Vec<Value> = s
        .records
        .iter()
        .flat_map(|r| r.record.remediations.iter().map(move |m| (r, m)))
        .map(|(r, m)| {
            json!({"source": r.source, "record": r.record_id, "category": m.category, "details": m.details,
                   "url": m.url, "date": m.date, "products": m.products})
        })
        .collect();
    json!({
        "schema": "tocsin.db.show/1", "id": s.id, "aliases": s.aliases, "kev": kev, "epss": epss,
        "epss_history": history, "exploits": exploits, "weaknesses": named(&cwes(s), known),
        "remediations": remediations, "see_also": see_also,
        "records": s.records.iter().map(record).collect::<Vec<_>>(), "vex": vex,
        "problems": s.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

/// CWE ids of all records, each once, in their order.
pub(super) fn cwes(s: &Shown) -> Vec<&str> {
    let mut out: Vec<&str> = Vec::new();
    for cwe in s.records.iter().flat_map(|r| &r.record.cwes) {
        if !out.contains(&cwe.as_str()) {
            out.push(cwe);
        }
    }
    out
}
