//! The one door out: every request that the program makes to another host. What an outsider could aim at our own
//! network (an issuer, a feed, a webhook) is refused after its name was resolved, and the address that was looked at is
//! the one that is called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body};

mod fetch;

pub use fetch::{Ask, Fetched};

/// Longest reply read, in bytes.
const MOST: u64 = 4 << 20;
/// Redirects followed; each is looked at as the first address was.
const REDIRECTS: usize = 4;
const TIMEOUT: Duration = Duration::from_secs(20);

/// Why a request was not made or had no use.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The address is not one that may be called.
    #[error("{0}: {1}")]
    Address(String, &'static str),
    /// The host did not answer, or not in time.
    #[error("{0} did not answer: {1}")]
    Silent(String, String),
    /// The host answered that it does not.
    #[error("{0} answered {1}")]
    Status(String, u16),
    /// The host asks to be left alone: status code and seconds, where it told them.
    #[error("{0} answered {1} and asks to be called later")]
    Later(String, u16, Option<u64>),
    /// The reply is longer than what is taken; the limit in bytes.
    #[error("{0} sends more than the {1} bytes that are taken of it")]
    Long(String, u64),
    /// The reply ended before its end.
    #[error("{0} broke off: {1}")]
    Cut(String, String),
    /// What came could not be written down.
    #[error("{0}")]
    Write(std::io::Error),
}

/// A reply.
#[derive(Debug)]
pub struct Reply {
    /// Status code, 200 to 299 and 400 to 499.
    pub status: u16,
    /// Body, at most 4 MiB.
    pub body: Vec<u8>,
}

/// Makes requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    agent: Agent,
    allowed: Arc<[String]>,
    accept: &'static str,
}

/// Whether an address is one of the public internet: neither private nor loopback, link-local (where clouds keep their
/// metadata), shared, reserved, multicast or for documentation (IANA special-purpose registries), nor one of these
/// wrapped in an IPv6 address.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_documentation()
        || v4.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    if let Some(v4) = v6.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let s = v6.segments();
    // global unicast alone, without what tunnels IPv4 (6to4, Teredo), is special (2001::/23) or for documentation
    (s[0] & 0xe000) == 0x2000
        && s[0] != 0x2002
        && !(s[0] == 0x2001 && (s[1] < 0x0200 || s[1] == 0x0db8))
        && !(s[0] == 0x3fff && s[1] < 0x1000)
}

/// Looks names up and gives only addresses that may be called.
#[derive(Debug)]
struct Guarded {
    allowed: Arc<[String]>,
    names: DefaultResolver,
}

fn is_allowed(allowed: &[String], uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let with_port = format!("{host}:{}", uri.port_u16().unwrap_or(443));
    allowed.iter().any(|a| *a == host || *a == with_port)
}

const PRIVATE: &str =
    "the host is private, local or reserved; the operator can allow it by name (--allow-host)";

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        if is_allowed(&self.allowed, uri) {
            return Ok(found);
        }
        // one private address among public ones is a trick: all are refused
        if found.iter().all(|a| is_public(a.ip())) {
            return Ok(found);
        }
        Err(ureq::Error::Io(std::io::Error::new(std::io::ErrorKind::PermissionDenied, PRIVATE)))
    }
}

/// What is sent along.
enum Sent<'a> {
    Nothing,
    Form(&'a [(&'a str, &'a str)]),
}

impl Outbound {
    /// A door through which these hosts (`name` or `name:port`) are called although they are private or speak plain
    /// HTTP.
    pub fn new(allowed: Vec<String>) -> Outbound {
        Outbound::made(allowed.into_iter().map(|a| a.trim().to_ascii_lowercase()).collect(), None)
    }

    /// The same door, whose requests go through an HTTP proxy (`http://HOST:PORT`), which looks their hosts up: which of
    /// them may be called is then the proxy's to say, save for addresses that are written as numbers.
    ///
    /// # Errors
    /// [`Refused::Address`]: it is no proxy's address.
    pub fn through(&self, proxy: &str) -> Result<Outbound, Refused> {
        let made = ureq::Proxy::new(proxy);
        let made =
            made.map_err(|_| Refused::Address(proxy.chars().take(200).collect(), "this is no proxy"))?;
        Ok(Outbound { accept: self.accept, ..Outbound::made(self.allowed.clone(), Some(made)) })
    }

