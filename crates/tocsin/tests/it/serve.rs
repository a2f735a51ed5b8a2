//! The built program as a server with a data folder of its own, and plain HTTP to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A server that runs; it is ended with this.
pub struct Server {
    child: Child,
    pub address: String,
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
    /// A cookie that it sets, as `name=value`; empty where it sets none of this name.
    pub fn cookie(&self, name: &str) -> String {
        let set = self.head.lines().filter_map(|l| l.split_once(':'));
        let mut set = set.filter(|(n, _)| n.eq_ignore_ascii_case("set-cookie")).map(|(_, v)| v.trim());
        let found = set.find(|v| v.split_once('=').is_some_and(|(n, _)| n == name));
        found.map_or(String::new(), |v| v.split(';').next().unwrap_or_default().to_owned())
    }

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

pub fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after:?} behind {before:?}")).0
}

/// Starts a server, under a limit of the bytes of its files where one is given; the process and its line with `word`.
fn spawn(data: &Path, args: &[&str], file_bytes: Option<u64>, word: &str) -> (Child, String) {
    let mut command = match file_bytes {
        None => Command::new(env!("CARGO_BIN_EXE_tocsin")),
        Some(bytes) => {
            // What is written beyond the limit is an error as on a full disk, not the end of the process.
            let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", bytes / 512);
            let mut command = Command::new("sh");
            command.args(["-c", &script, env!("CARGO_BIN_EXE_tocsin")]);
            command
        }
    };
    let mut child = command
        .env_remove("TOCSIN_DATA_DIR")
        .env_remove("TOCSIN_DATABASE")
        .arg("--data-dir")
        .arg(data)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(args)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the built program runs");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let line = loop {
        let Some(Ok(line)) = lines.next() else { panic!("no line with {word:?} in {said}") };
        if line.contains(word) {
            break line;
        }
        said.push_str(&line);
        said.push('\n');
    };
    // Whoever stops reading would stop the server.
    std::thread::spawn(move || lines.for_each(drop));
    (child, line)
}

impl Server {
    /// Starts a server and joins as its first person.
    pub fn start(data: &Path) -> Server {
        Server::start_with(data, &[], None)
    }

