//! One field for everything: products, releases, components, vulnerabilities, findings, people, customers and devices
//! that the actor may see, each kind bounded, in a handful of indexed questions.

use sea_orm::{DatabaseConnection, DbBackend, Value};
use serde::Serialize;

use crate::detection::SEVERITIES;
use crate::error::Result;
use crate::inventory::{in_lines, like, main_id, plain, words};
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// Kinds of things that are found, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A vulnerability, by id or words.
    Vulnerability,
    /// A product line.
    Line,
    /// A product.
    Product,
    /// A release.
    Release,
    /// A component, by name, package URL, CPE name or hash.
    Component,
    /// An open finding.
    Finding,
    /// A customer with units in the field.
    Customer,
    /// A device by its identifier.
    Device,
    /// A person.
    Person,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// What it is.
    pub kind: Kind,
    /// Its id: a number, or a vulnerability's main id, or the name of a customer.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// What tells it from others.
    pub detail: String,
    /// Highest severity at it, where one is known: `critical` …
    pub severity: Option<&'static str>,
}

/// What was found of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The kind.
    pub kind: Kind,
    /// Best first.
    pub hits: Vec<Hit>,
    /// There are more than these.
    pub more: bool,
}

/// Components that are looked at before scope is asked.
const CANDIDATES: i64 = 2_000;

struct Asking<'a> {
    db: &'a DatabaseConnection,
    actor: &'a Actor,
    text: &'a str,
    /// One more than is shown, to know whether there are more.
    most: i64,
}

/// Finds `text`, at most `most` things of each kind.
///
/// # Errors
/// The database does not answer. What the actor may not see is not found.
pub async fn search(db: &DatabaseConnection, actor: &Actor, text: &str, most: usize) -> Result<Vec<Section>> {
    let text: String = text.trim().chars().take(300).collect();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let a = Asking { db, actor, text: &text, most: most as i64 + 1 };
    let mut found = Vec::new();
    if actor.may(Permission::IntelRead) {
        found.push((Kind::Vulnerability, a.vulnerabilities().await?));
    }
    if actor.may(Permission::InventoryRead) {
        found.push((Kind::Line, a.lines().await?));
        found.push((Kind::Product, a.products().await?));
        found.push((Kind::Release, a.releases().await?));
        found.push((Kind::Component, a.components().await?));
    }
    if actor.may(Permission::FindingRead) {
        found.push((Kind::Finding, a.findings().await?));
    }
    if actor.may(Permission::InventoryRead) {
        found.push((Kind::Customer, a.customers().await?));
        found.push((Kind::Device, a.devices().await?));
    }
    if actor.may(Permission::FindingRead) {
        found.push((Kind::Person, a.people().await?));
    }
    let section = |(kind, mut hits): (Kind, Vec<Hit>)| {
        let more = hits.len() > most;
        hits.truncate(most);
        (!hits.is_empty()).then_some(Section { kind, hits, more })
    };
    Ok(found.into_iter().filter_map(section).collect())
}

fn severity(n: i64) -> Option<&'static str> {
    usize::try_from(n).ok().filter(|n| *n > 0).and_then(|n| SEVERITIES.get(n)).copied()
}

