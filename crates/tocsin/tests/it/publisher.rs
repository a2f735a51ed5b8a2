//! A publisher as sources meet them: it answers each request as it was told to, well or badly.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One answer.
#[derive(Clone)]
pub enum Play {
    /// A document, with its `ETag`; 304 where the request names it.
    Edition(&'static str, Vec<u8>),
    /// A status without a document, and `Retry-After`.
    Status(u16, Option<&'static str>),
    /// Less than was announced.
    Cut(Vec<u8>),
    /// Nothing, for so long.
    Slow(Duration),
    /// An announcement of so many bytes.
    Announced(u64),
    /// Bytes without end and without announcement.
    Endless,
    /// Somewhere else.
    Moved(String),
}

/// A publisher on a port of its own, until it is dropped.
pub struct Publisher {
    port: u16,
    plays: Arc<Mutex<VecDeque<Play>>>,
    pages: Arc<Mutex<HashMap<String, Play>>>,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl Publisher {
    /// Starts; requests without an answer left get 500.
    pub fn start() -> Publisher {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let publisher = Publisher {
            port,
            plays: Arc::default(),
            pages: Arc::default(),
            asked: Arc::default(),
            stop: Arc::default(),
        };
        let (plays, asked, stop) = (publisher.plays.clone(), publisher.asked.clone(), publisher.stop.clone());
        let pages = publisher.pages.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (plays, pages, asked) = (plays.clone(), pages.clone(), asked.clone());
                std::thread::spawn(move || {
                    let request = head(&stream);
                    asked.lock().unwrap().push(request.clone());
                    let path = request.split(' ').nth(1).unwrap_or_default();
                    let page = pages.lock().unwrap().get(path).cloned();
                    let next = || plays.lock().unwrap().pop_front().unwrap_or(Play::Status(500, None));
                    let play = page.unwrap_or_else(next);
                    // a reader that had enough goes away
                    let _ = act(stream, &request, play);
                });
            }
        });
        publisher
    }

    /// What the next requests are answered with.
    pub fn plays(&self, plays: impl IntoIterator<Item = Play>) {
        self.plays.lock().unwrap().extend(plays);
    }

    /// What a path is answered with, always; it is written in small letters.
    pub fn page(&self, path: &str, play: Play) {
        self.pages.lock().unwrap().insert(path.to_lowercase(), play);
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The address of a path.
    pub fn address(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// The heads of the requests since the last look, in small letters.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn head(stream: &TcpStream) -> String {
    let mut head = String::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
        head.push_str(&line.to_lowercase());
        head.push('\n');
    }
    head
}

fn act(mut stream: TcpStream, request: &str, play: Play) -> std::io::Result<()> {
    let ok =
        |length: u64| format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    match play {
        Play::Edition(etag, _) if request.contains(&format!("if-none-match: \"{etag}\"")) => {
            write!(stream, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\nETag: \"{etag}\"\r\n\r\n")
        }
        Play::Edition(etag, body) => {
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: \"{etag}\"\r\nContent-Length: {length}\r\n\r\n"
            )?;
            stream.write_all(&body)
        }
        Play::Status(status, after) => {
            let after = after.map(|a| format!("Retry-After: {a}\r\n")).unwrap_or_default();
            write!(stream, "HTTP/1.1 {status} No\r\nConnection: close\r\nContent-Length: 0\r\n{after}\r\n")
        }
        Play::Cut(body) => {
            stream.write_all(ok(body.len() as u64 + 100).as_bytes())?;
            stream.write_all(&body)
        }
        Play::Slow(time) => {
            std::thread::sleep(time);
            stream.write_all(ok(0).as_bytes())
        }
        Play::Announced(length) => stream.write_all(ok(length).as_bytes()),
        Play::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            let block = vec![b' '; 1 << 20];
            loop {
                stream.write_all(&block)?;
            }
        }
        Play::Moved(to) => {
            write!(
                stream,
                "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: {to}\r\n\r\n"
            )
        }
    }
}
