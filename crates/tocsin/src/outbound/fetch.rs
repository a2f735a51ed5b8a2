//! Fetching what may be large: streamed to where it is kept, bounded, and only where it changed.

use std::io::{Read, Write};
use std::time::Duration;

use ureq::http::{HeaderMap, Uri};

use super::{Outbound, PRIVATE, REDIRECTS, Refused, joined};

/// How long a host may take until it begins to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    /// Address.
    pub address: &'a str,
    /// `ETag` of the edition that we have.
    pub etag: Option<&'a str>,
    /// `Last-Modified` of it.
    pub modified: Option<&'a str>,
    /// Credentials: a header and its value. It goes to the host of the address alone, wherever that redirects.
    pub header: Option<(&'static str, &'a str)>,
    /// Longest reply taken, in bytes.
    pub most: u64,
    /// Longest time for all of it.
    pub patience: Duration,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The edition is the one that we have (RFC 9110, section 15.4.5).
    Unchanged,
    /// Another edition, written down whole.
    Whole {
        /// Its `ETag`.
        etag: Option<String>,
        /// Its `Last-Modified`.
        modified: Option<String>,
        /// Its bytes.
        bytes: u64,
    },
}

impl Outbound {
    /// Fetches a document into `to`. Blocks: call it where that is allowed.
    ///
    /// # Errors
    /// The address may not be called, the host does not answer, not well, not whole or at too great length, or `to`
    /// cannot be written; what was written by then is of no use.
    pub fn fetch(&self, ask: &Ask<'_>, to: &mut dyn Write) -> Result<Fetched, Refused> {
        let mut uri = self.check(ask.address)?;
        let first = (uri.scheme_str().map(str::to_owned), uri.authority().cloned());
        for _ in 0..=REDIRECTS {
            let host = host(&uri);
            let mut request = self.agent.get(&uri).header("accept", self.accept);
            for (name, value) in [("if-none-match", ask.etag), ("if-modified-since", ask.modified)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let same = (uri.scheme_str().map(str::to_owned), uri.authority().cloned()) == first;
            if let Some((name, value)) = ask.header.filter(|_| same) {
                request = request.header(name, value);
            }
            let whole = Some(ask.patience);
            let started = Some(PATIENCE.min(ask.patience));
            let request = request.config().timeout_global(whole).timeout_recv_response(started).build();
            let silent = |e: ureq::Error| match e {
                ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                    Refused::Address(host.clone(), PRIVATE)
                }
                e => Refused::Silent(host.clone(), e.to_string()),
            };
            let reply = request.call().map_err(silent)?;
            let status = reply.status().as_u16();
            match (status, text(reply.headers(), "location")) {
                (301 | 302 | 303 | 307 | 308, Some(next)) => {
                    uri = self.check(&joined(&uri, &next))?;
                }
                (304, _) if ask.etag.is_some() || ask.modified.is_some() => return Ok(Fetched::Unchanged),
                (200, _) => {
                    let (etag, modified) =
                        (text(reply.headers(), "etag"), text(reply.headers(), "last-modified"));
                    let told = text(reply.headers(), "content-length").and_then(|l| l.parse().ok());
                    if told.is_some_and(|told: u64| told > ask.most) {
                        return Err(Refused::Long(host, ask.most));
                    }
                    let bytes = copy(&mut reply.into_body().into_reader(), to, ask.most, &host)?;
                    if told.is_some_and(|told| told != bytes) {
                        return Err(Refused::Cut(
                            host,
                            format!("{bytes} bytes came of {}", told.unwrap_or(0)),
                        ));
                    }
                    return Ok(Fetched::Whole { etag, modified, bytes });
                }
                (429 | 503, _) => {
                    let wait = text(reply.headers(), "retry-after");
                    return Err(Refused::Later(host, status, wait.and_then(|w| seconds(&w))));
                }
                _ => return Err(Refused::Status(host, status)),
            }
        }
        Err(Refused::Address(ask.address.to_owned(), "it redirects without end"))
    }
}

fn host(uri: &Uri) -> String {
    uri.host().unwrap_or_default().to_owned()
}

/// A header's value; one that is no text or too long to be kept is none.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().filter(|v| v.len() <= 1000).map(str::to_owned)
}

fn copy(from: &mut dyn Read, to: &mut dyn Write, most: u64, host: &str) -> Result<u64, Refused> {
    let (mut buffer, mut bytes) = (vec![0_u8; 1 << 16], 0_u64);
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Refused::Cut(host.to_owned(), e.to_string())),
        };
        bytes += n as u64;
        if bytes > most {
            return Err(Refused::Long(host.to_owned(), most));
        }
        to.write_all(buffer.get(..n).unwrap_or_default()).map_err(Refused::Write)?;
    }
}

/// Seconds of a `Retry-After` (RFC 9110, section 10.2.3): a number, or a date seen from now.
fn seconds(value: &str) -> Option<u64> {
    let value = value.trim();
    value.parse().ok().or_else(|| {
        let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
        let ahead = at.as_second() - jiff::Timestamp::now().as_second();
        Some(u64::try_from(ahead).unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert!(seconds("Fri, 31 Dec 2286 23:59:59 GMT").is_some_and(|s| s > 1_000_000));
        for bad in ["", "-1", "soon", "1e9"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
