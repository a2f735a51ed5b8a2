//! Vulnerabilities: those that hurt us, a search over all that are known, and one with everything the sources say.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tocsin_core::Error;
use tocsin_core::detection::{self, Hurting, Presence, Reaching, Spread};
use tocsin_core::intel::{self, Hit, Shown, ShownRecord};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::query::Total;
use tocsin_core::warnings::{self, Shown as Early};
use tocsin_engine::index::Vulnerability;
use tocsin_model::record::{Fact, RecordState};

use super::asked::{Asked, Head, Pairs, param};
use super::{Answer, Page, chart, encode, filters, show};
use crate::output::said;
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/vulnerabilities", Access::Needs(Permission::FindingRead)),
    ("GET", "/vulnerabilities/{id}", Access::Needs(Permission::IntelRead)),
];

pub fn routes() -> Router<App> {
    Router::new().route("/vulnerabilities", get(list)).route("/vulnerabilities/{id}", get(one))
}

/// Filters a reader sets by one click.
const QUICK: [(&str, &str); 4] = [
    ("Exploited", "kev:true"),
    ("High or worse", "severity>=high"),
    ("Exploit public", "exploit:true"),
    ("New this week", "found>now-7d"),
];

/// Rows of a page.
const ROWS: u64 = 100;

#[derive(Template)]
#[template(path = "vulnerabilities/list.html")]
struct List {
    page: Page,
    known: bool,
    /// The reader may see the list of early warnings.
    early: bool,
    asked: Asked,
    text: String,
    heads: Vec<Head>,
    hurting: Vec<Hurting>,
    hits: Vec<(Hit, Reaching)>,
    counted: String,
    next: String,
}

fn about(column: &str) -> (&'static str, &'static str, bool) {
    match column {
        "severity" => ("Severity", "severity", false),
        "vulnerability" => ("Vulnerability", "vulnerability", false),
        "score" => ("CVSS", "score", true),
        "epss" => ("EPSS %", "epss", true),
        "findings" => ("Findings", "", true),
        "releases" => ("Releases", "", true),
        "units" => ("Units", "", true),
        _ => ("First found", "found", false),
    }
}

const COLUMNS: [&str; 8] =
    ["severity", "vulnerability", "score", "epss", "findings", "releases", "units", "found"];

async fn list(State(app): State<App>, browser: Browser, Query(pairs): Query<Pairs>) -> Answer {
    let actor = browser.actor();
    let known = param(&pairs, "in") == "known";
    let text = param(&pairs, "text").trim().to_owned();
    let asked = Asked::read("vulnerabilities", "/vulnerabilities", detection::flaw_schema(), &QUICK, &pairs);
    let after = Some(param(&pairs, "after")).filter(|t| !t.is_empty());
    let (mut hurting, mut hits, mut next, mut total) =
        (Vec::new(), Vec::new(), String::new(), Total::default());
    if known {
        let after = after.and_then(|a| a.parse().ok());
        let found = intel::known(app.db(), actor, &text, ROWS as u32, after).await?;
        let ids: Vec<&str> = found.hits.iter().map(|h| h.id.as_str()).collect();
        let reaching = detection::reaching(app.db(), actor, &ids).await?;
        next = found
            .next
            .map_or(String::new(), |n| format!("/vulnerabilities?in=known&text={}&after={n}", encode(&text)));
        hits = found
            .hits
            .into_iter()
            .map(|h| {
                let reach = reaching.get(&h.id).copied().unwrap_or_default();
                (h, reach)
            })
            .collect();
    } else if asked.wrong.is_empty() {
        let most = asked.query.limit.map_or(ROWS, u64::from);
        let rows = detection::hurting(app.db(), actor, &asked.query, after, most).await?;
        next = rows.next.map_or(String::new(), |n| asked.next(&n));
        (hurting, total) = (rows.rows, rows.total);
    } else {
        actor.need(Permission::FindingRead)?;
    }
    show(&List {
        page: Page::new(&browser, "/vulnerabilities", "Vulnerabilities"),
        known,
        early: actor.need_everywhere(Permission::DeskRead).is_ok(),
        text,
        heads: asked.heads(&COLUMNS, asked.query.sort, about, &asked.schema.sorts),
        counted: asked.counted(
            &total,
            "vulnerability hurts our releases",
            "vulnerabilities hurt our releases",
        ),
        asked,
        hurting,
        hits,
        next,
    })
}

/// A line of the comparison of sources.
struct Line {
    label: &'static str,
    /// What each source says, as items; the same order as the sources.
    cells: Vec<Vec<String>>,
    /// Not all that say something say the same.
    differs: bool,
}

