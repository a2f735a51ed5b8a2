//! Dates as feeds write them: RFC 3339, RFC 2822, and what programs and people make of the two.

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Zones by name, in minutes east of UTC; those of which there are several (IST) are not guessed.
const ZONES: [(&str, i64); 26] = [
    ("z", 0),
    ("ut", 0),
    ("utc", 0),
    ("gmt", 0),
    ("wet", 0),
    ("est", -300),
    ("edt", -240),
    ("et", -300),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
    ("pt", -480),
    ("akst", -540),
    ("hst", -600),
    ("bst", 60),
    ("west", 60),
    ("cet", 60),
    ("mez", 60),
    ("cest", 120),
    ("mesz", 120),
    ("eet", 120),
    ("msk", 180),
    ("jst", 540),
];

/// The instant of a date: RFC 3339 or ISO 8601 (also a day alone), RFC 2822 and RFC 822 (also with two digits of the
/// year, a zone's name, a month in full, the year at the end), as RFC 3339 in UTC with seconds. Without a zone it is
/// taken for UTC. Nothing where it is no date, or may be one of several (`02/03/2026`).
pub fn instant(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > 100 || !text.is_ascii() {
        return None;
    }
    let iso =
        text.get(..5).is_some_and(|s| s.ends_with('-') && s.bytes().take(4).all(|b| b.is_ascii_digit()));
    if iso { rfc3339(text) } else { words(text) }
}

fn rfc3339(text: &str) -> Option<String> {
    let (year, month, day) = (text.get(..4)?, text.get(5..7)?, text.get(8..10)?);
    if text.get(7..8) != Some("-") {
        return None;
    }
    let date = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let rest = text.get(10..)?.trim_start_matches(['T', 't', ' ']);
    if rest.is_empty() {
        return told(date, (0, 0, 0), 0);
    }
    let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.' | ',')).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(end);
    told(date, clock(time)?, offset(zone.trim())?)
}

fn words(text: &str) -> Option<String> {
    let (mut day, mut month, mut year) = (None, None, None);
    let (mut time, mut east, mut noon) = (None, None, None);
    let parts = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')')).flat_map(|word| {
        // 03-Feb-2026; a zone is no such word
        let dated =
            word.bytes().any(|b| b.is_ascii_alphabetic()) && word.bytes().filter(|b| *b == b'-').count() == 2;
        if dated { word.split('-').collect::<Vec<_>>() } else { vec![word] }
    });
    for word in parts.filter(|w| !w.is_empty() && *w != "-" && *w != "|") {
        let lower = word.trim_end_matches('.').to_ascii_lowercase();
        let begins = |names: &[&str]| {
            names.iter().position(|n| {
                lower.len() >= 3 && (n.starts_with(&lower) || (lower == "sept" && *n == "september"))
            })
        };
        if word.contains(':') {
            let end =
                word.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(word.len());
            let (clock_, rest) = word.split_at(end);
            time = Some(clock(clock_)?);
            match rest.to_ascii_lowercase().as_str() {
                "" => {}
                "am" | "pm" => noon = Some(rest.eq_ignore_ascii_case("pm")),
                _ => east = Some(offset(rest)?),
            }
        } else if let Some(n) = begins(&MONTHS).filter(|_| month.is_none()) {
            month = i64::try_from(n).ok().map(|n| n + 1);
        } else if begins(&DAYS).is_some() || lower == "at" {
        } else if lower == "am" || lower == "pm" {
            noon = Some(lower == "pm");
        } else if let Some(number) = number(&lower) {
            match (lower.len(), day, year) {
                (4, _, None) => year = Some(number),
                (2, Some(_), None) => year = Some(if number < 50 { 2000 + number } else { 1900 + number }),
                (..=4, None, _) if number <= 31 => day = Some(number),
                _ => return None,
            }
        } else {
            east = Some(offset(word)?);
        }
    }
    let (hour, minute, second) = time.unwrap_or_default();
    let hour = match noon {
        Some(true) if hour < 12 => hour + 12,
        Some(false) if hour == 12 => 0,
        _ => hour,
    };
    told((year?, month?, day?), (hour, minute, second), east.unwrap_or(0))
}

/// A number, also `3rd`.
fn number(word: &str) -> Option<i64> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let tail = word.get(digits.len()..).unwrap_or_default();
    if !matches!(tail, "" | "st" | "nd" | "rd" | "th") || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

