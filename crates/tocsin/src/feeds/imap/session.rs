//! The little of IMAP (RFC 9051, and RFC 3501 before it) that reading a folder takes: sign in, open it read-only, ask for
//! ids and sizes, and for messages without marking them as read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::outbound::{Outbound, Refused};

/// Longest line of an answer, in bytes.
const LINE: u64 = 64 << 10;
/// Lines of one answer.
const LINES: usize = 1_000_000;
/// Longest time for one line.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why it did not go on.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server was not heard.
    Refused(Refused),
    /// It answered something else than what was asked; with the remedy.
    Told(String),
}

/// What is read from and written to.
trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A conversation with a server.
pub(super) struct Session {
    stream: BufReader<Box<dyn Stream>>,
    host: String,
    tag: u32,
    until: Instant,
}

/// One answer: its line, and the literal that follows it.
struct Line {
    text: String,
    literal: Option<Vec<u8>>,
}

impl Session {
    /// Connects and hears the greeting. Without TLS only a host that the operator allowed by name is called. Blocks.
    pub(super) fn open(
        outbound: &Outbound,
        (host, port, tls): (&str, u16, bool),
        ca: &str,
        patience: Duration,
    ) -> Result<Session, Fault> {
        if !tls && !outbound.allows(host, port) {
            let why = "only TLS is spoken, and plain IMAP where the operator allowed the host by name (--allow-host)";
            return Err(Fault::Refused(Refused::Address(host.to_owned(), why)));
        }
        let address = outbound.reach(host, port).map_err(Fault::Refused)?;
        let silent = |e: std::io::Error| Fault::Refused(Refused::Silent(host.to_owned(), e.to_string()));
        let plain = TcpStream::connect_timeout(&address, TIMEOUT.min(patience)).map_err(silent)?;
        plain.set_read_timeout(Some(TIMEOUT.min(patience))).map_err(silent)?;
        plain.set_write_timeout(Some(TIMEOUT.min(patience))).map_err(silent)?;
        let stream: Box<dyn Stream> = if tls { Box::new(secured(host, ca, plain)?) } else { Box::new(plain) };
        let until = Instant::now() + patience;
        let mut session = Session { stream: BufReader::new(stream), host: host.to_owned(), tag: 0, until };
        let greeting = session.line(0)?.text;
        if !greeting.to_ascii_uppercase().starts_with("* OK") {
            return Err(session.told("greets otherwise than a server of IMAP does", &greeting));
        }
        Ok(session)
    }

    /// Signs in. The password goes nowhere else: errors do not repeat it.
    pub(super) fn login(&mut self, user: &str, password: &str) -> Result<(), Fault> {
        let command = zeroize::Zeroizing::new(format!("LOGIN {} {}", quoted(user), quoted(password)));
        match self.ask(&command, 0)? {
            Ok(_) => Ok(()),
            Err(why) => {
                let what = "does not let the user in; set user and password anew: tocsin feeds set imap --option user=NAME \
                            --key-file FILE";
                Err(self.told(what, &why))
            }
        }
    }

    /// Opens a folder read-only; its validity.
    pub(super) fn examine(&mut self, folder: &str) -> Result<u32, Fault> {
        let lines = match self.ask(&format!("EXAMINE {}", quoted(folder)), 0)? {
            Ok(lines) => lines,
            Err(why) => {
                return Err(self.told(
                    "does not open the folder; set another: tocsin feeds set imap --option folder=NAME",
                    &why,
                ));
            }
        };
        let validity = lines.iter().find_map(|l| {
            let (_, rest) = l.text.split_once("[UIDVALIDITY ")?;
            rest.split(']').next()?.trim().parse().ok()
        });
        validity.ok_or_else(|| self.told("does not tell the validity of the folder's ids", ""))
    }

