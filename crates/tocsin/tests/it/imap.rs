//! A report mailbox, read from a small server of IMAP that the test plays.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::serve::Server;
use crate::tocsin;

/// What the folder holds.
#[derive(Default)]
struct Folder {
    validity: u32,
    /// Ids and messages.
    mails: Vec<(u32, String)>,
    /// A size that is told in place of the true one.
    huge: Option<u32>,
    /// It hangs up in the middle of this message.
    cut: Option<u32>,
    /// Commands since the last look, without passwords.
    asked: Vec<String>,
}

/// A server of IMAP on a port of its own, with the user `reports` whose password is `Pass-"word`.
struct Mailbox {
    port: u16,
    folder: Arc<Mutex<Folder>>,
}

impl Mailbox {
    fn start() -> Mailbox {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = Arc::new(Mutex::new(Folder { validity: 7, ..Folder::default() }));
        let shared = folder.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                std::thread::spawn(move || {
                    let _ = talk(stream, &shared);
                });
            }
        });
        Mailbox { port, folder }
    }

    fn has(&self, mails: &[(u32, String)]) {
        self.folder.lock().unwrap().mails = mails.to_vec();
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.folder.lock().unwrap().asked)
    }
}

fn talk(mut stream: TcpStream, folder: &Mutex<Folder>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    write!(stream, "* OK [CAPABILITY IMAP4rev1] ready\r\n")?;
    while let Some(Ok(line)) = lines.next() {
        let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
        let mut folder = folder.lock().unwrap();
        if let Some(login) = command.strip_prefix("LOGIN ") {
            folder.asked.push("LOGIN".to_owned());
            if login == "\"reports\" \"Pass-\\\"word\"" {
                write!(stream, "{tag} OK in\r\n")?;
            } else {
                write!(stream, "{tag} NO [AUTHENTICATIONFAILED] no\r\n")?;
            }
            continue;
        }
        folder.asked.push(command.to_owned());
        if command == "EXAMINE \"INBOX\"" {
            let n = folder.mails.len();
            write!(
                stream,
                "* FLAGS (\\Seen)\r\n* {n} EXISTS\r\n* OK [UIDVALIDITY {}] valid\r\n",
                folder.validity
            )?;
            write!(stream, "{tag} OK [READ-ONLY] open\r\n")?;
        } else if let Some(rest) = command.strip_prefix("UID FETCH ") {
            let (set, what) = rest.split_once(' ').unwrap();
            let first: u32 = set.trim_end_matches(":*").parse().unwrap();
            let last = folder.mails.last().map_or(0, |m| m.0);
            // `9:*` gives the last message although its id is smaller (RFC 9051, section 6.4.8)
            let wanted = |uid: u32| if set.ends_with('*') { uid >= first.min(last) } else { uid == first };
            for (n, (uid, mail)) in folder.mails.iter().enumerate().filter(|(_, m)| wanted(m.0)) {
                if what == "(UID RFC822.SIZE)" {
                    let size = if folder.huge == Some(*uid) { 1 << 30 } else { mail.len() };
                    write!(stream, "* {} FETCH (UID {uid} RFC822.SIZE {size})\r\n", n + 1)?;
                } else {
                    write!(stream, "* {} FETCH (UID {uid} BODY[] {{{}}}\r\n", n + 1, mail.len())?;
                    if folder.cut == Some(*uid) {
                        stream.write_all(&mail.as_bytes()[..5])?;
                        return Ok(());
                    }
                    write!(stream, "{mail})\r\n")?;
                }
            }
            write!(stream, "{tag} OK done\r\n")?;
        } else if command == "LOGOUT" {
            return write!(stream, "* BYE\r\n{tag} OK bye\r\n");
        } else {
            write!(stream, "{tag} BAD {command}\r\n")?;
        }
    }
    Ok(())
}

fn report(id: &str, head: &str, subject: &str) -> String {
    format!(
        "From: Eve <eve@example.org>\r\nMessage-ID: <{id}@x>\r\nSubject: {subject}\r\n{head}\
         Date: Tue, 3 Feb 2026 10:00:00 +0000\r\n\r\nThe pump of firmware 4 opens port 23.\r\n"
    )
}

/// Runs `tocsin feeds`, with the mailbox allowed or not; the source, and what was said.
fn feeds(dir: &Path, allowed: &str, args: &[&str], code: i32) -> (Value, String) {
    let out = tocsin(dir, &[&["feeds", "--format", "json", "--allow-host", allowed], args].concat());
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(code), "{args:?}: {said}{}", String::from_utf8_lossy(&out.stdout));
    assert!(!said.contains("Pass-"), "the password is told nowhere: {said}");
    let told: Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    (told["sources"][0].clone(), said)
}

