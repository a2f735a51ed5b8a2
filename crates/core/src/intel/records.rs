//! Writing records and putting them into flaws: a record's bytes, its history, and the groups its aliases make.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::{DatabaseTransaction, Value};
use tocsin_model::diagnostic::Diagnostic;

use crate::error::Result;
use crate::intel::merge::{Outcome, Part, is_collective, merge};
use crate::intel::store::{Prepared, Refused, Run, next_id};
use crate::intel::types::Counts;
use crate::intel::{problems, remarks};
use crate::platform::bulk;
use crate::platform::instant::{is_older, same};
use crate::platform::sql::{list, maybe, numbers, rows, run as tell, text, texts};

struct Known {
    id: i64,
    hash: String,
    modified: Option<String>,
}

/// Records of a batch that are written, by number; whether each is new.
type Accepted<'a> = BTreeMap<i64, (&'a Prepared, bool)>;

/// Contents that another one of the same batch replaced, in their order.
type Passed<'a> = Vec<(i64, &'a Prepared)>;

/// Writes the records that are new or changed, and groups them; returns the merges that were refused.
pub(crate) async fn write(
    tx: &DatabaseTransaction,
    records: &[Prepared],
    run: &Run<'_>,
    counts: &mut BTreeMap<String, Counts>,
) -> Result<Vec<Diagnostic>> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let (accepted, passed) = accept(tx, records, counts).await?;
    if accepted.is_empty() {
        return Ok(Vec::new());
    }
    let old: Vec<i64> = accepted.iter().filter(|(_, (_, new))| !new).map(|(id, _)| *id).collect();
    keep_history(tx, &old, &passed, run.now).await?;
    let what = "writing records";
    let row = |(id, (r, _)): (&i64, &(&Prepared, bool))| {
        [
            Value::from(*id),
            text(r.source),
            text(&r.record_id),
            Value::from(r.kind),
            text(&r.hash),
            maybe(r.modified.as_deref()),
            text(r.state),
            text(&r.title),
            text(run.now),
            text(run.now),
        ]
    };
    let head = "INSERT INTO record (id, source, record_id, kind, hash, modified, state, title, first_seen, last_seen)";
    let tail = "ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, hash = excluded.hash,
         modified = excluded.modified, state = excluded.state, title = excluded.title, last_seen = excluded.last_seen";
    bulk::insert(tx, what, head, tail, accepted.iter().map(row).collect()).await?;
    let raw = accepted.iter().map(|(id, (r, _))| [Value::from(*id), Value::from(r.raw.clone())]).collect();
    let tail = "ON CONFLICT (record) DO UPDATE SET raw = excluded.raw";
    bulk::insert(tx, what, "INSERT INTO record_raw (record, raw)", tail, raw).await?;
    remarks::write(tx, &old, accepted.iter().map(|(id, (r, _))| (*id, r.remarks.as_slice()))).await?;
    regroup(tx, &accepted, &old, run).await
}

/// Decides of each record whether it is written; of several contents of one record the last that is.
async fn accept<'a>(
    tx: &DatabaseTransaction,
    records: &'a [Prepared],
    counts: &mut BTreeMap<String, Counts>,
) -> Result<(Accepted<'a>, Passed<'a>)> {
    let what = "looking for stored records";
    let ids: Vec<&str> = records.iter().map(|r| r.record_id.as_str()).collect();
    let sql = format!(
        "SELECT id, source, record_id, hash, modified FROM record WHERE record_id IN {}",
        texts(tx, 1)
    );
    let stored: Vec<(i64, String, String, String, Option<String>)> =
        rows(tx, what, &sql, vec![list(&ids)]).await?;
    let numbers_of: Vec<i64> = stored.iter().map(|r| r.0).collect();
    let sql = format!("SELECT record, hash FROM record_history WHERE record IN {}", numbers(tx, 1));
    let mut past: HashSet<(i64, String)> =
        rows(tx, what, &sql, vec![list(&numbers_of)]).await?.into_iter().collect();
    let mut known: HashMap<(String, String), Known> =
        stored.into_iter().map(|(id, s, r, hash, modified)| ((s, r), Known { id, hash, modified })).collect();
    let mut next = next_id(tx, "SELECT coalesce(max(id), 0) FROM record").await?;
    let (mut accepted, mut passed) = (Accepted::new(), Passed::new());
    for r in records {
        let c = counts.entry(r.source.to_owned()).or_default();
        let key = (r.source.to_owned(), r.record_id.clone());
        match known.get_mut(&key) {
            Some(k) if k.hash == r.hash => c.unchanged += 1,
            Some(k) if is_older(r.modified.as_deref(), k.modified.as_deref()) => c.older += 1,
            // Two publishers of one record, equally new: the one that was replaced does not come back.
            Some(k)
                if r.modified.is_some()
                    && same(r.modified.as_deref(), k.modified.as_deref())
                    && past.contains(&(k.id, r.hash.clone())) =>
            {
                c.older += 1;
            }
            Some(k) => {
                c.changed += 1;
                past.insert((k.id, std::mem::replace(&mut k.hash, r.hash.clone())));
                k.modified.clone_from(&r.modified);
                let before = accepted.get(&k.id).copied();
                passed.extend(before.map(|(content, _)| (k.id, content)));
                accepted.insert(k.id, (r, before.is_some_and(|(_, new)| new)));
            }
            None => {
                c.new += 1;
                accepted.insert(next, (r, true));
                known.insert(key, Known { id: next, hash: r.hash.clone(), modified: r.modified.clone() });
                next += 1;
            }
        }
    }
    Ok((accepted, passed))
}