    /// Ids and sizes of the messages after an id, in their order.
    pub(super) fn since(&mut self, uid: u32) -> Result<Vec<(u32, u64)>, Fault> {
        let Some(first) = uid.checked_add(1) else { return Ok(Vec::new()) };
        let lines = match self.ask(&format!("UID FETCH {first}:* (UID RFC822.SIZE)"), 0)? {
            Ok(lines) => lines,
            Err(why) => return Err(self.told("does not tell what is in the folder", &why)),
        };
        let mut all: Vec<(u32, u64)> = lines
            .iter()
            .filter_map(|l| Some((number(&l.text, "UID")?, number(&l.text, "RFC822.SIZE")?)))
            .filter_map(|(uid, size)| Some((u32::try_from(uid).ok()?, size)))
            // `9:*` is the last message too where its id is smaller
            .filter(|(found, _)| *found >= first)
            .collect();
        all.sort_unstable();
        all.dedup_by_key(|(uid, _)| *uid);
        Ok(all)
    }

    /// A message as it was sent, at most so many bytes; it stays unread. Nothing where it is gone.
    pub(super) fn message(&mut self, uid: u32, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        match self.ask(&format!("UID FETCH {uid} (UID BODY.PEEK[])"), most)? {
            Ok(lines) => Ok(lines.into_iter().filter(|l| l.text.contains("FETCH")).find_map(|l| l.literal)),
            Err(why) => Err(self.told("does not give a message", &why)),
        }
    }

    /// Says goodbye; how the server hangs up is its own matter.
    pub(super) fn logout(mut self) {
        let _ = self.ask("LOGOUT", 0);
    }

    fn told(&self, what: &str, answer: &str) -> Fault {
        let answer: String = answer.chars().filter(|c| !c.is_control()).take(200).collect();
        Fault::Told(if answer.is_empty() {
            format!("{} {what}.", self.host)
        } else {
            format!("{} {what} ({answer}).", self.host)
        })
    }

    /// Sends a command; the answers to it, or why not. Literals of at most `most` bytes are taken.
    fn ask(&mut self, command: &str, most: u64) -> Result<Result<Vec<Line>, String>, Fault> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        let line = zeroize::Zeroizing::new(format!("{tag} {command}\r\n"));
        let stream = self.stream.get_mut();
        let sent = stream.write_all(line.as_bytes()).and_then(|()| stream.flush());
        sent.map_err(|e| Fault::Refused(Refused::Silent(self.host.clone(), e.to_string())))?;
        let mut lines = Vec::new();
        while lines.len() < LINES {
            let line = self.line(most)?;
            if let Some(end) = line.text.strip_prefix(&format!("{tag} ")) {
                let fine = end.get(..2).is_some_and(|w| w.eq_ignore_ascii_case("OK"));
                return Ok(if fine { Ok(lines) } else { Err(end.to_owned()) });
            }
            if line.text.to_ascii_uppercase().starts_with("* BYE") && !command.starts_with("LOGOUT") {
                return Err(self.told("hangs up", &line.text));
            }
            lines.push(line);
        }
        Err(self.told("answers without end", ""))
    }

    /// A line, with the literal in it and what follows that.
    fn line(&mut self, most: u64) -> Result<Line, Fault> {
        let mut line = Line { text: self.bare()?, literal: None };
        while let Some(length) = literal(&line.text) {
            if length > most {
                let e = Refused::Long(self.host.clone(), most);
                return Err(Fault::Refused(e));
            }
            let mut bytes = Vec::new();
            let read = self.stream.by_ref().take(length).read_to_end(&mut bytes);
            let read = read.map_err(|e| Fault::Refused(Refused::Cut(self.host.clone(), e.to_string())))?;
            if read as u64 != length {
                let what = format!("{read} bytes came of {length}");
                return Err(Fault::Refused(Refused::Cut(self.host.clone(), what)));
            }
            // what stood in braces is read; what follows tells on
            line.text.truncate(line.text.rfind('{').unwrap_or(0));
            let rest = self.bare()?;
            line.text.push_str(&rest);
            if line.literal.is_none() {
                line.literal = Some(bytes);
            }
        }
        Ok(line)
    }

    fn bare(&mut self) -> Result<String, Fault> {
        if Instant::now() > self.until {
            return Err(Fault::Refused(Refused::Silent(self.host.clone(), "it takes too long".to_owned())));
        }
        let mut bytes = Vec::new();
        let read = self.stream.by_ref().take(LINE).read_until(b'\n', &mut bytes);
        read.map_err(|e| {
            let late = matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
            let what = if late { "it says nothing any more".to_owned() } else { e.to_string() };
            Fault::Refused(Refused::Silent(self.host.clone(), what))
        })?;
        if !bytes.ends_with(b"\n") {
            let what = "a line ended before its end".to_owned();
            return Err(Fault::Refused(Refused::Cut(self.host.clone(), what)));
        }
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    }
}

