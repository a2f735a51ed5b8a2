//! Decisions: what the team says of a vulnerability in a finding, a release, a product or a component everywhere.
//!
//! Many findings are decided in a fixed number of statements. Where the workspace asks for a second person's approval,
//! a decision waits ([`super::approve`]) and changes no status until it has it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sea_orm::Value;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::thing::{COLUMNS as THING, Thing};
use super::{approve, carry, note, recount};
use crate::error::{Error, Result};
use crate::platform::access::Permission;
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// Statuses a person can give: VEX statuses and CycloneDX's `false_positive` for a wrong match.
pub const STATUSES: [&str; 5] =
    ["under_investigation", "affected", "not_affected", "fixed", "false_positive"];

/// Justifications for `not_affected` (CISA, "Vulnerability Exploitability eXchange: Status Justifications", 2022).
pub const JUSTIFICATIONS: [&str; 5] = [
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];

/// What will be done (CycloneDX 1.6 `analysis.response`).
pub const RESPONSES: [&str; 5] =
    ["can_not_fix", "will_not_fix", "update", "rollback", "workaround_available"];

/// How far a decision reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// This component in this release.
    Finding,
    /// Every component of the release.
    Release,
    /// Every release of the product that has this very component.
    Product,
    /// This very component wherever the workspace has it.
    Component,
}

impl Reach {
    /// The reach of a stored name.
    pub fn parse(name: &str) -> Option<Reach> {
        serde_json::from_value(name.into()).ok()
    }

    /// The stored name.
    pub fn name(self) -> &'static str {
        match self {
            Reach::Finding => "finding",
            Reach::Release => "release",
            Reach::Product => "product",
            Reach::Component => "component",
        }
    }
}

/// A decision to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// One of [`STATUSES`].
    pub status: String,
    /// One of [`JUSTIFICATIONS`] or empty; `not_affected` needs one or a detail.
    #[serde(default)]
    pub justification: String,
    /// One of [`RESPONSES`], or empty.
    #[serde(default)]
    pub response: String,
    /// In words.
    #[serde(default)]
    pub detail: String,
    /// How far it reaches.
    pub reach: Reach,
    /// Day on which it ends (`2027-03-01`, UTC).
    #[serde(default)]
    pub expires: Option<String>,
}

/// Where a decision comes from, beyond the actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Origin {
    /// The VEX document that was taken in ([`crate::detection::vex_imports`]).
    pub vex: Option<i64>,
}

pub(super) fn rejected(field: &str, message: impl Into<String>) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.into() }
}

