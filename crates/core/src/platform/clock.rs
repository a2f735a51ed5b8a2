//! Reckoning with the times that are handed in: RFC 3339 in UTC with milliseconds, whose text order is time order.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::error::{Error, Result};

/// The instant of a text.
///
/// # Errors
/// [`Error::Rejected`]: it is no RFC 3339.
pub fn parse(at: &str) -> Result<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(at).map(|t| t.to_utc()).map_err(|e| Error::Rejected {
        field: "time".to_owned(),
        message: format!("`{at}` is no time in RFC 3339: {e}"),
    })
}

/// The text of an instant.
pub fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// So many milliseconds after a time (before it, where negative).
///
/// # Errors
/// As [`parse`]; [`Error::Rejected`]: it is beyond the calendar.
pub fn after(at: &str, milliseconds: i64) -> Result<String> {
    let moved = TimeDelta::try_milliseconds(milliseconds).and_then(|d| parse(at).ok()?.checked_add_signed(d));
    match moved {
        Some(moved) => Ok(text(moved)),
        None => parse(at).and_then(|_| {
            let message = format!("{milliseconds} ms after {at} is beyond the calendar");
            Err(Error::Rejected { field: "time".to_owned(), message })
        }),
    }
}

/// So many minutes after a time (before it, where negative), for times that were handed in or stored by us; `at` itself
/// where it is none.
pub fn minutes_after(at: &str, minutes: i64) -> String {
    after(at, minutes.saturating_mul(60_000)).unwrap_or_else(|_| at.to_owned())
}

/// Seconds since 1970; 0 where `at` is no time.
pub fn seconds(at: &str) -> i64 {
    parse(at).map_or(0, |t| t.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_and_seconds() {
        assert_eq!(minutes_after("2026-01-31T23:30:00.250Z", 45), "2026-02-01T00:15:00.250Z");
        assert_eq!(minutes_after("2026-03-01T00:00:00.000Z", -1), "2026-02-28T23:59:00.000Z");
        assert_eq!(minutes_after("no time", 5), "no time");
        assert_eq!(seconds("1970-01-01T00:02:00.000Z"), 120);
    }

    #[test]
    fn times_move_and_keep_their_form() {
        assert_eq!(after("2026-02-28T23:59:59.500Z", 500).unwrap(), "2026-03-01T00:00:00.000Z");
        assert_eq!(after("2026-03-01T01:00:00.000+01:00", -1).unwrap(), "2026-02-28T23:59:59.999Z");
        assert!(after("yesterday", 1).is_err());
        assert!(after("2026-03-01T00:00:00.000Z", i64::MAX).is_err());
    }
}
