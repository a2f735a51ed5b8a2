//! Receivers of notifications as channels meet them: a mail server, a webhook, a collector of syslog.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request that a webhook got.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its head in small letters.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Call {
    /// The value of a header.
    pub fn header(&self, name: &str) -> &str {
        let find = |l: &'_ str| l.starts_with(&format!("{name}: "));
        self.head.lines().find(|l| find(l)).map_or("", |l| l[name.len() + 2..].trim())
    }
}

/// Answers requests with the statuses that it was given, then with 200.
pub struct Hook {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
}

impl Hook {
    /// Starts on a port of its own.
    pub fn start(statuses: &[u16]) -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let hook = Hook {
            port,
            calls: Arc::default(),
            statuses: Arc::new(Mutex::new(statuses.iter().copied().collect())),
        };
        let (calls, statuses) = (hook.calls.clone(), hook.statuses.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // who looks and says nothing is no call
                let Some(call) = request(&stream) else { continue };
                let status = statuses.lock().unwrap().pop_front().unwrap_or(200);
                calls.lock().unwrap().push(call);
                let mut stream = stream;
                let _ =
                    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        hook
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What came so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

fn request(stream: &TcpStream) -> Option<Call> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line.to_lowercase());
    }
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Call { head, body })
}

/// A mail that came: envelope and text.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Whom it is for.
    pub to: Vec<String>,
    /// Head and body, as sent.
    pub text: String,
}

/// A mail server (RFC 5321) without TLS that takes everything.
pub struct MailServer {
    port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl MailServer {
    /// Starts on a port of its own.
    pub fn start() -> MailServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = MailServer { port, mails: Arc::default() };
        let mails = server.mails.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mails = mails.clone();
                std::thread::spawn(move || {
                    let _ = talk(&stream, &mails);
                });
            }
        });
        server
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What came so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }
}

fn talk(stream: &TcpStream, mails: &Mutex<Vec<Mail>>) -> std::io::Result<()> {
    let mut out = stream;
    out.write_all(b"220 mail.example.org ESMTP\r\n")?;
    let mut to = Vec::new();
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next().transpose()? {
        let word = line.get(..4).unwrap_or(&line).to_uppercase();
        match word.as_str() {
            "EHLO" | "HELO" => out.write_all(b"250-mail.example.org\r\n250 8BITMIME\r\n")?,
            "RCPT" => {
                let address =
                    line.split_once('<').and_then(|(_, r)| r.split_once('>')).map_or("", |(a, _)| a);
                to.push(address.to_owned());
                out.write_all(b"250 OK\r\n")?;
            }
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                let mut text = String::new();
                loop {
                    // a message that does not end is none (RFC 5321, section 4.1.1.4)
                    let Some(line) = lines.next().transpose()? else { return Ok(()) };
                    if line == "." {
                        break;
                    }
                    text.push_str(&line);
                    text.push('\n');
                }
                mails.lock().unwrap().push(Mail { to: std::mem::take(&mut to), text });
                out.write_all(b"250 taken\r\n")?;
            }
            "QUIT" => {
                out.write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            _ => out.write_all(b"250 OK\r\n")?,
        }
    }
    Ok(())
}

/// Collects syslog over UDP (RFC 5426).
pub struct Collector {
    socket: UdpSocket,
}

impl Collector {
    /// Starts on a port of its own.
    pub fn start() -> Collector {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Collector { socket }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    /// What came since the last look.
    pub fn lines(&self) -> Vec<String> {
        let (mut bytes, mut out) = (vec![0; 65_536], Vec::new());
        while let Ok(n) = self.socket.recv(&mut bytes) {
            out.push(String::from_utf8_lossy(&bytes[..n]).into_owned());
        }
        out
    }
}
