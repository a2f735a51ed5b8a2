//! Jobs and schedules on both databases.

use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};

use super::*;
use crate::error::Error;
use crate::platform::access::{Grant, Role};
use crate::platform::change::{self, Change};
use crate::platform::testing::each;
use crate::platform::{clock, people, sql};

const NOW: &str = "2026-01-01T00:00:00.000Z";

#[derive(Serialize, Deserialize)]
struct Count {
    to: i64,
}

impl Payload for Count {
    const KIND: &'static str = "count";
    const ATTEMPTS: i64 = 2;
}

fn later(seconds: i64) -> String {
    clock::after(NOW, seconds * 1000).unwrap()
}

async fn actor(db: &DatabaseConnection) -> Actor {
    let workspace = people::first_workspace(db, "Main", NOW).await.unwrap();
    Actor { name: "person:anna".to_owned(), ..Actor::system(workspace, NOW) }
}

async fn put(db: &DatabaseConnection, actor: &Actor, new: New) -> Option<i64> {
    let mut change = Change::begin(db, actor).await.unwrap();
    let id = enqueue(&mut change, &Count { to: 3 }, new).await.unwrap();
    change.commit().await.unwrap();
    id
}

async fn take(db: &DatabaseConnection, worker: &str, now: &str) -> Option<Claimed> {
    claim(db, worker, &["count"], now).await.unwrap()
}

async fn finish(db: &DatabaseConnection, actor: &Actor, c: &Claimed) -> crate::Result<()> {
    let mut change = Change::begin(db, actor).await.unwrap();
    end(&mut change, c, &serde_json::json!({"counted": 3})).await?;
    change.commit().await
}

fn keyed(key: &str) -> New {
    New { key: Some(key.to_owned()), ..New::default() }
}

fn laned(lane: &str) -> New {
    New { lane: Some(lane.to_owned()), ..New::default() }
}

#[test]
fn a_job_goes_from_waiting_to_done_with_its_progress() {
    each(async |db| {
        let actor = actor(db).await;
        let bell = listen();
        let id = put(db, &actor, keyed("one")).await.unwrap();
        assert!(bell.has_changed().unwrap(), "the commit rings");
        assert_eq!(put(db, &actor, keyed("one")).await, None, "one of a key waits already");
        assert!(
            claim(db, "n/1", &["other"], NOW).await.unwrap().is_none(),
            "not of a kind that is not known"
        );
        let c = take(db, "n/1", NOW).await.unwrap();
        assert_eq!((c.job.id, c.job.attempts, c.job.state), (id, 1, State::Running));
        assert_eq!(c.job.actor(NOW).name, "person:anna");
        assert!(take(db, "n/2", NOW).await.is_none(), "it is taken");
        assert_eq!(put(db, &actor, keyed("one")).await, None, "one of a key runs");
        assert_eq!(beat(db, &c, (1, 4, "counting"), NOW).await.unwrap(), Word::Go);
        let shown = job(db, &actor, id).await.unwrap();
        assert_eq!((shown.percent(), shown.note.as_str()), (Some(25), "counting"));
        assert_eq!(active(db, &actor).await.unwrap(), Active { running: 1, waiting: 0, failed: 0 });
        finish(db, &actor, &c).await.unwrap();
        let shown = job(db, &actor, id).await.unwrap();
        assert_eq!((shown.state, shown.result.unwrap()["counted"].as_i64()), (State::Done, Some(3)));
        assert!(matches!(finish(db, &actor, &c).await, Err(Error::Conflict(_))), "it ends once");
        assert!(put(db, &actor, keyed("one")).await.is_some());
        // what is not committed is not written down
        let mut change = Change::begin(db, &actor).await.unwrap();
        enqueue(&mut change, &Count { to: 1 }, New::default()).await.unwrap();
        drop(change);
        assert_eq!(jobs(db, &actor, &Filter::default(), None, 10).await.unwrap().jobs.len(), 2);
    });
}

