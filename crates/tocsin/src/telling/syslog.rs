//! Syslog (RFC 5424) with a message in CEF, over UDP (RFC 5426), TCP (RFC 6587, octet counting) or TLS (RFC 5425).

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tocsin_core::notify::Message;

use super::words::Words;
use super::{Means, Unsent, roots};

const TIMEOUT: Duration = Duration::from_secs(20);
/// Longest message, in bytes; every receiver takes so much over UDP without cutting.
const LONGEST: usize = 2_000;

/// Part of the head of CEF: `|` and `\` are escaped, a line break is none.
fn head(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\r', '\n'], " ")
}

/// Value of an extension of CEF.
fn value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\r', "").replace('\n', "\\n")
}

/// One message.
pub(super) fn line(words: &Words, message: &Message, now: &str, host: &str) -> String {
    let cef = match message.severity {
        5 => 10,
        4 => 8,
        3 => 5,
        2 => 3,
        _ => 1,
    };
    // facility 13, log audit; severity alert for critical, notice else
    let priority = 13 * 8 + if message.severity >= 5 { 1 } else { 5 };
    let mut text = String::new();
    for (name, what, _) in &words.lines {
        text.push_str(&format!("{name}: {what}\n"));
    }
    let text: String = text.trim_end().chars().take(1_000).collect();
    let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
    let host = if host.is_empty() { "-".to_owned() } else { host };
    let mut out = format!(
        "<{priority}>1 {now} {host} tocsin - {} - CEF:0|Tocsin|Tocsin|{}|{}|{}|{cef}|externalId={} msg={} request={}",
        message.topic,
        env!("CARGO_PKG_VERSION"),
        head(&message.topic),
        head(&words.title),
        message.id,
        value(&text),
        value(&words.link)
    );
    if out.len() > LONGEST {
        let mut end = LONGEST;
        while !out.is_char_boundary(end) {
            end -= 1;
        }
        out.truncate(end);
    }
    out
}

pub(super) fn send(means: &Means<'_>, words: &Words, message: &Message) -> Result<(), Unsent> {
    let (host, port) = (means.setting("host"), means.port());
    let address = means.door.reach(host, port)?;
    let site = means.site.split_once("://").map_or("", |(_, rest)| rest);
    let line = line(words, message, means.now, site.split([':', '/']).next().unwrap_or_default());
    let later = |e: std::io::Error| Unsent::Later(format!("{host}:{port}: {e}"));
    let framed = format!("{} {line}", line.len());
    match means.setting("transport") {
        "udp" => {
            let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).map_err(later)?;
            socket.send_to(line.as_bytes(), address).map_err(later)?;
            Ok(())
        }
        "tls" => tls(host, address, means.setting("ca"), framed.as_bytes()),
        _ => {
            let mut stream = connect(address).map_err(later)?;
            stream.write_all(framed.as_bytes()).and_then(|()| stream.flush()).map_err(later)
        }
    }
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn tls(host: &str, address: SocketAddr, ca: &str, bytes: &[u8]) -> Result<(), Unsent> {
    let wrong = |e: String| Unsent::Never(format!("TLS to {host}: {e}"));
    let later = |e: std::io::Error| Unsent::Later(format!("{host}: {e}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?
        .with_root_certificates(roots(ca)?)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|e| wrong(e.to_string()))?;
    let client = rustls::ClientConnection::new(Arc::new(config), name).map_err(|e| wrong(e.to_string()))?;
    let mut stream = rustls::StreamOwned::new(client, connect(address).map_err(later)?);
    stream.write_all(bytes).and_then(|()| stream.flush()).map_err(later)?;
    stream.conn.send_close_notify();
    // the receiver has it by now; how it hangs up is its own matter
    let _ = stream.flush();
    Ok(())
}
