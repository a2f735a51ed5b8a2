//! Our numbers as the UUIDs this API speaks of, and back. Nothing is stored for it: the kind and the number are in the
//! UUID. Version (4) and variant (8) are what clients accept; a vulnerability, which has a name and no number, has one
//! made of its name's hash.

use sha2::{Digest, Sha256};

/// What a UUID names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A release.
    Project = 1,
    /// An upload; its number is the document's.
    Token = 3,
    /// The workspace of a key.
    Team = 4,
    /// A large upload, which a job reads; its number is the job's.
    Job = 6,
    /// The server itself.
    Server = 5,
}

/// Second group of a component's UUID; no [`Kind`] has it.
const COMPONENT: &str = "0002";
/// First group of every UUID that holds a number: `tocs` in ASCII.
const FIRST: &str = "746f6373";
/// Third and fourth group: version 4, variant 8.
const MIDDLE: &str = "4000-8000";

/// The UUID of a number. Numbers have 48 bits.
pub fn of(kind: Kind, id: i64) -> String {
    format!("{FIRST}-{:04x}-{MIDDLE}-{:012x}", kind as u16, id & 0xffff_ffff_ffff)
}

/// The number in a UUID of this kind.
pub fn id(kind: Kind, text: &str) -> Option<i64> {
    let number = text.to_ascii_lowercase();
    let number = number.strip_prefix(&format!("{FIRST}-{:04x}-{MIDDLE}-", kind as u16))?;
    i64::from_str_radix(number, 16).ok().filter(|_| is_valid(text))
}

/// The UUID of a component in a release: to clients a component belongs to one project, while ours may be in many
/// releases. The first group is the release's number.
pub fn of_component(release: i64, component: i64) -> String {
    format!("{:08x}-{COMPONENT}-{MIDDLE}-{:012x}", release & 0xffff_ffff, component & 0xffff_ffff_ffff)
}

/// Release and component of a component's UUID.
pub fn component(text: &str) -> Option<(i64, i64)> {
    let text = text.to_ascii_lowercase();
    let (release, component) =
        text.split_once(&format!("-{COMPONENT}-{MIDDLE}-")).filter(|_| is_valid(&text))?;
    Some((i64::from_str_radix(release, 16).ok()?, i64::from_str_radix(component, 16).ok()?))
}

/// Whether a text is written as a UUID of the versions 1 to 5.
pub fn is_valid(text: &str) -> bool {
    let group = |(n, g): (usize, &str)| {
        let right = [8, 4, 4, 4, 12].get(n) == Some(&g.len());
        right
            && g.bytes().all(|b| b.is_ascii_hexdigit())
            && (n != 2 || g.starts_with(['1', '2', '3', '4', '5']))
    };
    text.split('-').count() == 5 && text.split('-').enumerate().all(group)
}

/// The UUID of a vulnerability's id.
pub fn of_vulnerability(id: &str) -> String {
    let hash: String = Sha256::digest(id).iter().map(|b| format!("{b:02x}")).collect();
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_kinds_are_kept_apart() {
        for n in [1, 77, 0x1234_5678_9abc, 0xffff_ffff_ffff] {
            let text = of(Kind::Project, n);
            assert!(is_valid(&text), "{text}");
            assert_eq!(id(Kind::Project, &text), Some(n));
            assert_eq!(id(Kind::Project, &text.to_uppercase()), Some(n));
            assert_eq!(id(Kind::Token, &text), None);
            assert_eq!(component(&text), None);
            assert_eq!(component(&of_component(7, n)), Some((7, n)));
        }
        assert_eq!(of(Kind::Token, 255), "746f6373-0003-4000-8000-0000000000ff");
        assert_eq!(id(Kind::Token, "746f6373-0003-4000-8000-+000000000ff"), None);
        assert_eq!(id(Kind::Token, "746f6373-0003-4000-8000-ff"), None);
        assert_eq!(id(Kind::Token, ""), None);
    }

    #[test]
    fn vulnerabilities_have_one_each() {
        let one = of_vulnerability("CVE-2024-0001");
        assert!(is_valid(&one), "{one}");
        assert_eq!(one, of_vulnerability("CVE-2024-0001"));
        assert_ne!(one, of_vulnerability("CVE-2024-0002"));
    }

    #[test]
    fn what_is_no_uuid_is_told() {
        for text in [
            "",
            "x",
            "746f6373-0003-4000-8000-0000000000f",
            "746f6373-0003-7000-8000-0000000000ff",
            "746f6373-0003-4000-8000-0000000000fg",
            "746f6373-0003-4000-8000-0000000000ff-1",
        ] {
            assert!(!is_valid(text), "{text}");
        }
    }
}
