//! When a message goes: at once, in a digest, and not in the hours in which people want quiet. Times of day are of a time
//! zone, so that 22:00 stays 22:00 when clocks are put forward or back.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, ZonedDateTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How often messages are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Digest {
    /// At once.
    #[default]
    Now,
    /// At the full hour.
    Hourly,
    /// Once a day, at the hour that is set.
    Daily,
    /// Once a week, on the day and at the hour that are set.
    Weekly,
}

/// Hours in which nothing is sent but what breaks through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Quiet {
    /// Time zone (IANA): `Europe/Berlin`.
    pub zone: String,
    /// Begins (`22:00`); empty where there is no quiet.
    pub from: String,
    /// Ends (`07:00`), on the next day where it is not after the beginning.
    pub to: String,
    /// Severity from which a message is sent all the same: 5 critical; 6 for none.
    pub breaks: i64,
}

impl Default for Quiet {
    fn default() -> Quiet {
        Quiet { zone: "UTC".to_owned(), from: String::new(), to: String::new(), breaks: 5 }
    }
}

/// Whether there is a time zone of this name.
pub fn is_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// A time of day, `22:00`.
pub(super) fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn at(date: Date, time: Time, zone: &TimeZone) -> Option<ZonedDateTime> {
    // an hour that a day leaves out is the one behind it; of one that it has twice it is the first (RFC 5545)
    date.to_datetime(time).to_zoned_datetime(zone.clone()).ok()
}

/// The next time of day at or after an instant.
fn next(from: &ZonedDateTime, time: Time) -> Option<ZonedDateTime> {
    let today = at(from.date(), time, from.time_zone())?;
    if today >= *from { Some(today) } else { at(from.date().tomorrow().ok()?, time, from.time_zone()) }
}

/// When a message of `severity` that was written `now` goes to somebody: in RFC 3339, `now` itself for at once. `hour`
/// (0 to 23) and `weekday` (1 Monday to 7 Sunday) are those of the digest. What is no time, or of no time zone known,
/// does not hold anything back.
pub fn when(now: &str, digest: Digest, hour: i64, weekday: i64, quiet: &Quiet, severity: i64) -> String {
    later(now, digest, hour, weekday, quiet, severity).unwrap_or_else(|| now.to_owned())
}

fn later(now: &str, digest: Digest, hour: i64, weekday: i64, quiet: &Quiet, severity: i64) -> Option<String> {
    let zone = TimeZone::get(&quiet.zone).unwrap_or(TimeZone::UTC);
    let start = now.parse::<Timestamp>().ok()?.to_zoned_datetime(zone);
    let hour = Time::new(i8::try_from(hour).unwrap_or(8).clamp(0, 23), 0, 0, 0).ok()?;
    let mut goes = match digest {
        Digest::Now => start.clone(),
        Digest::Hourly => {
            let full = start.with().minute(0).second(0).subsec_nanosecond(0).build().ok()?;
            full.checked_add(1.hour()).ok()?
        }
        Digest::Daily => next(&start, hour)?,
        Digest::Weekly => {
            let mut day = next(&start, hour)?;
            for _ in 0..7 {
                if i64::from(day.weekday().to_monday_one_offset()) == weekday.clamp(1, 7) {
                    break;
                }
                day = at(day.date().tomorrow().ok()?, hour, day.time_zone())?;
            }
            day
        }
    };
    if severity < quiet.breaks
        && let (Some(from), Some(to)) = (time(&quiet.from), time(&quiet.to))
        && from != to
    {
        let clock = goes.time();
        let inside = if from < to { from <= clock && clock < to } else { clock >= from || clock < to };
        if inside {
            goes = next(&goes, to)?;
        }
    }
    if goes == start {
        return None;
    }
    Some(goes.timestamp().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(from: &str, to: &str) -> Quiet {
        Quiet { zone: "Europe/Berlin".to_owned(), from: from.to_owned(), to: to.to_owned(), breaks: 5 }
    }

    #[test]
    fn quiet_hours_go_over_midnight_and_over_changes_of_the_clock() {
        let night = quiet("22:00", "07:00");
        for (now, goes) in [
            // winter: Berlin is an hour ahead
            ("2026-01-10T20:59:59.000Z", "2026-01-10T20:59:59.000Z"),
            ("2026-01-10T21:00:00.000Z", "2026-01-11T06:00:00.000Z"),
            ("2026-01-11T05:59:00.000Z", "2026-01-11T06:00:00.000Z"),
            ("2026-01-11T06:00:00.000Z", "2026-01-11T06:00:00.000Z"),
            // the night of 29 March 2026 is an hour shorter, that of 25 October an hour longer
            ("2026-03-28T22:00:00.000Z", "2026-03-29T05:00:00.000Z"),
            ("2026-10-24T21:00:00.000Z", "2026-10-25T06:00:00.000Z"),
        ] {
            assert_eq!(when(now, Digest::Now, 0, 1, &night, 4), goes, "{now}");
            assert_eq!(when(now, Digest::Now, 0, 1, &night, 5), now, "critical breaks through");
        }
        // 02:30 does not exist on 29 March; quiet ends an hour later then
        let gone = quiet("01:00", "02:30");
        assert_eq!(when("2026-03-29T00:15:00.000Z", Digest::Now, 0, 1, &gone, 0), "2026-03-29T01:30:00.000Z");
        let noon = quiet("12:00", "13:00");
        assert_eq!(when("2026-07-01T10:30:00.000Z", Digest::Now, 0, 1, &noon, 0), "2026-07-01T11:00:00.000Z");
        let none = quiet("", "");
        assert_eq!(when("2026-07-01T10:30:00.000Z", Digest::Now, 0, 1, &none, 0), "2026-07-01T10:30:00.000Z");
        assert_eq!(when("no time", Digest::Daily, 0, 1, &noon, 0), "no time");
    }

    #[test]
    fn digests_go_at_their_hour_and_day() {
        let none = quiet("", "");
        let now = "2026-06-10T10:30:00.000Z"; // a Wednesday, 12:30 in Berlin
        for (digest, hour, weekday, goes) in [
            (Digest::Hourly, 0, 1, "2026-06-10T11:00:00.000Z"),
            (Digest::Daily, 14, 1, "2026-06-10T12:00:00.000Z"),
            (Digest::Daily, 8, 1, "2026-06-11T06:00:00.000Z"),
            (Digest::Weekly, 8, 1, "2026-06-15T06:00:00.000Z"),
            (Digest::Weekly, 14, 3, "2026-06-10T12:00:00.000Z"),
            (Digest::Weekly, 8, 3, "2026-06-17T06:00:00.000Z"),
        ] {
            assert_eq!(when(now, digest, hour, weekday, &none, 5), goes, "{digest:?} {hour} {weekday}");
        }
        // a digest that falls into quiet hours waits for their end
        let morning = quiet("06:00", "09:00");
        assert_eq!(when(now, Digest::Daily, 8, 1, &morning, 0), "2026-06-11T07:00:00.000Z");
        assert!(is_zone("Asia/Tokyo") && !is_zone("Mars/Olympus"));
    }
}
