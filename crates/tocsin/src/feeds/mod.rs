//! The sources of intelligence that are followed: one file each, a line in [`ALL`].
//!
//! A source is fetched only where it changed, recognised and imported like a file. Most are one document, which is kept
//! beside the data as the last good edition ([`single`]); some are many, which they walk by themselves from a cursor on
//! ([`Steps`], [`walk`]); of those, some give items to the analyst desk ([`items`]), from parts that have nothing to do
//! with each other ([`parts`]). Whatever goes wrong is told with its remedy, and leaves what was there.

mod csaf;
mod cvelist;
mod endoflife;
mod epss;
mod euvd;
mod exploitdb;
mod fetch;
mod imap;
mod items;
mod jvn;
mod kev;
mod known;
mod lists;
mod metasploit;
mod mirror;
mod misp;
mod news;
mod nvd;
mod openpgp;
mod osv;
mod parts;
mod share;
mod single;
mod sync;
mod taxii;
mod told;
mod vulndb;
mod vulnrichment;
mod walk;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use tocsin_core::desk::NewItem;
use tocsin_core::intel::Store;
use tocsin_core::intel::feeds::{self, Feed, Mark, Set, Sum};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::db::Place;
use tocsin_core::platform::jobs::{INSTALLATION, Payload, schedule};
use tocsin_core::platform::vault::{Vault, create_private};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::outbound::{Outbound, Refused};
use crate::server::now;

pub use known::Known;
pub use mirror::{mirror, of_mirror, test};
pub use parts::Part;
pub use sync::{sync, take_file};
pub use told::{State, ask, settings, state, states};
pub use walk::{Stop, Walk};

/// A source: what differs from one to the next.
pub trait Source: Sync {
    /// Name, as stored and typed: `kev`.
    fn name(&self) -> &'static str;
    /// What a reader calls it.
    fn title(&self) -> &'static str;
    /// Where its publisher has it; empty where it has no one address but a list of them among its settings.
    fn address(&self) -> &'static str;
    /// File under which its bytes are kept and mirrored; of a source with many documents, the folder.
    fn file(&self) -> &'static str;
    /// Name under which an import counts what it gives.
    fn gives(&self) -> &'static str;
    /// When it is asked (five fields of cron, UTC): no two at the same minute, none oftener than it changes.
    fn cron(&self) -> &'static str;
    /// Longest document taken, in bytes.
    fn most(&self) -> u64;
    /// How it is walked, where it gives many documents.
    fn steps(&self) -> Option<&dyn Steps> {
        None
    }
    /// What takes its document in, where that says nothing of vulnerabilities.
    fn keep(&self) -> Option<&dyn Keep> {
        None
    }
    /// How its documents are read, where they are for the desk.
    fn reads(&self) -> Option<&dyn Reads> {
        None
    }
    /// Forms that are asked for (RFC 9110, section 12.5.1).
    fn accept(&self) -> &'static str {
        "*/*"
    }
    /// The credentials that it can be asked with.
    fn key(&self) -> Option<&'static Key> {
        None
    }
    /// The value of [`Key::header`] for a key; nothing where the key itself is not sent.
    fn credentials(&self, key: &str) -> Option<Zeroizing<String>> {
        self.key().map(|k| Zeroizing::new(format!("{}{key}", k.before)))
    }
    /// Settings that it has beyond the address and those of every source ([`OPTIONS`]).
    fn options(&self) -> &'static [Setting] {
        &[]
    }
    /// Whether a setting has several lines.
    fn lines(&self, _option: &str) -> bool {
        false
    }
    /// Whether it is asked by HTTP, and so can be asked through a proxy.
    fn by_http(&self) -> bool {
        true
    }
    /// What is wrong with the value of a setting, as it can be told before the source is asked.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self, _option: &str, _value: &str) -> Result<(), String> {
        Ok(())
    }
    /// The setting without which it cannot be asked, where that is missing.
    fn missing(&self, _feed: &Feed) -> Option<&'static str> {
        None
    }
    /// It gives items to the analyst desk, in place of records and facts of the store.
    fn desk(&self) -> bool {
        false
    }
    /// How its parts do, where it has such as are asked each by itself.
    fn parts(&self, _feed: &Feed) -> Vec<Part> {
        Vec::new()
    }
    /// Well-known lines of a setting, with its name.
    fn known(&self) -> Option<(&'static str, &'static [Known])> {
        None
    }
    /// Reads a file that somebody put into a mirror's folder and that is of the source's own form.
    fn brought(&self, _file: &Path, _bytes: &[u8]) -> Option<Result<Vec<items::Bundle>, String>> {
        None
    }
}

/// How documents are read that hold no records, but tell the desk something.
pub trait Reads: Sync {
    /// The items of a document, and how many parts of it are not understood; `feed`: the settings of the source.
    ///
    /// # Errors
    /// Why nothing of it is understood.
    fn items(&self, bytes: &[u8], feed: &Feed) -> Result<(Vec<NewItem>, u64), String>;
}

