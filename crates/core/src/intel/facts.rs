//! Facts about exploitation and weaknesses: writing them so that an older word never replaces a newer one, and
//! reading them.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};
use tocsin_model::record::{CatalogueEntry, Fact};

use crate::error::Result;
use crate::intel::types::Counts;
use crate::platform::bulk::insert;
use crate::platform::sql::{list, maybe, rows, text, texts};

/// The origins an exploit can have; the word of the model is static.
const ORIGINS: &[&str] = &["exploit-db", "metasploit", "poc"];

/// How a fact stands to what is stored of the same thing.
enum Step {
    New,
    Changed,
    /// The same, perhaps told anew by a later edition.
    Unchanged,
    Older,
}

fn tally(counts: &mut BTreeMap<String, Counts>, source: &str, step: &Step) {
    let c = counts.entry(source.to_owned()).or_default();
    c.read += 1;
    match step {
        Step::New => c.new += 1,
        Step::Changed => c.changed += 1,
        Step::Unchanged => c.unchanged += 1,
        Step::Older => c.older += 1,
    }
}

/// Compares the content, and the editions it was told by; what has no edition is as new as what is stored.
fn step<T: PartialEq>(old: Option<(&T, Option<&str>)>, new: (&T, Option<&str>)) -> Step {
    match old {
        None => Step::New,
        Some((_, was)) if new.1.is_some() && new.1 < was => Step::Older,
        Some((content, _)) if content == new.0 => Step::Unchanged,
        Some(_) => Step::Changed,
    }
}

/// Writes facts; `now` dates what its file does not.
pub(crate) async fn write(
    tx: &DatabaseTransaction,
    facts: &[Fact],
    now: &str,
    counts: &mut BTreeMap<String, Counts>,
) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    write_epss(tx, facts, now, counts).await?;
    write_kev(tx, facts, now, counts).await?;
    write_exploits(tx, facts, counts).await?;
    let entries: Vec<&CatalogueEntry> = facts
        .iter()
        .filter_map(|f| match f {
            Fact::Catalogue(entry) => Some(entry.as_ref()),
            _ => None,
        })
        .collect();
    super::catalogue::write(tx, &entries, counts).await
}

type Epss = (f64, f64);

/// Whether a score is far enough from the last one that is kept to be kept too.
///
/// Most of the scores of a day differ from those of the day before in the fourth decimal. A hundredth is what a line can
/// show and what moves a priority; below that it is a doubling or halving that tells something, of scores from a
/// thousandth on. The score of now is kept whole beside (`epss`); what is compared is the last step, not yesterday, so that
/// what creeps is seen too.
fn moved(kept: f64, new: f64) -> bool {
    let (low, high) = if kept < new { (kept, new) } else { (new, kept) };
    high - low >= 0.01 || (high - low >= 0.001 && high >= 2.0 * low)
}

