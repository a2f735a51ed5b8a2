//! A file that somebody brings as an item: a message (RFC 5322, `.eml`) or plain text.

use tocsin_core::desk::NewItem;
use tocsin_formats::mail::{self, Mail};

/// A message as an item, marked as it says itself.
pub fn of_message(m: Mail) -> NewItem {
    NewItem {
        thread: m.conversation().to_owned(),
        own: m.id,
        url: m.archived,
        title: m.subject,
        text: m.text,
        author: m.from,
        published: m.date.unwrap_or_default(),
        tlp: m.tlp.unwrap_or_default().to_owned(),
        ..NewItem::default()
    }
}

/// Reads a file. What is no message is plain text whose first line is its title.
pub fn item(name: &str, bytes: &[u8]) -> NewItem {
    let lower = name.to_lowercase();
    let begins = bytes.get(..bytes.len().min(4_096)).unwrap_or_default();
    let headers = String::from_utf8_lossy(begins).to_lowercase();
    let is_message =
        lower.ends_with(".eml") || (headers.contains("\nsubject:") && headers.contains("\nfrom:"));
    match mail::read(bytes) {
        Ok(message) if is_message => of_message(message),
        _ => {
            let text = String::from_utf8_lossy(bytes);
            let (title, body) = text.split_once('\n').unwrap_or((&text, ""));
            NewItem {
                title: title.trim().chars().take(200).collect(),
                text: body.trim().to_owned(),
                ..NewItem::default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::item;

    #[test]
    fn a_message_and_a_text_become_items() {
        let eml = "From: Ada <ada@example.org>\r\nSubject: =?utf-8?Q?L=C3=BCcke_in_der_Pumpe?=\r\nMessage-ID: <1@example.org>\r\n\
                   Date: Tue, 3 Feb 2026 10:00:00 +0100\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Port 23 is <b>open</b>.</p>";
        let read = item("report.eml", eml.as_bytes());
        assert_eq!((read.title.as_str(), read.own.as_str()), ("Lücke in der Pumpe", "1@example.org"));
        assert_eq!(read.author, "Ada <ada@example.org>");
        assert!(read.text.contains("Port 23 is open") && !read.text.contains('<'), "{}", read.text);
        assert!(read.published.starts_with("2026-02-03T09:00:00Z"), "{}", read.published);
        let read = item("note.txt", "Passwords are sold\nIn a forum.".as_bytes());
        assert_eq!((read.title.as_str(), read.text.as_str()), ("Passwords are sold", "In a forum."));
        assert!(item("x.eml", &[0xff, 0xfe, 0]).title.len() < 300);
    }
}
