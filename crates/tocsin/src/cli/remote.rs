//! A Tocsin server seen from the command line.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

use crate::error::Error;

/// Name of the variable that holds the API key.
const KEY: &str = "TOCSIN_API_KEY";
/// Largest reply read.
const REPLY_MOST: u64 = 64 << 20;

/// How a server is reached.
#[derive(Debug, Clone, Default, Args)]
pub struct Remote {
    /// Server in place of the data of this machine; the API key is read from $TOCSIN_API_KEY or --api-key-file
    #[arg(long, value_name = "URL", env = "TOCSIN_SERVER")]
    pub server: Option<String>,
    /// File whose only line is the API key
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Certificates (PEM) of those who vouch for the server, in place of the public ones
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Send the key over plain HTTP to another machine
    #[arg(long)]
    pub allow_http: bool,
}

/// A connection to a server.
pub(super) struct Server {
    agent: ureq::Agent,
    base: String,
    key: String,
}

/// What a server answered.
pub(super) struct Reply {
    pub status: u16,
    pub body: Value,
    pub location: String,
}

impl Reply {
    /// What a failed request says: title, detail and what is wrong where.
    fn problem(&self) -> String {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default().to_owned();
        let mut out = format!("the server answers {}", self.status);
        for part in [text("title"), text("detail")].iter().filter(|t| !t.is_empty()) {
            out.push_str(": ");
            out.push_str(part);
        }
        for d in self.body["diagnostics"].as_array().into_iter().flatten().take(20) {
            let text = |name: &str| d[name].as_str().unwrap_or_default();
            out.push_str(&format!("\n  {} {} {}", text("code"), text("path"), text("message")));
        }
        if let Some(token) = self.body["confirm"].as_str() {
            out.push_str(&format!(
                "\n  if it is right all the same, give the command again with --confirm {token}"
            ));
        }
        if !self.location.is_empty() && (300..400).contains(&self.status) {
            out.push_str(&format!("; it points to {}: give that address", self.location));
        }
        out
    }

    /// The body of a request that succeeded.
    ///
    /// # Errors
    /// It did not.
    pub fn success(self) -> Result<Value, Error> {
        match self.status {
            200..300 => Ok(self.body),
            401 => Err(Error::Usage(format!(
                "the server does not take the API key; it is read from ${KEY} or --api-key-file, and made under \
                 Settings, Keys"
            ))),
            _ => Err(Error::Usage(self.problem())),
        }
    }
}

fn is_here(base: &str) -> bool {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
}

fn certificates(file: &Path) -> Result<RootCerts, Error> {
    let shown = file.display().to_string();
    let pem = std::fs::read(file).map_err(|e| Error::io(shown.clone(), e))?;
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(c)) => found.push(c),
            Ok(_) => {}
            Err(e) => return Err(Error::Usage(format!("{shown}: {e}"))),
        }
    }
    if found.is_empty() {
        return Err(Error::Usage(format!("{shown} holds no certificate in PEM form")));
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

impl Remote {
    /// The API key; never an argument, which every other user of the machine could read.
    fn key(&self) -> Result<String, Error> {
        let key = match &self.api_key_file {
            Some(file) => {
                std::fs::read_to_string(file).map_err(|e| Error::io(file.display().to_string(), e))?
            }
            None => std::env::var(KEY).unwrap_or_default(),
        };
        let key = key.trim().to_owned();
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Error::Usage(format!(
                "no API key: put it into ${KEY} or into a file for --api-key-file"
            )));
        }
        Ok(key)
    }

    /// The server, where one is told.
    ///
    /// # Errors
    /// The address is none, there is no key, or the key would travel in clear.
    pub(super) fn open(&self) -> Result<Option<Server>, Error> {
        let Some(base) = &self.server else { return Ok(None) };
        let base = base.trim_end_matches('/').to_owned();
        let here = is_here(&base);
        match base.split_once("://") {
            Some(("https", rest)) if !rest.is_empty() => {}
            Some(("http", rest)) if !rest.is_empty() && (here || self.allow_http) => {}
            Some(("http", _)) => {
                let why = "the API key would travel in clear; give an https:// address, or --allow-http";
                return Err(Error::Usage(format!("{base}: {why}")));
            }
            _ => return Err(Error::Usage(format!("{base}: a server is told as https://HOST[:PORT]"))),
        }
        if base.contains('@') {
            return Err(Error::Usage("the address of a server holds no name or password".to_owned()));
        }
        let mut tls = TlsConfig::builder();
        if let Some(file) = &self.ca_file {
            tls = tls.root_certs(certificates(file)?);
        }
        // A redirect would hand the key to whoever is pointed to.
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(1800)))
            .user_agent(concat!("tocsin/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build());
        if here {
            config = config.proxy(None);
        }
        Ok(Some(Server { agent: config.build().into(), base, key: self.key()? }))
    }
}

