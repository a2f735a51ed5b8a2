//! Webhooks: signed JSON for programs, and the message forms of Slack, Mattermost and Microsoft Teams.

use ring::hmac;
use serde_json::{Value, json};
use tocsin_core::notify::{Message, Recipient};

use super::words::Words;
use super::{Means, Unsent};

/// The signature of a body: HMAC-SHA256 over timestamp, a full stop and the body, in hexadecimal. The timestamp is signed
/// along, so that a receiver can refuse what is old.
pub(crate) fn signature(key: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    context.sign().as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn slack(words: &Words, site: &str) -> Value {
    let plain = |t: &str| t.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut text = format!("*<{}|{}>*", words.link, plain(&words.title));
    for (name, what, path) in &words.lines {
        let name = if path.is_empty() { plain(name) } else { format!("<{site}{path}|{}>", plain(name)) };
        text.push_str(&format!("\n• {name}: {}", plain(what)));
    }
    if !words.wanted.is_empty() {
        text.push_str(&format!("\n{}", plain(&words.wanted)));
    }
    json!({"text": text})
}

/// Text in Markdown with nothing in it that would be read as a mark, a mention or a link.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '#' | '|' | '~') {
            out.push('\\');
        }
        out.push(if c.is_control() { ' ' } else { c });
        if c == '@' {
            out.push('\u{200b}');
        }
    }
    out
}

fn mattermost(words: &Words, site: &str) -> Value {
    let mut text = format!("**[{}]({})**", markdown(&words.title), words.link);
    for (name, what, path) in &words.lines {
        let name =
            if path.is_empty() { markdown(name) } else { format!("[{}]({site}{path})", markdown(name)) };
        text.push_str(&format!("\n- {name}: {}", markdown(what)));
    }
    if !words.wanted.is_empty() {
        text.push_str(&format!("\n\n{}", markdown(&words.wanted)));
    }
    json!({"text": text})
}

/// An Adaptive Card (1.4), as incoming webhooks and workflows of Teams take it.
fn teams(words: &Words) -> Value {
    let block = |text: String, strong: bool| {
        let weight = if strong { "Bolder" } else { "Default" };
        json!({"type": "TextBlock", "text": text, "wrap": true, "weight": weight})
    };
    let mut body = vec![block(markdown(&words.title), true)];
    body.extend(
        words
            .lines
            .iter()
            .map(|(name, what, _)| block(format!("{}: {}", markdown(name), markdown(what)), false)),
    );
    if !words.wanted.is_empty() {
        body.push(block(markdown(&words.wanted), false));
    }
    let card = json!({"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard",
        "version": "1.4", "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open in Tocsin", "url": words.link}]});
    json!({"type": "message", "attachments": [
        {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}]})
}

fn webhook(words: &Words, message: &Message, to: &Recipient) -> Value {
    json!({"delivery": to.delivery, "message": message.id, "topic": message.topic, "thread": message.thread,
        "at": message.at, "severity": tocsin_core::detection::SEVERITIES.get(message.severity as usize),
        "embargo": message.embargo, "step": to.step, "title": words.title, "url": words.link,
        "groups": message.body.groups, "items": message.body.items})
}

pub(super) fn send(
    means: &Means<'_>,
    kind: &str,
    words: &Words,
    message: &Message,
    to: &Recipient,
) -> Result<(), Unsent> {
    let body = match kind {
        "slack" => slack(words, means.site),
        "mattermost" => mattermost(words, means.site),
        "teams" => teams(words),
        _ => webhook(words, message, to),
    };
    let bytes = body.to_string().into_bytes();
    let mut headers = vec![("Idempotency-Key", format!("tocsin-{}", to.delivery))];
    if kind == "webhook" {
        let seconds = tocsin_core::platform::clock::seconds(means.now).to_string();
        let signed = signature(means.secret("key"), &seconds, &bytes);
        headers.push(("X-Tocsin-Timestamp", seconds));
        headers.push(("X-Tocsin-Signature", format!("sha256={signed}")));
    }
    let reply = means.door.post_json(means.secret("url"), &headers, &bytes)?;
    match reply.status {
        200..=299 => Ok(()),
        408 | 425 | 429 => Err(Unsent::Later(format!("the receiver answered {}", reply.status))),
        status => Err(Unsent::Never(format!(
            "the receiver answered {status}; look at the channel's address, and at the receiver's log"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_rfc_4231() {
        // HMAC-SHA256 of the RFC's second case, whose text is cut where our full stop would be
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let tag = hmac::sign(&key, b"1700000000.{}");
        let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(signature("Jefe", "1700000000", b"{}"), hex);
        assert_ne!(signature("Jefe", "1700000001", b"{}"), hex);
    }

    #[test]
    fn what_others_wrote_is_no_mark_of_ours() {
        let words = Words {
            title: "Pump <!channel> *x*".to_owned(),
            lines: vec![("[a](http://evil)".to_owned(), "@all".to_owned(), String::new())],
            link: "https://t/notifications/1".to_owned(),
            wanted: String::new(),
        };
        assert!(!slack(&words, "").to_string().contains("<!channel>"));
        let text = mattermost(&words, "").to_string();
        assert!(!text.contains("[a](") && !text.contains("@all"), "{text}");
    }
}