    /// The same door, at which documents are fetched in these forms (`Accept`; RFC 9110, section 12.5.1).
    pub fn accepting(&self, accept: &'static str) -> Outbound {
        Outbound { accept, ..self.clone() }
    }

    fn made(allowed: Arc<[String]>, proxy: Option<ureq::Proxy>) -> Outbound {
        let config = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(proxy)
            .timeout_global(Some(TIMEOUT))
            .user_agent("tocsin")
            .build();
        let names = Guarded { allowed: allowed.clone(), names: DefaultResolver::default() };
        Outbound {
            agent: Agent::with_parts(config, DefaultConnector::default(), names),
            allowed,
            accept: "*/*",
        }
    }

    /// Fetches a document. Blocks: call it where that is allowed.
    ///
    /// # Errors
    /// The address may not be called, the host does not answer, or answers with a fault of its own.
    pub fn get(&self, address: &str, bearer: Option<&str>) -> Result<Reply, Refused> {
        self.call(address, bearer.map(|b| format!("Bearer {b}")), &Sent::Nothing)
    }

    /// Sends a form; `login` and `secret` go along as HTTP Basic credentials where given. A redirect is not followed:
    /// what is sent is secret. Blocks: call it where that is allowed.
    ///
    /// # Errors
    /// As [`Outbound::get`].
    pub fn post(
        &self,
        address: &str,
        basic: Option<String>,
        form: &[(&str, &str)],
    ) -> Result<Reply, Refused> {
        self.call(address, basic.map(|b| format!("Basic {b}")), &Sent::Form(form))
    }

    /// Sends JSON, with headers along. A redirect is not followed: what is sent is meant for one receiver. Blocks: call
    /// it where that is allowed.
    ///
    /// # Errors
    /// As [`Outbound::get`].
    pub fn post_json(
        &self,
        address: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
    ) -> Result<Reply, Refused> {
        // the path of such an address is often a secret: errors do not repeat it
        let hidden = |e: Refused| match e {
            Refused::Address(_, why) => Refused::Address("the receiver's address".to_owned(), why),
            e => e,
        };
        let uri = self.check(address).map_err(hidden)?;
        let host = uri.host().unwrap_or_default().to_owned();
        let mut request = self.agent.post(&uri).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let reply = request.send(body).map_err(|e| silent(&host, e))?;
        let status = reply.status().as_u16();
        match status {
            200..=299 | 400..=499 => read(reply, &host, status),
            _ => Err(Refused::Status(host, status)),
        }
    }

    /// The address of a host that may be called, for protocols that are not HTTP (SMTP, syslog): a name is looked up
    /// here and the address that was looked at is to be called. Blocks: call it where that is allowed.
    ///
    /// # Errors
    /// [`Refused::Address`]: it may not be called; [`Refused::Silent`]: there is no such name.
    pub fn reach(&self, host: &str, port: u16) -> Result<SocketAddr, Refused> {
        let name = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let found = (name.as_str(), port).to_socket_addrs();
        let found: Vec<SocketAddr> =
            found.map_err(|e| Refused::Silent(host.to_owned(), e.to_string()))?.collect();
        if !self.allows(host, port) && !found.iter().all(|a| is_public(a.ip())) {
            return Err(Refused::Address(host.to_owned(), PRIVATE));
        }
        found.first().copied().ok_or_else(|| Refused::Silent(host.to_owned(), "it has no address".to_owned()))
    }