impl Server {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn failed(&self, e: &ureq::Error) -> Error {
        Error::Usage(format!("{}: {e}", self.base))
    }

    fn reply(&self, sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Reply, Error> {
        let mut response = sent.map_err(|e| self.failed(&e))?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (location, status) = (header("location"), response.status().as_u16());
        let text = response
            .body_mut()
            .with_config()
            .limit(REPLY_MOST)
            .read_to_string()
            .map_err(|e| self.failed(&e))?;
        let body = match serde_json::from_str(&text) {
            Ok(body) => body,
            Err(_) if (200..300).contains(&status) => {
                return Err(Error::Usage(format!("{}: what answers there is no Tocsin server", self.base)));
            }
            Err(_) => Value::Null,
        };
        Ok(Reply { status, body, location })
    }

    /// Asks for a resource.
    ///
    /// # Errors
    /// The server cannot be reached, or is none.
    pub fn get(&self, path: &str) -> Result<Reply, Error> {
        self.reply(self.agent.get(self.url(path)).header("X-Api-Key", &self.key).call())
    }

    /// Sends a form with fields and a file that is read as it is sent.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub fn post_form(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        file: (&str, &str),
        bytes: impl Read,
    ) -> Result<Reply, Error> {
        let mut random = [0; 16];
        crate::server::random(&mut random);
        let boundary: String = random.iter().map(|b| format!("{b:02x}")).collect();
        let quoted = |text: &str| text.replace('"', "%22").replace(['\r', '\n'], " ");
        let mut head = String::new();
        for (name, value) in fields {
            let disposition = format!("Content-Disposition: form-data; name=\"{name}\"");
            head.push_str(&format!("--{boundary}\r\n{disposition}\r\n\r\n{value}\r\n"));
        }
        let (field, name) = file;
        head.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            quoted(name)
        ));
        let tail = format!("\r\n--{boundary}--\r\n");
        let mut body = head.as_bytes().chain(bytes).chain(tail.as_bytes());
        let kind = format!("multipart/form-data; boundary={boundary}");
        let request = self.agent.post(self.url(path));
        let request = request.header("X-Api-Key", &self.key).header("Content-Type", &kind);
        // a server that refuses says why before the body is sent (RFC 9110, section 10.1.1); afterwards the
        // connection could be gone with the reply unread
        let request = request.header("Expect", "100-continue");
        self.reply(request.send(ureq::SendBody::from_reader(&mut body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_over_plain_http_to_this_machine_alone() {
        for (url, here) in [
            ("http://127.0.0.1:8470", true),
            ("http://localhost", true),
            ("http://[::1]:80/x", true),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
            ("http://example.com/localhost", false),
        ] {
            assert_eq!(is_here(url), here, "{url}");
        }
        let remote = |url: &str| Remote { server: Some(url.to_owned()), ..Remote::default() };
        for bad in
            ["http://example.com", "ftp://example.com", "example.com", "https://", "https://a:b@example.com"]
        {
            assert!(remote(bad).open().is_err(), "{bad}");
        }
        assert!(Remote::default().open().unwrap().is_none());
    }
}