    /// As [`Server::start`] with arguments, and a limit of the bytes of its files.
    pub fn start_with(data: &Path, args: &[&str], file_bytes: Option<u64>) -> Server {
        let (child, welcome) = spawn(data, args, file_bytes, "/welcome/");
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

    /// Another server on the same database, for the same people.
    pub fn beside(&self, data: &Path, args: &[&str]) -> Server {
        let (child, line) = spawn(data, args, None, "listens on");
        let address = line.rsplit_once("://").unwrap().1.trim().to_owned();
        Server { child, address, cookie: self.cookie.clone(), csrf: self.csrf.clone() }
    }

    /// Kills the process, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts a server again that was killed; people and keys are as they were.
    pub fn again(&mut self, data: &Path, args: &[&str]) {
        let (child, line) = spawn(data, args, None, "listens on");
        self.child = child;
        self.address = line.rsplit_once("://").unwrap().1.trim().to_owned();
    }

    /// Tells the process to stop and waits for it; whether it ended well.
    pub fn stop(&mut self) -> bool {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        told.success() && self.child.wait().unwrap().success()
    }

    /// A page as the first person sees it.
    pub fn page(&self, path: &str) -> Reply {
        self.send("GET", path, &[("Cookie", &self.cookie)], b"")
    }

    /// Sends a form as the first person.
    pub fn post(&self, path: &str, fields: &str) -> Reply {
        let form = format!("csrf={}&{fields}", self.csrf);
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        self.send("POST", path, &[kind, ("Cookie", self.cookie.as_str())], form.as_bytes())
    }

    /// Uploads an SBOM through the form of a page or, with a key, the API.
    pub fn upload(&self, path: &str, key: Option<&str>, fields: &[(&str, &str)], bom: &[u8]) -> Reply {
        let mut body = Vec::new();
        for (name, value) in fields.iter().chain(&[("csrf", self.csrf.as_str())]) {
            let head = "--xyz\r\nContent-Disposition: form-data; name=";
            body.extend(format!("{head}\"{name}\"\r\n\r\n{value}\r\n").bytes());
        }
        let head = "--xyz\r\nContent-Disposition: form-data; name=\"bom\"; filename=\"bom.cdx.json\"\r\n\r\n";
        body.extend(head.bytes());
        body.extend(bom);
        body.extend(b"\r\n--xyz--\r\n");
        let who = key.map_or(("Cookie", self.cookie.as_str()), |key| ("X-Api-Key", key));
        self.send("POST", path, &[("Content-Type", "multipart/form-data; boundary=xyz"), who], &body)
    }

    /// Starts a server on data that has people; nobody is signed in.
    pub fn on(data: &Path) -> Server {
        let (child, line) = spawn(data, &[], None, "listens on");
        let address = line.rsplit_once("://").unwrap().1.trim().to_owned();
        Server { child, address, cookie: String::new(), csrf: String::new() }
    }

    /// Makes an API key that acts in a role.
    pub fn key(&self, role: &str) -> String {
        let form = format!("csrf={}&name=build+{role}&role={role}", self.csrf);
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", self.cookie.as_str())];
        let page = send(&self.address, "POST", "/settings/keys", &headers, form.as_bytes()).text();
        between(&page, "<pre>", "</pre>").to_owned()
    }

    /// A request of the first person's browser; a form is sent with the session's token.
    pub fn browse(&self, method: &str, path: &str, form: &str) -> Reply {
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", self.cookie.as_str())];
        let body = if method == "GET" { String::new() } else { format!("csrf={}&{form}", self.csrf) };
        send(&self.address, method, path, &headers, body.as_bytes())
    }

    /// The first person's cookie and the token of their forms.
    pub fn first(&self) -> (&str, &str) {
        (&self.cookie, &self.csrf)
    }

    /// Sends a form with a cookie.
    pub fn form(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Reply {
        let encode = |text: &str| {
            text.bytes()
                .map(|b| match b {
                    b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
                    b => format!("%{b:02X}"),
                })
                .collect::<String>()
        };
        let body: Vec<String> = fields.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", cookie)];
        self.send("POST", path, &headers, body.join("&").as_bytes())
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Looks at a page with a cookie.
    pub fn look(&self, path: &str, cookie: &str) -> Reply {
        self.send("GET", path, &[("Cookie", cookie)], b"")
    }

    /// A request with headers.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        send(&self.address, method, path, headers, body)
    }

    /// Somebody who joins in a role and signs in at a browser.
    pub fn person(&self, role: &str) -> Person<'_> {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let form = format!("csrf={}&email={role}%40example.com&role={role}&line=0", self.csrf);
        let page =
            self.send("POST", "/settings/invitations", &[kind, ("Cookie", &self.cookie)], form.as_bytes());
        let text = page.text();
        let token = between(&text, "<pre>", "</pre>").rsplit_once("/welcome/").unwrap().1.trim().to_owned();
        let form = format!(
            "name=Person+{role}&email={role}%40example.com&login={role}&password=a+sentence+does+well+here"
        );
        let joined = self.send("POST", &format!("/welcome/{token}"), &[kind], form.as_bytes());
        assert_eq!(joined.status, 303, "{}", joined.text());
        let cookie = joined.header("set-cookie").split(';').next().unwrap().to_owned();
        let page = self.send("GET", "/findings", &[("Cookie", &cookie)], b"").text();
        let csrf = between(&page, "name=\"csrf\" value=\"", "\"").to_owned();
        Person { server: self, cookie, csrf }
    }
}

/// A person at a browser.
pub struct Person<'a> {
    server: &'a Server,
    cookie: String,
    csrf: String,
}

impl Person<'_> {
    /// A page.
    pub fn get(&self, path: &str) -> Reply {
        self.server.send("GET", path, &[("Cookie", &self.cookie)], b"")
    }

    /// A form, with the session's token.
    pub fn post(&self, path: &str, form: &str) -> Reply {
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", self.cookie.as_str())];
        self.server.send("POST", path, &headers, format!("csrf={}&{form}", self.csrf).as_bytes())
    }
}
