//! The demo fills, and is what it claims to be.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use tocsin::server::App;
use tocsin_core::desk;
use tocsin_core::inventory;
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::db::Place;
use tocsin_core::platform::people;
use tocsin_model::query::Query;

#[test]
fn the_maker_has_three_lines_a_dozen_releases_and_findings_to_work_on() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/maker");
    let data = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let open = tocsin_demo::fill::fill(&folder, data.path(), "a long pass phrase").await.unwrap();
        assert!(open > 500, "{open} open findings are no backlog");
        let place = Place::File(data.path().join("tocsin.db"));
        let app = App::open(data.path().to_owned(), place, false).await.unwrap();
        let workspace = people::first_workspace(app.db(), "", &tocsin::server::now()).await.unwrap();
        let actor = Actor::system(workspace, &tocsin::server::now());
        assert_eq!(inventory::lines(app.db(), &actor).await.unwrap().len(), 3);
        let stories = desk::top(app.db(), &actor, 100).await.unwrap();
        assert!((8..22).contains(&stories.len()), "{} relevant stories: {stories:?}", stories.len());
        let all = desk::story_list(app.db(), &actor, &Query::default(), None, 100).await.unwrap().rows;
        assert!(all.len() > stories.len() && all.iter().any(|s| s.sources >= 3), "{all:?}");
        let last = all.last().unwrap();
        assert!(last.relevance < 0.0 && last.ours.is_empty(), "{last:?}");
        let releases = inventory::releases(app.db(), &actor, None).await.unwrap();
        assert!(releases.len() >= 12, "{}", releases.len());
        for r in releases {
            assert!(r.components > 150, "{} {}: {}", r.product_name, r.version, r.components);
            assert!(r.units > 0 && r.open.iter().sum::<i64>() > 0, "{} {}", r.product_name, r.version);
        }
    });
}
