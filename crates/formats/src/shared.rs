//! What communities share about attacks, in the form that the desk takes: readers of MISP ([`misp`](crate::misp)) and STIX
//! ([`stix`](crate::stix)) give it.

/// Indicators that are named in the text of one report; the rest is a number.
const INDICATORS: usize = 1000;
/// Words of an indicator in one line, and of what is said of it: a longer line is prose, and ends the list for whoever looks
/// for indicators in the text.
const WORDS: usize = 6;
const COMMENT: usize = 3;
/// Bytes of one line, and of a report's text.
const LINE: usize = 2000;
const TEXT: usize = 200 << 10;

/// One report: an event, a report, an indicator that stands alone, a flaw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Id at its source; the same is an edition of the same report.
    pub id: String,
    /// Title, one line.
    pub title: String,
    /// Plain text.
    pub text: String,
    /// Who wrote it, or empty.
    pub author: String,
    /// When it was published, RFC 3339, or empty.
    pub published: String,
    /// Marking of the Traffic Light Protocol: `CLEAR` … `RED`; empty where none is told.
    pub tlp: String,
    /// Credibility in the Admiralty code, 1 to 6; 0 where none is told.
    pub credibility: u8,
    /// An address of it, or empty.
    pub url: String,
}

/// Text of a report, put together from parts.
#[derive(Default)]
pub(crate) struct Writer {
    text: String,
    indicators: Vec<String>,
}

/// One line, without what would begin another, at most so long.
fn line(text: &str) -> String {
    let mut out = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = (0..=LINE.min(out.len())).rev().find(|n| out.is_char_boundary(*n)).unwrap_or(0);
    out.truncate(end);
    out
}

impl Writer {
    /// Adds a paragraph as it stands.
    pub(crate) fn paragraph(&mut self, text: &str) {
        let text = text.trim();
        let room = TEXT.saturating_sub(self.text.len());
        let end = (0..=room.min(text.len())).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
        if let Some(part) = text.get(..end).filter(|t| !t.is_empty()) {
            if !self.text.is_empty() {
                self.text.push_str("\n\n");
            }
            self.text.push_str(part);
        }
    }

    /// Adds a list with its name, on one line.
    pub(crate) fn list(&mut self, name: &str, items: &[String]) {
        let items: Vec<String> = items.iter().map(|i| line(i)).filter(|i| !i.is_empty()).take(500).collect();
        if !items.is_empty() {
            self.paragraph(&format!("{name}: {}", items.join(", ")));
        }
    }

    /// Adds an indicator: its sort, its value and what is said of it, shortened.
    pub(crate) fn indicator(&mut self, kind: &str, value: &str, comment: &str) {
        let (kind, value, comment) = (line(kind).replace(' ', "/"), line(value), line(comment));
        let words: Vec<&str> = value.split(' ').filter(|w| !w.is_empty()).collect();
        if words.is_empty() {
            return;
        }
        let mut said: Vec<&str> = comment.split(' ').filter(|w| !w.is_empty()).take(COMMENT + 1).collect();
        if said.len() > COMMENT {
            said.truncate(COMMENT);
            said.push("…");
        }
        let mut lines: Vec<String> = words.chunks(WORDS).map(|w| format!("{kind} {}", w.join(" "))).collect();
        if let Some(last) = lines.last_mut().filter(|_| !said.is_empty()) {
            last.push_str(&format!(" ({})", said.join(" ")));
        }
        self.indicators.push(lines.join("\n- "));
    }

    /// The text, with the indicators as a list at its end.
    pub(crate) fn end(mut self) -> String {
        let all = std::mem::take(&mut self.indicators);
        if !all.is_empty() {
            let mut list = format!("Indicators of compromise ({}):", all.len());
            let mut shown = 0;
            for indicator in all.iter().take(INDICATORS) {
                if self.text.len() + list.len() + indicator.len() + 100 > TEXT {
                    break;
                }
                list.push_str("\n- ");
                list.push_str(indicator);
                shown += 1;
            }
            if shown < all.len() {
                list.push_str(&format!("\nand {} more at the source", all.len() - shown));
            }
            // the room was reckoned with
            if !self.text.is_empty() {
                self.text.push_str("\n\n");
            }
            self.text.push_str(&list);
        }
        self.text
    }
}

/// Markings of the Traffic Light Protocol, the widest circle first; version 1 said WHITE.
const TLPS: [&str; 5] = ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"];

/// A marking as it is written (`tlp:amber`, `TLP:WHITE`); what says TLP and is no known one is the closest.
pub(crate) fn tlp(text: &str) -> Option<&'static str> {
    let text = text.trim().to_ascii_uppercase();
    let mark = text.strip_prefix("TLP:")?.trim();
    if mark == "WHITE" {
        return Some("CLEAR");
    }
    Some(TLPS.into_iter().find(|t| *t == mark).unwrap_or("RED"))
}

/// The closer of two markings.
pub(crate) fn closer(a: &str, b: &str) -> String {
    let place = |t: &str| TLPS.iter().position(|k| *k == t);
    if place(a) >= place(b) { a.to_owned() } else { b.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markings_are_read_and_the_closest_holds() {
        for (text, want) in [
            ("tlp:white", Some("CLEAR")),
            ("TLP:AMBER+STRICT", Some("AMBER+STRICT")),
            ("tlp:ex:chr", Some("RED")),
            ("osint:source-type", None),
        ] {
            assert_eq!(tlp(text), want, "{text}");
        }
        assert_eq!((closer("", "CLEAR"), closer("RED", "GREEN")), ("CLEAR".to_owned(), "RED".to_owned()));
    }

    #[test]
    fn a_text_is_bounded_and_says_what_is_missing() {
        let mut w = Writer::default();
        w.paragraph("What happened.");
        w.list("Vulnerabilities", &["CVE-2025-0001".to_owned()]);
        for n in 0..3000 {
            w.indicator("domain", &format!("d{n}.example"), "seen\nonce");
        }
        let text = w.end();
        assert!(text.starts_with(
            "What happened.\n\nVulnerabilities: CVE-2025-0001\n\nIndicators of compromise (3000):\n"
        ));
        assert!(text.contains("\n- domain d7.example (seen once)\n"));
        assert!(text.ends_with("and 2000 more at the source"));
        let mut w = Writer::default();
        w.indicator(
            "stix",
            "[ipv4-addr:value = '192.0.2.7' OR ipv4-addr:value = '192.0.2.8']",
            "Seen by us and by many others",
        );
        assert_eq!(
            w.end(),
            "Indicators of compromise (1):\n- stix [ipv4-addr:value = '192.0.2.7' OR ipv4-addr:value =\n- stix \
             '192.0.2.8'] (Seen by us …)"
        );
        let mut w = Writer::default();
        w.paragraph(&"ü".repeat(1 << 20));
        for _ in 0..2000 {
            w.indicator("url", &"x".repeat(5000), "");
        }
        assert!(w.end().len() <= TEXT + 200);
    }
}