fn clock(text: &str) -> Option<(i64, i64, i64)> {
    let mut parts = text.trim().split(':');
    let mut part = || parts.next().unwrap_or("0").split(['.', ',']).next().unwrap_or("0").parse::<i64>().ok();
    let (hour, minute, second) = (part()?, part()?, part()?);
    // 24:00 is the end of a day, and :60 a second that is put in
    ((0..=24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second)).then_some((
        hour,
        minute,
        second.min(59),
    ))
}

/// Minutes east of UTC.
fn offset(zone: &str) -> Option<i64> {
    let lower = zone.to_ascii_lowercase();
    if lower.is_empty() {
        return Some(0);
    }
    if let Some((_, east)) = ZONES.iter().find(|z| z.0 == lower) {
        return Some(*east);
    }
    // GMT+0100
    let zone = lower.strip_prefix("gmt").or_else(|| lower.strip_prefix("utc")).unwrap_or(&lower);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits: String = zone.strip_prefix(['+', '-'])?.chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits.get(..digits.len().min(2))?.parse().ok()?;
    let minutes: i64 = digits.get(2..).filter(|m| !m.is_empty()).unwrap_or("0").parse().ok()?;
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// The text of a civil date and time that is so many minutes east of UTC.
fn told((year, month, day): (i64, i64, i64), (h, m, s): (i64, i64, i64), east: i64) -> Option<String> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1969..=9999).contains(&year) || !(1..=days).contains(&day) {
        return None;
    }
    let minutes = day_number(year, month, day) * 1440 + h * 60 + m - east;
    let (date, minute) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
    let (year, month, day) = civil(date);
    if !(1970..=9999).contains(&year) {
        return None;
    }
    Some(format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{s:02}Z", minute / 60, minute % 60))
}

/// Days since 1 March of the year 0 (proleptic Gregorian).
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted = (month + 9) % 12;
    year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (shifted * 153 + 2) / 5
        + day
        - 1
}

fn civil(number: i64) -> (i64, i64, i64) {
    let era = number.div_euclid(146_097);
    let of_era = number.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn dates_of_feeds_are_instants() {
        let cases = [
            ("2025-02-28T23:30:00-01:00", "2025-03-01T00:30:00Z"),
            ("2025-02-28T23:30:00+0100", "2025-02-28T22:30:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2025-01-01T00:00:00.123Z", "2025-01-01T00:00:00Z"),
            ("2025-01-01 12:00", "2025-01-01T12:00:00Z"),
            ("2025-01-01 12:00:00 UTC", "2025-01-01T12:00:00Z"),
            ("Wed, 02 Oct 2002 13:00:00 GMT", "2002-10-02T13:00:00Z"),
            ("Sat, 07 Sep 02 00:00:01 EDT", "2002-09-07T04:00:01Z"),
            ("1 January 2025 00:30 +0100", "2024-12-31T23:30:00Z"),
            ("Tue, 3 Feb 2026 10:00:00 CEST", "2026-02-03T08:00:00Z"),
            ("Tue, 03 Feb 2026 24:00:00 +0000", "2026-02-04T00:00:00Z"),
            ("February 3, 2026 - 1:05 pm", "2026-02-03T13:05:00Z"),
            ("Feb 3rd, 2026 12:00AM", "2026-02-03T00:00:00Z"),
            ("Tue Feb  3 10:00:00 UTC 2026", "2026-02-03T10:00:00Z"),
            ("03-Feb-2026", "2026-02-03T00:00:00Z"),
            ("Thu, 04 Sept 2025 08:00:00 GMT+0200", "2025-09-04T06:00:00Z"),
        ];
        for (text, want) in cases {
            assert_eq!(instant(text).as_deref(), Some(want), "{text}");
        }
        let bad = [
            "",
            "soon",
            "2025-13-01",
            "2025-02-30",
            "2025-01-01T25:00:00Z",
            "31 Nov 2025",
            "99999-01-01",
            "2025-01-01T00:00:00+ü",
            "02/03/2026",
            "3 Feb 2026 10:00 IST",
            "1769000000",
        ];
        for bad in bad {
            assert_eq!(instant(bad), None, "{bad}");
        }
    }
}
