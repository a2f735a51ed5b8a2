//! What programs say of a release, counts by day, and taking a release away.

use std::collections::HashMap;

use super::tests::{anna, index, osv, pump, read, sbom};
use super::*;
use crate::detection::{self, Decision, Filter, Reach};
use crate::platform::testing::each;
use crate::platform::{change, sql};

const NOW: &str = "2026-01-01T00:00:00.000Z";

#[test]
fn what_programs_say_of_a_release_is_kept_and_goes_with_it() {
    each(async |db| {
        let actor = anna(db).await;
        let (one, two) = (pump(db, &actor, "1.0").await, pump(db, &actor, "2.0").await);
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0"), &osv("CVE-2025-2", "right", "3.0.0")]);
        upload(db, &actor, two, &read(sbom(&[("left", "1.0.0"), ("right", "2.0.0")]), &ix)).await.unwrap();

        // cards: nothing is part of itself, by whatever way
        let card = |parent: Option<i64>| Card { parent, kind: "firmware".to_owned(), ..Card::default() };
        let set = async |release: i64, card: Card| {
            let mut change = Change::begin(db, &actor).await.unwrap();
            let done = set_card(&mut change, release, &card).await;
            change.commit().await.unwrap();
            done
        };
        set(two, card(Some(one))).await.unwrap();
        assert!(matches!(set(one, card(Some(two))).await, Err(Error::Rejected { .. })), "in a circle");
        assert!(matches!(set(one, card(Some(one))).await, Err(Error::Rejected { .. })));
        assert!(matches!(set(one, card(Some(999))).await, Err(Error::NotFound(_))));
        assert_eq!(cards(db, &actor).await.unwrap(), HashMap::from([(two, card(Some(one)))]));

        let property = |value: &str| Property {
            group: "ci".to_owned(),
            name: "keep".to_owned(),
            value: value.to_owned(),
            kind: "STRING".to_owned(),
            description: String::new(),
        };
        let mut change = Change::begin(db, &actor).await.unwrap();
        assert_eq!(set_property(&mut change, two, &property("yes")).await.unwrap(), None);
        assert_eq!(set_property(&mut change, two, &property("no")).await.unwrap(), Some(property("yes")));
        let long = Property { value: "x".repeat(1025), ..property("") };
        assert!(set_property(&mut change, two, &long).await.is_err());
        change.commit().await.unwrap();
        assert_eq!(properties(db, &actor, two).await.unwrap(), [property("no")]);

        // the counts of the day follow decisions
        let counts = async |at: Option<i64>| {
            let all = detection::counted(db, &actor, at, "2025-12-01").await.unwrap();
            all.into_iter()
                .map(|c| (c.day, c.open[0], c.vulnerable, c.suppressed, c.audited))
                .collect::<Vec<_>>()
        };
        let day = || "2026-01-01".to_owned();
        assert_eq!(counts(Some(two)).await, [(day(), 2, 2, 0, 0)]);
        let list = detection::findings(db, &actor, &Filter::default(), None, 10).await.unwrap().findings;
        let mut change = Change::begin(db, &actor).await.unwrap();
        let (held, _) = detection::hold(&change, list[0].id).await.unwrap();
        assert_eq!(held.vulnerability, list[0].vulnerability);
        let decision = |status: &str| Decision {
            status: status.to_owned(),
            justification: String::new(),
            response: String::new(),
            detail: "why".to_owned(),
            reach: Reach::Finding,
            expires: None,
        };
        detection::decide(&mut change, list[0].id, &decision("false_positive")).await.unwrap();
        detection::decide(&mut change, list[1].id, &decision("affected")).await.unwrap();
        change.commit().await.unwrap();
        assert_eq!(counts(Some(two)).await, [(day(), 1, 1, 1, 1)]);
        assert_eq!(counts(None).await, [(day(), 1, 1, 1, 1)]);
        assert_eq!(edges(db, &actor, two).await.unwrap(), []);
        assert_eq!(imported(db, &actor).await.unwrap()[&two].at, NOW);

        // the release goes, with all that is its own; another's document of the same bytes stays
        upload(db, &actor, one, &read(sbom(&[("left", "1.0.0"), ("right", "2.0.0")]), &ix)).await.unwrap();
        let mut change = Change::begin(db, &actor).await.unwrap();
        remove_release(&mut change, two).await.unwrap();
        change.commit().await.unwrap();
        assert!(matches!(release_of(db, &actor, two).await, Err(Error::NotFound(_))));
        assert!(release_of(db, &actor, one).await.unwrap().latest, "what is left is the latest");
        assert!(original(db, &actor, one, 0).await.is_ok());
        assert_eq!(cards(db, &actor).await.unwrap(), HashMap::new());
        for table in ["property", "release_count", "occurrence", "finding", "document"] {
            let count = format!("SELECT COUNT(*) FROM {table} WHERE release = $1");
            let row: Option<(i64,)> = sql::row(db, "counting", &count, vec![two.into()]).await.unwrap();
            assert_eq!(row, Some((0,)), "{table}");
        }
        let standing = "SELECT COUNT(*) FROM decision WHERE ended IS NULL";
        let row: Option<(i64,)> = sql::row(db, "counting", standing, vec![]).await.unwrap();
        assert_eq!(row, Some((0,)));
        let mut change = Change::begin(db, &actor).await.unwrap();
        remove_release(&mut change, one).await.unwrap();
        change.commit().await.unwrap();
        let row: Option<(i64,)> =
            sql::row(db, "counting", "SELECT COUNT(*) FROM blob", vec![]).await.unwrap();
        assert_eq!(row, Some((0,)), "nobody has the document any more");
        assert_eq!(change::verify(db).await.unwrap().broken_at, None);
        let trail = change::events(db, &actor, "release.remove", None, 10).await.unwrap();
        assert_eq!(trail.len(), 2, "that they were there is kept");
    });
}