impl Asking<'_> {
    /// Values that every question over the inventory begins with: workspace, and the text as a pattern.
    fn values(&self) -> Vec<Value> {
        vec![self.actor.workspace.into(), like(self.text).into()]
    }

    fn hit(kind: Kind) -> impl Fn((i64, String, String)) -> Hit {
        move |(id, title, detail)| Hit { kind, id: id.to_string(), title, detail, severity: None }
    }

    async fn lines(&self) -> Result<Vec<Hit>> {
        let mut values = self.values();
        let scope = in_lines(self.db, self.actor, Permission::InventoryRead, "l.id", &mut values)?;
        values.push(self.most.into());
        let select = format!(
            "SELECT l.id, l.name, l.description FROM line l WHERE l.workspace = $1 AND LOWER(l.name) LIKE $2 ESCAPE '!'\
             {scope} ORDER BY l.name LIMIT ${}",
            values.len()
        );
        let rows = sql::rows(self.db, "searching product lines", &select, values).await?;
        Ok(rows.into_iter().map(Self::hit(Kind::Line)).collect())
    }

    async fn products(&self) -> Result<Vec<Hit>> {
        let mut values = self.values();
        let scope = in_lines(self.db, self.actor, Permission::InventoryRead, "p.line", &mut values)?;
        values.push(self.most.into());
        let select = format!(
            "SELECT p.id, p.name, l.name FROM product p JOIN line l ON l.id = p.line WHERE p.workspace = $1 \
             AND LOWER(p.name) LIKE $2 ESCAPE '!'{scope} ORDER BY LENGTH(p.name), p.name LIMIT ${}",
            values.len()
        );
        let rows = sql::rows(self.db, "searching products", &select, values).await?;
        Ok(rows.into_iter().map(Self::hit(Kind::Product)).collect())
    }

    async fn releases(&self) -> Result<Vec<Hit>> {
        let mut values = self.values();
        let scope = in_lines(self.db, self.actor, Permission::InventoryRead, "p.line", &mut values)?;
        values.push(self.most.into());
        let select = format!(
            "SELECT r.id, p.name || ' ' || r.version, l.name, CAST(CASE WHEN r.critical > 0 THEN 5 WHEN r.high > 0 THEN 4 \
             WHEN r.medium > 0 THEN 3 WHEN r.low > 0 THEN 2 ELSE 0 END AS BIGINT) FROM release r JOIN product p ON p.id = r.product \
             JOIN line l ON l.id = p.line WHERE r.workspace = $1 AND LOWER(p.name || ' ' || r.version) LIKE $2 ESCAPE '!'\
             {scope} ORDER BY r.latest DESC, r.active DESC, r.id DESC LIMIT ${}",
            values.len()
        );
        let rows: Vec<(i64, String, String, i64)> =
            sql::rows(self.db, "searching releases", &select, values).await?;
        let seen = self.actor.may(Permission::FindingRead);
        let hit = |(id, title, detail, worst): (i64, String, String, i64)| Hit {
            kind: Kind::Release,
            id: id.to_string(),
            title,
            detail,
            severity: severity(worst).filter(|_| seen),
        };
        Ok(rows.into_iter().map(hit).collect())
    }

    /// Components of the name, then those whose name or package URL begins so, then by words; or by hash.
    async fn components(&self) -> Result<Vec<Hit>> {
        let what = "searching components";
        let mut out: Vec<Hit> = Vec::new();
        let name = plain(self.text);
        let hex = self.text.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
        let is_hash =
            [32, 40, 56, 64, 96, 128].contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        let mut ways: Vec<(String, Vec<Value>)> = Vec::new();
        if is_hash {
            let found = "SELECT DISTINCT component AS id FROM occurrence_hash WHERE value = $2";
            ways.push((found.to_owned(), vec![hex.into()]));
        } else {
            ways.push(("SELECT id FROM component WHERE plain = $2".to_owned(), vec![name.clone().into()]));
            let range = |text: &str| vec![Value::from(text.to_owned()), format!("{text}\u{10ffff}").into()];
            let (column, values) = if self.text.starts_with("pkg:") {
                ("purl", range(self.text))
            } else {
                ("plain", range(&name))
            };
            ways.push((format!("SELECT id FROM component WHERE {column} >= $2 AND {column} < $3"), values));
            if let Some(asked) = words::question(self.db, self.text) {
                ways.push((
                    format!("SELECT c.id AS id FROM {}", words::matching(self.db, 2)),
                    vec![asked.into()],
                ));
            }
        }
        for (found, values) in ways {
            if out.len() as i64 >= self.most {
                break;
            }
            let mut all: Vec<Value> = vec![self.actor.workspace.into()];
            all.extend(values);
            let scope = in_lines(self.db, self.actor, Permission::InventoryRead, "p.line", &mut all)?;
            all.push(self.most.into());
            let select = format!(
                "WITH found AS (SELECT id FROM ({found} LIMIT {CANDIDATES}) x) SELECT c.id, c.grp, c.name, c.version, \
                 c.purl FROM found JOIN component c ON c.id = found.id WHERE EXISTS (SELECT 1 FROM occurrence o \
                 JOIN release r ON r.id = o.release JOIN product p ON p.id = r.product WHERE o.component = c.id \
                 AND r.workspace = $1{scope}) LIMIT ${}",
                all.len()
            );
            let rows: Vec<(i64, String, String, String, String)> =
                sql::rows(self.db, what, &select, all).await?;
            for (id, group, name, version, purl) in rows {
                let name = if group.is_empty() { name } else { format!("{group}/{name}") };
                let title = if version.is_empty() { name } else { format!("{name} {version}") };
                let id = id.to_string();
                if !out.iter().any(|h| h.id == id) {
                    out.push(Hit { kind: Kind::Component, id, title, detail: purl, severity: None });
                }
            }
        }
        out.truncate(self.most as usize);
        Ok(out)
    }

    /// The flaw of an id, those whose id begins so, then by words of title and packages.
    async fn vulnerabilities(&self) -> Result<Vec<Hit>> {
        let what = "searching vulnerabilities";
        let mut out: Vec<Hit> = Vec::new();
        let mut add = |rows: Vec<(String, String)>| {
            for (id, detail) in rows {
                if !out.iter().any(|h| h.id == id) {
                    out.push(Hit {
                        kind: Kind::Vulnerability,
                        title: id.clone(),
                        id,
                        detail,
                        severity: None,
                    });
                }
            }
        };
        let columns = "SELECT v.main, COALESCE(s.title, '') FROM";
        let one = !self.text.contains(char::is_whitespace);
        if one && self.text.contains('-') {
            let (text, upper) = (self.text.to_owned(), self.text.to_uppercase());
            let select = format!(
                "{columns} (SELECT id, vulnerability FROM alias WHERE id = $1 OR id = $2 OR id >= $2 AND id < $3 \
                 ORDER BY id LIMIT $4) a JOIN vulnerability v ON v.id = a.vulnerability LEFT JOIN search s \
                 ON s.rowid = v.id ORDER BY a.id"
            );
            let values = vec![
                text.into(),
                upper.clone().into(),
                format!("{upper}\u{10ffff}").into(),
                self.most.into(),
            ];
            add(sql::rows(self.db, what, &select, values).await?);
        }
        let long = self.text.chars().filter(|c| c.is_alphanumeric()).count() >= 3;
        if long && self.actor.need_everywhere(Permission::DeskRead).is_ok() {
            // early warnings are the workspace's own and stand in no index of all
            let select = "SELECT CASE WHEN w.main = '' THEN w.name ELSE w.main END, w.title FROM warning w \
                          WHERE w.workspace = $1 AND w.state <> 'withdrawn' \
                          AND LOWER(w.name || ' ' || w.title || ' ' || w.product) LIKE $2 ESCAPE '!' \
                          ORDER BY w.id DESC LIMIT $3";
            let values = vec![self.actor.workspace.into(), like(self.text).into(), self.most.into()];
            add(sql::rows(self.db, what, select, values).await?);
        }
        if let Some(asked) =
            words::question(self.db, self.text).filter(|_| long && !self.text.starts_with("pkg:"))
        {
            let condition = match self.db.get_database_backend() {
                DbBackend::Postgres => "s.words @@ to_tsquery('simple', $1)",
                _ => "search MATCH $1",
            };
            // The newest come last in the store; a bounded number is looked at.
            let select = format!(
                "{columns} search s JOIN vulnerability v ON v.id = s.rowid WHERE {condition} LIMIT $2"
            );
            add(sql::rows(self.db, what, &select, vec![asked.into(), self.most.into()]).await?);
        }
        out.truncate(self.most as usize);
        Ok(out)
    }

    /// Open findings of a vulnerability or a component of this name, most urgent first. The plus keeps the databases
    /// from walking all findings in the order of urgency until enough are met.
    async fn findings(&self) -> Result<Vec<Hit>> {
        let mut values: Vec<Value> = vec![self.actor.workspace.into()];
        let text = self.text;
        let condition =
            if text.contains('-') && text.contains(|c: char| c.is_ascii_digit()) && !text.contains(' ') {
                values.push(main_id(self.db, text).await?.into());
                "f.vulnerability = $2"
            } else {
                values.push(plain(text).into());
                "f.component IN (SELECT id FROM component WHERE plain = $2)"
            };
        let scope = in_lines(self.db, self.actor, Permission::FindingRead, "p.line", &mut values)?;
        values.push(self.most.into());
        let select = format!(
            "SELECT f.id, f.vulnerability, c.name, c.version, p.name, r.version, f.severity FROM finding f \
             JOIN component c ON c.id = f.component JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product \
             WHERE +f.workspace = $1 AND {condition} AND f.closed IS NULL AND f.confidence > 0{scope} \
             ORDER BY f.rank DESC, f.id LIMIT ${}",
            values.len()
        );
        type Row = (i64, String, String, String, String, String, i64);
        let rows: Vec<Row> = sql::rows(self.db, "searching findings", &select, values).await?;
        let hit = |(id, vulnerability, name, version, product, release, worst): Row| Hit {
            kind: Kind::Finding,
            id: id.to_string(),
            title: format!("{vulnerability} in {name} {version}"),
            detail: format!("{product} {release}"),
            severity: severity(worst),
        };
        Ok(rows.into_iter().map(hit).collect())
    }

    async fn customers(&self) -> Result<Vec<Hit>> {
        let mut values = self.values();
        let scope = in_lines(self.db, self.actor, Permission::InventoryRead, "p.line", &mut values)?;
        values.push(self.most.into());
        let select = format!(
            "SELECT CAST(SUM(d.units) AS BIGINT), d.customer, COUNT(DISTINCT d.release) FROM deployment d \
             JOIN release r ON r.id = d.release JOIN product p ON p.id = r.product WHERE d.workspace = $1 \
             AND LOWER(d.customer) LIKE $2 ESCAPE '!'{scope} GROUP BY d.customer ORDER BY 1 DESC LIMIT ${}",
            values.len()
        );
        let rows: Vec<(i64, String, i64)> =
            sql::rows(self.db, "searching customers", &select, values).await?;
        let hit = |(units, name, releases): (i64, String, i64)| Hit {
            kind: Kind::Customer,
            id: name.clone(),
            title: name,
            detail: format!("{units} units of {releases} releases"),
            severity: None,
        };
        Ok(rows.into_iter().map(hit).collect())
    }

    async fn devices(&self) -> Result<Vec<Hit>> {
        let begins = self.text.to_lowercase();
        let mut values: Vec<Value> =
            vec![self.actor.workspace.into(), begins.clone().into(), format!("{begins}\u{10ffff}").into()];
        let scope = in_lines(self.db, self.actor, Permission::InventoryRead, "p.line", &mut values)?;
        values.push(self.most.into());
        let select = format!(
            "SELECT v.serial, d.customer, p.name || ' ' || r.version FROM device v JOIN deployment d ON d.id = v.deployment \
             JOIN release r ON r.id = d.release JOIN product p ON p.id = r.product WHERE v.workspace = $1 \
             AND v.plain >= $2 AND v.plain < $3{scope} ORDER BY v.plain LIMIT ${}",
            values.len()
        );
        let rows: Vec<(String, String, String)> =
            sql::rows(self.db, "searching devices", &select, values).await?;
        let hit = |(serial, customer, release): (String, String, String)| Hit {
            kind: Kind::Device,
            id: serial.clone(),
            title: serial,
            detail: format!("{release} at {customer}"),
            severity: None,
        };
        Ok(rows.into_iter().map(hit).collect())
    }

    async fn people(&self) -> Result<Vec<Hit>> {
        let mut values = self.values();
        values.push(self.most.into());
        let select = "SELECT p.id, p.name, p.email FROM person p WHERE p.disabled = 0 AND LOWER(p.name || ' ' || p.login || \
                      ' ' || p.email) LIKE $2 ESCAPE '!' AND EXISTS (SELECT 1 FROM membership m WHERE m.person = p.id \
                      AND m.workspace = $1) ORDER BY p.name, p.id LIMIT $3";
        let rows = sql::rows(self.db, "searching people", select, values).await?;
        Ok(rows.into_iter().map(Self::hit(Kind::Person)).collect())
    }
}
