//! Where people reach this server, and through which proxies.

use std::net::{IpAddr, SocketAddr};

/// The server as it is seen from outside.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// Address without a slash at its end: `https://tocsin.example.org`. Empty where it is not known.
    pub address: String,
    /// Proxies whose word on where a request comes from is taken.
    pub proxies: Vec<IpAddr>,
}

impl Site {
    /// The site at an address as people type it.
    pub fn new(address: &str, proxies: Vec<IpAddr>) -> Site {
        Site { address: address.trim().trim_end_matches('/').to_owned(), proxies }
    }

    /// The site of a server that nobody gave an address: the machine itself. Browsers know passkeys of names only, so
    /// the loopback address becomes `localhost`.
    pub fn of(listen: SocketAddr, https: bool) -> Site {
        let scheme = if https { "https" } else { "http" };
        let host = if listen.ip().is_loopback() { "localhost".to_owned() } else { listen.ip().to_string() };
        Site::new(&format!("{scheme}://{host}:{}", listen.port()), Vec::new())
    }

    /// Host of the address where it is a name, to which passkeys are bound (WebAuthn section 5.1.2, RP ID); browsers
    /// give none over plain HTTP but on the machine itself.
    pub fn party(&self) -> Option<&str> {
        let (scheme, rest) = self.address.split_once("://")?;
        let host = rest.split(['/', ':']).next()?;
        let named = !host.is_empty() && host.parse::<IpAddr>().is_err() && !rest.starts_with('[');
        let trusted = scheme == "https" || host == "localhost";
        (named && trusted).then_some(host)
    }

    /// Where a request comes from: the peer, or what the nearest trusted proxy says in `X-Forwarded-For`. Only the part
    /// behind which all are trusted is believed; the rest anybody can write.
    pub fn caller(&self, peer: IpAddr, forwarded: Option<&str>) -> IpAddr {
        if !self.proxies.contains(&peer) {
            return peer;
        }
        let told = forwarded.unwrap_or_default().split(',').rev().map(|a| a.trim().parse::<IpAddr>());
        let mut nearest = peer;
        for address in told {
            let Ok(address) = address else { break };
            nearest = address;
            if !self.proxies.contains(&address) {
                break;
            }
        }
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_bound_to_names_that_browsers_trust() {
        let cases = [
            ("https://tocsin.example.org", Some("tocsin.example.org")),
            ("https://tocsin.example.org:8443/", Some("tocsin.example.org")),
            ("http://localhost:8470", Some("localhost")),
            ("http://tocsin.example.org", None),
            ("https://192.0.2.1", None),
            ("https://[2001:db8::1]", None),
            ("", None),
        ];
        for (address, wanted) in cases {
            assert_eq!(Site::new(address, Vec::new()).party(), wanted, "{address}");
        }
        let listen = "127.0.0.1:8470".parse().unwrap();
        assert_eq!(Site::of(listen, false).address, "http://localhost:8470");
    }

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let site = Site::new("", vec![ip("10.0.0.1"), ip("10.0.0.2")]);
        let cases = [
            ("192.0.2.9", Some("198.51.100.1"), "192.0.2.9"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("10.0.0.1", Some("198.51.100.1"), "198.51.100.1"),
            ("10.0.0.1", Some("1.1.1.1, 198.51.100.1, 10.0.0.2"), "198.51.100.1"),
            ("10.0.0.1", Some("1.1.1.1, nonsense"), "10.0.0.1"),
        ];
        for (peer, forwarded, wanted) in cases {
            assert_eq!(site.caller(ip(peer), forwarded), ip(wanted), "{forwarded:?}");
        }
    }
}
