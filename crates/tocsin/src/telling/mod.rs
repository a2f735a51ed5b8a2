//! Messages out of the system: mail, webhooks, chats, syslog. What to tell and whom is decided in
//! [`tocsin_core::notify`]; here it is put into words and sent, through the one door out.

mod chat;
mod mail;
pub(crate) mod report;
mod syslog;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use tocsin_core::notify::{self, Outgoing, Recipient, Sending};
use tocsin_core::platform::access::Actor;

use crate::error::Error;
use crate::outbound::{Outbound, Refused};
use crate::server::{App, now};
use words::Words;
pub(crate) use words::{group as group_words, path as subject_path};

/// Why something was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsent {
    /// The door out refused it, or nobody answered.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The receiver said no, for good.
    #[error("{0}")]
    Never(String),
    /// It may work later.
    #[error("{0}")]
    Later(String),
}

impl Unsent {
    fn is_passing(&self) -> bool {
        matches!(self, Unsent::Later(_) | Unsent::Refused(Refused::Silent(..) | Refused::Status(..)))
    }
}

/// What sending needs of the server.
struct Means<'a> {
    door: &'a Outbound,
    settings: &'a BTreeMap<String, String>,
    secrets: &'a BTreeMap<String, String>,
    site: &'a str,
    now: &'a str,
}

impl Means<'_> {
    fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    fn secret(&self, name: &str) -> &str {
        self.secrets.get(name).map_or("", String::as_str)
    }

    fn port(&self) -> u16 {
        self.setting("port").parse().unwrap_or(0)
    }
}

/// Sends a message to whoever it has not reached through a channel yet; each gets a receipt. The number of them.
///
/// # Errors
/// Somebody was not reached: [`Error::Io`] where it may work later.
pub async fn send(app: &App, actor: &Actor, sending: &Sending) -> Result<usize, Error> {
    let outgoing = notify::outgoing(app.db(), actor, sending).await?;
    let secrets = notify::secret_of(app.vault(), actor.workspace, &outgoing.channel)?;
    let (mut reached, mut wrong) = (0, None);
    for to in outgoing.to.clone() {
        let (app_of, out, secrets, delivery) = (app.clone(), outgoing.clone(), secrets.clone(), to.delivery);
        let task = tokio::task::spawn_blocking(move || one(&app_of, &out, &secrets, &to));
        let came = task.await.map_err(|e| Error::io("sending a notification", std::io::Error::other(e)))?;
        match came {
            Ok(()) => {
                notify::sent(app.db(), delivery, &now()).await?;
                reached += 1;
            }
            Err(e) => {
                notify::failed(app.db(), &[delivery], &e.to_string()).await?;
                // one that may work later keeps the job alive for all
                if wrong.as_ref().is_none_or(|w: &Unsent| !w.is_passing()) {
                    wrong = Some(e);
                }
            }
        }
    }
    match wrong {
        None => Ok(reached),
        Some(e) if e.is_passing() => {
            Err(Error::io(outgoing.channel.name, std::io::Error::other(e.to_string())))
        }
        Some(e) => {
            Err(tocsin_core::Error::Rejected { field: outgoing.channel.name, message: e.to_string() }.into())
        }
    }
}

fn one(app: &App, out: &Outgoing, secrets: &BTreeMap<String, String>, to: &Recipient) -> Result<(), Unsent> {
    let now = now();
    let means = Means {
        door: &app.0.outbound,
        settings: &out.channel.settings,
        secrets,
        site: &app.site().address,
        now: &now,
    };
    let words = Words::of(&out.message, to.step, means.site);
    match out.channel.kind.as_str() {
        "mail" => mail::send(&means, &words, &out.message, to),
        "syslog" => syslog::send(&means, &words, &out.message),
        kind => chat::send(&means, kind, &words, &out.message, to),
    }
}

/// Trust anchors for TLS that is not HTTPS: those of the web, and one that the channel names.
pub(crate) fn roots(ca: &str) -> Result<rustls::RootCertStore, Unsent> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if !ca.is_empty() {
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            let certificate =
                certificate.map_err(|e| Unsent::Never(format!("the channel's certificate: {e}")))?;
            roots.add(certificate).map_err(|e| Unsent::Never(format!("the channel's certificate: {e}")))?;
        }
    }
    Ok(roots)
}
