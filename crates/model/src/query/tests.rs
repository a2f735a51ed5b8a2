//! What is read, what is refused with which words, and that what is written is read back.

use proptest::prelude::*;

use super::*;

const STATUS: &[&str] = &["under_investigation", "affected", "not_affected", "fixed"];
const SEVERITY: &[&str] = &["unknown", "none", "low", "medium", "high", "critical"];

fn schema() -> Schema {
    let field = |name, kind, optional| Field { name, kind, optional, what: "" };
    Schema {
        fields: vec![
            field("severity", Kind::Scale(SEVERITY), false),
            field("status", Kind::Word(STATUS), false),
            field("product", Kind::Text, false),
            field("vulnerability", Kind::Id, false),
            field("epss", Kind::Number, true),
            field("kev", Kind::Truth, false),
            field("due", Kind::Time, true),
            field("age", Kind::Age, false),
        ],
        sorts: vec!["severity", "epss", "due"],
        columns: vec!["severity", "product", "epss"],
        groups: vec!["vulnerability"],
    }
}

/// Each text with its canonical form.
#[test]
fn texts_have_one_form() {
    for (text, form) in [
        ("", ""),
        ("  ", ""),
        ("severity>=high", "severity>=high"),
        ("Severity >=high", "!"),
        ("SEVERITY>=HIGH", "severity>=high"),
        ("severity=high", "severity:high"),
        ("product:\"Pump 3\"", "product:\"Pump 3\""),
        ("product:Pump", "product:Pump"),
        ("product=\"Pump\"", "product=Pump"),
        ("product:\"none\"", "product:\"none\""),
        ("status:affected,fixed", "status:affected,fixed"),
        ("status:not-affected", "status:not_affected"),
        ("status!=fixed", "-status:fixed"),
        ("-status!=fixed", "status:fixed"),
        ("--kev:yes", "kev:true"),
        ("is:kev", "kev:true"),
        ("-is:kev", "-kev:true"),
        ("kev:any", "kev:any"),
        ("NOT kev:1", "-kev:true"),
        ("epss>=10%", "epss>=0.1"),
        ("epss:none", "epss:none"),
        ("age>30d", "age>30d"),
        ("due<now+7d", "due<now+7d"),
        ("due<=now", "due<=now"),
        ("due:2026-01-31", "due:2026-01-31"),
        ("due>2026-01-31T10:00:00Z", "due>2026-01-31T10:00:00Z"),
        ("log4j core", "log4j core"),
        ("\"log4j core\"", "\"log4j core\""),
        ("pkg:npm/left-pad@1.0", "pkg:npm/left-pad@1.0"),
        ("a,b", "a,b"),
        ("\"or\" OR x", "or OR x"),
        ("\"OR\"", "\"OR\""),
        ("a b OR c", "(a b) OR c"),
        ("a AND b", "a b"),
        ("a (b OR c)", "a (b OR c)"),
        ("((a))", "a"),
        ("-(a b)", "-(a b)"),
        ("(a OR b) sort:-epss", "(a OR b) sort:-epss"),
        (
            "sort:epss columns:epss,product,epss group:none limit:50 kev:true",
            "kev:true sort:epss columns:epss,product group:none limit:50",
        ),
        ("vulnerability:CVE-2021-*", "vulnerability:CVE-2021-*"),
        ("product:a\\b", "product:a\\b"),
        ("product:\"a\\\"b\\\\ c\"", "product:\"a\\\"b\\\\ c\""),
    ] {
        match parse(text, &schema()) {
            Ok(query) => {
                assert_eq!(query.to_string(), form, "{text}");
                assert_eq!(parse(form, &schema()), Ok(query), "{text} read back");
            }
            Err(e) => assert_eq!(form, "!", "{text}: {e}"),
        }
    }
}

#[test]
fn errors_say_where_and_what_was_meant() {
    for (text, told) in [
        ("severty>=high", "unknown field `severty` at 1, did you mean severity?"),
        ("is:product", "nothing here is `product` at 4, it is one of: kev"),
        ("kev:true xyzzy:1", "unknown field `xyzzy` at 10, or put it in quotes to look for the text"),
        ("severity>=hihg", "`hihg` is no value of severity at 11, did you mean high?"),
        (
            "status:open",
            "`open` is no value of status at 8, it is one of: under_investigation, affected, not_affected, fixed",
        ),
        ("status>fixed", "`status` has no order at 7, write status:value"),
        ("product>a", "`product` has no order at 8, write product:value"),
        ("epss>much", "`much` is no value of epss at 6, it is a number, like 7.5 or 10%"),
        ("age>1month", "`1month` is no value of age at 5, it is a length of time, like 12h, 30d, 2w or 1y"),
        (
            "due<2026-13-01",
            "`2026-13-01` is no value of due at 5, it is a day like 2026-01-31, an instant, or now-7d",
        ),
        ("kev:perhaps", "`perhaps` is no value of kev at 5, it is true, false or any"),
        ("severity>=", "a value is missing at 11, write one, or `\"\"` for an empty text"),
        ("severity>=high,low", "`>=` takes one value at 9"),
        ("(a", "`(` without its `)` at 1"),
        ("a)", "`)` without a `(` before it at 2"),
        ("()", "nothing stands in the brackets at 1"),
        ("a OR", "nothing follows `OR` at 3"),
        ("OR a", "nothing stands before `OR` at 1"),
        ("-", "nothing follows `-` at 1"),
        ("product:\"Pump", "a `\"` without its second at 9"),
        ("sort:name", "`name` is nothing that can be sorted by at 6, it is one of: severity, epss, due"),
        ("(a sort:epss)", "`sort:` stands by itself, outside of brackets at 4"),
        ("limit:0", "a page has 1 to 1000 rows, not `0` at 7"),
        ("columns:sevrity", "`sevrity` is nothing that can be shown at 9, did you mean severity?"),
    ] {
        match parse(text, &schema()) {
            Err(e) => assert_eq!(e.to_string(), told, "{text}"),
            Ok(query) => panic!("{text} is read as {query:?}"),
        }
    }
    assert!(parse(&"(".repeat(100), &schema()).unwrap_err().message.contains("nest"));
    assert!(parse(&"a ".repeat(100), &schema()).unwrap_err().message.contains("parts"));
    assert!(parse(&"a".repeat(3000), &schema()).unwrap_err().message.contains("bytes"));
}

