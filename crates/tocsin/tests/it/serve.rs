//! The built program as a server with a data folder of its own, and plain HTTP to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A server that runs; it is ended with this.
pub struct Server {
    child: Child,
    address: String,
    cookie: String,
    csrf: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A reply.
pub struct Reply {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// A header's value; empty where missing.
    pub fn header(&self, name: &str) -> &str {
        let find = |line: &'_ str| line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        self.head.lines().find(|l| find(l)).and_then(|l| l.split_once(':')).map_or("", |(_, v)| v.trim())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.text()))
    }
}

/// One request on a connection of its own.
pub fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut reply = Reply { status, head, body: all[end + 4..].to_vec() };
    if reply.header("transfer-encoding") == "chunked" {
        reply.body = whole(&reply.body);
    }
    reply
}

/// A chunked body (RFC 9112 section 7.1) in one piece.
fn whole(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return out;
        }
        out.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after:?} behind {before:?}")).0
}

impl Server {
    /// Starts a server and joins as its first person.
    pub fn start(data: &Path) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tocsin"))
            .env_remove("TOCSIN_DATA_DIR")
            .arg("--data-dir")
            .arg(data)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the built program runs");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let welcome = loop {
            let line = lines.next().expect("the server says where it listens").unwrap();
            if line.contains("/welcome/") {
                break line;
            }
        };
        // Whoever stops reading would stop the server.
        std::thread::spawn(move || lines.for_each(drop));
        let address = between(&welcome, "http://", "/").to_owned();
        let path = format!("/welcome/{}", welcome.rsplit_once("/welcome/").unwrap().1.trim());
        let form = "name=Ada&email=ada%40example.com&login=ada&password=a+sentence+does+well+here";
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let joined = send(&address, "POST", &path, &[kind], form.as_bytes());
        assert_eq!(joined.status, 303, "{}", joined.text());
        let cookie = joined.header("set-cookie").split(';').next().unwrap().to_owned();
        let page = send(&address, "GET", "/settings/people", &[("Cookie", &cookie)], b"").text();
        let csrf = between(&page, "name=\"csrf\" value=\"", "\"").to_owned();
        Server { child, address, cookie, csrf }
    }

    /// Makes an API key that acts in a role.
    pub fn key(&self, role: &str) -> String {
        let form = format!("csrf={}&name=build+{role}&role={role}", self.csrf);
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", self.cookie.as_str())];
        let page = send(&self.address, "POST", "/settings/keys", &headers, form.as_bytes()).text();
        between(&page, "<pre>", "</pre>").to_owned()
    }

    /// A request with headers.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        send(&self.address, method, path, headers, body)
    }
}
