//! Calendar dates: RFC 3339 dates and times (compared as instants), `2024-01-31`, `20240131`, `2024.1.31`.

use super::key;

/// Writes the key: the instant in UTC seconds, then fractions of a second.
pub(super) fn key(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut s = s;
    let first = key::digits(&mut s);
    let (year, month, day) = if first.len() == 8 {
        (number(first.get(..4)?)?, number(first.get(4..6)?)?, number(first.get(6..)?)?)
    } else if first.len() == 4 {
        let sep = *s.first()?;
        if !matches!(sep, b'-' | b'.' | b'/') {
            return None;
        }
        let month = after(&mut s, sep)?;
        (number(first)?, month, after(&mut s, sep)?)
    } else {
        return None;
    };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut seconds = days(year, month, day) * 86_400;
    let mut fraction: &[u8] = b"";
    if let [b'T' | b't' | b' ', rest @ ..] = s {
        s = rest;
        let hour = number(key::digits(&mut s))?;
        let minute = after(&mut s, b':')?;
        let second = if s.first() == Some(&b':') { after(&mut s, b':')? } else { 0 };
        if hour > 24 || minute > 59 || second > 60 {
            return None;
        }
        seconds += hour * 3600 + minute * 60 + second;
        if let [b'.', rest @ ..] = s {
            s = rest;
            fraction = key::digits(&mut s);
        }
        seconds -= offset(&mut s)?;
    }
    if !s.is_empty() {
        return None;
    }
    // flipping the sign bit makes the byte order of two's complement the numeric one
    out.extend_from_slice(&(seconds ^ i64::MIN).to_be_bytes());
    let keep = fraction.iter().rposition(|b| *b != b'0').map_or(0, |i| i + 1);
    out.extend_from_slice(fraction.get(..keep)?);
    Some(())
}

/// Reads `Z`, `+02:00` or nothing (UTC), in seconds east.
fn offset(s: &mut &[u8]) -> Option<i64> {
    let sign = match *s {
        [b'Z' | b'z', rest @ ..] => {
            *s = rest;
            return Some(0);
        }
        [b'+', rest @ ..] => {
            *s = rest;
            1
        }
        [b'-', rest @ ..] => {
            *s = rest;
            -1
        }
        _ => return Some(0),
    };
    let hours = number(key::digits(s))?;
    let minutes = after(s, b':')?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn after(s: &mut &[u8], separator: u8) -> Option<i64> {
    let (first, rest) = s.split_first()?;
    if *first != separator {
        return None;
    }
    *s = rest;
    number(key::digits(s))
}

fn number(d: &[u8]) -> Option<i64> {
    if d.is_empty() || d.len() > 4 {
        return None;
    }
    Some(d.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}
