//! Days as people write them in the languages that a report can have.

const MONTHS: [(&str, [&str; 12]); 5] = [
    (
        "en",
        [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
    ),
    (
        "de",
        [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ],
    ),
    (
        "fr",
        [
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ],
    ),
    (
        "es",
        [
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ],
    ),
    (
        "it",
        [
            "gennaio",
            "febbraio",
            "marzo",
            "aprile",
            "maggio",
            "giugno",
            "luglio",
            "agosto",
            "settembre",
            "ottobre",
            "novembre",
            "dicembre",
        ],
    ),
];

/// A day (`2026-11-23`, or an instant that begins so) in a language; as it stands where that is `iso` or unknown.
pub fn day(text: &str, language: &str) -> String {
    let iso = text.get(..10).unwrap_or(text);
    let months = MONTHS.iter().find(|m| m.0 == language).map(|m| &m.1);
    let part = |range: std::ops::Range<usize>| iso.get(range).and_then(|t| t.parse::<usize>().ok());
    let (Some(months), Some(year), Some(month), Some(day)) = (months, part(0..4), part(5..7), part(8..10))
    else {
        return iso.to_owned();
    };
    let Some(name) = month.checked_sub(1).and_then(|m| months.get(m)) else { return iso.to_owned() };
    match language {
        "de" => format!("{day}. {name} {year}"),
        "es" => format!("{day} de {name} de {year}"),
        "fr" if day == 1 => format!("1er {name} {year}"),
        _ => format!("{day} {name} {year}"),
    }
}

/// A period of days.
pub fn period(first: &str, last: &str, language: &str) -> String {
    if first == last {
        return day(first, language);
    }
    format!("{} – {}", day(first, language), day(last, language))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_people_write_them() {
        for (language, wanted) in [
            ("en", "1 March 2026"),
            ("de", "1. März 2026"),
            ("fr", "1er mars 2026"),
            ("es", "1 de marzo de 2026"),
            ("it", "1 marzo 2026"),
            ("iso", "2026-03-01"),
        ] {
            assert_eq!(day("2026-03-01T10:00:00Z", language), wanted);
        }
        for odd in ["", "no day", "2026-13-01", "ä"] {
            assert_eq!(day(odd, "en"), odd, "it stands as it is");
        }
        assert_eq!(period("2026-11-23", "2026-11-29", "en"), "23 November 2026 – 29 November 2026");
    }
}
