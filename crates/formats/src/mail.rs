//! Mail: one message (RFC 5322 with MIME), or many in an mbox (RFC 4155, also as public-inbox writes it: mboxrd).
//!
//! Of a message its words are read, and the names of what is attached; what is attached is not.

use std::ops::ControlFlow;

use mail_parser::mailbox::mbox::MessageIterator;
use mail_parser::{HeaderValue, Message, MessageParser, MimeHeaders, PartType};
use tocsin_model::diagnostic::Diagnostic;

use crate::news::{instant, plain};

/// Longest message read, in bytes.
pub const MOST: usize = 8 << 20;
/// Messages read of one mbox.
pub const MESSAGES: usize = 50_000;
/// Longest text of a message, in bytes.
const LONG: usize = 256 << 10;
/// Longest header, in bytes.
const SHORT: usize = 2_000;
/// Ids read of one header.
const IDS: usize = 500;
/// Attachments that are named.
const NAMED: usize = 20;

/// A message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    /// `Message-ID` without its brackets; empty where there is none.
    pub id: String,
    /// What it answers, the first message of the conversation first (`References`, else `In-Reply-To`).
    pub references: Vec<String>,
    /// `Subject`, one line.
    pub subject: String,
    /// Who wrote it: `Name <address>`.
    pub from: String,
    /// `Date`, RFC 3339.
    pub date: Option<String>,
    /// Its words; of one that is HTML alone, its text. Names of attachments stand at the end.
    pub text: String,
    /// Address under which it is archived (`Archived-At`, RFC 5064); empty where that is not said.
    pub archived: String,
    /// Marking of the Traffic Light Protocol that its header (`X-TLP`, `TLP`) or else its subject tells: the strictest of
    /// several.
    pub tlp: Option<&'static str>,
}

impl Mail {
    /// Id of the first message of its conversation: its own, where it answers nothing.
    pub fn conversation(&self) -> &str {
        self.references.first().unwrap_or(&self.id)
    }
}

/// Reads a message.
///
/// # Errors
/// It is none, or longer than [`MOST`].
pub fn read(bytes: &[u8]) -> Result<Mail, Diagnostic> {
    if bytes.len() > MOST {
        return Err(Diagnostic::new("limit-size", "", format!("limit: a message of {MOST} bytes")));
    }
    let found =
        MessageParser::default().parse(bytes).filter(|m| m.parts.iter().any(|p| !p.headers.is_empty()));
    let m = found.ok_or_else(|| Diagnostic::new("input-syntax", "", "it is no message: it has no header"))?;
    let tlp = ["X-TLP", "TLP"].iter().filter_map(|name| m.header(*name)?.as_text()).find_map(|text| {
        // in a header of its own the colour alone is enough
        marking(text).or_else(|| marking(&format!("TLP:{}", text.trim())))
    });
    let subject = line(m.subject().unwrap_or_default());
    Ok(Mail {
        id: line(m.message_id().unwrap_or_default()),
        references: references(&m),
        from: author(&m),
        date: m.date().and_then(|d| instant(&d.to_rfc3339())),
        text: text(&m),
        archived: m.header("Archived-At").and_then(HeaderValue::as_text).map(address).unwrap_or_default(),
        tlp: tlp.or_else(|| marking(&subject)),
        subject,
    })
}

/// Reads the messages of an mbox one after another, each with its number from 0; `on` may break off.
///
/// # Errors
/// There is no message in it, or there are more than [`MESSAGES`].
pub fn mbox(
    bytes: &[u8],
    on: &mut dyn FnMut(usize, Result<Mail, Diagnostic>) -> ControlFlow<()>,
) -> Result<(), Diagnostic> {
    if !bytes.starts_with(b"From ") {
        return Err(Diagnostic::new(
            "input-syntax",
            "line 1",
            "it is no mbox: it does not begin with `From `",
        ));
    }
    for (n, message) in MessageIterator::new(bytes).flatten().enumerate() {
        if n >= MESSAGES {
            return Err(Diagnostic::new("limit-entries", "", format!("limit: {MESSAGES} messages")));
        }
        let read = read(message.contents()).map_err(|d| d.within(&format!("message {n}")));
        if on(n, read).is_break() {
            break;
        }
    }
    Ok(())
}

/// The marking of the Traffic Light Protocol that a text tells (`TLP:AMBER`), in the words of version 2.0; the strictest
/// of several.
pub fn marking(text: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 6] = [
        ("RED", "RED"),
        ("AMBER+STRICT", "AMBER+STRICT"),
        ("AMBER", "AMBER"),
        ("GREEN", "GREEN"),
        ("CLEAR", "CLEAR"),
        ("WHITE", "CLEAR"),
    ];
    let upper = text.to_ascii_uppercase();
    let found = upper.match_indices("TLP").filter_map(|(at, _)| {
        let rest = upper.get(at + 3..)?.trim_start_matches([':', ' ', '-', '_']);
        WORDS.iter().position(|(word, _)| rest.starts_with(word))
    });
    found.min().and_then(|n| WORDS.get(n)).map(|w| w.1)
}

fn line(text: &str) -> String {
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), SHORT)
}

