//! A mailbox: reports that are sent to a workspace, read and left as they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tocsin_core::desk::{RELIABILITIES, TLPS};
use tocsin_core::intel::feeds::Feed;
use tocsin_formats::mail;

use super::{Key, Setting, Source, Steps, Stop, Walk};
use crate::mail::of_message;

mod session;

use session::{Fault, Session};

/// See the module.
pub struct Imap;

/// Messages that are read at one time; the others wait for the next.
const MESSAGES: usize = 500;
/// Messages of one change.
const BATCH: usize = 20;

impl Source for Imap {
    fn name(&self) -> &'static str {
        "imap"
    }
    fn title(&self) -> &'static str {
        "Report mailbox"
    }
    fn address(&self) -> &'static str {
        ""
    }
    fn file(&self) -> &'static str {
        "imap"
    }
    fn gives(&self) -> &'static str {
        "items"
    }
    fn cron(&self) -> &'static str {
        "4,14,24,34,44,54 * * * *"
    }
    fn most(&self) -> u64 {
        mail::MOST as u64
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
    fn key(&self) -> Option<&'static Key> {
        Some(&Key { header: "", before: "", words: "Password of the user, without spaces" })
    }
    fn options(&self) -> &'static [Setting] {
        &[
            Setting {
                name: "server",
                title: "Server",
                words: "imaps://HOST or imaps://HOST:PORT (TLS; 993 where no port is told). A private host must be allowed \
                        by name (--allow-host), and so must one that speaks plain IMAP (imap://HOST:PORT).",
            },
            Setting { name: "user", title: "User", words: "Name with which one signs in there." },
            Setting {
                name: "folder",
                title: "Folder",
                words: "Folder that is read, in ASCII; empty: INBOX. Nothing in it is changed: what is unread stays unread.",
            },
            Setting {
                name: "workspace",
                title: "Workspace",
                words: "Short name of the workspace that the reports belong to; nobody else sees them.",
            },
            Setting {
                name: "tlp",
                title: "Marking",
                words: "Traffic Light Protocol of a report that does not say (by a header X-TLP, or TLP: in its subject): \
                        CLEAR, GREEN, AMBER, AMBER+STRICT or RED. Empty: AMBER.",
            },
            Setting {
                name: "reliability",
                title: "Reliability",
                words: "Reliability of those who send, A to F (Admiralty code). Empty: F, it cannot be judged.",
            },
            Setting {
                name: "ca",
                title: "Authority",
                words: "Certificates (PEM) of the authority that the server's certificate is from; empty: the public ones.",
            },
        ]
    }
    fn lines(&self, option: &str) -> bool {
        option == "ca"
    }
    fn by_http(&self) -> bool {
        false
    }
    fn desk(&self) -> bool {
        true
    }
    fn check(&self, option: &str, value: &str) -> Result<(), String> {
        let plain = value.is_ascii() && !value.contains(char::is_control);
        match option {
            "server" => server(value).map(|_| ()),
            "user" | "folder" if !plain || value.len() > 500 => {
                Err("printable ASCII characters, at most 500".to_owned())
            }
            "tlp" if !TLPS.contains(&value) => Err(format!("one of {}", TLPS.join(", "))),
            "reliability" if !RELIABILITIES.iter().any(|r| r.0 == value) => {
                Err("a letter of the Admiralty code, A to F".to_owned())
            }
            "ca" => crate::telling::roots(value).map(|_| ()).map_err(|_| "certificates in PEM".to_owned()),
            _ => Ok(()),
        }
    }
    fn missing(&self, feed: &Feed) -> Option<&'static str> {
        ["server", "user", "workspace"].into_iter().find(|o| !feed.options.contains_key(*o))
    }
}

/// Host, port and whether it speaks TLS.
fn server(text: &str) -> Result<(String, u16, bool), String> {
    let wrong = || "imaps://HOST or imaps://HOST:PORT, without user and folder".to_owned();
    let (rest, tls) = match (text.strip_prefix("imaps://"), text.strip_prefix("imap://")) {
        (Some(rest), _) => (rest, true),
        (_, Some(rest)) => (rest, false),
        _ => return Err(wrong()),
    };
    let (host, port) = match rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (rest, if tls { 993 } else { 143 }),
    };
    let fine = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-[]:_".contains(&b));
    if fine { Ok((host.to_owned(), port, tls)) } else { Err(wrong()) }
}