    /// Whether the operator allowed a host by name: what is not encrypted is spoken with such alone.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let name = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let with_port = format!("{name}:{port}");
        self.allowed.iter().any(|a| *a == name || *a == with_port)
    }

    fn call(&self, address: &str, authorization: Option<String>, sent: &Sent<'_>) -> Result<Reply, Refused> {
        let mut uri = self.check(address)?;
        let first = (uri.scheme_str().map(str::to_owned), uri.authority().cloned());
        for _ in 0..=REDIRECTS {
            let host = uri.host().unwrap_or_default().to_owned();
            // credentials go to the host they are for alone
            let same = (uri.scheme_str().map(str::to_owned), uri.authority().cloned()) == first;
            let authorization = authorization.as_ref().filter(|_| same);
            let silent = |e: ureq::Error| match e {
                ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                    Refused::Address(host.clone(), PRIVATE)
                }
                e => Refused::Silent(host.clone(), e.to_string()),
            };
            let reply = match sent {
                Sent::Nothing => {
                    let mut request = self.agent.get(&uri).header("accept", "application/json, */*;q=0.5");
                    if let Some(value) = authorization {
                        request = request.header("authorization", value);
                    }
                    request.call().map_err(silent)?
                }
                Sent::Form(form) => {
                    let mut request = self.agent.post(&uri).header("accept", "application/json");
                    if let Some(value) = authorization {
                        request = request.header("authorization", value);
                    }
                    request.send_form(form.iter().copied()).map_err(silent)?
                }
            };
            let status = reply.status().as_u16();
            let next = reply.headers().get("location").and_then(|l| l.to_str().ok());
            match (status, next, sent) {
                (301 | 302 | 303 | 307 | 308, Some(next), Sent::Nothing) => {
                    uri = self.check(&joined(&uri, next))?;
                }
                (200..=299 | 400..=499, ..) => return read(reply, &host, status),
                _ => return Err(Refused::Status(host, status)),
            }
        }
        Err(Refused::Address(address.to_owned(), "it redirects without end"))
    }

    /// An address that may be called, as far as that shows before its name is resolved.
    fn check(&self, address: &str) -> Result<Uri, Refused> {
        let refuse = |why| Err(Refused::Address(address.chars().take(200).collect(), why));
        let Ok(uri) = address.parse::<Uri>() else { return refuse("this is no address") };
        if uri.authority().is_none_or(|a| a.as_str().contains('@')) {
            return refuse("an address has a host, and no login in it");
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_allowed(&self.allowed, &uri) => {}
            _ => {
                return refuse(
                    "only https:// is called, and http:// where the operator allowed the host by name",
                );
            }
        }
        let number = uri.host().unwrap_or_default().trim_matches(['[', ']']).parse::<IpAddr>();
        if number.is_ok_and(|ip| !is_public(ip)) && !is_allowed(&self.allowed, &uri) {
            return refuse(PRIVATE);
        }
        Ok(uri)
    }
}

fn silent(host: &str, e: ureq::Error) -> Refused {
    match e {
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            Refused::Address(host.to_owned(), PRIVATE)
        }
        e => Refused::Silent(host.to_owned(), e.to_string()),
    }
}

fn read(mut reply: ureq::http::Response<Body>, host: &str, status: u16) -> Result<Reply, Refused> {
    let body = reply.body_mut().with_config().limit(MOST).read_to_vec();
    let body = body.map_err(|e| Refused::Silent(host.to_owned(), e.to_string()))?;
    Ok(Reply { status, body })
}