/// How a source of many documents is walked.
pub trait Steps: Sync {
    /// Takes in everything that is new since [`Walk::cursor`], document by document, and notes how far it is
    /// ([`Walk::reach`]) after each: killed at any instant, the next run goes on from there.
    ///
    /// # Errors
    /// What stopped it; what was taken in until then stays.
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop>;
    /// Least time between two requests, as the publisher wants it; `keyed`: asked with credentials.
    fn gap(&self, keyed: bool) -> Duration;
}

/// How a document is taken in that is no intelligence about vulnerabilities.
pub trait Keep: Sync {
    /// Takes in the document at `path`, all of it or nothing: what was in it (documents and bytes aside), or why it is
    /// not understood.
    ///
    /// # Errors
    /// The disk or the database does not answer.
    fn keep(&self, store: &Store, path: &Path) -> Result<std::result::Result<Sum, String>, Error>;
}

/// Credentials: a header with a key in it.
pub struct Key {
    /// Name of the header.
    pub header: &'static str,
    /// What stands before the key in it.
    pub before: &'static str,
    /// What it is and where one gets it.
    pub words: &'static str,
}

/// A further setting of a source.
pub struct Setting {
    /// Name, as stored and typed.
    pub name: &'static str,
    /// What a reader calls it.
    pub title: &'static str,
    /// What it does, and what holds where it is empty.
    pub words: &'static str,
}

/// Settings of every source.
pub const OPTIONS: &[Setting] = &[Setting {
    name: "proxy",
    title: "Proxy",
    words: "HTTP proxy that the source is asked through, http://HOST:PORT; empty: none. Its host must be allowed by name \
            where it is private (--allow-host).",
}];

/// All sources, by name.
pub const ALL: &[&dyn Source] = &[
    &csaf::Csaf,
    &cvelist::CveList,
    &endoflife::EndOfLife,
    &epss::Epss,
    &euvd::Euvd,
    &exploitdb::ExploitDb,
    &imap::Imap,
    &jvn::Jvn,
    &kev::Kev,
    &lists::Lists,
    &metasploit::Metasploit,
    &misp::Misp,
    &news::News,
    &nvd::Nvd,
    &osv::Osv,
    &taxii::Taxii,
    &vulndb::VulnDb,
    &vulnrichment::Vulnrichment,
];

/// The source of a name.
///
/// # Errors
/// There is none; the error names those that there are.
pub fn source(name: &str) -> Result<&'static dyn Source, Error> {
    let known = || ALL.iter().map(|s| s.name()).collect::<Vec<_>>().join(", ");
    let found = ALL.iter().find(|s| s.name() == name).copied();
    found.ok_or_else(|| Error::Usage(format!("there is no source `{name}`; there are {}", known())))
}

/// Hears how far a run is (documents or records of how many, and what it is at; 0 where that is not known).
pub type Told = Arc<dyn Fn(u64, u64, &str) + Send + Sync>;

/// What following a source needs.
#[derive(Clone)]
pub struct Means<'a> {
    /// Folder of the data.
    pub dir: &'a Path,
    /// Database of the store.
    pub place: &'a Place,
    /// The one door out.
    pub outbound: &'a Outbound,
    /// Longest time for one document.
    pub patience: Duration,
    /// Somebody wants it now: parts that are left alone for a while are asked too.
    pub insists: bool,
    /// Hears how far it is.
    pub told: Told,
}

/// Tells the thread that works for it that nobody waits any more, when it is dropped.
#[derive(Default)]
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the job that follows a source is told.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Due {
    /// Name of the source.
    pub source: String,
    /// Ask it although it is not followed or left alone for a while: somebody wants it now.
    #[serde(default)]
    pub now: bool,
}

impl Payload for Due {
    const KIND: &'static str = "feed";
    // the fetcher tries again by itself, and what fails is told on the source
    const ATTEMPTS: i64 = 1;
}

/// Name of the schedule of a source.
pub fn schedule_of(source: &dyn Source) -> String {
    format!("feed-{}", source.name())
}

/// Sees to it that a source that is followed is asked at its times.
///
/// # Errors
/// The database does not answer.
pub async fn ensure(db: &DatabaseConnection, source: &dyn Source) -> tocsin_core::Result<()> {
    let due = Due { source: source.name().to_owned(), now: false };
    let title = format!("Follow {}", source.title());
    schedule::ensure(db, &schedule_of(source), &title, source.cron(), &due, &now()).await
}

