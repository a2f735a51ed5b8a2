//! Licences of what releases hold, and the rules that each product line and the workspace have for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{ConnectionTrait, DatabaseConnection, Value};
use serde::{Deserialize, Serialize};
use tocsin_engine::licence::{Judged, NONE, OTHER, Rules, Verdict, canonical, judge};

use super::{in_lines, release_of};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// A licence as documents give it (an SPDX expression, or a name), and what the rules say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Licence {
    /// The licence; empty for components that name none.
    pub name: String,
    /// Distinct components of the release with it.
    pub components: i64,
    /// `allowed`, `review`, `denied`, or `unruled`.
    pub verdict: &'static str,
    /// The licences of the expression that the verdict is due to.
    pub because: String,
}

/// Licences in a release, those that break a rule first, then the most common, components without one last.
///
/// # Errors
/// As [`release_of`].
pub async fn licences(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Vec<Licence>> {
    let r = release_of(db, actor, release).await?;
    let select = "SELECT licence, components FROM release_licence WHERE release = $1 ORDER BY components DESC, licence";
    let rows: Vec<(String, i64)> = sql::rows(db, "listing licences", select, vec![release.into()]).await?;
    let rules = rules_of(db, actor.workspace).await?;
    let one = |(name, components): (String, i64)| {
        let judged = rules.judge(r.line, &name);
        let because = judged.because.join(", ");
        Licence { name, components, verdict: judged.verdict.as_str(), because }
    };
    let mut list: Vec<Licence> = rows.into_iter().map(one).collect();
    let rank = |v: &str| Verdict::parse(v).filter(|v| v.is_violation());
    list.sort_by_key(|l| (std::cmp::Reverse(rank(l.verdict)), l.name.is_empty()));
    Ok(list)
}

/// The rules of a product line, or of the workspace, by what they say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// Licences that may be used.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// Licences that somebody has to look at.
    #[serde(default)]
    pub review: Vec<String>,
    /// Licences that may not be used.
    #[serde(default)]
    pub denied: Vec<String>,
    /// What holds for every other licence: `allowed`, `review`, `denied`, or empty.
    #[serde(default)]
    pub other: String,
    /// What holds for components that name no licence.
    #[serde(default)]
    pub none: String,
}

impl Ruling {
    /// Nothing is ruled.
    pub fn is_empty(&self) -> bool {
        *self == Ruling::default()
    }
}

/// Rules of the workspace by product line; a line's own stand before those of the workspace (line 0).
pub(super) struct Known(BTreeMap<i64, Vec<(String, Verdict)>>);

impl Known {
    /// Nothing is ruled anywhere.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules that hold in a line.
    pub(super) fn of(&self, line: i64) -> Rules {
        let mut rules = Rules::default();
        for line in [0, line] {
            rules.add(self.0.get(&line).into_iter().flatten().cloned());
        }
        rules
    }

    fn judge(&self, line: i64, licence: &str) -> Judged {
        judge(licence, &self.of(line))
    }
}

pub(super) async fn rules_of(db: &impl ConnectionTrait, workspace: i64) -> Result<Known> {
    let select =
        "SELECT line, licence, verdict FROM licence_rule WHERE workspace = $1 ORDER BY line, licence";
    let rows: Vec<(i64, String, String)> =
        sql::rows(db, "reading licence rules", select, vec![workspace.into()]).await?;
    let mut known: BTreeMap<i64, Vec<(String, Verdict)>> = BTreeMap::new();
    for (line, licence, verdict) in rows {
        if let Some(verdict) = Verdict::parse(&verdict) {
            known.entry(line).or_default().push((licence, verdict));
        }
    }
    Ok(Known(known))
}

/// Rules by product line; 0 is the workspace, whose rules hold where a line has none of its own.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn licence_rules(db: &DatabaseConnection, actor: &Actor) -> Result<BTreeMap<i64, Ruling>> {
    actor.need(Permission::InventoryRead)?;
    let may = |line: i64| line == 0 || actor.need_in(Permission::InventoryRead, line).is_ok();
    let known = rules_of(db, actor.workspace).await?;
    Ok(known
        .0
        .into_iter()
        .filter(|(line, _)| may(*line))
        .map(|(line, rules)| (line, ruling(rules)))
        .collect())
}