/// A source in the comparison.
struct Said {
    anchor: String,
    source: String,
    record: String,
    /// The record at its publisher, or empty.
    url: String,
    /// `disputed`, `withdrawn`, `rejected`, or empty.
    state: &'static str,
}

/// Something that happened to what is known.
struct Happened {
    at: String,
    what: String,
}

#[derive(Template)]
#[template(path = "vulnerabilities/one.html")]
struct One {
    page: Page,
    id: String,
    title: String,
    description: String,
    v: Option<Vulnerability>,
    shown: Shown,
    spread: Spread,
    places: Vec<Presence>,
    said: Vec<Said>,
    lines: Vec<Line>,
    references: Vec<String>,
    happened: Vec<Happened>,
    first_heard: String,
    kev: Option<(String, Option<String>, bool)>,
    epss: Option<(f32, f32)>,
    trend: Option<chart::Trend>,
    exploits: Vec<(String, String, String)>,
    /// Early warnings of the workspace that it is.
    early: Vec<Early>,
}

/// The word of an early warning, beside those of sources.
fn of_warning(w: &Early) -> ShownRecord {
    ShownRecord {
        source: "tocsin".to_owned(),
        record_id: w.warning.name.clone(),
        first_seen: w.warning.created.clone(),
        last_seen: w.warning.changed.clone(),
        record: w.record(),
        history: Vec::new(),
    }
}

/// Most records on the page.
const RECORDS: usize = 12;

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let actor = browser.actor();
    actor.need(Permission::IntelRead)?;
    let shown = match intel::shown(app.db(), actor, &id).await {
        Ok(shown) => Some(shown),
        Err(Error::NotFound(_)) => None,
        Err(e) => return Err(e.into()),
    };
    let main = shown.as_ref().map_or_else(|| id.clone(), |s| s.id.clone());
    let early = warnings::of(app.db(), actor, &main).await?;
    let named = early.iter().find(|w| w.warning.name.eq_ignore_ascii_case(&main)).map(|w| &w.warning);
    let main = match named {
        Some(w) if w.main.is_empty() => w.name.clone(),
        Some(w) => w.main.clone(),
        None => main,
    };
    // one vulnerability, one address: an alias leads to the main id
    if main != id {
        return Ok(Redirect::to(&format!("/vulnerabilities/{}", encode(&main))).into_response());
    }
    let opened = app.index();
    let v = match opened.as_deref() {
        Some(opened) => opened
            .index
            .find(&main)
            .map_err(|e| Error::Internal { doing: "reading the index".to_owned(), cause: Box::new(e) })?,
        None => None,
    };
    let v = warnings::find(app.db(), actor, opened.as_deref(), &main).await?.or(v);
    let places = detection::presence(app.db(), actor, &main).await?;
    if shown.is_none() && v.is_none() && places.is_empty() && early.is_empty() {
        return Err(PageError::not_found("vulnerability of this id"));
    }
    let mut shown = shown.unwrap_or_default();
    // the order of trust, as it is in the sources' own order of the store
    shown.records.truncate(RECORDS);
    shown.records.extend(early.iter().map(of_warning));
    shown.aliases.extend(early.iter().map(|w| w.warning.name.clone()).filter(|n| *n != main));
    let first = |text: fn(&ShownRecord) -> &str| {
        shown.records.iter().map(text).find(|t| !t.is_empty()).unwrap_or_default().to_owned()
    };
    let (title, description) = (first(|r| &r.record.title), first(|r| &r.record.description));
    let title = v.as_ref().map(|v| v.title.clone()).filter(|t| !t.is_empty()).unwrap_or(title);
    let page = One {
        page: Page::new(&browser, "/vulnerabilities", &main).crumb("/vulnerabilities", "Vulnerabilities"),
        spread: detection::spread(app.db(), actor, &main).await?,
        said: shown.records.iter().map(said_by).collect(),
        lines: lines(&shown.records),
        references: references(&shown),
        happened: happened(&shown, &early),
        first_heard: shown.records.iter().map(|r| r.first_seen.clone()).min().unwrap_or_default(),
        kev: shown.facts.iter().find_map(kev),
        epss: v.as_ref().and_then(|v| v.epss),
        trend: chart::trend(&shown.epss_history),
        exploits: shown.facts.iter().filter_map(exploit).collect(),
        description: if description == title { String::new() } else { description },
        early,
        id: main,
        title,
        v,
        shown,
        places,
    };
    Ok(show(&page)?.into_response())
}

