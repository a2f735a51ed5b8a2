//! Findings across the workspace, one of them with its evidence, decisions.

use std::collections::HashSet;

use axum::Router;
use axum::routing::{get, post};
use tocsin_core::detection::Finding;
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::query::grouped;

use super::asked::{Asked, Head, param};
use crate::server::App;
use crate::server::guard::{Access, Route};

mod bulk;
mod export;
mod list;
mod one;

pub use bulk::{Bulk, Wanted};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/findings", Access::Needs(Permission::FindingRead)),
    ("GET", "/findings.csv", Access::Needs(Permission::FindingRead)),
    ("GET", "/findings.json", Access::Needs(Permission::FindingRead)),
    ("GET", "/findings.ndjson", Access::Needs(Permission::FindingRead)),
    ("GET", "/findings.sarif", Access::Needs(Permission::FindingRead)),
    ("POST", "/findings/decisions", Access::Needs(Permission::FindingDecide)),
    ("POST", "/findings/owners", Access::Needs(Permission::FindingDecide)),
    ("GET", "/findings/{id}", Access::Needs(Permission::FindingRead)),
    ("GET", "/findings/{id}/peek", Access::Needs(Permission::FindingRead)),
    ("POST", "/findings/{id}/decision", Access::Needs(Permission::FindingDecide)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/findings", get(list::list))
        .route("/findings/decisions", post(bulk::decide_all))
        .route("/findings/owners", post(bulk::own_all))
        .route("/findings/{id}", get(one::one))
        .route("/findings/{id}/peek", get(one::peek))
        .route("/findings/{id}/decision", post(one::decide))
        .merge(export::routes())
}

/// What a decision reaches, as the reader sees it.
pub const REACHES: [(&str, &str); 4] = [
    ("finding", "this component in this release"),
    ("release", "every component of this release"),
    ("product", "this component in every release of the product"),
    ("component", "this component everywhere"),
];

/// Filters a reader sets by one click.
pub const QUICK: [(&str, &str); 9] = [
    ("Exploited", "kev:true"),
    ("High or worse", "severity>=high"),
    ("Undecided", "status:under_investigation"),
    ("Mine", "owner:me"),
    ("Overdue", "due<now"),
    ("Lapsed", "lapsed:true"),
    ("Proposed", "proposed:true"),
    ("With guesses", "guess:any"),
    ("Closed", "closed:true"),
];

/// Columns of a list of findings where the reader chose none.
pub const COLUMNS: [&str; 9] =
    ["severity", "vulnerability", "component", "release", "fixed", "epss", "status", "owner", "found"];
/// The same, of one release.
pub const COLUMNS_OF_RELEASE: [&str; 8] =
    ["severity", "vulnerability", "component", "fixed", "epss", "status", "owner", "found"];
/// The same, where findings of two releases are compared.
pub const COLUMNS_COMPARED: [&str; 7] =
    ["severity", "vulnerability", "component", "fixed", "epss", "status", "found"];

/// What the reader sees of a column, the order it has, and whether it holds numbers.
pub fn about(column: &str) -> (&'static str, &'static str, bool) {
    match column {
        "severity" => ("Severity", "severity", false),
        "score" => ("CVSS", "score", true),
        "vulnerability" => ("Vulnerability", "vulnerability", false),
        "component" => ("Component", "component", false),
        "release" => ("Release", "release", false),
        "fixed" => ("Fixed in", "", false),
        "epss" => ("EPSS %", "epss", true),
        "status" => ("Status", "status", false),
        "found" => ("Found", "found", false),
        "owner" => ("Owner, due", "due", false),
        "due" => ("Due", "due", false),
        "confidence" => ("Confidence", "", false),
        _ => ("", "", false),
    }
}

/// Whether a column is shown.
pub fn has(heads: &[Head], column: &str) -> bool {
    heads.iter().any(|h| h.name == column)
}

/// Heads of columns without an order.
pub fn plain_heads(columns: &[&'static str]) -> Vec<Head> {
    let head = |&name: &&'static str| {
        let (label, _, num) = about(name);
        Head { name, label, num, href: String::new(), sorted: "" }
    };
    columns.iter().map(head).collect()
}

/// A query over findings in an address.
pub fn asked(path: impl Into<String>, pairs: &[(String, String)]) -> Asked {
    Asked::read("findings", path, tocsin_core::detection::schema(), &QUICK, pairs)
}

/// Which rows of a list of findings have a box to tick, and which are ticked.
#[derive(Default)]
pub struct Pick {
    actor: Option<Actor>,
    ticked: HashSet<i64>,
    flaws: HashSet<String>,
}

impl Pick {
    /// No boxes: the list is only read.
    pub fn none() -> Pick {
        Pick::default()
    }

    /// A box where the actor may decide.
    pub fn of(actor: &Actor, bulk: &Bulk) -> Pick {
        Pick {
            actor: actor.may(Permission::FindingDecide).then(|| actor.clone()),
            ticked: bulk.ticked.clone(),
            flaws: bulk.flaws.clone(),
        }
    }

    /// Some row can have a box.
    pub fn any(&self) -> bool {
        self.actor.is_some()
    }

    /// This row has one.
    pub fn may(&self, f: &Finding) -> bool {
        self.actor.as_ref().is_some_and(|a| a.need_in(Permission::FindingDecide, f.line).is_ok())
    }

    /// This row's is ticked.
    pub fn ticked(&self, f: &Finding) -> bool {
        self.ticked.contains(&f.id)
    }

    /// This vulnerability's is ticked.
    pub fn ticked_flaw(&self, id: &str) -> bool {
        self.flaws.contains(id)
    }
}

/// What was done, as the page tells it of the parameters `decided` and `owned`.
pub fn done(pairs: &[(String, String)]) -> String {
    let number = |name: &str| param(pairs, name).parse::<u64>().ok();
    match (number("decided"), number("owned")) {
        (Some(1), _) => "Decided.".to_owned(),
        (Some(n), _) => format!("Decided for {} findings.", grouped(n)),
        (_, Some(0)) => "Owner and due date were so already.".to_owned(),
        (_, Some(1)) => "Owner and due date are set.".to_owned(),
        (_, Some(n)) => format!("Owner and due date are set for {} findings.", grouped(n)),
        _ => String::new(),
    }
}