fn ruling(rules: Vec<(String, Verdict)>) -> Ruling {
    let mut ruling = Ruling::default();
    for (licence, verdict) in rules {
        match (licence.as_str(), verdict) {
            (OTHER, v) => v.as_str().clone_into(&mut ruling.other),
            (NONE, v) => v.as_str().clone_into(&mut ruling.none),
            (_, Verdict::Allowed) => ruling.allowed.push(licence),
            (_, Verdict::Review) => ruling.review.push(licence),
            (_, Verdict::Denied) => ruling.denied.push(licence),
            (_, Verdict::Unruled) => {}
        }
    }
    ruling
}

/// Most rules of one line.
const RULES: usize = 2_000;

/// Sets all rules of a product line, or with 0 of the workspace. Licences are kept in today's SPDX ids.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`]: a licence is ruled twice, or a word is no verdict.
pub async fn rule_licences(change: &mut Change<'_>, line: i64, wanted: &Ruling) -> Result<()> {
    let what = "setting licence rules";
    let mut name = String::new();
    if line == 0 {
        change.actor.need_everywhere(Permission::InventoryWrite)?;
    } else {
        let select = "SELECT name FROM line WHERE id = $1 AND workspace = $2";
        let values = vec![line.into(), change.actor.workspace.into()];
        let row: Option<(String,)> = sql::row(&change.tx, what, select, values).await?;
        let missing = || Error::NotFound(format!("product line {line}"));
        name = row.ok_or_else(missing)?.0;
        if change.actor.need_in(Permission::InventoryRead, line).is_err() {
            return Err(missing());
        }
        change.actor.need_in(Permission::InventoryWrite, line)?;
    }
    let rules = checked(wanted)?;
    let before = rules_of(&change.tx, change.actor.workspace).await?.0.remove(&line).unwrap_or_default();
    let before = ruling(before);
    let after = ruling(rules.iter().map(|(l, v)| (l.clone(), *v)).collect());
    if before == after {
        return Ok(());
    }
    let delete = "DELETE FROM licence_rule WHERE workspace = $1 AND line = $2";
    sql::run(&change.tx, what, delete, vec![change.actor.workspace.into(), line.into()]).await?;
    let rows: Vec<[Value; 4]> = rules
        .into_iter()
        .map(|(licence, verdict)| {
            [change.actor.workspace.into(), line.into(), sql::text(&licence), verdict.as_str().into()]
        })
        .collect();
    let head = "INSERT INTO licence_rule (workspace, line, licence, verdict)";
    bulk::insert(&change.tx, what, head, "", rows).await?;
    change.record("licence.rule", format!("line/{line}"), &name, &before, &after);
    Ok(())
}

fn checked(wanted: &Ruling) -> Result<BTreeMap<String, Verdict>> {
    let rejected = |field: &str, message: String| Error::Rejected { field: field.to_owned(), message };
    let mut rules: BTreeMap<String, Verdict> = BTreeMap::new();
    for (field, list, verdict) in [
        ("allowed", &wanted.allowed, Verdict::Allowed),
        ("review", &wanted.review, Verdict::Review),
        ("denied", &wanted.denied, Verdict::Denied),
    ] {
        for licence in list.iter().map(|l| l.trim()).filter(|l| !l.is_empty()) {
            if licence.chars().count() > 500 || licence.chars().any(char::is_control) {
                return Err(rejected(
                    field,
                    "a licence has at most 500 characters, all on one line".to_owned(),
                ));
            }
            let key = canonical(licence);
            if let Some(other) = rules.insert(key.clone(), verdict)
                && other != verdict
            {
                let message = format!("{key} is ruled both {} and {}", other.as_str(), verdict.as_str());
                return Err(rejected(field, message));
            }
        }
    }
    for (field, key, word) in [("other", OTHER, &wanted.other), ("none", NONE, &wanted.none)] {
        if word.is_empty() {
            continue;
        }
        let verdict = Verdict::parse(word).filter(|v| Verdict::RULED.contains(v));
        let verdict =
            verdict.ok_or_else(|| rejected(field, "allowed, review, denied or nothing".to_owned()))?;
        rules.insert(key.to_owned(), verdict);
    }
    if rules.len() > RULES {
        return Err(rejected("allowed", format!("at most {RULES} rules")));
    }
    Ok(rules)
}

/// A licence in a product line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LicenceUse {
    /// The licence as documents give it; empty for components that name none.
    pub licence: String,
    /// In today's SPDX ids.
    pub expression: String,
    /// Product line.
    pub line: i64,
    /// Its name.
    pub line_name: String,
    /// What its rules say.
    pub verdict: &'static str,
    /// The licences of the expression that the verdict is due to.
    pub because: String,
    /// Components with it, counted in each release.
    pub components: i64,
    /// Releases with it that are watched.
    pub releases: i64,
}

