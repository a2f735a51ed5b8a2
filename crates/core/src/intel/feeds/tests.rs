//! What is remembered of sources.

use super::note::until;
use super::*;
use crate::platform::clock;
use crate::platform::testing::each;

const NOW: &str = "2026-01-01T00:00:00.000Z";

fn failed(wait: Option<u64>) -> Outcome {
    Outcome::Failed { error: "no answer".to_owned(), wait, sum: Sum::default() }
}

fn to(enabled: Option<bool>, address: Option<&str>) -> Set {
    Set { enabled, address: address.map(str::to_owned), ..Set::default() }
}

fn random(bytes: &mut [u8]) {
    bytes.fill(7);
}

#[test]
fn a_source_that_fails_is_left_alone_longer_and_longer() {
    let minutes = |failures, wait| {
        until(NOW, failures, wait).map_or(0, |u| (clock::seconds(&u) - clock::seconds(NOW)) / 60)
    };
    let cases = [(1, 0), (2, 0), (3, 15), (4, 30), (5, 60), (8, 480), (10, 1440), (i64::MAX, 1440)];
    for (failures, want) in cases {
        assert_eq!(minutes(failures, None), want, "after {failures}");
    }
    assert_eq!(minutes(1, Some(61)), 2);
    assert_eq!(minutes(4, Some(60)), 30, "the longer of both");
    assert_eq!(minutes(1, Some(u64::MAX)), 1440);
    assert_eq!(minutes(9, Some(0)), 0, "it was heard");
}

#[test]
fn what_a_source_gave_is_remembered_and_a_failure_takes_nothing_of_it() {
    each(async |db| {
        let actor = Actor::system(0, NOW);
        assert_eq!(one(db, &actor, "kev").await.unwrap().good, None);
        let mark = Mark { address: "https://a".to_owned(), etag: Some("\"1\"".to_owned()), modified: None };
        let sum = Sum { documents: 1, read: 3, new: 2, changed: 1, refused: 0, bytes: 9 };
        let taken = Outcome::Taken { mark: Some(mark.clone()), sum };
        let feed = note(db, &actor, "kev", NOW, &taken).await.unwrap();
        assert_eq!((feed.read, feed.new, feed.changed, feed.bytes), (3, 2, 1, 9));
        assert_eq!((feed.good.as_deref(), feed.enabled), (Some(NOW), false));
        let later = Actor::system(0, "2026-01-02T00:00:00.000Z");
        for n in 1..=PATIENCE {
            let feed = note(db, &later, "kev", NOW, &failed(None)).await.unwrap();
            assert_eq!((feed.failures, feed.error.as_str()), (n, "no answer"));
            assert_eq!(feed.paused(&later.now).is_some(), n == PATIENCE);
            assert_eq!((feed.good.as_deref(), feed.mark.as_ref()), (Some(NOW), Some(&mark)));
            assert_eq!(feed.read, 3);
        }
        let feed = note(db, &later, "kev", NOW, &Outcome::Unchanged).await.unwrap();
        assert_eq!((feed.failures, feed.error.as_str(), feed.not_before), (0, "", None));
        assert_eq!(feed.good.as_deref(), Some(later.now.as_str()));
    });
}

#[test]
fn a_source_is_set_and_asked_again() {
    each(async |db| {
        let actor = Actor::system(0, NOW);
        note(db, &actor, "epss", NOW, &failed(Some(7200))).await.unwrap();
        let feed =
            set(db, &actor, "epss", &to(Some(true), Some(" https://mirror.example/e "))).await.unwrap();
        assert_eq!((feed.enabled, feed.address.as_str()), (true, "https://mirror.example/e"));
        assert_eq!(feed.paused(NOW), None);
        for bad in ["ftp://x", "https://me:pw@x/", "https://x/ y", "/etc/passwd"] {
            let refused = set(db, &actor, "epss", &to(None, Some(bad))).await;
            assert!(matches!(refused, Err(Error::Rejected { .. })), "{bad}");
        }
        let feed = set(db, &actor, "epss", &to(Some(false), None)).await.unwrap();
        assert_eq!((feed.enabled, feed.address.as_str()), (false, "https://mirror.example/e"));
    });
}

#[test]
fn runs_are_kept_and_those_without_news_are_one() {
    each(async |db| {
        let at = |n: i64| Actor::system(0, &clock::minutes_after(NOW, n));
        let sum = Sum { documents: 2, read: 4, ..Sum::default() };
        note(db, &at(1), "nvd", NOW, &Outcome::Taken { mark: None, sum }).await.unwrap();
        for n in 2..5 {
            note(db, &at(n), "nvd", &at(n).now, &Outcome::Unchanged).await.unwrap();
        }
        let broken = Outcome::Failed { error: "it broke off".to_owned(), wait: None, sum };
        let feed = note(db, &at(6), "nvd", NOW, &broken).await.unwrap();
        assert_eq!((feed.read, feed.failures), (4, 1), "what was taken in until then counts");
        note(db, &at(7), "kev", NOW, &Outcome::Unchanged).await.unwrap();
        let kept = runs(db, &at(8), "nvd").await.unwrap();
        let told: Vec<_> = kept.iter().map(|r| (r.outcome.as_str(), r.times, r.documents, r.read)).collect();
        assert_eq!(told, [("failed", 1, 2, 4), ("unchanged", 3, 0, 0), ("taken", 1, 2, 4)]);
        assert_eq!((&kept[1].started, &kept[1].ended), (&at(2).now, &at(4).now));
        for n in 0..210 {
            note(db, &at(10 + n), "nvd", NOW, &Outcome::Taken { mark: None, sum }).await.unwrap();
        }
        assert_eq!(runs(db, &at(300), "nvd").await.unwrap().len(), 200);
        assert_eq!(runs(db, &at(300), "kev").await.unwrap().len(), 1);
    });
}

