//! What a text names: any bytes that are text, in any script.

use std::sync::LazyLock;

use tocsin_engine::entities::{Dictionary, Kind, Thing, ThingKind, find};

/// Names strong and weak, of one and of several words, of several scripts.
static DICTIONARY: LazyLock<Dictionary> = LazyLock::new(|| {
    let names =
        ["openssl", "express", "time", "socket.io", "Spring Framework", "輸液ポンプ", "é", "ab", "a b c"];
    let things = names.map(|n| Thing::new(ThingKind::Component, n));
    Dictionary::new(things.into_iter().chain([Thing::new(ThingKind::Vendor, "Apple")]))
});

/// Spans are in the text and at its characters, in order; a version stands beside a name.
pub fn entities(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let found = find(text, &DICTIONARY, &["news.example"]);
    for pair in found.windows(2) {
        assert!(pair[0].span.start <= pair[1].span.start, "{text:?}: out of order");
    }
    for e in &found {
        let told = text.get(e.span.clone());
        assert!(told.is_some_and(|t| !t.is_empty()), "{text:?}: {e:?} is no piece of the text");
        assert!(!e.value.is_empty(), "{text:?}: {e:?} is nothing");
        assert_eq!(e.of.is_some(), e.kind == Kind::Version, "{text:?}: {e:?}");
        let named = |of: usize| matches!(found[of].kind, Kind::Product | Kind::Component | Kind::Vendor);
        assert!(e.of.is_none_or(named), "{text:?}: {e:?} stands beside nothing");
    }
}
