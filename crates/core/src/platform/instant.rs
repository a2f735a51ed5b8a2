//! Comparing the moments sources write, in whatever of RFC 3339's forms.

/// Whether `new` is an earlier instant than `old`; what cannot be read as an instant is never older.
pub(crate) fn is_older(new: Option<&str>, old: Option<&str>) -> bool {
    match (new.and_then(instant), old.and_then(instant)) {
        (Some(new), Some(old)) => new < old,
        _ => false,
    }
}

/// Microseconds since 1970 of an RFC 3339 date-time (a missing offset counts as UTC) or date.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (y, m, d) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (h, min, s) = (number(11, 13).unwrap_or(0), number(14, 16).unwrap_or(0), number(17, 19).unwrap_or(0));
    let rest = text.get(19..).unwrap_or("");
    let digits: String =
        rest.strip_prefix('.').unwrap_or("").chars().take_while(char::is_ascii_digit).take(6).collect();
    let micros = format!("{digits:0<6}").parse::<i64>().unwrap_or(0);
    let offset = rest.rfind(['+', '-']).and_then(|at| {
        let hours: i64 = rest.get(at + 1..at + 3)?.parse().ok()?;
        let minutes: i64 = rest.get(at + 4..at + 6)?.parse().ok()?;
        let sign = if rest.get(at..=at) == Some("-") { -1 } else { 1 };
        Some(sign * (hours * 60 + minutes) * 60)
    });
    // Days from the civil calendar, years beginning in March.
    let (y, m) = if m <= 2 { (y - 1, m + 9) } else { (y, m - 3) };
    let days =
        y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (m * 153 + 2) / 5 + d - 719_469;
    Some((((days * 24 + h) * 60 + min) * 60 + s - offset.unwrap_or(0)) * 1_000_000 + micros)
}

/// Whether two moments are the same one, or both are missing.
pub(crate) fn same(a: Option<&str>, b: Option<&str>) -> bool {
    a == b || matches!((a.and_then(instant), b.and_then(instant)), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_fractions_and_days_compare_as_moments() {
        for (new, old, older) in [
            ("2024-01-01", "2024-01-02", true),
            ("2024-01-02T01:00:00+02:00", "2024-01-02T00:00:00Z", true),
            ("2024-01-02T01:00:00.5", "2024-01-02T01:00:00Z", false),
            ("rubbish", "2024-01-02T01:00:00Z", false),
        ] {
            assert_eq!(is_older(Some(new), Some(old)), older, "{new} {old}");
        }
        assert!(same(Some("2024-01-02T00:00:00Z"), Some("2024-01-02")));
        assert!(!same(None, Some("2024-01-02")) && same(None, None));
    }
}