#[test]
fn reports_come_into_their_workspace_and_the_mailbox_stays_as_it_is() {
    let (dir, mailbox) = (tempfile::tempdir().unwrap(), Mailbox::start());
    let dir = dir.path();
    let server = Server::start(dir);
    let host = format!("127.0.0.1:{}", mailbox.port);
    let password = dir.join("password");
    std::fs::write(&password, "Pass-\"word\n").unwrap();
    let address = format!("server=imap://{host}");
    let (_, said) = feeds(dir, &host, &["set", "imap", "--on", "--option", &address], 2);
    assert!(said.contains("nothing to follow"), "{said}");
    let set = ["set", "imap", "--key-file", password.to_str().unwrap(), "--option", &address];
    let more = ["--option", "user=reports", "--option", "workspace=main", "--option", "reliability=C"];
    feeds(dir, &host, &[&set[..], &more[..]].concat(), 0);
    mailbox.has(&[
        (3, report("1", "", "A flaw")),
        (4, report("2", "", "[TLP:AMBER+STRICT] Another")),
        (5, report("3", "X-TLP: GREEN\r\n", "Third")),
    ]);
    let (feed, _) = feeds(dir, "localhost", &["sync", "imap"], 1);
    assert!(feed["error"].as_str().unwrap().contains("--allow-host"), "{feed}");
    assert!(mailbox.asked().is_empty());
    feeds(dir, &host, &["test", "imap"], 0);
    assert_eq!(mailbox.asked().len(), 2, "signed in, and the folder opened");
    let (feed, _) = feeds(dir, &host, &["sync", "imap", "--force"], 0);
    assert_eq!((&feed["read"], &feed["new"], &feed["keyed"]), (&json!(3), &json!(3), &json!(true)), "{feed}");
    let asked = mailbox.asked();
    assert_eq!(asked[..3], ["LOGIN", "EXAMINE \"INBOX\"", "UID FETCH 1:* (UID RFC822.SIZE)"]);
    assert!(asked[3..].iter().all(|a| a.contains("BODY.PEEK[]") || a == "LOGOUT"), "{asked:?}");

    // nothing new; then one that is too large, and one more
    feeds(dir, &host, &["sync", "imap"], 0);
    assert!(mailbox.asked().contains(&"UID FETCH 6:* (UID RFC822.SIZE)".to_owned()));
    let all = [(5, report("3", "", "Third")), (8, report("4", "", "Huge")), (9, report("5", "", "Fifth"))];
    mailbox.has(&all);
    mailbox.folder.lock().unwrap().huge = Some(8);
    let (feed, said) = feeds(dir, &host, &["sync", "imap"], 1);
    assert!(feed["new"] == 1 && feed["refused"] == 1 && said.contains("message 8"), "{feed} {said}");
    // what breaks off is asked for again
    mailbox.has(&[(9, report("5", "", "Fifth")), (10, report("6", "", "Sixth"))]);
    mailbox.folder.lock().unwrap().cut = Some(10);
    feeds(dir, &host, &["sync", "imap", "--force"], 1);
    mailbox.folder.lock().unwrap().cut = None;
    let (feed, _) = feeds(dir, &host, &["sync", "imap", "--force"], 0);
    assert_eq!(feed["new"], 1, "{feed}");
    // a folder that was made anew is read from its beginning, and what is known is known
    mailbox.folder.lock().unwrap().validity = 8;
    mailbox.asked();
    let (feed, _) = feeds(dir, &host, &["sync", "imap", "--force"], 0);
    assert_eq!((&feed["read"], &feed["new"]), (&json!(2), &json!(0)), "{feed}");
    assert!(mailbox.asked().contains(&"UID FETCH 1:* (UID RFC822.SIZE)".to_owned()));
    std::fs::write(&password, "wrong\n").unwrap();
    feeds(dir, &host, &["set", "imap", "--key-file", password.to_str().unwrap()], 0);
    let (feed, _) = feeds(dir, &host, &["sync", "imap", "--force"], 1);
    let error = feed["error"].as_str().unwrap();
    assert!(error.contains("does not let the user in") && !error.contains("wrong"), "{error}");

    let key = server.key("manager");
    let told = server.send("GET", "/api/v2/items?limit=100", &[("X-Api-Key", &key)], b"").json();
    let of =
        |title: &str| told["items"].as_array().unwrap().iter().find(|i| i["title"] == title).unwrap().clone();
    assert_eq!(told["items"].as_array().unwrap().len(), 5);
    let first = of("A flaw");
    assert_eq!(
        (&first["entered"], &first["tlp"], &first["reliability"], &first["author"]),
        (&json!(true), &json!("AMBER"), &json!("C"), &json!("Eve <eve@example.org>")),
        "of the workspace alone"
    );
    assert!(first["source"].as_str().unwrap().starts_with("reports at "), "{first}");
    assert_eq!(
        (&of("[TLP:AMBER+STRICT] Another")["tlp"], &of("Third")["tlp"]),
        (&json!("AMBER+STRICT"), &json!("GREEN"))
    );
    let page = server.page("/sources/imap").text();
    assert!(page.contains("set-workspace") && !page.contains("Pass-"), "{page}");
}