/// What licences are wanted.
#[derive(Debug, Clone, Default)]
pub struct LicenceAsked {
    /// In this product line.
    pub line: Option<i64>,
    /// In this release.
    pub release: Option<i64>,
    /// With this verdict; with `violation` those to be reviewed and those that are denied.
    pub verdict: Option<String>,
    /// Licence or (of violations) component holds this.
    pub text: String,
}

impl LicenceAsked {
    fn fits(&self, verdict: Verdict) -> bool {
        match self.verdict.as_deref() {
            None => true,
            Some("violation") => verdict.is_violation(),
            Some(word) => verdict.as_str() == word,
        }
    }
}

/// Licences by product line that the actor may see, what breaks a rule first.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn licence_uses(
    db: &DatabaseConnection,
    actor: &Actor,
    asked: &LicenceAsked,
) -> Result<Vec<LicenceUse>> {
    let mut values: Vec<Value> = vec![actor.workspace.into(), asked.line.unwrap_or(0).into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT p.line, l.name, x.licence, CAST(SUM(x.components) AS BIGINT), COUNT(*) FROM release r \
         JOIN product p ON p.id = r.product JOIN line l ON l.id = p.line JOIN release_licence x ON x.release = r.id \
         WHERE r.workspace = $1 AND r.active = 1 AND ($2 = 0 OR p.line = $2){scope} GROUP BY p.line, l.name, x.licence"
    );
    type Row = (i64, String, String, i64, i64);
    let rows: Vec<Row> = sql::rows(db, "listing licences", &select, values).await?;
    let known = rules_of(db, actor.workspace).await?;
    let mut rules: HashMap<i64, Rules> = HashMap::new();
    let text = asked.text.trim().to_lowercase();
    let mut list = Vec::new();
    for (line, line_name, licence, components, releases) in rows {
        let judged = judge(&licence, rules.entry(line).or_insert_with(|| known.of(line)));
        if !asked.fits(judged.verdict)
            || !(text.is_empty()
                || licence.to_lowercase().contains(&text)
                || judged.expression.to_lowercase().contains(&text))
        {
            continue;
        }
        list.push((
            judged.verdict,
            LicenceUse {
                licence,
                expression: judged.expression,
                line,
                line_name,
                verdict: judged.verdict.as_str(),
                because: judged.because.join(", "),
                components,
                releases,
            },
        ));
    }
    list.sort_by(|(a, x), (b, y)| {
        let key = |v: &Verdict| std::cmp::Reverse(Some(*v).filter(|v| v.is_violation()));
        (key(a), -x.components, &x.licence, &x.line_name).cmp(&(
            key(b),
            -y.components,
            &y.licence,
            &y.line_name,
        ))
    });
    Ok(list.into_iter().map(|l| l.1).collect())
}

/// A component of a release whose licence breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Release.
    pub release: i64,
    /// Product line of the release.
    pub line: i64,
    /// Its product.
    pub product: String,
    /// Its version.
    pub release_version: String,
    /// Component.
    pub component: i64,
    /// Its name with its group.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its package URL, or empty.
    pub purl: String,
    /// The licence as the document gives it; empty where it names none.
    pub licence: String,
    /// `review` or `denied`.
    pub verdict: &'static str,
    /// The licences of the expression that the verdict is due to.
    pub because: String,
}

/// Place of a violation in lists: release, component, licence.
pub type ViolationPlace = (i64, i64, String);

