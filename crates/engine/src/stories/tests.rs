use super::*;
use crate::entities::{Dictionary, Thing, ThingKind, find};

const NOON: i64 = 1_711_713_600;

fn item(key: u64, day: i64, text: &str) -> Item {
    let names = ["openssl", "curl", "libarchive"];
    let dictionary = Dictionary::new(names.map(|n| Thing::new(ThingKind::Component, n)));
    Item::new(
        key,
        &format!("https://site{key}.example/a{key}"),
        NOON + day * DAY,
        text,
        &find(text, &dictionary, &[]),
        6,
    )
}

fn stories(texts: &[&str]) -> (Stories, Vec<Placed>) {
    let mut made = Stories::default();
    let placed = texts.iter().enumerate().map(|(n, t)| made.add(item(n as u64, 0, t))).collect();
    (made, placed)
}

const WIRE: &str = "Pump maker warns of open port\nA maker of infusion pumps told hospitals on Friday that a service port \
                    of its devices answers without a password when the pump is in the charger, and asked them to part the network.";

#[test]
fn the_same_text_and_its_editions_are_one_story() {
    let copy = WIRE.replace("told hospitals on Friday", "informed hospitals on Friday");
    let (mut made, placed) =
        stories(&[WIRE, &copy, "Another thing\nA bus company in Oslo tests its buses in a mine."]);
    assert_eq!(placed[1].story, placed[0].story);
    assert!(matches!(placed[1].how, How::Copy(share) if share > 0.5), "{:?}", placed[1].how);
    assert_ne!(placed[2].story, placed[0].story);
    // edited: the same address with what tracks readers
    let mut edited = item(9, 1, "Pump maker withdraws warning\nThe port was never open, says the firm.");
    edited.url = address("http://www.site0.example/a0/?utm_source=feed#rss");
    let placed = made.add(edited);
    assert_eq!((placed.story, placed.how), (StoryId(1), How::Edition));
    assert_eq!(made.story(StoryId(1)).unwrap().items.len(), 2);
    assert_eq!(made.of(9), None, "an edition makes no second item");
}

#[test]
fn flaws_are_told_apart_by_their_ids() {
    let told = |id: &str| {
        format!(
            "OpenSSL fixes {id}\nThe OpenSSL project has released 3.0.7, which fixes a buffer overrun in the check of X.509 names."
        )
    };
    let (made, placed) = stories(&[
        &told("CVE-2022-3602"),
        &told("CVE-2022-3786"),
        "Lücke in OpenSSL\nUnter CVE-2022-3602 ist ein Überlauf bekannt geworden, ähnlich wie CVE-2014-0160.",
    ]);
    assert_ne!(placed[0].story, placed[1].story, "one text, two flaws");
    assert_eq!(placed[2].story, placed[0].story, "another language, one flaw");
    assert_eq!(placed[2].how, How::Ids(vec!["CVE-2022-3602".to_owned()]));
    assert!(!made.story(placed[0].story).unwrap().ids.contains_key("CVE-2014-0160"));
}

#[test]
fn an_advisory_number_and_a_cve_id_do_not_tell_apart() {
    let (_, placed) = stories(&[
        "JVNVU#90813125 OpenSSL loops\nParsing a certificate may loop forever (CVE-2022-0778).",
        "Infinite loop in BN_mod_sqrt() (CVE-2022-0778)\nOpenSSL computes roots of moduli that are no primes.",
        "SpringShell is real\nA shell is written by class loader. It is not CVE-2022-22963, which is in another part.",
        "CVE-2022-22963 in a router of functions\nAn expression is run.",
    ]);
    assert_eq!(placed[1].story, placed[0].story);
    assert_ne!(placed[3].story, placed[2].story, "what it is not, it is not about");
}

#[test]
fn news_without_an_id_is_told_by_its_words() {
    let (_, placed) = stories(&[
        "Backdoor in XZ Utils\nAndres Freund found a backdoor in liblzma of xz 5.6.0 while he looked at slow ssh logins.",
        "xz backdoor: what we know\nThe backdoor that Andres Freund found in liblzma sits in the tarballs of xz 5.6.0.",
        "Slow logins\nSome staff have slow logins on Mondays.",
    ]);
    assert_eq!(placed[1].story, placed[0].story, "{:?}", placed[1]);
    assert_ne!(placed[2].story, placed[0].story);
}

#[test]
fn a_roundup_swallows_nothing() {
    let ids: String = (1000..1020).map(|n| format!(" CVE-2024-{n},")).collect();
    let roundup = format!("Patch Tuesday: many fixes\nThis month:{ids} and more.");
    let (made, placed) =
        stories(&["CVE-2024-1003 in a driver\nAn overflow.", &roundup, "CVE-2024-1010 explained\nA race."]);
    let [a, r, b] = [placed[0].story, placed[1].story, placed[2].story];
    assert!(a != r && r != b && a != b);
    assert_eq!(made.links(r), [a, b]);
    assert_eq!(made.links(a), [r]);
}