fn secured(
    host: &str,
    ca: &str,
    plain: TcpStream,
) -> Result<rustls::StreamOwned<rustls::ClientConnection, TcpStream>, Fault> {
    let wrong = |e: String| {
        Fault::Told(format!("TLS to {host}: {e}. See whether its certificate is one that is trusted."))
    };
    let roots = crate::telling::roots(ca).map_err(|_| wrong("the authority is no certificate".to_owned()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = host.trim_matches(['[', ']']).to_owned();
    let name = rustls::pki_types::ServerName::try_from(name).map_err(|e| wrong(e.to_string()))?;
    let client = rustls::ClientConnection::new(Arc::new(config), name).map_err(|e| wrong(e.to_string()))?;
    Ok(rustls::StreamOwned::new(client, plain))
}

/// A quoted string (RFC 9051, section 4.3); what is not printable ASCII was refused before.
fn quoted(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", clean.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The length of the literal that a line ends with: `{123}`.
fn literal(line: &str) -> Option<u64> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.trim_end_matches('+').parse().ok()
}

/// The number behind a word of an answer: `* 1 FETCH (UID 7 RFC822.SIZE 12)`.
fn number(line: &str, word: &str) -> Option<u64> {
    let mut words =
        line.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')')).filter(|w| !w.is_empty());
    words.find(|w| w.eq_ignore_ascii_case(word))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let line = "* 1 FETCH (UID 7 RFC822.SIZE 12)";
        assert_eq!(
            (number(line, "UID"), number(line, "RFC822.SIZE"), number(line, "FLAGS")),
            (Some(7), Some(12), None)
        );
        assert_eq!(
            (literal("* 1 FETCH (BODY[] {12}"), literal("x {}"), literal("x {1} y")),
            (Some(12), None, None)
        );
        assert_eq!(quoted("a\"b\\c\r\n"), "\"a\\\"b\\\\c\"");
    }

    /// A server that speaks TLS, greets, and lets everybody in.
    fn server() -> u16 {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/tls");
        let certificate = CertificateDer::from_pem_file(format!("{folder}/localhost.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(format!("{folder}/localhost.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = rustls::ServerConnection::new(config.clone()).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream);
                if stream.write_all(b"* OK ready\r\n").is_err() {
                    continue;
                }
                let mut lines = BufReader::new(stream);
                let mut line = String::new();
                while lines.read_line(&mut line).is_ok_and(|n| n > 0) {
                    let tag = line.split(' ').next().unwrap_or_default().to_owned();
                    let _ = lines.get_mut().write_all(format!("{tag} OK in\r\n").as_bytes());
                    line.clear();
                }
            }
        });
        port
    }

    #[test]
    fn tls_is_spoken_with_a_server_whose_certificate_is_trusted() {
        let (port, door) = (server(), Outbound::new(vec!["127.0.0.1".to_owned()]));
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/tls");
        let ca = std::fs::read_to_string(format!("{folder}/localhost.pem")).unwrap();
        let patience = Duration::from_secs(20);
        let mut session = Session::open(&door, ("127.0.0.1", port, true), &ca, patience).ok().unwrap();
        session.login("user", "password").unwrap();
        session.logout();
        let strange = Session::open(&door, ("127.0.0.1", port, true), "", patience).err().unwrap();
        assert!(format!("{strange:?}").contains("certificate"), "{strange:?}");
        let closed =
            Session::open(&Outbound::new(vec![]), ("127.0.0.1", port, true), &ca, patience).err().unwrap();
        assert!(matches!(closed, Fault::Refused(Refused::Address(..))), "{closed:?}");
    }
}