/// Violations in watched releases that the actor may see (in one release, whether it is watched or not), in the order
/// of releases and components; `after` is the place of the last one of the page before.
///
/// # Errors
/// Denied; [`Error::NotFound`] for a release; the database does not answer.
pub async fn violations(
    db: &DatabaseConnection,
    actor: &Actor,
    asked: &LicenceAsked,
    after: Option<&ViolationPlace>,
    most: u64,
) -> Result<Vec<Violation>> {
    let what = "listing licence violations";
    let known = rules_of(db, actor.workspace).await?;
    let judged = breaking(db, actor, asked, &known).await?;
    if judged.is_empty() {
        return Ok(Vec::new());
    }
    let texts: BTreeSet<&str> = judged.keys().map(|(_, licence)| licence.as_str()).collect();
    let pairs: Vec<String> = judged.keys().map(|(line, licence)| format!("{line}:{licence}")).collect();
    let (release, component, licence) = after.cloned().unwrap_or_default();
    let like = format!("%{}%", asked.text.trim().to_lowercase());
    let mut values: Vec<Value> = vec![
        actor.workspace.into(),
        asked.release.unwrap_or(0).into(),
        sql::list(&texts.into_iter().collect::<Vec<_>>()),
        sql::list(&pairs),
        release.into(),
        component.into(),
        licence.into(),
        like.into(),
        (most as i64).into(),
    ];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let (texts, pairs) = (sql::texts(db, 3), sql::texts(db, 4));
    let none = texts_hold_none(&judged);
    let found =
        "SELECT release, component, licence FROM occurrence_licence WHERE licence <> '' AND licence IN ";
    let missing = if none {
        " UNION ALL SELECT release, component, '' FROM occurrence WHERE licences = '' AND ($2 = 0 OR release = $2)"
    } else {
        ""
    };
    let select = format!(
        "SELECT r.id, p.line, p.name, r.version, c.id, c.grp, c.name, c.version, c.purl, x.licence \
         FROM ({found}{texts} AND ($2 = 0 OR release = $2){missing}) x JOIN release r ON r.id = x.release \
         JOIN product p ON p.id = r.product JOIN component c ON c.id = x.component \
         WHERE r.workspace = $1 AND (r.active = 1 OR r.id = $2) \
         AND CAST(p.line AS TEXT) || ':' || x.licence IN {pairs} \
         AND (r.id > $5 OR r.id = $5 AND (c.id > $6 OR c.id = $6 AND x.licence > $7)) \
         AND LOWER(x.licence || ' ' || c.grp || '/' || c.name || '@' || c.version || ' ' || p.name) LIKE $8{scope} \
         ORDER BY r.id, c.id, x.licence LIMIT $9"
    );
    type Row = (i64, i64, String, String, i64, String, String, String, String, String);
    let rows: Vec<Row> = sql::rows(db, what, &select, values).await?;
    let one =
        |(release, line, product, release_version, component, group, name, version, purl, licence): Row| {
            let judged = judged.get(&(line, licence.clone()))?;
            Some(Violation {
                release,
                line,
                product,
                release_version,
                component,
                name: if group.is_empty() { name } else { format!("{group}/{name}") },
                version,
                purl,
                licence,
                verdict: judged.verdict.as_str(),
                because: judged.because.join(", "),
            })
        };
    Ok(rows.into_iter().filter_map(one).collect())
}

fn texts_hold_none(judged: &HashMap<(i64, String), Judged>) -> bool {
    judged.keys().any(|(_, licence)| licence.is_empty())
}

/// The licences that break a rule, by line and as documents give them.
async fn breaking(
    db: &DatabaseConnection,
    actor: &Actor,
    asked: &LicenceAsked,
    known: &Known,
) -> Result<HashMap<(i64, String), Judged>> {
    let list: Vec<(i64, String)> = match asked.release {
        Some(release) => {
            let line = release_of(db, actor, release).await?.line;
            let select = "SELECT licence FROM release_licence WHERE release = $1";
            let rows: Vec<(String,)> =
                sql::rows(db, "listing licences", select, vec![release.into()]).await?;
            rows.into_iter().map(|r| (line, r.0)).collect()
        }
        None => {
            let all = LicenceAsked { line: asked.line, ..LicenceAsked::default() };
            licence_uses(db, actor, &all).await?.into_iter().map(|u| (u.line, u.licence)).collect()
        }
    };
    let mut rules: HashMap<i64, Rules> = HashMap::new();
    let mut judged = HashMap::new();
    for (line, licence) in list {
        let word = judge(&licence, rules.entry(line).or_insert_with(|| known.of(line)));
        if word.verdict.is_violation() && asked.fits(word.verdict) {
            judged.insert((line, licence), word);
        }
    }
    Ok(judged)
}

/// Counts the licences of a release anew; its occurrences are in place.
pub(super) async fn count(change: &Change<'_>, release: i64) -> Result<()> {
    let what = "counting licences";
    let delete = "DELETE FROM release_licence WHERE release = $1";
    sql::run(&change.tx, what, delete, vec![release.into()]).await?;
    let insert = "INSERT INTO release_licence (release, licence, components) SELECT release, licence, COUNT(*) \
                  FROM occurrence_licence WHERE release = $1 AND licence <> '' GROUP BY release, licence";
    sql::run(&change.tx, what, insert, vec![release.into()]).await?;
    let insert = "INSERT INTO release_licence (release, licence, components) SELECT release, '', COUNT(*) \
                  FROM occurrence WHERE release = $1 AND licences = '' GROUP BY release";
    sql::run(&change.tx, what, insert, vec![release.into()]).await?;
    Ok(())
}