async fn write_epss(
    tx: &DatabaseTransaction,
    facts: &[Fact],
    now: &str,
    counts: &mut BTreeMap<String, Counts>,
) -> Result<()> {
    let today = now.get(..10).unwrap_or(now);
    // Of several days of one file each is a step of its own, so that changes are told day by day.
    let mut told: BTreeMap<(&str, &str), Epss> = BTreeMap::new();
    for fact in facts {
        if let Fact::Epss { cve, score, percentile, date } = fact {
            let date = if date.is_empty() { today } else { date };
            told.insert((cve, date), (f64::from(*score), f64::from(*percentile)));
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    let mut cves: Vec<&str> = told.keys().map(|k| k.0).collect();
    cves.dedup();
    let sql = format!("SELECT cve, date, score, percentile FROM epss WHERE cve IN {}", texts(tx, 1));
    let stored: Vec<(String, String, f64, f64)> = rows(tx, "reading EPSS", &sql, vec![list(&cves)]).await?;
    let mut known: HashMap<String, (String, Epss)> =
        stored.into_iter().map(|(cve, date, s, p)| (cve, (date, (s, p)))).collect();
    let sql = format!(
        "SELECT c.cve, c.score FROM epss_change c WHERE c.cve IN {} AND c.date = \
         (SELECT MAX(l.date) FROM epss_change l WHERE l.cve = c.cve)",
        texts(tx, 1)
    );
    let steps: Vec<(String, f64)> = rows(tx, "reading EPSS", &sql, vec![list(&cves)]).await?;
    let mut kept: HashMap<String, f64> = steps.into_iter().collect();
    let mut current: BTreeMap<&str, (&str, Epss)> = BTreeMap::new();
    let mut changes = Vec::new();
    for ((cve, date), new) in told {
        let old = known.get(cve);
        let scores = old.map(|(was, (score, _))| (score, Some(was.as_str())));
        let step = step(scores, (&new.0, Some(date)));
        tally(counts, "epss", &step);
        let far = kept.get(cve).is_none_or(|kept| moved(*kept, new.0));
        if far && matches!(step, Step::New | Step::Changed) {
            kept.insert(cve.to_owned(), new.0);
            changes.push([text(cve), text(date), Value::from(new.0), Value::from(new.1)]);
        }
        if !matches!(step, Step::Older) && old.is_none_or(|(was, o)| was != date || *o != new) {
            known.insert(cve.to_owned(), (date.to_owned(), new));
            current.insert(cve, (date, new));
        }
    }
    let what = "writing EPSS";
    let set = "DO UPDATE SET score = excluded.score, percentile = excluded.percentile";
    let head = "INSERT INTO epss_change (cve, date, score, percentile)";
    insert(tx, what, head, &format!("ON CONFLICT (cve, date) {set}"), changes).await?;
    let row =
        |(cve, (date, (s, p))): (&str, (&str, Epss))| [text(cve), text(date), Value::from(s), Value::from(p)];
    let head = "INSERT INTO epss (cve, date, score, percentile)";
    let tail = format!("ON CONFLICT (cve) {set}, date = excluded.date");
    insert(tx, what, head, &tail, current.into_iter().map(row).collect()).await?;
    Ok(())
}

/// Date added, due date, ransomware, name.
type Kev = (String, Option<String>, i64, String);

async fn write_kev(
    tx: &DatabaseTransaction,
    facts: &[Fact],
    now: &str,
    counts: &mut BTreeMap<String, Counts>,
) -> Result<()> {
    let mut told: Vec<(&str, Kev, Option<&str>)> = Vec::new();
    for fact in facts {
        if let Fact::Kev { cve, date_added, due_date, ransomware, name, released } = fact {
            let kev = (date_added.clone(), due_date.clone(), i64::from(*ransomware), clip(name).to_owned());
            told.push((cve, kev, released.as_deref()));
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    let cves: Vec<&str> = told.iter().map(|t| t.0).collect();
    let sql = format!(
        "SELECT cve, date_added, due_date, ransomware, name, released FROM kev WHERE cve IN {}",
        texts(tx, 1)
    );
    type Row = (String, String, Option<String>, i64, String, Option<String>);
    let stored: Vec<Row> = rows(tx, "reading KEV", &sql, vec![list(&cves)]).await?;
    let mut known: HashMap<String, (Kev, Option<String>)> =
        stored.into_iter().map(|(cve, a, d, r, n, released)| (cve, ((a, d, r, n), released))).collect();
    let (mut current, mut changes) = (BTreeMap::new(), Vec::new());
    for (cve, new, released) in told {
        let old = known.get(cve);
        let step = step(old.map(|(k, was)| (k, was.as_deref())), (&new, released));
        tally(counts, "kev", &step);
        let later = old.is_none_or(|(_, was)| released.is_some() && was.as_deref() != released);
        if matches!(step, Step::New | Step::Changed) {
            let (added, due, ransomware, name) = &new;
            changes.push([
                text(cve),
                text(now),
                text(added),
                text(due.as_deref().unwrap_or("")),
                Value::from(*ransomware),
                text(name),
            ]);
        } else if matches!(step, Step::Older) || !later {
            continue;
        }
        let released = released.map(str::to_owned).or_else(|| old.and_then(|o| o.1.clone()));
        known.insert(cve.to_owned(), (new.clone(), released.clone()));
        current.insert(cve, (new, released));
    }
    let what = "writing KEV";
    let head = "INSERT INTO kev_change (cve, seen, date_added, due_date, ransomware, name)";
    insert(tx, what, head, "ON CONFLICT DO NOTHING", changes).await?;
    let row = |(cve, ((added, due, ransomware, name), released)): (&str, (Kev, Option<String>))| {
        [
            text(cve),
            text(&added),
            maybe(due.as_deref()),
            Value::from(ransomware),
            text(&name),
            maybe(released.as_deref()),
        ]
    };
    let head = "INSERT INTO kev (cve, date_added, due_date, ransomware, name, released)";
    let tail =
        "ON CONFLICT (cve) DO UPDATE SET date_added = excluded.date_added, due_date = excluded.due_date,
         ransomware = excluded.ransomware, name = excluded.name, released = excluded.released";
    insert(tx, what, head, tail, current.into_iter().map(row).collect()).await?;
    Ok(())
}

/// Title, date, verified, rank.
type Exploit = (String, Option<String>, i64, Option<i64>);

async fn write_exploits(
    tx: &DatabaseTransaction,
    facts: &[Fact],
    counts: &mut BTreeMap<String, Counts>,
) -> Result<()> {
    type Key = (String, String, String);
    let mut told: Vec<(Key, Exploit, Option<&str>)> = Vec::new();
    for fact in facts {
        if let Fact::Exploit { vulnerabilities, origin, id, title, date, verified, rank, updated } = fact {
            let exploit = (title.clone(), date.clone(), i64::from(*verified), rank.map(i64::from));
            told.extend(vulnerabilities.iter().map(|v| {
                let key = ((*origin).to_owned(), clip(id).to_owned(), clip(v).to_owned());
                (key, exploit.clone(), updated.as_deref())
            }));
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    let cves: Vec<&str> = told.iter().map(|t| t.0.2.as_str()).collect();
    let sql = format!(
        "SELECT origin, id, cve, title, date, verified, rank, updated FROM exploit WHERE cve IN {}",
        texts(tx, 1)
    );
    type Row = (String, String, String, String, Option<String>, i64, Option<i64>, Option<String>);
    let stored: Vec<Row> = rows(tx, "reading exploits", &sql, vec![list(&cves)]).await?;
    let mut known: HashMap<Key, (Exploit, Option<String>)> = stored
        .into_iter()
        .map(|(origin, id, cve, t, d, v, r, updated)| ((origin, id, cve), ((t, d, v, r), updated)))
        .collect();
    let mut current: BTreeMap<Key, (Exploit, Option<String>)> = BTreeMap::new();
    for (key, new, updated) in told {
        let old = known.get(&key);
        let step = step(old.map(|(e, was)| (e, was.as_deref())), (&new, updated));
        tally(counts, "exploit", &step);
        let later = updated.is_some() && old.is_some_and(|(_, was)| was.as_deref() != updated);
        if matches!(step, Step::New | Step::Changed) || (matches!(step, Step::Unchanged) && later) {
            let updated = updated.map(str::to_owned).or_else(|| old.and_then(|o| o.1.clone()));
            known.insert(key.clone(), (new.clone(), updated.clone()));
            current.insert(key, (new, updated));
        }
    }
    type Entry = ((String, String, String), (Exploit, Option<String>));
    let row = |((origin, id, cve), ((title, date, verified, rank), updated)): Entry| {
        [
            text(&origin),
            text(&id),
            text(&cve),
            text(&title),
            maybe(date.as_deref()),
            Value::from(verified),
            Value::BigInt(rank),
            maybe(updated.as_deref()),
        ]
    };
    let head = "INSERT INTO exploit (origin, id, cve, title, date, verified, rank, updated)";
    let tail = "ON CONFLICT (origin, id, cve) DO UPDATE SET title = excluded.title, date = excluded.date,
         verified = excluded.verified, rank = excluded.rank, updated = excluded.updated";
    insert(tx, "writing exploits", head, tail, current.into_iter().map(row).collect()).await?;
    Ok(())
}

/// At most 1,000 bytes of a text that is part of a key.
fn clip(text: &str) -> &str {
    let mut end = text.len().min(1000);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// KEV, current EPSS and exploits: of `ids`, or all; in the order of their ids.
pub(crate) async fn read(db: &impl ConnectionTrait, ids: Option<&[String]>) -> Result<Vec<Fact>> {
    let what = "reading facts";
    let (filter, values) = match ids {
        Some(ids) => (format!("WHERE cve IN {}", texts(db, 1)), vec![list(ids)]),
        None => (String::new(), Vec::new()),
    };
    let mut out = Vec::new();
    type KevRow = (String, String, Option<String>, i64, String, Option<String>);
    let sql = format!("SELECT cve, date_added, due_date, ransomware, name, released FROM kev {filter}");
    let mut kev: Vec<KevRow> = rows(db, what, &sql, values.clone()).await?;
    // Sorted here, since the order of texts in SQL differs between databases.
    kev.sort();
    out.extend(kev.into_iter().map(|(cve, date_added, due_date, ransomware, name, released)| Fact::Kev {
        cve,
        date_added,
        due_date,
        ransomware: ransomware != 0,
        name,
        released,
    }));
    let sql = format!("SELECT cve, date, score, percentile FROM epss {filter}");
    let mut epss: Vec<(String, String, f64, f64)> = rows(db, what, &sql, values.clone()).await?;
    epss.sort_by(|a, b| a.0.cmp(&b.0));
    out.extend(epss.into_iter().map(|(cve, date, score, percentile)| Fact::Epss {
        cve,
        date,
        score: score as f32,
        percentile: percentile as f32,
    }));
    type Row = (String, String, String, String, Option<String>, i64, Option<i64>, Option<String>);
    let sql = format!("SELECT origin, id, cve, title, date, verified, rank, updated FROM exploit {filter}");
    let mut exploits: Vec<Row> = rows(db, what, &sql, values).await?;
    exploits.sort();
    for (origin, id, cve, title, date, verified, rank, updated) in exploits {
        let Some(origin) = ORIGINS.iter().find(|o| **o == origin) else { continue };
        let rank = rank.and_then(|r| u16::try_from(r).ok());
        let verified = verified != 0;
        out.push(Fact::Exploit {
            vulnerabilities: vec![cve],
            origin,
            id,
            title,
            date,
            verified,
            rank,
            updated,
        });
    }
    Ok(out)
}
