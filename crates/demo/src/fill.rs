//! Puts the maker's workspace into a data folder.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tocsin::intake::{self, Place};
use tocsin::server::{App, later, now, random};
use tocsin_core::detection::{self, Filter, Reach};
use tocsin_core::inventory::{self, Deployment, Life, ReleaseEdit};
use tocsin_core::platform::access::{Actor, Role};
use tocsin_core::platform::change::Change;
use tocsin_core::platform::people::{self, Acceptance, Begun, From, Known, Seen};

use crate::maker::{Decision, Flaw, Maker, Person, Product, Row, Told};
use crate::{bom, intelligence, maker, news, reports};

/// Name of the workspace.
pub const WORKSPACE: &str = "Meridian Devices";

/// Sets of components, each a table under `components`.
const SETS: [&str; 6] = ["linux", "npm", "maven", "pypi", "go", "cargo"];

/// Days after its release on which a decision on it was taken.
const DECIDED_AFTER: i64 = 9;

/// Reads `folder` (`demo/maker`) and fills the data folder `data`; everybody's password is `password`. Gives the number
/// of open findings.
///
/// # Errors
/// A file does not make sense, or the data folder cannot be written.
pub async fn fill(folder: &Path, data: &Path, password: &str) -> Result<i64> {
    let maker = Maker::read(folder)?;
    let flaws: Vec<Flaw> = maker::table(folder, "vulnerabilities.csv")?;
    let mut sets = bom::Sets::new();
    for set in SETS {
        sets.insert(set.to_owned(), maker::table::<Row>(folder, &format!("components/{set}.csv"))?);
    }
    let inbox = data.join("demo-intelligence");
    intelligence::write(&inbox, &flaws)?;
    import(data, &inbox).await?;
    std::fs::remove_dir_all(&inbox)?;
    let place = tocsin_core::platform::db::Place::File(data.join("tocsin.db"));
    let app = App::open(data.to_owned(), place, false).await?;
    let workspace = people::first_workspace(app.db(), WORKSPACE, &now()).await?;
    lines(&app, workspace, &maker).await?;
    lives(&app, workspace, maker::table(folder, "lives.csv")?).await?;
    let mut team = HashMap::new();
    for person in &maker.person {
        team.insert(person.login.as_str(), join(&app, workspace, person, password).await?);
    }
    for product in &maker.product {
        ship(&app, workspace, product, &sets).await?;
    }
    for decision in &maker.decision {
        let who = team.get(decision.by.as_str()).with_context(|| format!("{} is nobody", decision.by))?;
        decide(&app, who, &maker, decision).await?;
    }
    news::tell(&app, folder, workspace, &team).await?;
    reports::tell(&app, folder, &team).await?;
    let system = Actor::system(workspace, &now());
    let mut open = 0;
    for release in inventory::releases(app.db(), &system, None).await? {
        open += release.open.iter().sum::<i64>();
    }
    Ok(open)
}

/// Imports through the command line, as a user would.
async fn import(data: &Path, inbox: &Path) -> Result<()> {
    let args = [
        "tocsin".into(),
        "--data-dir".into(),
        data.as_os_str().to_owned(),
        "db".into(),
        "import".into(),
        inbox.as_os_str().to_owned(),
    ];
    // the command brings a runtime of its own
    let code = tokio::task::spawn_blocking(|| tocsin::cli::run(args, &mut std::io::sink())).await?;
    // an exit code tells nothing but its text
    if format!("{code:?}") != format!("{:?}", std::process::ExitCode::SUCCESS) {
        bail!("the demo's intelligence could not be imported");
    }
    Ok(())
}

async fn lines(app: &App, workspace: i64, maker: &Maker) -> Result<()> {
    let first = maker.product.iter().flat_map(|p| &p.release).map(|r| r.released.as_str()).min();
    let system = Actor::system(workspace, &at(first.unwrap_or("2021-01-01"), 0)?);
    let mut change = Change::begin(app.db(), &system).await?;
    for product in &maker.product {
        inventory::make_line(&mut change, &product.line).await?;
    }
    change.commit().await?;
    Ok(())
}

/// Notes what is known of packages' lives.
async fn lives(app: &App, workspace: i64, told: Vec<Told>) -> Result<()> {
    let system = Actor::system(workspace, &now());
    let life = |t: Told| Life {
        package: t.package,
        cycle: t.cycle,
        latest: t.latest,
        ends: t.ends,
        source: t.source,
        ..Life::default()
    };
    let list: Vec<Life> = told.into_iter().map(life).collect();
    let mut change = Change::begin(app.db(), &system).await?;
    inventory::note_lives(&mut change, &list).await?;
    change.commit().await?;
    Ok(())
}

