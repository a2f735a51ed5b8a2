//! The database of RPM, in the three files it was kept in over time: `rpmdb.sqlite`, `Packages.db` (ndb) and
//! `Packages` (Berkeley DB). All three hold one header per package (rpm documentation, "RPM v4 header format");
//! the other tables and files are indices that can be made from them. Also the list that stands for a database in
//! images of Azure Linux.

use std::borrow::Cow;
use std::collections::HashMap;

use tocsin_model::bom::Component;
use tocsin_model::diagnostic::excerpt;

use super::build::{Builder, Entry, Refusal, syntax};
use header::Header;

mod bdb;
mod header;
mod ndb;
mod sqlite;
#[cfg(test)]
mod tests;

/// One record of a database, or what is wrong with it.
type Record<'b> = Result<Cow<'b, [u8]>, String>;

/// Where the records of a database go.
type Sink<'s, 'b> = &'s mut dyn FnMut(Record<'b>);

/// Reads all records of one kind of database file; `Err`: the file as a whole cannot be used.
type Backend = for<'b> fn(&'b [u8], Sink<'_, 'b>) -> Result<(), String>;

/// Which kind of database a file is, by its first bytes.
fn backend(bytes: &[u8]) -> Option<Backend> {
    if bytes.starts_with(sqlite::MAGIC) {
        Some(sqlite::records)
    } else if bytes.starts_with(ndb::MAGIC) {
        Some(ndb::records)
    } else if bdb::is_hash(bytes) {
        Some(bdb::records)
    } else {
        None
    }
}

/// Most damaged records that are named one by one.
const FAULTS: usize = 20;

/// Whether a file begins as one of the three databases does.
pub(super) fn recognise(bytes: &[u8]) -> bool {
    backend(bytes).is_some()
}

/// Reads a database.
pub(super) fn read(bytes: &[u8], b: &mut Builder) -> Result<(), Refusal> {
    let Some(records) = backend(bytes) else {
        return Err(syntax(
            "",
            "the file is no SQLite, ndb or Berkeley DB hash database, as RPM writes them",
        ));
    };
    let mut packages = Vec::new();
    let (mut number, mut faults) = (0_usize, 0_usize);
    let outcome = records(bytes, &mut |record| {
        number += 1;
        let path = format!("package {number}");
        match record.and_then(|r| Header::parse(&r)) {
            Ok(h) => add(h, path, b, &mut packages),
            Err(why) => {
                faults += 1;
                if faults <= FAULTS {
                    b.remark("input-syntax", path, why);
                }
            }
        }
    });
    if faults > FAULTS {
        b.remark("input-syntax", "", format!("{faults} records are damaged; the first {FAULTS} are named"));
    }
    match outcome {
        Err(why) if number == 0 => return Err(syntax("", why)),
        Err(why) => b.remark("input-syntax", "", why),
        Ok(()) => {}
    }
    let mut provided: HashMap<&str, usize> = HashMap::new();
    for (i, h) in &packages {
        provided.entry(h.name.as_str()).or_insert(*i);
    }
    for (i, h) in &packages {
        for name in &h.provides {
            provided.entry(name).or_insert(*i);
        }
    }
    for (i, h) in &packages {
        for to in h.requires.iter().filter_map(|name| provided.get(name.as_str())) {
            b.edge(*i, *to);
        }
    }
    Ok(())
}