#[test]
fn a_silent_worker_loses_its_job_and_writes_nothing() {
    each(async |db| {
        let actor = actor(db).await;
        let id = put(db, &actor, New::default()).await.unwrap();
        let first = take(db, "a/1", NOW).await.unwrap();
        assert!(take(db, "b/1", &later(29)).await.is_none(), "the lease holds");
        beat(db, &first, (0, 0, ""), &later(20)).await.unwrap();
        assert!(take(db, "b/1", &later(49)).await.is_none(), "it was renewed");
        let second = take(db, "b/1", &later(51)).await.unwrap();
        assert_eq!((second.job.id, second.job.attempts), (id, 2));
        assert_eq!(beat(db, &first, (9, 9, ""), &later(52)).await.unwrap(), Word::Lost);
        assert_eq!(heard(db, &first).await.unwrap(), Word::Lost);
        fail(db, &first, "too late", true, 0.0, &later(52)).await.unwrap();
        cancelled(db, &first, &later(52)).await.unwrap();
        release(db, &first, &later(52)).await.unwrap();
        assert!(matches!(finish(db, &actor, &first).await, Err(Error::Conflict(_))));
        assert_eq!(heard(db, &second).await.unwrap(), Word::Go, "nothing of the first touched it");
        // the last attempt was taken by a worker that was killed too
        assert!(take(db, "c/1", &later(100)).await.is_none());
        let shown = job(db, &actor, id).await.unwrap();
        assert_eq!(shown.state, State::Failed);
        assert!(shown.error.unwrap().contains("without a word"));
        retry(db, &actor, id).await.unwrap();
        let third = take(db, "c/2", &later(101)).await.unwrap();
        assert_eq!(third.job.attempts, 1, "all attempts are there again");
        // its node starts anew and knows its own
        assert_eq!(orphan(db, "other", &later(102)).await.unwrap(), 0);
        assert_eq!(orphan(db, "c", &later(102)).await.unwrap(), 1);
        let fourth = take(db, "c/3", &later(102)).await.unwrap();
        release(db, &fourth, &later(103)).await.unwrap();
        let fifth = take(db, "c/4", &later(103)).await.unwrap();
        assert_eq!(fifth.job.attempts, 2, "one that was given back did not count");
        finish(db, &actor, &fifth).await.unwrap();
    });
}

#[test]
fn failures_wait_longer_each_time_and_end_as_dead_letters() {
    each(async |db| {
        let actor = actor(db).await;
        let id = put(db, &actor, keyed("k")).await.unwrap();
        let c = take(db, "a/1", NOW).await.unwrap();
        fail(db, &c, "no room\0 left", false, 1.0, NOW).await.unwrap();
        let shown = job(db, &actor, id).await.unwrap();
        assert_eq!((shown.state, shown.due.as_str()), (State::Waiting, later(5).as_str()));
        assert_eq!(shown.error.as_deref(), Some("no room\u{fffd} left"));
        assert!(take(db, "a/1", &later(4)).await.is_none());
        let c = take(db, "a/1", &later(5)).await.unwrap();
        fail(db, &c, "still none", false, 1.0, &later(5)).await.unwrap();
        assert_eq!(job(db, &actor, id).await.unwrap().state, State::Failed);
        assert!(matches!(cancel(db, &actor, id).await, Err(Error::Conflict(_))));
        let other = put(db, &actor, keyed("k")).await.unwrap();
        let refused = retry(db, &actor, id).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "another of its key waits: {refused:?}");
        assert_eq!(cancel(db, &actor, other).await.unwrap(), State::Cancelled);
        retry(db, &actor, id).await.unwrap();
        let c = take(db, "a/1", &later(6)).await.unwrap();
        assert_eq!(cancel(db, &actor, id).await.unwrap(), State::Running, "it has to be told");
        assert_eq!(heard(db, &c).await.unwrap(), Word::Cancel);
        assert_eq!(beat(db, &c, (1, 1, ""), &later(7)).await.unwrap(), Word::Cancel);
        assert!(matches!(finish(db, &actor, &c).await, Err(Error::Conflict(_))), "too late to end");
        fail(db, &c, "in conflict", false, 0.0, &later(8)).await.unwrap();
        assert_eq!(job(db, &actor, id).await.unwrap().state, State::Cancelled);
        let trail = change::events(db, &actor, "job.", None, 10).await.unwrap();
        let actions: Vec<&str> = trail.iter().map(|e| e.action.as_str()).collect();
        assert_eq!(actions, ["job.cancel", "job.retry", "job.cancel"]);
        assert_eq!(change::verify(db).await.unwrap().broken_at, None);
    });
}