fn kev(fact: &Fact) -> Option<(String, Option<String>, bool)> {
    match fact {
        Fact::Kev { date_added, due_date, ransomware, .. } => {
            Some((date_added.clone(), due_date.clone(), *ransomware))
        }
        _ => None,
    }
}

fn exploit(fact: &Fact) -> Option<(String, String, String)> {
    match fact {
        Fact::Exploit { origin, id, title, .. } => Some(((*origin).to_owned(), id.clone(), title.clone())),
        _ => None,
    }
}

fn said_by(r: &ShownRecord) -> Said {
    let id = &r.record_id;
    let url = match r.source.as_str() {
        "ghsa" => format!("https://github.com/advisories/{}", encode(id)),
        "nvd" => format!("https://nvd.nist.gov/vuln/detail/{}", encode(id)),
        "cve" => format!("https://www.cve.org/CVERecord?id={}", encode(id)),
        "osv" | "rustsec" => format!("https://osv.dev/vulnerability/{}", encode(id)),
        "euvd" => format!("https://euvd.enisa.europa.eu/vulnerability/{}", encode(id)),
        "jvn" => id.strip_prefix("JVNDB-").map_or_else(String::new, |rest| {
            let year = rest.split('-').next().unwrap_or_default();
            format!("https://jvndb.jvn.jp/ja/contents/{}/{}.html", encode(year), encode(id))
        }),
        "tocsin" => format!("/warnings/{}", encode(id)),
        _ => String::new(),
    };
    Said {
        anchor: format!("{}-{id}", r.source),
        source: r.source.clone(),
        record: id.clone(),
        url,
        state: match r.record.state {
            RecordState::Published => "",
            RecordState::Disputed => "disputed",
            RecordState::Withdrawn => "withdrawn",
            RecordState::Rejected => "rejected",
        },
    }
}

/// Statements of versions shown of one source.
const VERSIONS: usize = 8;

fn lines(records: &[ShownRecord]) -> Vec<Line> {
    let each = |label, compared: bool, cell: fn(&ShownRecord) -> Vec<String>| {
        let cells: Vec<Vec<String>> = records.iter().map(cell).collect();
        let told: BTreeSet<BTreeSet<&String>> =
            cells.iter().filter(|c| !c.is_empty()).map(|c| c.iter().collect()).collect();
        Line { label, differs: compared && told.len() > 1, cells }
    };
    let day = |t: &Option<String>| t.as_deref().and_then(|t| t.get(..10)).map(str::to_owned);
    let list = vec![
        each("Title", false, |r| some(&r.record.title)),
        each("Severity", true, |r| {
            let mut words: Vec<String> =
                r.record.scores.iter().map(|s| s.cvss.severity().to_string()).collect();
            if words.is_empty() {
                words.extend(r.record.severity_word.iter().map(|w| w.to_lowercase()));
            }
            words.dedup();
            words
        }),
        each("CVSS", true, |r| {
            let score = |s: &tocsin_model::record::Score| format!("{:.1}  {}", s.cvss.score, s.cvss.vector);
            r.record.scores.iter().map(score).collect()
        }),
        each("Weaknesses", true, |r| r.record.cwes.clone()),
        each("SSVC, exploitation", false, |r| {
            r.record.ssvc.iter().map(|(point, value)| format!("{point}: {value}")).collect()
        }),
        each("Versions", false, |r| {
            let mut said: Vec<String> = r.record.affected.iter().map(said::affected).collect();
            for c in &r.record.configurations {
                let and = c.and && c.nodes.len() > 1;
                said.extend(c.nodes.iter().flat_map(|n| &n.matches).map(|m| said::matched(m, and)));
            }
            let more = said.len().saturating_sub(VERSIONS);
            said.truncate(VERSIONS);
            if more > 0 {
                said.push(format!("and {more} more"));
            }
            said
        }),
        each("Fixed in", true, |r| {
            let fixed: BTreeSet<&String> = r.record.affected.iter().flat_map(|a| &a.versions.fixed).collect();
            fixed.into_iter().take(VERSIONS).cloned().collect()
        }),
        each("Remedies", false, |r| {
            let remedy = |m: &tocsin_model::record::Remediation| {
                format!("{}: {}", m.category.replace('_', " "), crate::output::text::clip(&m.details, 160))
            };
            r.record.remediations.iter().take(4).map(remedy).collect()
        }),
    ];
    let dates = |label, cell: &dyn Fn(&ShownRecord) -> Option<String>| Line {
        label,
        cells: records.iter().map(|r| cell(r).into_iter().collect()).collect(),
        differs: false,
    };
    let dates = [
        dates("Published", &|r| day(&r.record.published)),
        dates("Modified", &|r| day(&r.record.modified)),
        dates("Here since", &|r| r.first_seen.get(..10).map(str::to_owned)),
    ];
    list.into_iter().chain(dates).filter(|l| l.cells.iter().any(|c| !c.is_empty())).collect()
}

