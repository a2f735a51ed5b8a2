//! A mail server that takes everything and notes when it came.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The server, on a port of this machine.
pub struct Sink {
    /// Its port.
    pub port: u16,
    mails: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Sink {
    /// Starts.
    pub fn start() -> anyhow::Result<Sink> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let sink = Sink { port: listener.local_addr()?.port(), mails: Arc::default() };
        let mails = sink.mails.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mails = mails.clone();
                std::thread::spawn(move || talk(&stream, &mails));
            }
        });
        Ok(sink)
    }

    /// When the first mail came that holds a text; nothing where none came until `patience` was over.
    pub fn came(&self, text: &str, patience: Duration) -> Option<Instant> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            let mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, _)) = mails.iter().find(|(_, mail)| mail.contains(text)) {
                return Some(*at);
            }
            drop(mails);
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

/// As much of SMTP (RFC 5321) as a sender needs.
fn talk(stream: &TcpStream, mails: &Mutex<Vec<(Instant, String)>>) -> std::io::Result<()> {
    let mut out = stream;
    out.write_all(b"220 sink.example ESMTP\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next().transpose()? {
        match line.get(..4).unwrap_or(&line).to_uppercase().as_str() {
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                let mut text = String::new();
                for line in lines.by_ref() {
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    text.push_str(&line);
                    text.push('\n');
                }
                mails.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), text));
                out.write_all(b"250 taken\r\n")?;
            }
            "QUIT" => return out.write_all(b"221 bye\r\n"),
            "EHLO" => out.write_all(b"250-sink.example\r\n250 8BITMIME\r\n")?,
            _ => out.write_all(b"250 OK\r\n")?,
        }
    }
    Ok(())
}