async fn keep_history(tx: &DatabaseTransaction, old: &[i64], passed: &Passed<'_>, now: &str) -> Result<()> {
    let what = "keeping the history";
    if !old.is_empty() {
        let sql = format!(
        "INSERT INTO record_history (record, n, until, hash, modified, raw)
         SELECT r.id, (SELECT count(*) + 1 FROM record_history h WHERE h.record = r.id), $2, r.hash, r.modified, w.raw
         FROM record r JOIN record_raw w ON w.record = r.id WHERE r.id IN {}",
            numbers(tx, 1)
        );
        tell(tx, what, &sql, vec![list(old), text(now)]).await?;
    }
    if passed.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = passed.iter().map(|p| p.0).collect();
    let sql = format!(
        "SELECT record, count(*) FROM record_history WHERE record IN {} GROUP BY record",
        numbers(tx, 1)
    );
    let mut kept: HashMap<i64, i64> = rows(tx, what, &sql, vec![list(&ids)]).await?.into_iter().collect();
    let row = |(id, r): &(i64, &Prepared)| {
        let n = kept.entry(*id).or_default();
        *n += 1;
        let modified = maybe(r.modified.as_deref());
        [Value::from(*id), Value::from(*n), text(now), text(&r.hash), modified, Value::from(r.raw.clone())]
    };
    let head = "INSERT INTO record_history (record, n, until, hash, modified, raw)";
    bulk::insert(tx, what, head, "", passed.iter().map(row).collect()).await?;
    Ok(())
}

/// What [`regroup`] works on: parts, and the groups they were in.
struct Touched {
    parts: Vec<Part>,
    groups: HashMap<i64, String>,
}

/// Reads every part that the written ones can have to do with: from ids to groups to their ids, until nothing
/// more comes. Merging such a whole gives the same answer whatever came first.
async fn touched(tx: &DatabaseTransaction, accepted: &Accepted<'_>, old: &[i64]) -> Result<Touched> {
    let what = "looking for groups";
    let mut parts: Vec<Part> = Vec::new();
    for (id, (r, _)) in accepted {
        let name = format!("{} {}", r.source, r.record_id);
        parts.extend(r.parts.iter().enumerate().map(|(n, ids)| Part {
            record: *id,
            part: n as i64,
            ids: ids.clone(),
            name: name.clone(),
        }));
    }
    let mut seen: HashSet<String> = HashSet::new();
    let mut fresh: Vec<String> = Vec::new();
    let mut groups: HashMap<i64, String> = HashMap::new();
    let note = |part: &Part, seen: &mut HashSet<String>, fresh: &mut Vec<String>| {
        // What else a collective record names has no part in its grouping.
        let most = if is_collective(&part.ids) { 1 } else { part.ids.len() };
        for id in part.ids.iter().take(most) {
            if seen.insert(id.clone()) {
                fresh.push(id.clone());
            }
        }
    };
    parts.iter().for_each(|p| note(p, &mut seen, &mut fresh));
    if !old.is_empty() {
        // Ids that changed records had before concern those who share them.
        let sql = format!(
            "SELECT a.id FROM alias a WHERE a.vulnerability IN
               (SELECT l.vulnerability FROM record_link l WHERE l.record IN {list})
             UNION SELECT o.id FROM record_also o WHERE o.bound = 1 AND o.record IN {list}",
            list = numbers(tx, 1)
        );
        let before: Vec<(String,)> = rows(tx, what, &sql, vec![list(old)]).await?;
        fresh.extend(before.into_iter().map(|b| b.0).filter(|id| seen.insert(id.clone())));
    }
    while !fresh.is_empty() {
        let sql = format!(
            "SELECT v.id, v.main FROM vulnerability v WHERE v.id IN
               (SELECT a.vulnerability FROM alias a WHERE a.id IN {list}
                UNION SELECT l.vulnerability FROM record_also o
                  JOIN record_link l ON l.record = o.record AND l.part = o.part
                  WHERE o.bound = 1 AND o.id IN {list})",
            list = texts(tx, 1)
        );
        let found: Vec<(i64, String)> = rows(tx, what, &sql, vec![list(&fresh)]).await?;
        fresh.clear();
        let new: Vec<i64> = found.iter().map(|f| f.0).filter(|id| !groups.contains_key(id)).collect();
        groups.extend(found);
        if new.is_empty() {
            break;
        }
        let sql = format!(
            "SELECT l.record, l.part, l.ids, r.source, r.record_id FROM record_link l JOIN record r ON r.id = l.record
             WHERE l.vulnerability IN {}",
            numbers(tx, 1)
        );
        let linked: Vec<(i64, i64, String, String, String)> =
            rows(tx, "reading groups", &sql, vec![list(&new)]).await?;
        for (record, part, ids, source, id) in linked {
            if !accepted.contains_key(&record) {
                let ids = serde_json::from_str(&ids).unwrap_or_default();
                let part = Part { record, part, ids, name: format!("{source} {id}") };
                note(&part, &mut seen, &mut fresh);
                parts.push(part);
            }
        }
    }
    Ok(Touched { parts, groups })
}

