use super::*;
use crate::entities::find;

fn dictionary() -> Dictionary {
    let component = |name: &str| Thing {
        names: crate::entities::package_names("generic", None, name),
        ..Thing::new(ThingKind::Component, name)
    };
    let mut things: Vec<Thing> = ["openssl", "busybox", "express", "curl"].map(component).to_vec();
    things.push(Thing::new(ThingKind::Product, "Volupump 3"));
    things.push(Thing::new(ThingKind::Vendor, "Quectel"));
    Dictionary::new(things)
}

fn profile() -> Profile {
    let interest = Interest {
        name: "infusion pumps of others".to_owned(),
        any: vec!["infusion pump".to_owned(), "infusion pumps".to_owned(), "Infusionspumpen".to_owned()],
        without: vec!["job fair".to_owned()],
        weight: 1.0,
    };
    Profile::new(["medical".to_owned()], vec![interest])
}

fn weigh(text: &str, age_days: f64, feedback: &Feedback) -> Explained<f64> {
    let entities = find(text, &dictionary(), &[]);
    let told = Told {
        text,
        entities: &entities,
        source: "wire",
        reliability: 'C',
        credibility: 3,
        exploited: false,
        exploit: false,
        age_days,
    };
    relevance(&told, &profile(), &Weights::default(), feedback)
}

fn score(text: &str) -> f64 {
    weigh(text, 0.0, &Feedback::default()).value
}

fn codes(text: &str) -> Vec<String> {
    weigh(text, 0.0, &Feedback::default()).addends.into_iter().map(|a| a.code).collect()
}

#[test]
fn what_matters_is_above_and_noise_below() {
    let line = Weights::default().relevant;
    for text in [
        "BusyBox: overflow in awk\nA flaw in BusyBox 1.36.1 lets an attacker run code.",
        "CVE-2024-0727 in OpenSSL\nA malformed PKCS12 file crashes OpenSSL.",
        "Volupump 3 seen in auction\nA reseller offers devices with keys of hospitals, says a blog; attackers could buy them.",
        "Sicherheitslücke in Infusionspumpen\nEin Hersteller von Infusionspumpen warnt Kliniken.",
    ] {
        assert!(score(text) >= line, "{text}: {:?}", weigh(text, 0.0, &Feedback::default()));
    }
    for text in [
        "American Express warns of phishing\nCustomers in hospital were called.",
        "Quectel opens an office\nThe maker of modems grows.",
        "Hospital staff meet at job fair\nA maker of infusion pumps has a stand.",
        "Flaw in a WordPress plug-in\nAttackers take over shops, CVE-2024-10924.",
        "Webinar: securing OpenSSL in hospitals\nRegister now and save 20% on our platform.",
    ] {
        assert!(score(text) < line, "{text}: {:?}", weigh(text, 0.0, &Feedback::default()));
    }
}

#[test]
fn every_reason_is_told_and_adds_up() {
    let text = "OpenSSL is actively exploited\nAn infusion pump with OpenSSL 3.0.1, curl 8.1.0 and a modem of Quectel; see \
                https://www.exploit-db.com/exploits/50592 for CVE-2022-0778.";
    let told = weigh(text, 0.0, &Feedback::default());
    let sum: f64 = told.addends.iter().map(|a| a.weight).sum();
    assert!((sum - told.value).abs() < 0.005);
    assert_eq!(
        codes(text),
        ["component", "component", "vendor", "title", "industry", "interest", "flaw", "exploited", "exploit"]
    );
    assert!(told.addends.iter().all(|a| !a.words.is_empty()));
    assert!(told.addends[0].words.contains("openssl"), "the one in the title first");
}

#[test]
fn age_halves_and_is_one_of_the_reasons() {
    let text = "BusyBox: overflow in awk\nA flaw in BusyBox lets an attacker run code.";
    let (new, old) = (weigh(text, 0.0, &Feedback::default()), weigh(text, 14.0, &Feedback::default()));
    assert!((old.value - new.value / 2.0).abs() < 0.01);
    assert_eq!(old.addends.last().unwrap().code, "age");
    assert_eq!(weigh(text, f64::NAN, &Feedback::default()).value, new.value);
    assert_eq!(weigh(text, -3.0, &Feedback::default()).value, new.value, "what comes from the future is new");
}

#[test]
fn votes_move_points_in_words() {
    let text = "Flaw in a WordPress plug-in\nAttackers take over shops.";
    let entities = find(text, &dictionary(), &[]);
    let told = Told {
        text,
        entities: &entities,
        source: "wire",
        reliability: 'F',
        credibility: 6,
        exploited: false,
        exploit: false,
        age_days: 0.0,
    };
    let profile = profile();
    let features = features(&told, &profile);
    let codes: Vec<&str> = features.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["topic:wordpress", "source:wire"]);
    let mut feedback = Feedback::default();
    for _ in 0..4 {
        feedback.learn(&features[..1], Vote::Dislike);
    }
    let weighed = relevance(&told, &profile, &Weights::default(), &feedback);
    let addend = weighed.addends.iter().find(|a| a.code == "feedback").unwrap();
    assert_eq!(addend.words, "you disliked 4 stories on WordPress plug-ins");
    assert_eq!(addend.weight, -2.67, "8 points times 4 votes of 4 and a caution of 8");
    for _ in 0..100 {
        feedback.learn(&features, Vote::Dislike);
    }
    let all: f64 = relevance(&told, &profile, &Weights::default(), &feedback)
        .addends
        .iter()
        .filter(|a| a.code == "feedback")
        .map(|a| a.weight)
        .sum();
    assert!((-25.0..-14.0).contains(&all), "{all}");
    for _ in 0..200 {
        feedback.unlearn(&features, Vote::Dislike);
    }
    assert_eq!(feedback, Feedback::default());
}

#[test]
fn interests_have_exclusions() {
    let met = |text: &str| codes(text).contains(&"interest".to_owned());
    assert!(met("An infusion pump leaks\nA flaw."));
    assert!(!met("An infusion pump at the job fair\nA flaw."));
}

#[test]
fn the_admiralty_code_moves_little() {
    let text = "BusyBox: overflow in awk\nA flaw.";
    let entities = find(text, &dictionary(), &[]);
    let told = |reliability, credibility| Told {
        text,
        entities: &entities,
        source: "wire",
        reliability,
        credibility,
        exploited: false,
        exploit: false,
        age_days: 0.0,
    };
    let score = |r, c| relevance(&told(r, c), &profile(), &Weights::default(), &Feedback::default()).value;
    assert!(score('A', 1) > score('c', 3) && score('C', 3) > score('E', 5));
    assert_eq!(score('F', 6), score('?', 0), "what cannot be judged counts nothing");
}
