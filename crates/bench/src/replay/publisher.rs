//! One server that plays every publisher as the world is on its day.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use super::world::{ECOSYSTEMS, Flaw, World};

/// The world and who tells of it, on a port of this machine.
pub struct Publisher {
    /// `127.0.0.1:PORT`.
    pub host: String,
    /// What there is to tell.
    pub world: Arc<Mutex<World>>,
    /// Requests and bytes so far.
    pub served: Arc<Mutex<(u64, u64)>>,
}

impl Publisher {
    /// Starts.
    pub fn start(world: World) -> anyhow::Result<Publisher> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let host = listener.local_addr()?.to_string();
        let (world, served) = (Arc::new(Mutex::new(world)), Arc::new(Mutex::new((0, 0))));
        let publisher = Publisher { host: host.clone(), world: world.clone(), served: served.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (world, served, host) = (world.clone(), served.clone(), host.clone());
                std::thread::spawn(move || answer(stream, &world, &served, &host));
            }
        });
        Ok(publisher)
    }
}

fn answer(
    mut stream: TcpStream,
    world: &Mutex<World>,
    served: &Mutex<(u64, u64)>,
    host: &str,
) -> std::io::Result<()> {
    let (mut path, mut etag) = (String::new(), String::new());
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("if-none-match")
        {
            etag = value.trim().to_owned();
        }
    }
    let body = {
        let world = world.lock().unwrap_or_else(PoisonError::into_inner);
        page(&world, &path, host)
    };
    let mut served = served.lock().unwrap_or_else(PoisonError::into_inner);
    served.0 += 1;
    let Some(body) = body else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    };
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let mark = format!("\"{:x}\"", hasher.finish());
    if mark == etag {
        return stream.write_all(
            format!("HTTP/1.1 304 Not Modified\r\nConnection: close\r\nETag: {mark}\r\n\r\n").as_bytes(),
        );
    }
    served.1 += body.len() as u64;
    drop(served);
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: {mark}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

/// An archive of files.
fn archive(files: impl Iterator<Item = (String, Vec<u8>)>) -> Option<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_level(Some(1));
    for (name, bytes) in files {
        zip.start_file(name, options).ok()?;
        zip.write_all(&bytes).ok()?;
    }
    Some(zip.finish().ok()?.into_inner())
}

fn records<'a>(flaws: impl Iterator<Item = &'a Flaw>, cisa: bool) -> Option<Vec<u8>> {
    archive(flaws.map(|f| (format!("cves/{}.json", f.cve()), f.record(cisa).to_string().into_bytes())))
}

/// What stands at a path.
fn page(world: &World, path: &str, host: &str) -> Option<Vec<u8>> {
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    let asked = |name: &str| query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
    let mut parts = place.trim_start_matches('/').split('/');
    match (parts.next()?, parts.next(), parts.next()) {
        ("nvd", ..) => {
            let start = asked("startIndex").and_then(|n| n.parse().ok()).unwrap_or(0);
            Some(world.nvd(start, asked("lastModStartDate").is_none()))
        }
        ("kev", ..) => Some(world.kev()),
        ("epss", ..) => world.epss().ok(),
        ("exploitdb", ..) => Some(world.exploitdb()),
        ("metasploit", ..) => Some(world.metasploit()),
        ("vulnrichment", ..) => records(world.flaws.iter().filter(|f| f.n % 2 == 0), true),
        ("cvelist", None, _) => cvelist(world, asked("page")?.parse().ok()?, host),
        ("cvelist", Some("all"), _) => {
            let inner = records(world.flaws.iter(), false)?;
            archive(std::iter::once(("cves.zip".to_owned(), inner)))
        }
        ("cvelist", Some(name), _) => {
            let (_, _, list) = world.releases.iter().find(|r| r.0 == name)?;
            records(list.iter().filter_map(|n| world.flaws.get(*n as usize)), false)
        }
        ("osv", Some("ecosystems.txt"), _) => Some(ECOSYSTEMS.map(|(name, _)| name).join("\n").into_bytes()),
        ("osv", Some(name), Some(file)) => osv(world, name, file),
        ("csaf", Some("provider-metadata.json"), _) => {
            let place = format!("http://{host}/csaf/white/");
            let metadata = json!({"role": "csaf_provider", "distributions": [{"directory_url": place}]});
            Some(metadata.to_string().into_bytes())
        }
        ("csaf", Some("white"), Some(file)) => csaf(world, file),
        _ => None,
    }
}

fn cvelist(world: &World, page: usize, host: &str) -> Option<Vec<u8>> {
    let all = json!({"name": "2025-06-01_all_CVEs_at_midnight.zip.zip",
        "browser_download_url": format!("http://{host}/cvelist/all")});
    let release = |(name, at, _): &(String, String, Vec<u64>)| {
        let delta = json!({"name": format!("{}_delta_CVEs_at_{}.zip", name.get(..10).unwrap_or(name), name.get(11..).unwrap_or_default()),
            "browser_download_url": format!("http://{host}/cvelist/{name}")});
        json!({"tag_name": name, "published_at": at.replace(".000", ""), "assets": [delta, all]})
    };
    let list: Vec<_> =
        world.releases.iter().rev().skip(page.checked_sub(1)? * 100).take(100).map(release).collect();
    Some(json!(list).to_string().into_bytes())
}

fn osv(world: &World, name: &str, file: &str) -> Option<Vec<u8>> {
    let (name, list) = world.packages.iter().find(|(n, _)| **n == name)?;
    match file {
        "modified_id.csv" => {
            let mut lines: Vec<String> = list.iter().map(|p| format!("{},{}\n", p.at, p.id(name))).collect();
            lines.sort_unstable_by(|a, b| b.cmp(a));
            Some(lines.concat().into_bytes())
        }
        "all.zip" => archive(list.iter().map(|p| (format!("{}.json", p.id(name)), p.osv(name).into_bytes()))),
        _ => {
            let id = file.strip_suffix(".json")?;
            Some(list.iter().find(|p| p.id(name) == id)?.osv(name).into_bytes())
        }
    }
}

fn csaf(world: &World, file: &str) -> Option<Vec<u8>> {
    if file == "changes.csv" {
        let mut list: Vec<String> =
            world.advisories.iter().map(|(n, _, at)| format!("\"v-{n}.json\",\"{at}\"\n")).collect();
        list.sort_unstable_by(|a, b| b.split(',').nth(1).cmp(&a.split(',').nth(1)));
        return Some(list.concat().into_bytes());
    }
    let hashed = file.strip_suffix(".sha256");
    let n = hashed.unwrap_or(file).strip_prefix("v-")?.strip_suffix(".json")?.parse().ok()?;
    let document = world.csaf(n)?;
    match hashed {
        None => Some(document),
        Some(name) => {
            let hex: String = Sha256::digest(&document).iter().map(|b| format!("{b:02x}")).collect();
            Some(format!("{hex}  {name}\n").into_bytes())
        }
    }
}