/// Reads the list that images of Azure Linux without a database have (`container-manifest-2`): name, version with
/// release, two times, vendor, epoch, size, architecture, epoch again, source package.
pub(super) fn read_manifest(text: &str, b: &mut Builder) -> Result<(), Refusal> {
    let mut packages = Vec::new();
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let fields: Vec<&str> = line.split('\t').map(|f| if f == "(none)" { "" } else { f }).collect();
        let [name, full, _, _, vendor, epoch, _, arch, _, source, ..] = fields.as_slice() else {
            b.remark("value-ignored", format!("line {}", n + 1), "the line has less than ten fields");
            continue;
        };
        let (version, release) = full.rsplit_once('-').unwrap_or((full, ""));
        let own = |text: &str| text.to_owned();
        let h = Header {
            name: own(name),
            epoch: epoch.parse().ok(),
            version: own(version),
            release: own(release),
            arch: own(arch),
            source: own(source),
            vendor: own(vendor),
            ..Header::default()
        };
        add(h, format!("line {}", n + 1), b, &mut packages);
    }
    if packages.is_empty() {
        return Err(syntax("line 1", "no line is one of a container manifest"));
    }
    Ok(())
}

fn add(h: Header, path: String, b: &mut Builder, packages: &mut Vec<(usize, Header)>) {
    // Keys that packages were signed with are kept as headers of this name; nothing is installed of them.
    if h.name == "gpg-pubkey" {
        return;
    }
    let distro = b.distro;
    let (id, release) = match distro {
        Some(d) => (d.id.as_str(), d.qualifier()),
        None => (vendor_id(&h.vendor), String::new()),
    };
    let version = match h.release.as_str() {
        "" => h.version.clone(),
        release => format!("{}-{release}", h.version),
    };
    let e = Entry::new("rpm", &h.name)
        .namespace(id)
        .version(&version)
        .qualifier("arch", &h.arch)
        .qualifier("epoch", &h.epoch.map(|e| e.to_string()).unwrap_or_default())
        .qualifier("upstream", &h.source)
        .qualifier("distro", &release)
        .qualifier("rpmmod", module(&h.module))
        .license(&h.license)
        .at(path);
    let Some(i) = b.add(e) else { return };
    if let Some(c) = b.bom.components.get_mut(i) {
        let c: &mut Component = c;
        c.supplier = Some(h.vendor.clone()).filter(|v| !v.is_empty());
    }
    packages.push((i, h));
}

/// Name and stream of a module label (`nodejs:18:8090020231213:a75119d5` is `nodejs:18`), as advisories name them.
fn module(label: &str) -> &str {
    let mut colons = label.match_indices(':').skip(1);
    colons.next().map_or(label, |(at, _)| label.get(..at).unwrap_or(label))
}

/// Vendors as distributions write themselves into their packages, and the purl namespace of each.
const VENDORS: &[(&str, &str)] = &[
    ("red hat", "redhat"),
    ("centos", "centos"),
    ("fedora", "fedora"),
    ("rocky", "rocky"),
    ("almalinux", "almalinux"),
    ("oracle", "oracle"),
    ("opensuse", "opensuse"),
    ("suse", "suse"),
    ("amazon", "amzn"),
    ("vmware", "photon"),
    ("mageia", "mageia"),
    ("openeuler", "openeuler"),
    ("microsoft", "azurelinux"),
];

/// The distribution of a package where nothing but its header tells; empty where that does not either.
fn vendor_id(vendor: &str) -> &'static str {
    let vendor = vendor.to_lowercase();
    VENDORS.iter().find(|(word, _)| vendor.contains(word)).map_or("", |(_, id)| id)
}

/// A big-endian number of four bytes.
fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

/// A little-endian number of four bytes.
fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    be32(bytes, at).map(u32::swap_bytes)
}

/// `length` bytes from `at`.
fn slice(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

/// Records of a database never share bytes, so all of them together are no larger than the file. One that is
/// made to look larger (links that lead back) ends here.
struct Budget(usize);

impl Budget {
    fn take(&mut self, length: usize) -> Result<(), String> {
        self.0 = self.0.checked_sub(length).ok_or("the records together are larger than the file")?;
        Ok(())
    }
}

/// Text of a header, without what could not be a name.
fn clean(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// What to say of a header that names no package.
fn nameless(version: &str) -> String {
    format!("a package has no name (version {})", excerpt(version))
}