async fn join(app: &App, workspace: i64, person: &Person, password: &str) -> Result<Known> {
    let db = app.db();
    let system = Actor::system(workspace, &now());
    let role = Role::parse(&person.role).with_context(|| format!("{} is no role", person.role))?;
    let line = match &person.line {
        None => None,
        Some(name) => {
            let lines = inventory::lines(db, &system).await?;
            Some(lines.iter().find(|l| l.name == *name).with_context(|| format!("{name} is no line"))?.id)
        }
    };
    let token = people::invite(db, &system, random, &person.email, &[role], line, &later(1)).await?;
    let who = Acceptance {
        login: person.login.clone(),
        name: person.name.clone(),
        email: person.email.clone(),
        password: password.to_owned(),
    };
    let from = From { address: "127.0.0.1".to_owned(), agent: "demo".to_owned() };
    people::accept(db, random, &token, &who, &from, &now()).await?;
    let now = now();
    let begun = people::sign_in(&app.door(&from, &now), &person.login, password, None).await?;
    let Begun::In(session) = begun else { bail!("{} has a second step", person.login) };
    let seen = people::session(db, &session.token, &from, &now).await?;
    let Seen::Alive(known) = seen else { bail!("no session of {}", person.login) };
    people::sign_out(db, &session.token).await?;
    Ok(*known)
}

/// Uploads the releases of a product, each on the day of its release, and notes where they are in the field.
async fn ship(app: &App, workspace: i64, product: &Product, sets: &bom::Sets) -> Result<()> {
    for (n, release) in product.release.iter().enumerate() {
        let actor = Actor::system(workspace, &at(&release.released, 0)?);
        let document = serde_json::to_vec_pretty(&bom::write(product, release, sets))?;
        let place = Place::Named {
            line: product.line.clone(),
            product: product.name.clone(),
            version: release.version.clone(),
        };
        let name = format!("{} {}.cdx.json", product.name, release.version);
        let done = intake::take(app, &actor, place, name, document).await?;
        // most devices run what is neither the oldest nor just out
        let weight = |at: usize| 1 + (2 * at.min(product.release.len() - 1 - at)) as i64;
        let total: i64 = (0..product.release.len()).map(weight).sum();
        let deployments: Vec<Deployment> = product
            .units
            .iter()
            .map(|(customer, region, units)| Deployment {
                customer: customer.clone(),
                region: region.clone(),
                units: (units * weight(n) / total).max(1),
            })
            .collect();
        let mut change = Change::begin(app.db(), &actor).await?;
        inventory::deploy(&mut change, done.release, &deployments).await?;
        let edit = ReleaseEdit {
            version: release.version.clone(),
            released: Some(release.released.clone()),
            support_until: Some(release.support.clone()),
            note: String::new(),
        };
        inventory::edit_release(&mut change, done.release, &edit).await?;
        change.commit().await?;
    }
    Ok(())
}

async fn decide(app: &App, who: &Known, maker: &Maker, decision: &Decision) -> Result<()> {
    let released = maker
        .product
        .iter()
        .filter(|p| p.name == decision.product)
        .flat_map(|p| &p.release)
        .filter(|r| decision.version.as_ref().is_none_or(|v| *v == r.version))
        .map(|r| r.released.as_str())
        .max()
        .with_context(|| format!("{} is no release of ours", decision.product))?;
    let mut actor = who.actor.clone();
    actor.now = at(released, DECIDED_AFTER)?;
    let filter =
        Filter { vulnerability: Some(decision.vulnerability.clone()), inferred: true, ..Filter::default() };
    let found = detection::findings(app.db(), &actor, &filter, None, 1000).await?;
    let mine = |f: &&detection::Finding| {
        f.product == decision.product && decision.version.as_ref().is_none_or(|v| *v == f.release_version)
    };
    let mine: Vec<i64> = found.findings.iter().filter(mine).map(|f| f.id).collect();
    if mine.is_empty() {
        bail!("{} is not found in {}", decision.vulnerability, decision.product);
    }
    let wanted = detection::Decision {
        status: decision.status.clone(),
        justification: decision.justification.clone(),
        response: decision.response.clone(),
        detail: decision.detail.clone(),
        reach: Reach::Finding,
        expires: None,
    };
    let mut change = Change::begin(app.db(), &actor).await?;
    detection::decide_all(&mut change, &mine, &wanted).await?;
    change.commit().await?;
    Ok(())
}

/// Nine in the morning, some days after a day, in the form that the store keeps.
fn at(day: &str, days: i64) -> Result<String> {
    let day: jiff::civil::Date = day.parse()?;
    let day = day.checked_add(jiff::Span::new().days(days))?;
    Ok(format!("{day}T09:00:00.000Z"))
}