#[test]
fn a_key_is_sealed_and_another_address_is_read_from_its_beginning() {
    each(async |db| {
        let actor = Actor::system(0, NOW);
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::new(dir.path());
        for bad in ["two words", "a\nb", &"x".repeat(5000)] {
            let refused = set_key(db, &actor, (&vault, random), "nvd", Some(bad)).await;
            assert!(matches!(refused, Err(Error::Rejected { .. })));
        }
        set_key(db, &actor, (&vault, random), "nvd", Some(" secret-word\n")).await.unwrap();
        let feed = one(db, &actor, "nvd").await.unwrap();
        assert!(feed.keyed && !feed.sealed.contains("secret"));
        assert!(!serde_json::to_string(&feed).unwrap().contains(&feed.sealed), "it is handed out nowhere");
        assert_eq!(key(&actor, &vault, &feed).unwrap().unwrap().as_str(), "secret-word");
        let moved = Feed { name: "osv".to_owned(), ..feed };
        assert!(key(&actor, &vault, &moved).is_err(), "of another source it is of no use");
        set_key(db, &actor, (&vault, random), "nvd", None).await.unwrap();
        assert!(!one(db, &actor, "nvd").await.unwrap().keyed);

        let update = "UPDATE feed SET cursor = 'far' WHERE name = 'nvd'";
        sql::run(db, "a test", update, vec![]).await.unwrap();
        let mut new = to(Some(true), None);
        new.options.insert("proxy".to_owned(), "http://proxy.example:3128".to_owned());
        let feed = set(db, &actor, "nvd", &new).await.unwrap();
        assert_eq!((feed.cursor.as_str(), feed.options.len()), ("far", 1));
        new.options.insert("proxy".to_owned(), "proxy".to_owned());
        assert!(set(db, &actor, "nvd", &new).await.is_err());
        new.options.insert("proxy".to_owned(), String::new());
        let feed = set(db, &actor, "nvd", &new).await.unwrap();
        assert_eq!((feed.cursor.as_str(), feed.options.len()), ("far", 0));
        let feed = set(db, &actor, "nvd", &to(None, Some("https://mirror.example/"))).await.unwrap();
        assert_eq!(feed.cursor, "");
    });
}

#[test]
fn the_first_keys_are_trusted_and_later_ones_wait_for_a_word() {
    each(async |db| {
        let actor = Actor::system(0, NOW);
        let key = |c: char| c.to_string().repeat(40);
        let whose = ("csaf", "maker.example");
        let all = shown(db, &actor, whose, &[key('a')]).await.unwrap();
        assert_eq!((all.len(), all[0].trusted), (1, true));
        let all = shown(db, &actor, whose, &[key('a'), key('b')]).await.unwrap();
        assert_eq!(all.iter().map(|k| k.trusted).collect::<Vec<_>>(), [true, false]);
        let other = shown(db, &actor, ("csaf", "other.example"), &[key('b')]).await.unwrap();
        assert!(other[0].trusted, "each provider has its own");
        let id = all[1].id;
        assert!(matches!(decide(db, &actor, "nvd", id, true).await, Err(Error::NotFound(_))));
        decide(db, &actor, "csaf", id, true).await.unwrap();
        let told = providers(db, &actor, "csaf").await.unwrap();
        assert_eq!((told.len(), told[0].owner.as_str(), told[0].keys.len()), (2, "maker.example", 2));
        assert!(told[0].keys.iter().all(|k| k.trusted));
        let spaced = "BBBB BBBB BBBB BBBB BBBB  BBBB BBBB BBBB BBBB BBBB";
        assert_eq!(key_of(db, &actor, "csaf", spaced).await.unwrap(), id);
        decide(db, &actor, "csaf", all[0].id, false).await.unwrap();
        let left = shown(db, &actor, whose, &[key('a')]).await.unwrap();
        assert!(
            !left.iter().any(|k| k.fingerprint == key('a') && k.trusted),
            "it was forgotten, not renewed"
        );
        let trail = "SELECT action FROM audit WHERE action LIKE 'source.key.%' ORDER BY seq";
        let rows: Vec<(String,)> = sql::rows(db, "a test", trail, vec![]).await.unwrap();
        let told: Vec<&str> = rows.iter().map(|r| r.0.trim_start_matches("source.key.")).collect();
        assert_eq!(told, ["pin", "shown", "pin", "accept", "forget", "shown"]);
    });
}
