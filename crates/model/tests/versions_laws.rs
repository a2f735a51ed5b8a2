//! Laws of the version order: never a panic, and agreement with comparators written another way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::cmp::Ordering;

use proptest::prelude::*;
use tocsin_model::version::Scheme;

fn schemes() -> impl Iterator<Item = Scheme> {
    (0..=u8::MAX).filter_map(Scheme::from_u8)
}

/// Numbers without limit, compared as text without leading zeros.
fn numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn cut(s: &str, f: impl Fn(char) -> bool) -> (&str, &str) {
    s.split_at(s.find(|c| !f(c)).unwrap_or(s.len()))
}

/// deb-version(7), read literally.
fn debian_part(mut a: &str, mut b: &str) -> Ordering {
    let weight = |c: Option<char>| match c {
        Some('~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => c as i32,
        Some(c) => c as i32 + 256,
    };
    while !a.is_empty() || !b.is_empty() {
        let ((wa, ra), (wb, rb)) = (cut(a, |c| !c.is_ascii_digit()), cut(b, |c| !c.is_ascii_digit()));
        for i in 0..wa.len().max(wb.len()) {
            let order = weight(wa.chars().nth(i)).cmp(&weight(wb.chars().nth(i)));
            if order.is_ne() {
                return order;
            }
        }
        let ((na, ra), (nb, rb)) = (cut(ra, |c| c.is_ascii_digit()), cut(rb, |c| c.is_ascii_digit()));
        let order = numbers(na, nb);
        if order.is_ne() {
            return order;
        }
        (a, b) = (ra, rb);
    }
    Ordering::Equal
}

/// The description of rpmvercmp, step by step.
fn rpm_part(mut a: &str, mut b: &str) -> Ordering {
    let skip = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    loop {
        (a, b) = (a.trim_start_matches(skip), b.trim_start_matches(skip));
        let rank = |s: &str| match s.chars().next() {
            Some('~') => 0,
            None => 1,
            Some('^') => 2,
            Some(c) if c.is_ascii_alphabetic() => 3,
            Some(_) => 4,
        };
        let order = rank(a).cmp(&rank(b));
        if order.is_ne() {
            return order;
        }
        let order = match rank(a) {
            1 => return Ordering::Equal,
            0 | 2 => {
                (a, b) = (&a[1..], &b[1..]);
                Ordering::Equal
            }
            kind => {
                let same = |c: char| if kind == 3 { c.is_ascii_alphabetic() } else { c.is_ascii_digit() };
                let ((wa, ra), (wb, rb)) = (cut(a, same), cut(b, same));
                (a, b) = (ra, rb);
                if kind == 3 { wa.cmp(wb) } else { numbers(wa, wb) }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// SemVer §11 over three numbers and identifiers.
fn semver(a: &str, b: &str) -> Ordering {
    let split = |s: &str| {
        let (core, pre) =
            s.split_once('-').map_or((s.to_owned(), None), |(c, p)| (c.to_owned(), Some(p.to_owned())));
        (core.split('.').map(str::to_owned).collect::<Vec<_>>(), pre)
    };
    let ((ca, pa), (cb, pb)) = (split(a), split(b));
    for (x, y) in ca.iter().zip(&cb) {
        let order = numbers(x, y);
        if order.is_ne() {
            return order;
        }
    }
    let (Some(pa), Some(pb)) = (&pa, &pb) else { return pb.is_some().cmp(&pa.is_some()) };
    let (ia, ib): (Vec<&str>, Vec<&str>) = (pa.split('.').collect(), pb.split('.').collect());
    for (x, y) in ia.iter().zip(&ib) {
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let order = match (digits(x), digits(y)) {
            (true, true) => numbers(x, y),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => x.cmp(y),
        };
        if order.is_ne() {
            return order;
        }
    }
    ia.len().cmp(&ib.len())
}

proptest! {
    #[test]
    fn any_text_gives_a_key_or_an_error(text in "\\PC{0,40}", nasty in "[0-9a-z.~^+:_-]{0,30}") {
        for scheme in schemes() {
            for text in [&text, &nasty] {
                let first = scheme.key(text);
                prop_assert_eq!(first, scheme.key(text));
            }
        }
    }

    #[test]
    fn debian_agrees(a in "[0-9][0-9a-b.~+]{0,8}", b in "[0-9][0-9a-b.~+]{0,8}") {
        prop_assert_eq!(Scheme::Debian.compare(&a, &b), Some(debian_part(&a, &b)));
    }

    #[test]
    fn rpm_agrees(a in "[0-2][0-2a-b.~^_]{0,8}", b in "[0-2][0-2a-b.~^_]{0,8}") {
        prop_assert_eq!(Scheme::Rpm.compare(&a, &b), Some(rpm_part(&a, &b)));
    }

    #[test]
    fn semver_agrees(
        a in "[0-2]\\.[0-9]{1,4}\\.[0-1](-[a-b0-2]{1,3}(\\.[a0-2-]{1,3}){0,2})?",
        b in "[0-2]\\.[0-9]{1,4}\\.[0-1](-[a-b0-2]{1,3}(\\.[a0-2-]{1,3}){0,2})?",
    ) {
        prop_assert_eq!(Scheme::Semver.compare(&a, &b), Some(semver(&a, &b)));
    }

    #[test]
    fn long_numbers_keep_their_order(a in "[1-9][0-9]{0,400}", b in "[1-9][0-9]{0,400}") {
        for scheme in schemes().filter(|s| !matches!(s, Scheme::Date | Scheme::Lexicographic)) {
            // a bare run of 7 to 64 hexadecimal digits may be a commit, which has no order
            if let Some(order) = scheme.compare(&a, &b) {
                prop_assert_eq!(order, numbers(&a, &b), "{:?}", scheme);
            }
        }
    }
}
