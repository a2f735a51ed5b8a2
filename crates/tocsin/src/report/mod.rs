//! Reports in the forms in which they are read: pages and mail (HTML), plain text, Markdown. What a report is and who may
//! do what with it is in [`tocsin_core::report`].

pub mod dates;
pub mod export;
pub mod mail;
pub mod pdf;
pub mod text;

use tocsin_core::report::{FIELDS, Section, Whole};

/// A part of a section with its label: stored name, what a reader calls it, Markdown. Empty ones are left out.
pub fn parts(section: &Section) -> Vec<(&'static str, &'static str, &str)> {
    FIELDS
        .into_iter()
        .map(|(name, label)| (name, label, section.text.field(name)))
        .filter(|(_, _, text)| !text.trim().is_empty())
        .collect()
}

/// Colours of the Traffic Light Protocol 2.0 (FIRST, section 5): what is written, on black.
pub fn tlp_colour(tlp: &str) -> &'static str {
    match tlp {
        "RED" => "#ff2b2b",
        "AMBER" | "AMBER+STRICT" => "#ffc000",
        "GREEN" => "#33ff00",
        _ => "#ffffff",
    }
}

/// See [`tlp_colour`], as red, green and blue.
pub fn tlp_rgb(tlp: &str) -> [u8; 3] {
    match tlp {
        "RED" => [0xff, 0x2b, 0x2b],
        "AMBER" | "AMBER+STRICT" => [0xff, 0xc0, 0x00],
        "GREEN" => [0x33, 0xff, 0x00],
        _ => [0xff, 0xff, 0xff],
    }
}

/// What a marking allows, in a line (Traffic Light Protocol 2.0, section 3).
pub fn tlp_words(tlp: &str) -> &'static str {
    match tlp {
        "RED" => "For the eyes and ears of individual recipients only, no further disclosure.",
        "AMBER+STRICT" => {
            "Limited disclosure: only within the recipient's organisation, on a need-to-know basis."
        }
        "AMBER" => {
            "Limited disclosure: within the recipient's organisation and its clients, on a need-to-know basis."
        }
        "GREEN" => "Limited disclosure: within the recipient's community.",
        _ => "Disclosure is not limited.",
    }
}

/// The period in words: `23 to 29 November 2026`.
pub fn period(whole: &Whole) -> String {
    dates::period(&whole.head.first, &whole.head.last, &whole.head.language)
}