/// Whether a text is a day as ISO 8601 writes it.
pub(super) fn is_day(text: &str) -> bool {
    let part = |from: usize, to: usize| text.get(from..to).and_then(|p| p.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (part(0, 4), part(5, 7), part(8, 10)) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let most = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let written = |(n, b): (usize, u8)| if matches!(n, 4 | 7) { b == b'-' } else { b.is_ascii_digit() };
    text.len() == 10
        && text.bytes().enumerate().all(written)
        && (1..=12).contains(&month)
        && (1..=most).contains(&day)
}

/// Says what of a decision does not do.
pub(super) fn check(d: &Decision, now: &str) -> Result<()> {
    if !STATUSES.contains(&d.status.as_str()) {
        return Err(rejected("status", format!("the status is one of: {}", STATUSES.join(", "))));
    }
    if !d.justification.is_empty() && !JUSTIFICATIONS.contains(&d.justification.as_str()) {
        return Err(rejected("justification", format!("one of: {}", JUSTIFICATIONS.join(", "))));
    }
    if !d.response.is_empty() && !RESPONSES.contains(&d.response.as_str()) {
        return Err(rejected("response", format!("one of: {}", RESPONSES.join(", "))));
    }
    if d.status == "not_affected" && d.justification.is_empty() && d.detail.trim().is_empty() {
        let message =
            "not affected needs a justification, or the reason in words (CISA VEX, minimum requirements)";
        return Err(rejected("justification", message));
    }
    if d.detail.len() > 20_000 {
        return Err(rejected("detail", "at most 20,000 bytes"));
    }
    if let Some(day) = d.expires.as_deref() {
        if !is_day(day) {
            return Err(rejected("expires", "a day is written like 2027-03-01"));
        }
        if now.get(..10).is_some_and(|today| day <= today) {
            return Err(rejected("expires", "the day on which a decision ends is still to come"));
        }
    }
    Ok(())
}

/// Most findings that one call of [`decide_all`] takes.
pub const MOST: usize = 50_000;
/// Most ids of findings that one entry of the audit trail lists; each finding's own history has all.
const LISTED: usize = 1_000;

/// Decides a finding, and with it whatever the decision reaches. Gives the number of findings changed or, where the
/// workspace asks for approval, of those for which the decision waits.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`].
pub async fn decide(change: &mut Change<'_>, finding: i64, d: &Decision) -> Result<u64> {
    decide_all(change, &[finding], d).await
}

/// Decides many findings alike. Each is asked for on its own: where one may not be decided, none is. Gives the number
/// of findings changed, each counted once.
///
/// # Errors
/// As [`decide`]; [`Error::Rejected`] for no finding or more than [`MOST`].
pub async fn decide_all(change: &mut Change<'_>, findings: &[i64], d: &Decision) -> Result<u64> {
    Ok(make(change, findings, d, Origin::default()).await?.len() as u64)
}

/// A finding that is decided on.
struct Target {
    finding: i64,
    release: i64,
    product: i64,
    line: i64,
    component: i64,
    vulnerability: String,
    severity: i64,
    exploited: i64,
    status: String,
    thing: Thing,
}

/// How much a flaw is exploited: 0 not known, 1 public exploits, 2 known to be.
pub(super) const EXPLOITED: &str =
    "CAST(CASE WHEN f.kev = 1 THEN 2 WHEN f.exploits > 0 THEN 1 ELSE 0 END AS BIGINT)";

async fn targets(change: &Change<'_>, findings: &BTreeSet<i64>) -> Result<Vec<Target>> {
    let what = "reading what is decided on";
    let ids: Vec<i64> = findings.iter().copied().collect();
    let select = format!(
        "SELECT f.id, f.release, p.id, p.line, f.component, f.vulnerability, f.severity, {EXPLOITED}, f.status, {THING} \
         FROM finding f JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product \
         JOIN component c ON c.id = f.component WHERE f.workspace = $1 AND f.id IN {} ORDER BY f.id",
        sql::numbers(&change.tx, 2)
    );
    let rows =
        sql::raw(&change.tx, what, &select, vec![change.actor.workspace.into(), sql::list(&ids)]).await?;
    let targets = sql::read(&rows, what, |row| {
        Ok(Target {
            finding: row.try_get_by_index(0)?,
            release: row.try_get_by_index(1)?,
            product: row.try_get_by_index(2)?,
            line: row.try_get_by_index(3)?,
            component: row.try_get_by_index(4)?,
            vulnerability: row.try_get_by_index(5)?,
            severity: row.try_get_by_index(6)?,
            exploited: row.try_get_by_index(7)?,
            status: row.try_get_by_index(8)?,
            thing: Thing::read(row, 9)?.unwrap_or_default(),
        })
    })?;
    if let Some(missing) = ids.iter().find(|id| targets.binary_search_by_key(*id, |t| t.finding).is_err()) {
        return Err(Error::NotFound(format!("finding {missing}")));
    }
    Ok(targets)
}

/// What two decisions have in common of which one takes the other's place: vulnerability, reach, the id of finding,
/// release or product, and the component where it counts.
pub(super) type Key = (String, Reach, i64, String);

pub(super) fn key(
    vulnerability: &str,
    reach: Reach,
    finding: i64,
    release: i64,
    product: i64,
    thing: &Thing,
) -> Key {
    let (id, thing) = match reach {
        Reach::Finding => (finding, String::new()),
        Reach::Release => (release, String::new()),
        Reach::Product => (product, thing.key()),
        Reach::Component => (0, thing.key()),
    };
    (vulnerability.to_owned(), reach, id, thing)
}

/// A decision of the database that has not ended.
pub(super) struct Open {
    pub id: i64,
    pub key: Key,
    pub status: String,
    pub thing: Thing,
}

/// Decisions on these vulnerabilities that have not ended.
pub(super) async fn open(change: &Change<'_>, vulnerabilities: &[String]) -> Result<Vec<Open>> {
    let what = "reading decisions";
    let select = format!(
        "SELECT d.id, d.vulnerability, d.reach, COALESCE(d.finding, 0), COALESCE(d.release, 0), \
         COALESCE(d.product, 0), d.status, {THING} FROM decision d \
         LEFT JOIN component c ON c.id = d.subject \
         WHERE d.workspace = $1 AND d.ended IS NULL AND d.vulnerability IN {} ORDER BY d.id",
        sql::texts(&change.tx, 2)
    );
    let values = vec![change.actor.workspace.into(), sql::list(vulnerabilities)];
    let rows = sql::raw(&change.tx, what, &select, values).await?;
    sql::read(&rows, what, |row| {
        let (id, vulnerability): (i64, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let reach = Reach::parse(&row.try_get_by_index::<String>(2)?).unwrap_or(Reach::Finding);
        let thing = Thing::read(row, 7)?.unwrap_or_default();
        let (finding, release, product) =
            (row.try_get_by_index(3)?, row.try_get_by_index(4)?, row.try_get_by_index::<i64>(5)?);
        Ok(Open {
            id,
            key: key(&vulnerability, reach, finding, release, product, &thing),
            status: row.try_get_by_index(6)?,
            thing,
        })
    })
}

/// Makes a decision on findings. Gives the ids of those it changed or, where it waits for approval, would change.
pub(super) async fn make(
    change: &mut Change<'_>,
    findings: &[i64],
    d: &Decision,
    origin: Origin,
) -> Result<Vec<i64>> {
    let findings: BTreeSet<i64> = findings.iter().copied().collect();
    if findings.is_empty() {
        return Err(rejected("finding", "no finding is selected; tick those that the decision is for"));
    }
    if findings.len() > MOST {
        return Err(rejected("finding", format!("at most {MOST} findings are decided at once")));
    }
    check(d, &change.actor.now)?;
    let targets = targets(change, &findings).await?;
    if d.reach == Reach::Component {
        change.actor.need_everywhere(Permission::FindingDecide)?;
    }
    for line in targets.iter().map(|t| t.line).collect::<BTreeSet<i64>>() {
        change.actor.need_in(Permission::FindingDecide, line)?;
    }
    let waits =
        d.status != "under_investigation" && approve::is_asked(&change.tx, change.actor.workspace).await?;
    let mut keys: BTreeMap<i64, Key> = BTreeMap::new();
    let mut firsts: HashMap<Key, &Target> = HashMap::new();
    for t in &targets {
        let key = key(&t.vulnerability, d.reach, t.finding, t.release, t.product, &t.thing);
        keys.insert(t.finding, key.clone());
        firsts.entry(key).or_insert(t);
    }
    let vulnerabilities: Vec<String> =
        targets.iter().map(|t| t.vulnerability.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let before: Vec<i64> = open(change, &vulnerabilities)
        .await?
        .into_iter()
        .filter(|o| firsts.contains_key(&o.key))
        .map(|o| o.id)
        .collect();
    carry::end(change, &before, "replaced", "").await?;
    let mut order: Vec<&&Target> = firsts.values().collect();
    order.sort_by_key(|t| t.finding);
    insert(change, order.into_iter().copied(), d, waits, origin).await?;
    let made: Vec<Open> =
        open(change, &vulnerabilities).await?.into_iter().filter(|o| firsts.contains_key(&o.key)).collect();
    let mut reached = reach(change, &made).await?;
    // what is decided on is reached, whatever its component is called
    let by_key: HashMap<&Key, i64> = made.iter().map(|o| (&o.key, o.id)).collect();
    let known: HashSet<i64> = reached.iter().map(|r| r.finding).collect();
    for t in targets.iter().filter(|t| !known.contains(&t.finding)) {
        if let Some(decision) = keys.get(&t.finding).and_then(|k| by_key.get(k)) {
            reached.push(Reached { finding: t.finding, release: t.release, decision: *decision });
        }
    }
    if waits {
        propose(change, &reached, d).await?;
    } else {
        put(change, &reached, d, "").await?;
    }
    let releases: BTreeSet<i64> = reached.iter().map(|r| r.release).collect();
    carry::settle(change, &before, &releases).await?;
    record(change, &targets, d, waits);
    Ok(reached.into_iter().map(|r| r.finding).collect())
}

fn record(change: &mut Change<'_>, targets: &[Target], d: &Decision, waits: bool) {
    let action = if waits { "decision.propose" } else { "finding.decide" };
    match targets {
        [one] => {
            let subject = format!("finding/{}", one.finding);
            change.record(action, subject, &one.vulnerability, &one.status, d);
        }
        many => {
            let name = format!("{} findings", many.len());
            let ids: Vec<i64> = many.iter().take(LISTED).map(|t| t.finding).collect();
            change.record(action, "findings".to_owned(), &name, &(), &(d, ids));
        }
    }
}

async fn insert<'t>(
    change: &Change<'_>,
    targets: impl Iterator<Item = &'t Target>,
    d: &Decision,
    waits: bool,
    origin: Origin,
) -> Result<()> {
    let only = |on: bool, id: i64| Value::from(on.then_some(id));
    let rows: Vec<[Value; 23]> = targets
        .map(|t| {
            [
                change.actor.workspace.into(),
                sql::text(&t.vulnerability),
                d.reach.name().into(),
                only(d.reach == Reach::Finding, t.finding),
                only(d.reach == Reach::Release, t.release),
                only(d.reach == Reach::Product, t.product),
                only(matches!(d.reach, Reach::Product | Reach::Component), t.component),
                t.component.into(),
                if d.reach == Reach::Component { 0 } else { t.line }.into(),
                d.status.clone().into(),
                d.justification.clone().into(),
                d.response.clone().into(),
                sql::text(&d.detail),
                if origin.vex.is_some() { "vex" } else { "person" }.into(),
                origin.vex.into(),
                sql::text(&t.thing.version),
                t.severity.into(),
                t.exploited.into(),
                d.expires.clone().into(),
                change.actor.now.clone().into(),
                change.actor.person.unwrap_or(0).into(),
                sql::text(&change.actor.name),
                i64::from(waits).into(),
            ]
        })
        .collect();
    let head = "INSERT INTO decision (workspace, vulnerability, reach, finding, release, product, component, subject, \
                line, status, justification, response, detail, source, vex, version, severity, exploited, expires, \
                proposed, proposer, author, waits)";
    bulk::insert(&change.tx, "writing decisions", head, "", rows).await?;
    Ok(())
}

/// A finding and the decision that reaches it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    pub finding: i64,
    pub release: i64,
    pub decision: i64,
}

/// The findings that decisions reach, each with the nearest.
pub(super) async fn reach(change: &Change<'_>, decisions: &[Open]) -> Result<Vec<Reached>> {
    let what = "asking what a decision reaches";
    let vulnerabilities: Vec<&str> =
        decisions.iter().map(|o| o.key.0.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut by_key: HashMap<(&str, Reach, i64), Vec<&Open>> = HashMap::new();
    for o in decisions {
        by_key.entry((o.key.0.as_str(), o.key.1, o.key.2)).or_default().push(o);
    }
    let reaches: HashSet<Reach> = decisions.iter().map(|o| o.key.1).collect();
    // A decision on findings alone names them, which is far less than all of a vulnerability.
    let (narrow, ids): (&str, Vec<i64>) = if reaches.iter().all(|r| *r == Reach::Finding) {
        (" AND f.id IN ", decisions.iter().map(|o| o.key.2).collect())
    } else if reaches.iter().all(|r| *r == Reach::Release) {
        (" AND f.release IN ", decisions.iter().map(|o| o.key.2).collect())
    } else {
        ("", Vec::new())
    };
    let narrow =
        if narrow.is_empty() { String::new() } else { format!("{narrow}{}", sql::numbers(&change.tx, 3)) };
    let select = format!(
        "SELECT f.id, f.release, r.product, f.vulnerability, {THING} FROM finding f JOIN release r ON r.id = f.release \
         JOIN component c ON c.id = f.component WHERE f.workspace = $1 AND f.vulnerability IN {}{narrow} ORDER BY f.id",
        sql::texts(&change.tx, 2)
    );
    let mut values = vec![change.actor.workspace.into(), sql::list(&vulnerabilities)];
    if !narrow.is_empty() {
        values.push(sql::list(&ids));
    }
    let rows = sql::raw(&change.tx, what, &select, values).await?;
    let rows = sql::read(&rows, what, |row| {
        let ids: (i64, i64, i64) =
            (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        Ok((ids, row.try_get_by_index::<String>(3)?, Thing::read(row, 4)?.unwrap_or_default()))
    })?;
    let mut out = Vec::new();
    for ((finding, release, product), vulnerability, thing) in rows {
        let scopes = [
            (Reach::Finding, finding),
            (Reach::Release, release),
            (Reach::Product, product),
            (Reach::Component, 0),
        ];
        let fits = |o: &&&Open| match o.key.1 {
            Reach::Finding | Reach::Release => true,
            // a wrong match is one in every version
            _ if o.status == "false_positive" => o.thing.is_package(&thing),
            _ => o.thing.is(&thing),
        };
        let near = scopes.iter().find_map(|(reach, id)| {
            by_key.get(&(vulnerability.as_str(), *reach, *id))?.iter().rev().find(fits)
        });
        if let Some(o) = near {
            out.push(Reached { finding, release, decision: o.id });
        }
    }
    Ok(out)
}

/// Gives findings the status of the decision that reaches them.
pub(super) async fn put(change: &Change<'_>, reached: &[Reached], d: &Decision, remark: &str) -> Result<()> {
    let what = "deciding findings";
    let rows: Vec<[Value; 4]> = reached
        .iter()
        .map(|r| {
            [r.finding.into(), r.decision.into(), d.status.clone().into(), d.justification.clone().into()]
        })
        .collect();
    let head =
        "UPDATE finding SET decision = v.column2, status = v.column3, justification = v.column4, lapsed = ''";
    bulk::update(&change.tx, what, head, "WHERE finding.id = v.column1", rows).await?;
    let parts = [d.status.as_str(), d.justification.as_str(), d.response.as_str(), d.detail.as_str(), remark];
    let detail = parts.into_iter().filter(|p| !p.trim().is_empty()).collect::<Vec<_>>().join(" · ");
    note(change, reached.iter().map(|r| (r.finding, "decided", detail.clone())).collect()).await?;
    let releases: Vec<i64> = reached.iter().map(|r| r.release).collect::<BTreeSet<_>>().into_iter().collect();
    recount(change, &releases).await
}

/// Tells findings of a decision that waits.
async fn propose(change: &Change<'_>, reached: &[Reached], d: &Decision) -> Result<()> {
    let rows: Vec<[Value; 2]> = reached.iter().map(|r| [r.finding.into(), r.decision.into()]).collect();
    let head = "UPDATE finding SET proposal = v.column2";
    bulk::update(&change.tx, "proposing a decision", head, "WHERE finding.id = v.column1", rows).await?;
    let detail = format!("{} · waits for a second person", d.status);
    note(change, reached.iter().map(|r| (r.finding, "proposed", detail.clone())).collect()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_days() {
        for (text, is) in [
            ("2026-02-28", true),
            ("2026-02-29", false),
            ("2028-02-29", true),
            ("2026-13-01", false),
            ("2026-00-10", false),
            ("2026-1-1", false),
            ("2026-04-31", false),
            ("2026+04+30", false),
            ("", false),
            ("tomorrow", false),
        ] {
            assert_eq!(is_day(text), is, "{text}");
        }
    }
}