/// Puts the parts of the written records, and all they have to do with, into groups anew.
async fn regroup(
    tx: &DatabaseTransaction,
    accepted: &Accepted<'_>,
    old: &[i64],
    run: &Run<'_>,
) -> Result<Vec<Diagnostic>> {
    let Touched { mut parts, groups: was } = touched(tx, accepted, old).await?;
    let mut numbers_was: Vec<i64> = was.keys().copied().collect();
    numbers_was.sort_unstable();
    if !was.is_empty() {
        let list_was = numbers(tx, 1);
        for sql in [
            format!(
                "DELETE FROM record_also WHERE (record, part) IN
                 (SELECT record, part FROM record_link WHERE vulnerability IN {list_was})"
            ),
            format!("DELETE FROM record_link WHERE vulnerability IN {list_was}"),
            format!("DELETE FROM alias WHERE vulnerability IN {list_was}"),
            format!(
                "INSERT INTO gone SELECT main FROM vulnerability WHERE id IN {list_was} ON CONFLICT DO NOTHING"
            ),
            format!("DELETE FROM vulnerability WHERE id IN {list_was}"),
        ] {
            tell(tx, "regrouping", &sql, vec![list(&numbers_was)]).await?;
        }
    }
    parts.sort();
    let outcome = merge(&parts);
    // Numbers of deleted rows must not be given twice in one batch.
    let mut next = next_id(tx, "SELECT coalesce(max(id), 0) FROM vulnerability").await?;
    next = next.max(numbers_was.last().map_or(0, |m| m + 1));
    let reuse: HashMap<&str, i64> = was.iter().map(|(id, main)| (main.as_str(), *id)).collect();
    let (mut flaws, mut aliases, mut links) = (Vec::new(), Vec::new(), Vec::new());
    let mut groups: Vec<_> = outcome.groups.iter().collect();
    groups.sort_by_key(|g| g.parts.first().copied());
    for group in groups {
        let id = reuse.get(group.main.as_str()).copied().unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        flaws.push([Value::from(id), text(&group.main)]);
        aliases.extend(group.ids.iter().map(|a| [text(a), Value::from(id)]));
        links.extend(
            group
                .parts
                .iter()
                .filter_map(|p| parts.get(*p))
                .map(|p| [Value::from(p.record), Value::from(p.part), Value::from(id), list(&p.ids)]),
        );
    }
    let what = "writing vulnerabilities";
    bulk::insert(tx, what, "INSERT INTO vulnerability (id, main)", "", flaws).await?;
    bulk::insert(tx, what, "INSERT INTO alias (id, vulnerability)", "", aliases).await?;
    bulk::insert(tx, what, "INSERT INTO record_link (record, part, vulnerability, ids)", "", links).await?;
    let also = outcome.apart.iter().filter_map(|(index, id)| {
        let p = parts.get(*index)?;
        let bound = i64::from(!is_collective(&p.ids));
        Some([Value::from(p.record), Value::from(p.part), text(id), Value::from(bound)])
    });
    let head = "INSERT INTO record_also (record, part, id, bound)";
    bulk::insert(tx, what, head, "ON CONFLICT DO NOTHING", also.collect()).await?;
    tell_of_refused(tx, &parts, &outcome, accepted, run).await
}

/// Keeps the refused merges as problems in place of those told before; returns those of the written records.
async fn tell_of_refused(
    tx: &DatabaseTransaction,
    parts: &[Part],
    outcome: &Outcome,
    accepted: &Accepted<'_>,
    run: &Run<'_>,
) -> Result<Vec<Diagnostic>> {
    let mut names: Vec<&str> = parts.iter().map(|p| p.name.as_str()).collect();
    names.dedup();
    problems::forget_conflicts(tx, &names).await?;
    let refused: Vec<(&Part, Refused)> = outcome
        .refused
        .iter()
        .filter_map(|n| parts.get(*n))
        .map(|p| {
            let message = format!("{} would join several CVE ids; it stays alone", p.ids.join(", "));
            let diagnostic = Diagnostic::new("record-alias-conflict", p.name.clone(), message);
            let source = problems::source_word(p.name.split(' ').next().unwrap_or(""));
            (p, Refused { source, file: String::new(), diagnostic, bytes: Vec::new() })
        })
        .collect();
    let told = refused
        .iter()
        .filter(|(p, _)| accepted.contains_key(&p.record))
        .map(|(_, r)| r.diagnostic.clone())
        .collect();
    let refused: Vec<Refused> = refused.into_iter().map(|(_, r)| r).collect();
    problems::write(tx, &refused, run).await?;
    Ok(told)
}
