//! One damaged entry in the middle never stops the rest.

use std::ops::ControlFlow;

use tocsin_model::record::Fact;

use super::*;

/// Ids of what is read, and how many problems are told.
fn read(name: &str, text: &str) -> (Vec<String>, usize) {
    let (mut ids, mut problems) = (Vec::new(), 0);
    split(name, &mut text.as_bytes(), &Limits::default(), &mut |item| {
        match item {
            Item::Record(r) => match parse(r.kind, &r.bytes) {
                Ok((records, _)) => ids.extend(records.into_iter().map(|r| r.id)),
                Err(_) => problems += 1,
            },
            Item::Fact(Fact::Catalogue(e)) => ids.push(e.id),
            Item::Problem(..) => problems += 1,
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    (ids, problems)
}

/// Damage to the middle one of three: a bracket too few, one too many, a wrong type.
fn damaged(middle: &str) -> [String; 3] {
    let cut = middle.trim_end().trim_end_matches(['}', ']']);
    [cut.to_owned(), middle.replacen('{', "{]", 1), "7".to_owned()]
}

#[test]
fn debian_tracker() {
    let one = |n: u8| {
        format!(
            "{{\n      \"CVE-2024-000{n}\": {{\"releases\": {{\"bookworm\": {{\"status\": \"open\"}}}}}}\n    }}"
        )
    };
    let of =
        |middle: &str| format!("{{\n  \"a\": {},\n  \"b\": {middle},\n  \"c\": {}\n}}\n", one(1), one(3));
    assert_eq!(read("t.json", &of(&one(2))).0.len(), 3);
    for middle in damaged(&one(2)).iter().take(2) {
        let (ids, problems) = read("t.json", &of(middle));
        assert_eq!(
            (ids, problems),
            (vec!["CVE-2024-0001".to_owned(), "CVE-2024-0003".to_owned()], 1),
            "{middle}"
        );
    }
}

#[test]
fn secdb() {
    let one = |n: u8| {
        format!(
            "    {{\n      \"pkg\": {{\"name\": \"p{n}\", \"secfixes\": {{\"1-r0\": [\"CVE-2024-000{n}\"]}}}}\n    }}"
        )
    };
    let of = |middle: &str| {
        format!(
            "{{\n  \"distroversion\": \"v3.19\",\n  \"reponame\": \"main\",\n  \"packages\": [\n{},\n{middle},\n{}\n  ]\n}}\n",
            one(1),
            one(3)
        )
    };
    assert_eq!(read("s.json", &of(&one(2))).0.len(), 3);
    for middle in damaged(&one(2)).iter().take(2) {
        let (ids, problems) = read("s.json", &of(middle));
        assert_eq!(
            (ids, problems),
            (vec!["CVE-2024-0001".to_owned(), "CVE-2024-0003".to_owned()], 1),
            "{middle}"
        );
    }
}

#[test]
fn a_list_of_records() {
    let one =
        |n: u8| format!("  {{\n    \"id\": \"OSV-{n}\",\n    \"modified\": \"2024-01-01T00:00:00Z\"\n  }}");
    let of = |middle: &str| format!("[\n{},\n{middle},\n{}\n]\n", one(1), one(3));
    assert_eq!(read("l.json", &of(&one(2))).0.len(), 3);
    for middle in damaged(&one(2)).iter().take(2) {
        let (ids, problems) = read("l.json", &of(middle));
        assert_eq!((ids, problems), (vec!["OSV-1".to_owned(), "OSV-3".to_owned()], 1), "{middle}");
    }
}

#[test]
fn attack_patterns_in_a_bundle_and_in_lines() {
    let one = |n: u8| {
        format!(
            "{{\"type\":\"attack-pattern\",\"name\":\"n\",\"external_references\":[{{\"source_name\":\"capec\",\"external_id\":\"CAPEC-{n}\"}}]}}"
        )
    };
    let bundle =
        format!("{{\"type\":\"bundle\",\"objects\":[\n  {},\n  {},\n  {}]}}", one(1), &one(2)[..80], one(3));
    assert_eq!(read("b.json", &bundle), (vec!["CAPEC-1".to_owned(), "CAPEC-3".to_owned()], 1));
    let lines = format!("{}\n{}\n{}\n", one(1), &one(2)[..80], one(3));
    assert_eq!(read("b.jsonl", &lines), (vec!["CAPEC-1".to_owned(), "CAPEC-3".to_owned()], 1));
}

#[test]
fn a_damaged_advisory_costs_itself() {
    for (text, good) in [
        ("gem: a\ntitle: t\nurl: u\ncve: 2024-1\n", true),
        ("gem: a\ntitle: [\nurl: u\n", false),
        ("title: t\nlink: l\nbranches:\n  m: {versions: ['<1']}\nreference: composer://a/b\n", true),
        ("branches: 7\nreference: composer://a/b\n", false),
        ("cve: 2024-1\ntitle: t\naffected:\n- name: a\n  version: ['==1']\n", true),
        ("cve: 2024-1\ntitle: t\naffected: 7\n", false),
        ("{\"cve\":[],\"vulnerable\":\"8.x\",\"patched\":\"^8.1.4\"}", true),
        ("{\"cve\":[],\"vulnerable\":8,\"patched\":\"^8.1.4\"}", false),
    ] {
        let (ids, problems) = read("x", text);
        assert_eq!((ids.len(), problems), (usize::from(good), usize::from(!good)), "{text}");
    }
}