fn some(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

/// Addresses that records name, over HTTP alone, each once.
fn references(shown: &Shown) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let urls = shown.records.iter().flat_map(|r| r.record.references.iter().map(|(_, url)| url.clone()));
    urls.filter(|u| (u.starts_with("https://") || u.starts_with("http://")) && seen.insert(u.clone()))
        .take(40)
        .collect()
}

/// What happened to what is known, newest first, at most 60 entries.
fn happened(shown: &Shown, early: &[Early]) -> Vec<Happened> {
    let mut list = Vec::new();
    let mut put = |at: &str, what: String| list.push(Happened { at: at.to_owned(), what });
    for r in &shown.records {
        let who = format!("{} {}", r.source, r.record_id);
        if let Some(published) = &r.record.published {
            put(published, format!("{who} was published"));
        }
        put(&r.first_seen, format!("{who} was heard of"));
        for (until, _) in &r.history {
            put(until, format!("{who} changed"));
        }
    }
    for w in early {
        for e in &w.events {
            let more = if e.detail.is_empty() { String::new() } else { format!(": {}", e.detail) };
            put(&e.at, format!("{} {} by {}{more}", w.warning.name, e.what, e.actor));
        }
    }
    for fact in &shown.facts {
        match fact {
            Fact::Kev { date_added, .. } => put(date_added, "known to be exploited (CISA KEV)".to_owned()),
            Fact::Exploit { origin, id, date: Some(date), .. } => {
                put(date, format!("an exploit became public: {origin} {id}"));
            }
            _ => {}
        }
    }
    for pair in shown.epss_history.windows(2) {
        if let [(_, was, _), (day, is, _)] = pair
            && (is - was).abs() >= 0.01
        {
            put(day, format!("EPSS went from {:.1} % to {:.1} %", was * 100.0, is * 100.0));
        }
    }
    list.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.what.cmp(&b.what)));
    list.truncate(60);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use tocsin_model::record::Record;

    fn record(source: &str, cwes: &[&str], title: &str) -> ShownRecord {
        ShownRecord {
            source: source.to_owned(),
            record_id: format!("{source}-1"),
            first_seen: "2026-01-02T00:00:00Z".to_owned(),
            last_seen: String::new(),
            record: Record {
                title: title.to_owned(),
                cwes: cwes.iter().map(|c| (*c).to_owned()).collect(),
                published: Some("2026-01-01T00:00:00Z".to_owned()),
                ..Record::default()
            },
            history: vec![("2026-02-01T00:00:00Z".to_owned(), None)],
        }
    }

    #[test]
    fn what_differs_is_marked_and_silence_is_no_difference() {
        let differs = |records: &[ShownRecord], label: &str| {
            lines(records).iter().find(|l| l.label == label).map(|l| l.differs)
        };
        let (a, b) = (record("nvd", &["CWE-79"], "x"), record("ghsa", &["CWE-80"], "y"));
        assert_eq!(differs(&[a, b], "Weaknesses"), Some(true));
        let (a, b) = (record("nvd", &["CWE-79", "CWE-80"], "x"), record("ghsa", &["CWE-80", "CWE-79"], "y"));
        assert_eq!(differs(&[a, b], "Weaknesses"), Some(false), "the order says nothing");
        let (a, b) = (record("nvd", &["CWE-79"], "x"), record("ghsa", &[], "y"));
        let both = [a, b];
        assert_eq!(differs(&both, "Weaknesses"), Some(false), "silence is no other word");
        assert_eq!(differs(&both, "Title"), Some(false), "titles always differ");
        assert_eq!(differs(&both, "CVSS"), None, "what nobody says has no line");
    }

    #[test]
    fn history_is_newest_first() {
        let shown = Shown {
            records: vec![record("nvd", &[], "")],
            epss_history: vec![
                ("2026-03-01".to_owned(), 0.1, 0.5),
                ("2026-03-02".to_owned(), 0.101, 0.5),
                ("2026-03-03".to_owned(), 0.5, 0.9),
            ],
            ..Shown::default()
        };
        let told: Vec<String> = happened(&shown, &[]).into_iter().map(|h| h.what).collect();
        assert_eq!(
            told,
            [
                "EPSS went from 10.1 % to 50.0 %",
                "nvd nvd-1 changed",
                "nvd nvd-1 was heard of",
                "nvd nvd-1 was published"
            ]
        );
    }
}