#[test]
fn a_lane_keeps_its_order() {
    each(async |db| {
        let actor = actor(db).await;
        let first = put(db, &actor, laned("release/1")).await.unwrap();
        let second = put(db, &actor, laned("release/1")).await.unwrap();
        let other = put(db, &actor, laned("release/2")).await.unwrap();
        let a = take(db, "n/1", NOW).await.unwrap();
        let b = take(db, "n/2", NOW).await.unwrap();
        assert_eq!((a.job.id, b.job.id), (first, other));
        assert!(take(db, "n/3", NOW).await.is_none());
        // also while the first waits for its next attempt
        fail(db, &a, "again", false, 0.0, NOW).await.unwrap();
        assert!(take(db, "n/3", NOW).await.is_none());
        let a = take(db, "n/3", &later(10)).await.unwrap();
        finish(db, &actor, &a).await.unwrap();
        assert_eq!(take(db, "n/3", &later(10)).await.unwrap().job.id, second);
    });
}

#[test]
fn many_workers_take_each_job_once() {
    each(async |db| {
        let actor = actor(db).await;
        let mut change = Change::begin(db, &actor).await.unwrap();
        for _ in 0..40 {
            enqueue(&mut change, &Count { to: 1 }, New::default()).await.unwrap();
        }
        change.commit().await.unwrap();
        let workers: Vec<_> = (0..8)
            .map(|n| {
                let db = db.clone();
                tokio::spawn(async move {
                    let mut taken = Vec::new();
                    while let Some(c) = claim(&db, &format!("n/{n}"), &["count"], NOW).await.unwrap() {
                        taken.push(c.job.id);
                    }
                    taken
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        all.sort_unstable();
        let n = all.len();
        all.dedup();
        assert_eq!((n, all.len()), (40, 40));
    });
}

#[test]
fn who_sees_and_changes_what() {
    each(async |db| {
        let anna = actor(db).await;
        let of = |role: Role, line: Option<i64>, name: &str| Actor {
            name: name.to_owned(),
            grants: vec![Grant { role, line }],
            ..anna.clone()
        };
        let mine = put(db, &anna, New { line: 7, ..New::default() }).await.unwrap();
        let whole = put(db, &anna, New::default()).await.unwrap();
        let installation = put(db, &anna, New { installation: true, ..New::default() }).await.unwrap();
        let elsewhere = Actor { workspace: 99, ..anna.clone() };
        let seen = async |actor: &Actor| -> Vec<i64> {
            let page = jobs(db, actor, &Filter::default(), None, 10).await.unwrap();
            page.jobs.iter().map(|j| j.id).collect()
        };
        assert_eq!(seen(&anna).await, [installation, whole, mine]);
        assert_eq!(seen(&elsewhere).await, [installation]);
        assert_eq!(seen(&of(Role::Contact, Some(7), "person:kim")).await, [mine]);
        assert_eq!(seen(&of(Role::Contact, Some(8), "person:kim")).await, [] as [i64; 0]);
        assert_eq!(seen(&of(Role::Contact, Some(8), "person:anna")).await, [whole, mine], "one's own");
        let legal = of(Role::Legal, None, "person:lee");
        assert!(matches!(jobs(db, &legal, &Filter::default(), None, 10).await, Err(Error::Denied(_))));
        assert_eq!(active(db, &legal).await.unwrap(), Active::default());
        for (who, id) in [
            (of(Role::Auditor, None, "person:max"), whole),
            (of(Role::Contact, Some(7), "person:anna"), mine),
        ] {
            assert!(matches!(cancel(db, &who, id).await, Err(Error::Denied(_))));
        }
        let manager = of(Role::Manager, Some(7), "person:mo");
        assert!(matches!(cancel(db, &manager, whole).await, Err(Error::NotFound(_))));
        assert!(matches!(cancel(db, &elsewhere, mine).await, Err(Error::NotFound(_))));
        cancel(db, &manager, mine).await.unwrap();
        assert!(
            is_pending(db, &legal, whole).await.unwrap() && !is_pending(db, &elsewhere, whole).await.unwrap()
        );
        // pages
        let page = jobs(db, &anna, &Filter::default(), None, 2).await.unwrap();
        assert_eq!(page.next, Some(whole));
        let page = jobs(db, &anna, &Filter::default(), page.next, 2).await.unwrap();
        assert_eq!((page.jobs[0].id, page.next), (mine, None));
        let oldest = Filter { oldest: true, ..Filter::default() };
        let page = jobs(db, &anna, &oldest, Some(mine), 1).await.unwrap();
        assert_eq!((page.jobs[0].id, page.next), (whole, Some(whole)));
        let cancelled = Filter { state: Some(State::Cancelled), ..Filter::default() };
        assert_eq!(jobs(db, &anna, &cancelled, None, 9).await.unwrap().jobs.len(), 1);
        let live = Filter { active: true, kind: Some("count".to_owned()), ..Filter::default() };
        assert_eq!(jobs(db, &anna, &live, None, 9).await.unwrap().jobs.len(), 2);
    });
}

#[test]
fn old_jobs_are_removed_failed_ones_later() {
    each(async |db| {
        let actor = actor(db).await;
        let done = put(db, &actor, New::default()).await.unwrap();
        let c = take(db, "n/1", NOW).await.unwrap();
        finish(db, &actor, &c).await.unwrap();
        let failed = put(db, &actor, New::default()).await.unwrap();
        let c = take(db, "n/1", NOW).await.unwrap();
        fail(db, &c, "no", true, 0.0, NOW).await.unwrap();
        let waiting = put(db, &actor, New::default()).await.unwrap();
        for (days, removed, left) in
            [(29, 0, vec![waiting, failed, done]), (31, 1, vec![waiting, failed]), (181, 1, vec![waiting])]
        {
            let then = Actor { now: later(days * 24 * 3600), ..actor.clone() };
            let mut change = Change::begin(db, &then).await.unwrap();
            assert_eq!(sweep(&mut change).await.unwrap(), removed, "after {days} days");
            change.commit().await.unwrap();
            let page = jobs(db, &actor, &Filter::default(), None, 9).await.unwrap();
            assert_eq!(page.jobs.iter().map(|j| j.id).collect::<Vec<_>>(), left);
        }
    });
}

#[test]
fn schedules_write_their_job_down_once_for_all_times_missed() {
    each(async |db| {
        let actor = actor(db).await;
        let nightly = async |now: &str| schedule::tick(db, now).await.unwrap();
        schedule::ensure(db, "count", "Count", "30 2 * * *", &Count { to: 2 }, NOW).await.unwrap();
        schedule::ensure(db, "count", "Other", "0 0 1 1 *", &Count { to: 9 }, NOW).await.unwrap();
        let listed = schedule::schedules(db, &actor).await.unwrap();
        assert_eq!((listed.len(), listed[0].next.as_str()), (1, "2026-01-01T02:30:00.000Z"));
        assert_eq!(nightly("2026-01-01T02:29:59.999Z").await, 0);
        assert_eq!(nightly("2026-01-05T12:00:00.000Z").await, 1, "five times were missed");
        assert_eq!(nightly("2026-01-05T12:00:01.000Z").await, 0);
        assert_eq!(nightly("2026-01-06T03:00:00.000Z").await, 0, "the last one still waits");
        let c = take(db, "n/1", "2026-01-06T03:00:00.000Z").await.unwrap();
        assert_eq!((c.job.title.as_str(), c.job.payload["to"].as_i64()), ("Count", Some(2)));
        assert_eq!(c.job.workspace, INSTALLATION);
        finish(db, &actor, &c).await.unwrap();
        let listed = schedule::schedules(db, &actor).await.unwrap();
        assert_eq!(listed[0].next, "2026-01-07T02:30:00.000Z");
        assert_eq!(listed[0].last.as_deref(), Some("2026-01-06T03:00:00.000Z"));
        for wrong in ["", "* * *", "61 * * * *", "* * * * * *", "0 0 31 2 *", "@daily", "\u{0}\u{0} * * * *"]
        {
            let set = schedule::set(db, &actor, "count", wrong, true).await;
            assert!(matches!(set, Err(Error::Rejected { .. })), "{wrong:?}: {set:?}");
        }
        schedule::set(db, &actor, "count", " */5 * * * * ", false).await.unwrap();
        assert_eq!(nightly("2026-02-01T00:00:00.000Z").await, 0, "disabled");
        let id = schedule::run_now(db, &actor, "count").await.unwrap();
        assert!(id.is_some() && schedule::run_now(db, &actor, "count").await.unwrap().is_none());
        assert!(matches!(schedule::run_now(db, &actor, "none").await, Err(Error::NotFound(_))));
        let contact = Actor { grants: vec![Grant { role: Role::Contact, line: None }], ..actor.clone() };
        assert!(matches!(
            schedule::set(db, &contact, "count", "0 0 * * *", true).await,
            Err(Error::Denied(_))
        ));
        let trail = change::events(db, &actor, "schedule", None, 10).await.unwrap();
        assert_eq!(trail.len(), 3, "set, run, and the second run that found it waiting");
    });
}

#[test]
fn two_nodes_do_not_write_a_schedule_twice() {
    each(async |db| {
        schedule::ensure(db, "count", "Count", "* * * * *", &Count { to: 2 }, NOW).await.unwrap();
        let then = later(60);
        let tick = || {
            let (db, then) = (db.clone(), then.clone());
            tokio::spawn(async move { schedule::tick(&db, &then).await.unwrap() })
        };
        let nodes: Vec<_> = (0..4).map(|_| tick()).collect();
        let mut written = 0;
        for node in nodes {
            written += node.await.unwrap();
        }
        assert_eq!(written, 1);
    });
}

#[test]
fn sessions_and_invitations_that_are_over_are_removed() {
    use crate::platform::{sweep, testing};
    each(async |db| {
        let actor = actor(db).await;
        let invite = async |until: &str| {
            people::invite(db, &actor, testing::random, "a@example.org", &[Role::Auditor], None, until)
                .await
                .unwrap()
        };
        invite(&later(3600)).await;
        let long = invite(&later(90 * 24 * 3600)).await;
        let then = Actor { now: later(40 * 24 * 3600), ..actor.clone() };
        let mut change = Change::begin(db, &then).await.unwrap();
        let swept = sweep::sweep(&mut change).await.unwrap();
        change.commit().await.unwrap();
        assert_eq!(swept, sweep::Swept { sessions: 0, invitations: 1, jobs: 0 });
        assert!(people::invitation(db, &long, &then.now).await.is_ok());
        let left: Option<(i64,)> =
            sql::row(db, "counting", "SELECT COUNT(*) FROM invitation", vec![]).await.unwrap();
        assert_eq!(left, Some((1,)));
    });
}