/// A `Location` seen from where it was given.
fn joined(from: &Uri, to: &str) -> String {
    if to.contains("://") {
        return to.to_owned();
    }
    let scheme = from.scheme_str().unwrap_or("https");
    if to.starts_with("//") {
        return format!("{scheme}:{to}");
    }
    let authority = from.authority().map_or("", |a| a.as_str());
    if to.starts_with('/') {
        return format!("{scheme}://{authority}{to}");
    }
    let folder = from.path().rsplit_once('/').map_or("", |(f, _)| f);
    format!("{scheme}://{authority}{folder}/{to}")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn addresses_of_our_own_networks_are_not_public() {
        let public = ["8.8.8.8", "1.1.1.1", "100.63.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "::127.0.0.1",
            "3fff::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    /// Answers once for each reply, and tells the requests.
    fn server(replies: Vec<String>) -> (u16, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for reply in replies {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = [0; 4096];
                let n = stream.read(&mut bytes).unwrap();
                asked.push(String::from_utf8_lossy(&bytes[..n]).into_owned());
                stream.write_all(reply.as_bytes()).unwrap();
            }
            asked
        });
        (port, thread)
    }

    fn reply(status: &str, headers: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
    }

    #[test]
    fn private_hosts_are_called_only_where_they_are_allowed_by_name() {
        let (port, asked) = server(vec![reply("200 OK", "", "hello")]);
        let door = Outbound::new(vec![format!("localhost:{port}")]);
        let got = door.get(&format!("http://localhost:{port}/x"), None).unwrap();
        assert_eq!((got.status, got.body.as_slice()), (200, &b"hello"[..]));
        assert!(asked.join().unwrap()[0].starts_with("GET /x "));
        for (allowed, address) in [
            ("", format!("http://localhost:{port}/x")),
            ("", format!("https://localhost:{port}/x")),
            ("", format!("https://127.0.0.1:{port}/x")),
            ("", format!("https://[::1]:{port}/x")),
            ("", "https://169.254.169.254/latest/meta-data".to_owned()),
            ("localhost", format!("https://127.0.0.1:{port}/x")),
            ("localhost:1", format!("http://localhost:{port}/x")),
            ("localhost", format!("http://me:pw@localhost:{port}/x")),
            ("localhost", "file:///etc/passwd".to_owned()),
            ("localhost", "/etc/passwd".to_owned()),
        ] {
            let refused = Outbound::new(vec![allowed.to_owned()]).get(&address, None).unwrap_err();
            assert!(matches!(refused, Refused::Address(..)), "{address}: {refused}");
        }
    }

    #[test]
    fn a_redirect_is_looked_at_again_and_takes_no_credentials_along() {
        let (inner, _never) = server(vec![reply("200 OK", "", "secret")]);
        let to_inner = reply("302 Found", &format!("Location: http://127.0.0.1:{inner}/meta\r\n"), "");
        let (port, asked) = server(vec![to_inner]);
        let door = Outbound::new(vec![format!("localhost:{port}")]);
        let refused = door.get(&format!("http://localhost:{port}/"), Some("token")).unwrap_err();
        assert!(matches!(refused, Refused::Address(..)), "{refused}");
        assert_eq!(asked.join().unwrap().len(), 1);

        let (second, asked_second) = server(vec![reply("200 OK", "", "there")]);
        let on = reply("302 Found", &format!("Location: http://localhost:{second}/there\r\n"), "");
        let (port, asked) = server(vec![on]);
        let door = Outbound::new(vec!["localhost".to_owned(), format!("localhost:{port}")]);
        let got = door.get(&format!("http://localhost:{port}/"), Some("token")).unwrap();
        assert_eq!(got.body, b"there");
        assert!(asked.join().unwrap()[0].to_lowercase().contains("authorization: bearer token"));
        assert!(!asked_second.join().unwrap()[0].to_lowercase().contains("authorization"));
    }

    #[test]
    fn a_form_is_not_redirected_and_a_long_reply_is_cut_off() {
        let (port, _asked) = server(vec![reply("307 Temporary Redirect", "Location: /elsewhere\r\n", "")]);
        let door = Outbound::new(vec![format!("localhost:{port}")]);
        let refused = door.post(&format!("http://localhost:{port}/"), None, &[("a", "b")]).unwrap_err();
        assert!(matches!(refused, Refused::Status(_, 307)), "{refused}");
        let long = "x".repeat(usize::try_from(MOST).unwrap() + 1);
        let (port, _asked) = server(vec![reply("200 OK", "", &long)]);
        let door = Outbound::new(vec![format!("localhost:{port}")]);
        assert!(door.get(&format!("http://localhost:{port}/"), None).is_err());
    }

    #[test]
    fn a_location_is_seen_from_where_it_was_given() {
        let from: Uri = "https://a.example/x/y?z".parse().unwrap();
        for (to, wanted) in [
            ("/b", "https://a.example/b"),
            ("b", "https://a.example/x/b"),
            ("//b.example/c", "https://b.example/c"),
            ("http://c.example/", "http://c.example/"),
        ] {
            assert_eq!(joined(&from, to), wanted);
        }
    }
}