/// Sets what is told of a source; see [`feeds::set`].
///
/// # Errors
/// As [`feeds::set`]; the source has no such setting.
pub async fn set(
    db: &DatabaseConnection,
    actor: &Actor,
    source: &dyn Source,
    new: &Set,
) -> tocsin_core::Result<Feed> {
    let known = || told::settings(source).map(|o| o.name);
    if let Some(other) = new.options.keys().find(|o| !known().any(|k| k == *o)) {
        let names = known().collect::<Vec<_>>().join(", ");
        let message = format!("`{other}` is no setting of {}; there are {names}", source.name());
        return Err(tocsin_core::Error::Rejected { field: other.clone(), message });
    }
    let rejected =
        |field: &str, message: String| tocsin_core::Error::Rejected { field: field.to_owned(), message };
    for (option, value) in new.options.iter().filter(|o| !o.1.trim().is_empty()) {
        if !source.lines(option) && value.trim().contains(char::is_control) {
            return Err(rejected(option, "one line".to_owned()));
        }
        source.check(option, value.trim()).map_err(|why| rejected(option, why))?;
    }
    if source.address().is_empty() && new.address.as_deref().is_some_and(|a| !a.trim().is_empty()) {
        return Err(rejected(
            "address",
            format!("{} has no one address; its settings hold them", source.name()),
        ));
    }
    let mut then = feeds::one(db, actor, source.name()).await?;
    then.options.extend(new.options.iter().map(|(name, value)| (name.clone(), value.trim().to_owned())));
    then.options.retain(|_, value| !value.is_empty());
    if let Some(missing) = source.missing(&then).filter(|_| new.enabled.unwrap_or(then.enabled)) {
        return Err(rejected(
            missing,
            "nothing is set yet, and without it there is nothing to follow".to_owned(),
        ));
    }
    let feed = feeds::set(db, actor, source.name(), new).await?;
    if feed.enabled {
        ensure(db, source).await?;
    }
    Ok(feed)
}

/// Seals the key that a source is asked with, or takes it away; see [`feeds::set_key`].
///
/// # Errors
/// As [`feeds::set_key`]; the source is asked without one.
pub async fn set_key(
    db: &DatabaseConnection,
    actor: &Actor,
    vault: &Vault,
    source: &dyn Source,
    key: Option<&str>,
) -> tocsin_core::Result<()> {
    if source.key().is_none() {
        let message = format!("{} is asked without a key", source.name());
        return Err(tocsin_core::Error::Rejected { field: "key".to_owned(), message });
    }
    feeds::set_key(db, actor, (vault, crate::server::random), source.name(), key).await
}

/// The program, of the installation, now: sources belong to no one workspace.
pub fn actor() -> Actor {
    Actor::system(INSTALLATION, &now())
}

/// The address that holds for a source.
pub fn address<'a>(source: &'a dyn Source, feed: &'a Feed) -> &'a str {
    if feed.address.is_empty() { source.address() } else { &feed.address }
}

/// The words of a refusal, with what can be done.
fn told(e: &Refused, source: &dyn Source) -> String {
    let name = source.name();
    let remedy = match e {
        Refused::Address(..) if source.address().is_empty() => {
            format!("Set another address: tocsin feeds set {name} --option NAME=VALUE.")
        }
        Refused::Address(..) => format!("Set another address: tocsin feeds set {name} --address URL."),
        Refused::Silent(..) | Refused::Cut(..) => {
            "It is tried again at its next time; if this stays, see whether this machine reaches the host, or bring \
             the data in with tocsin feeds mirror and sync --from."
                .to_owned()
        }
        Refused::Status(_, 401 | 403) if source.key().is_some() => format!(
            "The publisher wants a key, does not take this one, or was asked too often: tocsin feeds set {name} \
             --key-file FILE."
        ),
        Refused::Status(_, 401 | 403) => "The publisher wants to know who asks, or asks from here too often.".to_owned(),
        Refused::Status(_, 404 | 410) => {
            let key = if source.key().is_some() { " A key that is not valid is answered like that too." } else { "" };
            format!("It may have moved; set its new address: tocsin feeds set {name} --address URL.{key}")
        }
        Refused::Status(..) => "The fault is the publisher's; it is tried again at its next time.".to_owned(),
        Refused::Later(..) => "It is left alone for as long as it asked.".to_owned(),
        Refused::Long(..) => {
            format!("See whether tocsin feeds status {name} shows the right address.")
        }
        Refused::Write(_) => "Make room on the disk.".to_owned(),
    };
    format!("{e}. {remedy}")
}

/// A new file of ours at `path`, in place of one that was left behind.
fn fresh(path: &Path) -> std::io::Result<std::fs::File> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    create_private(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sources_differ_in_name_file_and_time() {
        let set =
            |f: fn(&dyn Source) -> &'static str| ALL.iter().map(|s| f(*s)).collect::<BTreeSet<_>>().len();
        assert_eq!(set(|s| s.name()), ALL.len());
        assert_eq!(set(|s| s.file()), ALL.len());
        let addresses: Vec<&str> = ALL.iter().map(|s| s.address()).filter(|a| !a.is_empty()).collect();
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), addresses.len());
        let minute = |s: &dyn Source| s.cron().split(' ').next().unwrap();
        assert_eq!(ALL.iter().map(|s| minute(*s)).collect::<BTreeSet<_>>().len(), ALL.len());
        for s in ALL {
            schedule::next(s.cron(), "2026-01-01T00:00:00.000Z").unwrap();
            assert!(s.address().starts_with("https://") || s.missing(&Feed::default()).is_some());
        }
        assert!(ALL.is_sorted_by_key(|s| s.name()));
    }
}