/// How far the folder is read (RFC 9051, section 2.3.1.1): a folder that was made anew has another validity, and is read
/// from its beginning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    server: String,
    folder: String,
    validity: u32,
    /// The last message that was taken in.
    uid: u32,
}

impl Steps for Imap {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let option = |name: &str| walk.option(name).unwrap_or_default().to_owned();
        let (address, user, workspace) = (option("server"), option("user"), option("workspace"));
        let folder = Some(option("folder")).filter(|f| !f.is_empty()).unwrap_or_else(|| "INBOX".to_owned());
        if address.is_empty() || user.is_empty() || workspace.is_empty() {
            return Err(Stop::Changed(
                "Server, user or workspace is not set: tocsin feeds set imap --option server=imaps://HOST \
                --option user=NAME --option workspace=NAME."
                    .to_owned(),
            ));
        }
        let Some(password) = walk.key().map(|key| zeroize::Zeroizing::new(key.to_owned())) else {
            return Err(Stop::Changed(
                "No password is set: tocsin feeds set imap --key-file FILE.".to_owned(),
            ));
        };
        let (host, port, tls) = server(&address).map_err(Stop::Changed)?;
        let stop = |e: Fault| match e {
            Fault::Refused(e) => Stop::Refused(e),
            Fault::Told(words) => Stop::Changed(words),
        };
        let mut session = Session::open(walk.outbound(), (&host, port, tls), &option("ca"), walk.patience())
            .map_err(stop)?;
        session.login(&user, &password).map_err(stop)?;
        let validity = session.examine(&folder).map_err(stop)?;
        let mut reached: Cursor = walk.cursor();
        let fresh = Cursor { server: address, folder, validity, uid: 0 };
        if (&reached.server, &reached.folder, reached.validity) != (&fresh.server, &fresh.folder, validity) {
            reached = fresh;
        }
        if walk.tries() {
            return Ok(());
        }
        let mut found = session.since(reached.uid).map_err(stop)?;
        found.truncate(MESSAGES);
        let total = found.len() as u64;
        let (tlp, reliability) = (option("tlp"), option("reliability"));
        let tlp = if tlp.is_empty() { "AMBER" } else { &tlp };
        let origin = format!("{user} at {host}");
        for (done, some) in found.chunks(BATCH).enumerate() {
            walk.progress((done * BATCH) as u64, total, &origin);
            let (mut items, mut bytes, mut last) = (Vec::new(), 0, reached.uid);
            for (uid, size) in some {
                last = last.max(*uid);
                if *size > mail::MOST as u64 {
                    walk.pass_by(
                        &format!("message {uid}"),
                        &format!("it has {size} bytes, and {} are taken", mail::MOST),
                    );
                    continue;
                }
                // it may have been deleted meanwhile
                let Some(read) = session.message(*uid, mail::MOST as u64).map_err(stop)? else { continue };
                bytes += read.len() as u64;
                match mail::read(&read) {
                    Ok(m) => {
                        let mut item = of_message(m);
                        if item.own.is_empty() {
                            item.own = format!("{validity}/{uid}");
                        }
                        if item.title.is_empty() && item.text.is_empty() {
                            item.title = "(a report without subject and text)".to_owned();
                        }
                        if item.tlp.is_empty() {
                            tlp.clone_into(&mut item.tlp);
                        }
                        item.reliability.clone_from(&reliability);
                        items.push(item);
                    }
                    Err(d) => walk.pass_by(&format!("message {uid}"), &d.to_string()),
                }
            }
            walk.give(&origin, &workspace, items, bytes)?;
            reached.uid = last;
            walk.reach(&reached)?;
        }
        session.logout();
        walk.heard();
        walk.reach(&reached)
    }
    fn gap(&self, _: bool) -> Duration {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::server;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        assert_eq!(server("imaps://mail.example"), Ok(("mail.example".to_owned(), 993, true)));
        assert_eq!(server("imap://mail.example:1143"), Ok(("mail.example".to_owned(), 1143, false)));
        assert_eq!(server("imaps://[2001:db8::1]:993"), Ok(("[2001:db8::1]".to_owned(), 993, true)));
        for bad in [
            "mail.example",
            "imaps://",
            "imaps://me@mail.example",
            "imaps://mail.example/INBOX",
            "imaps://h:x",
        ] {
            assert!(server(bad).is_err(), "{bad}");
        }
    }
}