#[test]
fn parts_are_taken_away_and_added() {
    let query = parse("kev:true (a OR b) -status:fixed sort:epss", &schema()).unwrap();
    let parts: Vec<String> = query.parts().iter().map(ToString::to_string).collect();
    assert_eq!(parts, ["kev:true", "(a OR b)", "-status:fixed"]);
    assert_eq!(query.without(1).to_string(), "kev:true -status:fixed sort:epss");
    assert_eq!(query.without(0).without(0).without(0).to_string(), "sort:epss");
    assert!(query.names("status") && !query.names("epss"));
    let either = parse("a OR b", &schema()).unwrap().and(Filter::Word("c".to_owned()));
    assert_eq!(either.to_string(), "(a OR b) c");
}

fn length() -> impl Strategy<Value = Length> {
    (1..9999_u32, prop::sample::select(UNITS.to_vec())).prop_map(|(n, (unit, _))| Length { n, unit })
}

fn test() -> impl Strategy<Value = Filter> {
    let word = |words: &'static [&'static str]| (0..words.len()).prop_map(move |n| Value::Word(words[n], n));
    let order = prop::sample::select(vec![Op::Has, Op::Less, Op::Most, Op::More, Op::Least]);
    let one = |field, op, value| Filter::Test(Test { field, op, values: vec![value] });
    let many = |field, op, values| Filter::Test(Test { field, op, values });
    let text = || any::<String>().prop_map(Value::Text);
    prop_oneof![
        (order.clone(), word(SEVERITY)).prop_map(move |(op, v)| one("severity", op, v)),
        prop::collection::vec(word(STATUS), 1..4).prop_map(move |v| many("status", Op::Has, v)),
        (prop::sample::select(vec![Op::Has, Op::Is]), prop::collection::vec(text(), 1..3))
            .prop_map(move |(op, v)| many("product", op, v)),
        prop::collection::vec(text(), 1..3).prop_map(move |v| many("vulnerability", Op::Has, v)),
        (order.clone(), any::<i32>()).prop_map(move |(op, n)| one(
            "epss",
            op,
            Value::Number(f64::from(n) / 1024.0)
        )),
        any::<bool>().prop_map(move |b| one("kev", Op::Has, Value::Truth(b))),
        Just(one("due", Op::Has, Value::None)),
        (order.clone(), any::<bool>(), length()).prop_map(move |(op, f, l)| one(
            "due",
            op,
            Value::FromNow(f, l)
        )),
        (order, length()).prop_map(move |(op, l)| one("age", op, Value::Age(l))),
        any::<String>().prop_filter("empty", |w| !w.trim().is_empty()).prop_map(Filter::Word),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    test().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Filter::all),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Filter::any),
            inner.prop_map(Filter::negate),
        ]
    })
}

fn query() -> impl Strategy<Value = Query> {
    let s = schema();
    let sort = (prop::sample::select(s.sorts), any::<bool>()).prop_map(|(field, down)| Sort { field, down });
    (
        prop::option::of(filter()),
        prop::option::of(sort),
        prop::sample::subsequence(s.columns, 0..3),
        prop::option::of(prop::sample::select(vec!["vulnerability", "none"])),
        prop::option::of(1..=LIMIT_MOST),
    )
        .prop_map(|(filter, sort, columns, group, limit)| Query { filter, sort, columns, group, limit })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(query in query()) {
        let text = query.to_string();
        let mut tests = 0;
        query.filter.iter().for_each(|f| f.tests(&mut |_| tests += 1));
        prop_assume!(text.len() <= TEXT_MOST && tests < TESTS_MOST / 2);
        prop_assert_eq!(parse(&text, &schema()), Ok(query), "{}", text);
    }

    #[test]
    fn reading_never_panics_and_settles(text in "\\PC{0,60}|[a-z:()\"<>=!, -]{0,40}|((severity|kev|product|due)[:=<>]{1,2}[a-z0-9\"+-]{0,6} ?){0,4}") {
        if let Ok(query) = parse(&text, &schema()) {
            let form = query.to_string();
            prop_assert_eq!(parse(&form, &schema()), Ok(query), "{} as {}", text, form);
        }
    }
}