fn cut(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

/// An address of the web; empty where it is none.
fn address(text: &str) -> String {
    crate::news::absolute("", text.trim().trim_start_matches('<').trim_end_matches('>'))
}

fn references(m: &Message<'_>) -> Vec<String> {
    let ids = |value: &HeaderValue<'_>| -> Vec<String> {
        let list = value.as_text_list().unwrap_or_default();
        list.iter().take(IDS).map(|id| line(id)).filter(|id| !id.is_empty()).collect()
    };
    let all = ids(m.references());
    if all.is_empty() { ids(m.in_reply_to()) } else { all }
}

fn author(m: &Message<'_>) -> String {
    let Some(from) = m.from().and_then(|f| f.first()) else { return String::new() };
    match (from.name(), from.address()) {
        (Some(name), Some(address)) => line(&format!("{name} <{address}>")),
        (name, address) => line(name.or(address).unwrap_or_default()),
    }
}

fn text(m: &Message<'_>) -> String {
    let parts = m.text_body.iter().filter_map(|id| m.parts.get(usize::try_from(*id).ok()?));
    let mut out = String::new();
    for part in parts {
        let words = match &part.body {
            PartType::Text(text) => text.replace("\r\n", "\n"),
            PartType::Html(html) => plain(html),
            _ => continue,
        };
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&words);
        if out.len() > LONG {
            break;
        }
    }
    let mut out = cut(out.trim(), LONG);
    let names: Vec<String> = m
        .attachments()
        .take(NAMED)
        .map(|a| match a.attachment_name() {
            Some(name) => format!("{} ({} bytes)", cut(&line(name), 200), a.len()),
            None => format!("without a name ({} bytes)", a.len()),
        })
        .collect();
    if !names.is_empty() {
        out.push_str(&format!("\n\nAttached, and not kept: {}", names.join(", ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "From: =?utf-8?Q?Ada_L=C3=BC?= <ada@example.org>\r\nSubject: [TLP:AMBER+STRICT]\r\n  A flaw of the pump\r\n\
        Message-ID: <3@example.org>\r\nReferences: <1@example.org>\r\n <2@example.org>\r\nIn-Reply-To: <2@example.org>\r\n\
        Archived-At: <https://lists.example/3>\r\nDate: Tue, 3 Feb 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nL=FCcke\r\n--b\r\nContent-Type: application/pdf; name=proof.pdf\r\n\
        Content-Disposition: attachment; filename=proof.pdf\r\n\r\nxxxx\r\n--b--\r\n";

    #[test]
    fn a_message_is_read() {
        let m = read(MESSAGE.as_bytes()).unwrap();
        assert_eq!((m.id.as_str(), m.conversation()), ("3@example.org", "1@example.org"));
        assert_eq!(m.references, ["1@example.org", "2@example.org"]);
        assert_eq!(m.subject, "[TLP:AMBER+STRICT] A flaw of the pump");
        assert_eq!((m.from.as_str(), m.tlp), ("Ada Lü <ada@example.org>", Some("AMBER+STRICT")));
        assert_eq!(
            (m.date.as_deref(), m.archived.as_str()),
            (Some("2026-02-03T09:00:00Z"), "https://lists.example/3")
        );
        assert_eq!(m.text, "Lücke\n\nAttached, and not kept: proof.pdf (4 bytes)");
    }

    #[test]
    fn html_alone_is_text_and_a_header_marks() {
        let m =
            read(b"Subject: x\nX-TLP: red\nContent-Type: text/html\n\n<p>a<script>b</script></p><p>c</p>")
                .unwrap();
        assert_eq!((m.text.as_str(), m.tlp, m.conversation()), ("a\n\nc", Some("RED"), ""));
        assert!(read(b"").is_err());
        assert!(read(&vec![b'x'; MOST + 1]).is_err());
    }

    #[test]
    fn markings_are_found_and_the_strictest_holds() {
        for (text, wanted) in [
            ("tlp:green", Some("GREEN")),
            ("[TLP: AMBER] x", Some("AMBER")),
            ("TLP-WHITE and TLP:RED", Some("RED")),
            ("TLP:CLEAR", Some("CLEAR")),
            ("TLP:PURPLE", None),
            ("red", None),
        ] {
            assert_eq!(marking(text), wanted, "{text}");
        }
    }

    #[test]
    fn an_mbox_is_read_message_by_message() {
        let mbox_ = "From mboxrd@z Thu Jan  1 00:00:00 1970\nMessage-ID: <1@x>\nSubject: a\n\n>From here on\n\n\
                     From mboxrd@z Thu Jan  1 00:00:00 1970\nMessage-ID: <2@x>\nIn-Reply-To: <1@x>\nSubject: Re: a\n\nb\n";
        let mut all = Vec::new();
        mbox(mbox_.as_bytes(), &mut |_, m| {
            all.push(m.unwrap());
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(all.iter().map(|m| m.text.as_str()).collect::<Vec<_>>(), ["From here on", "b"]);
        assert_eq!(all.iter().map(Mail::conversation).collect::<Vec<_>>(), ["1@x", "1@x"]);
        assert!(mbox(b"Subject: x\n\n", &mut |_, _| ControlFlow::Continue(())).is_err());
    }
}
