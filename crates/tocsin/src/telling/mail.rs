//! Mail: SMTP over TLS, text with an HTML alternative that loads nothing, threads by what a message continues.

use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport};
use tocsin_core::notify::{Message, Recipient};

use super::words::Words;
use super::{Means, Unsent};

const TIMEOUT: Duration = Duration::from_secs(30);

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn html(words: &Words, site: &str) -> String {
    let mut list = String::new();
    for (name, what, path) in &words.lines {
        let name = escaped(name);
        let name = if path.is_empty() {
            format!("<b>{name}</b>")
        } else {
            format!("<a href=\"{}{}\">{name}</a>", escaped(site), escaped(path))
        };
        list.push_str(&format!("<li>{name}: {}</li>\n", escaped(what)));
    }
    let list = if list.is_empty() { String::new() } else { format!("<ul>\n{list}</ul>\n") };
    let wanted = match words.wanted.as_str() {
        "" => String::new(),
        text => format!("<p><b>{}</b></p>\n", escaped(text)),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\"><body style=\"font-family:sans-serif\">\n<h1 style=\"font-size:18px\">{}</h1>\n\
         {list}{wanted}<p><a href=\"{link}\">Open in Tocsin</a></p>\n<p style=\"color:#666;font-size:12px\">\
         <a href=\"{}/account/notifications\">Set what you are told</a></p>\n</body></html>\n",
        escaped(&words.title),
        escaped(site),
        link = escaped(&words.link),
    )
}

/// The mail of a message to one recipient.
pub(super) fn compose(
    means: &Means<'_>,
    words: &Words,
    message: &Message,
    to: &Recipient,
) -> Result<lettre::Message, Unsent> {
    let never = |what: &str, e: &dyn std::fmt::Display| Unsent::Never(format!("{what}: {e}"));
    let from: Mailbox = means.setting("from").parse().map_err(|e| never("the channel's sender", &e))?;
    let address: Mailbox = to.address.parse().map_err(|e| never("the address", &e))?;
    let domain = from.email.domain().to_owned();
    let mark = |text: String| format!("<{text}@{domain}>");
    let thread: String =
        message.thread.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '.' }).collect();
    let root = mark(format!("tocsin.thread.{thread}"));
    let header =
        |name: &'static str, value: String| HeaderValue::new(HeaderName::new_from_ascii_str(name), value);
    // the subject is one line whatever a title holds
    let subject: String =
        words.title.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    lettre::Message::builder()
        .from(from)
        .to(address)
        .subject(format!("[Tocsin] {subject}"))
        .message_id(Some(mark(format!("tocsin.delivery.{}", to.delivery))))
        .in_reply_to(root.clone())
        .references(root)
        .raw_header(header("List-Unsubscribe", format!("<{}/account/notifications>", means.site)))
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(words.plain(), html(words, means.site)))
        .map_err(|e| never("writing the mail", &e))
}

pub(super) fn send(
    means: &Means<'_>,
    words: &Words,
    message: &Message,
    to: &Recipient,
) -> Result<(), Unsent> {
    deliver(means, &compose(means, words, message, to)?)
}

/// Hands a mail to the server of a channel.
pub(super) fn deliver(means: &Means<'_>, mail: &lettre::Message) -> Result<(), Unsent> {
    let (host, port) = (means.setting("host"), means.port());
    // the address that was looked at is the one that is called; the certificate is asked for the name
    let address = means.door.reach(host, port)?;
    let parameters = || -> Result<TlsParameters, Unsent> {
        let wrong = |e: lettre::transport::smtp::Error| Unsent::Never(format!("TLS to {host}: {e}"));
        let mut builder = TlsParameters::builder(host.to_owned());
        if !means.setting("ca").is_empty() {
            let certificate = Certificate::from_pem(means.setting("ca").as_bytes()).map_err(wrong)?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build_rustls().map_err(wrong)
    };
    let tls = match means.setting("security") {
        "tls" => Tls::Wrapper(parameters()?),
        "starttls" => Tls::Required(parameters()?),
        _ => Tls::None,
    };
    let name = means.site.split_once("://").map_or(means.site, |(_, rest)| rest);
    let name = name.split([':', '/']).next().filter(|n| !n.is_empty()).unwrap_or("localhost");
    let mut transport = SmtpTransport::builder_dangerous(address.ip().to_string())
        .port(port)
        .tls(tls)
        .timeout(Some(TIMEOUT))
        .hello_name(ClientId::Domain(name.to_owned()));
    if !means.setting("user").is_empty() {
        let secret = means.secret("password").to_owned();
        transport = transport.credentials(Credentials::new(means.setting("user").to_owned(), secret));
    }
    match transport.build().send(mail) {
        Ok(_) => Ok(()),
        Err(e) if e.is_permanent() => Err(Unsent::Never(format!("{host}: {e}"))),
        Err(e) => Err(Unsent::Later(format!("{host}: {e}"))),
    }
}
