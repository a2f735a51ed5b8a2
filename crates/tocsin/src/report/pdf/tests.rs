//! The PDF of a report: whole, the same twice, bounded, and deaf to what is typed into it.

use tocsin_core::report::{Concerned, Facts, Head, Report, Section, Text, Whole};

use super::*;

pub(crate) fn report(sections: usize) -> Whole {
    let report = Report {
        id: 7,
        year: 2026,
        number: 3,
        revision: 1,
        corrects: 0,
        title: "Weekly report, week 3".to_owned(),
        first: "2026-01-12".to_owned(),
        last: "2026-01-18".to_owned(),
        tlp: "AMBER".to_owned(),
        state: "approved".to_owned(),
        author: "person:anna".to_owned(),
        writer: "person:anna".to_owned(),
        approver: "person:ben".to_owned(),
        sections: sections as i64,
        created: "2026-01-18T08:00:00.000Z".to_owned(),
        changed: "2026-01-18T09:00:00.000Z".to_owned(),
        submitted: "2026-01-18T09:00:00.000Z".to_owned(),
        approved: "2026-01-18T09:00:00.000Z".to_owned(),
        sent: String::new(),
    };
    let head = Head {
        title: report.title.clone(),
        first: report.first.clone(),
        last: report.last.clone(),
        language: "en".to_owned(),
        intro: "A *quiet* week, with **two** things to know:\n\n- one\n- two\n\n1. first\n2. second"
            .to_owned(),
        tlp: "AMBER".to_owned(),
        version: 1,
    };
    let section = |n: usize| Section {
        id: n as i64 + 1,
        place: n as i64 + 1,
        story: n as i64 + 10,
        text: Text {
            heading: format!("A flaw in a parser, number {n}"),
            explanation: format!(
                "The parser of `libfoo` reads beyond its buffer. {}\n\n> As the maker says.\n\n```\nif (n > 4) {{\n    return;\n}}\n```",
                "A crafted document makes it read what it must not. ".repeat(8)
            ),
            impact: "Two products hold it.".to_owned(),
            done: "It was updated.".to_owned(),
            recommendation: "Update.".to_owned(),
            references: "- [Example: The flaw](https://example.org/a?b=1&c=2)".to_owned(),
            tlp: "AMBER".to_owned(),
            version: 1,
        },
        facts: Facts {
            at: "2026-01-17T08:00:00.000Z".to_owned(),
            ids: vec!["CVE-2026-0001".to_owned()],
            relevance: "50.0".to_owned(),
            exploited: true,
            products: (0..6)
                .map(|p| Concerned {
                    product: p,
                    name: format!("Pump {p}"),
                    releases: 3,
                    units: 1_234,
                    findings: 2,
                    affected: 1,
                    holds: vec!["libfoo".to_owned()],
                })
                .collect(),
            statuses: vec![("affected".to_owned(), 2)],
            closed: 1,
        },
    };
    Whole {
        report,
        workspace: "Example Medical".to_owned(),
        workspace_id: 1,
        workspace_since: "2026-01-01T00:00:00.000Z".to_owned(),
        head,
        sections: (0..sections).map(section).collect(),
    }
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn a_report_becomes_a_tagged_document_the_same_twice() {
    let whole = report(5);
    let bytes = make(&whole).unwrap();
    assert!(bytes.starts_with(b"%PDF-1.7"));
    assert_eq!(bytes, make(&whole).unwrap(), "the same report gives the same bytes");
    for part in [
        "/StructTreeRoot",
        "/MarkInfo",
        "/Lang",
        "/Outlines",
        "pdfuaid:part",
        "https://example.org/a?b=1&c=2",
    ] {
        assert!(has(&bytes, part), "{part}");
    }
    assert!(!has(&bytes, "/JavaScript") && !has(&bytes, "/Launch"));
    let mut other = whole.clone();
    other.sections[0].text.done = "Nothing.".to_owned();
    assert_ne!(bytes, make(&other).unwrap());
    assert!(make(&report(0)).is_ok(), "a report without sections is one too");
    if let Ok(to) = std::env::var("TOCSIN_KEEP_PDF") {
        std::fs::write(to, &bytes).unwrap();
    }
}

#[test]
fn whatever_is_typed_is_text() {
    let hostile = [
        "#import \"@preview/x\": *\n#read(\"/etc/passwd\")",
        "\\input{/etc/passwd} $x^2$ %",
        "(unbalanced ) \\) endstream endobj << /JS (app.alert(1)) >>",
        "\u{202e}gnp.exe \u{0} \u{feff} tab\there",
        "漢字 العربية עברית 🙂 ﷽ e\u{301}",
        "<script>alert(1)</script> <b>",
    ];
    let mut whole = report(hostile.len());
    for (section, text) in whole.sections.iter_mut().zip(hostile) {
        section.text.heading = text.to_owned();
        section.text.explanation = text.to_owned();
        section.text.references = format!("[{text}](javascript:alert(1)) {}", "x".repeat(3_000));
        section.facts.products[0].name = text.repeat(20);
    }
    whole.report.title = hostile.join(" ");
    let bytes = make(&whole).unwrap();
    for bad in ["/S /JavaScript", "/S/JavaScript", "javascript:", "/Launch"] {
        assert!(!has(&bytes, bad), "{bad}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let mut whole = report(60);
    for section in &mut whole.sections {
        section.text.explanation = "- word\n".repeat(9_000);
    }
    let told = make(&whole).unwrap_err().to_string();
    assert!(told.contains("split the report"), "{told}");
}