#[test]
fn what_an_analyst_says_holds() {
    let copy = WIRE.replace("Friday", "Monday");
    let (mut made, placed) =
        stories(&[WIRE, &copy, "CVE-2024-1003 in a driver\nAn overflow.", "CVE-2024-1010 told\nA race."]);
    let first = placed[0].story;
    let second = made.split(first, &[1]).unwrap();
    assert_eq!(made.split(second, &[1]), None, "nothing would be left");
    let again = made.add(item(20, 0, &WIRE.replace("Friday", "Sunday")));
    assert_eq!((again.story, again.merged.len()), (first, 0), "parted stories do not join");
    assert_ne!(made.of(0), made.of(1));
    let kept = made.merge(placed[2].story, placed[3].story).unwrap();
    for (key, id) in [(30, "CVE-2024-1003"), (31, "CVE-2024-1010")] {
        assert_eq!(made.add(item(key, 1, &format!("{id} is used\nSeen in the wild."))).story, kept, "{id}");
    }
    assert_eq!(made.merge(kept, StoryId(999)), None);
}

#[test]
fn a_late_item_joins_what_is_one() {
    let mut made = Stories::default();
    let early = made.add(item(1, 0, WIRE)).story;
    let named = made.add(item(2, 0, "CVE-2024-1003 in pumps\nA number was given.")).story;
    assert_ne!(early, named);
    let both = format!("{WIRE} The number is CVE-2024-1003.");
    let placed = made.add(item(3, 1, &both));
    assert_eq!((placed.story, placed.merged), (early, vec![named]));
    assert_eq!(made.story(early).unwrap().items.len(), 3);
}

#[test]
fn what_is_old_is_forgotten_and_restored_alike() {
    let texts = [WIRE, "CVE-2024-1003 in a driver\nAn overflow."];
    let (mut made, placed) = stories(&texts);
    let mut again = Stories::default();
    for (n, text) in texts.iter().enumerate() {
        again.restore(item(n as u64, 0, text), placed[n].story);
    }
    assert!(made.iter().eq(again.iter()));
    assert_eq!(again.add(item(7, 0, "New\nThing.")).story, StoryId(3));
    made.expire(NOON + DAY);
    assert_eq!(made.iter().count(), 0);
    assert!(
        made.by_id.is_empty()
            && made.by_term.is_empty()
            && made.by_shingle.is_empty()
            && made.frequency.is_empty()
    );
    assert!(matches!(made.add(item(8, 60, WIRE)).how, How::New));
}

#[test]
fn addresses() {
    for (url, wanted) in [
        ("https://www.a.example/x/?utm_source=rss&id=3", "a.example/x?id=3"),
        ("http://a.example/x#section", "a.example/x"),
        ("https://a.example/all#adv-12", "a.example/all#adv-12"),
        ("https://a.example/", ""),
        ("", ""),
    ] {
        assert_eq!(address(url), wanted, "{url}");
    }
}

#[test]
fn a_coined_word_that_few_items_have_makes_one_story() {
    let told = [
        "A loop in BN_mod_sqrt of OpenSSL\nWhoever sends a certificate with broken parameters keeps a server busy for ever.",
        "Servers that never answer\nResearchers traced the endless loop of some servers to BN_mod_sqrt and its modulus.",
        "Bread prices rise\nBakers in Lyon ask for more, and buyers pay. Parameters of the market are broken, a server says.",
    ];
    let (_, placed) = stories(&told);
    assert_eq!(placed[1].story, placed[0].story);
    assert_eq!(placed[1].how, How::Named(vec!["bn_mod_sqrt".to_owned()]));
    assert_ne!(placed[2].story, placed[0].story, "common words name nothing");
    // days later it is another story
    let mut made = Stories::default();
    let first = made.add(item(0, 0, told[0])).story;
    assert_ne!(made.add(item(1, 9, told[1])).story, first);
    // what everybody talks of says nothing any more
    let mut made = Stories::default();
    for n in 0..=FEW as u64 {
        let words: Vec<String> = (0..12)
            .map(|w| {
                format!(
                    "word{}x",
                    "abcdefghijklmnop"
                        .chars()
                        .cycle()
                        .skip((n * 12 + w) as usize)
                        .take(5)
                        .collect::<String>()
                )
            })
            .collect();
        made.add(item(n, 0, &format!("Number {n}\nOf BN_mod_sqrt speak {}.", words.join(" "))));
    }
    let placed = made.add(item(99, 0, told[1]));
    assert!(!matches!(placed.how, How::Named(_)), "{:?}", placed.how);
    // and ids still part what names one function
    let (_, placed) = stories(&[
        &told[0].replace("OpenSSL", "CVE-2022-0778"),
        &told[1].replace("BN_mod_sqrt", "BN_mod_sqrt (CVE-2022-9999)"),
    ]);
    assert_ne!(placed[1].story, placed[0].story);
}

#[test]
fn coined_words_are_those_that_nobody_uses_by_chance() {
    let of = |text: &str| item(1, 0, text).coined;
    assert_eq!(of("The CMS8000 and nf_tables, BadAlloc"), ["badalloc", "cms8000", "nf_tables"]);
    assert!(of("CVE-2022-0778 of 2022-03-15 in HTTP/2, 3.0.7, www.example.org").is_empty());
    assert_eq!(of("openssl 3.0.7 is out"), ["openssl 3.0.7"]);
}
