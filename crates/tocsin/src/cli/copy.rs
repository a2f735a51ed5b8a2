//! `tocsin backup`, `tocsin restore` and the exchange of `tocsin db export` and `tocsin db import`.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use tocsin_core::platform::backup::{self, Maker, Manifest, Restored};
use tocsin_core::platform::dump;

use super::db::DataFormat;
use super::local::wait;
use super::{Global, Outcome, say, sheet};
use crate::error::Error;
use crate::output::text::{grouped, plain, size};
use crate::server::now;

/// Arguments of `tocsin backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// File to make, or a folder to make one in
    pub target: PathBuf,
    /// Leave the key file out; without it, secrets that are sealed in the backup cannot be opened
    #[arg(long)]
    pub without_key: bool,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    pub format: DataFormat,
}

/// Arguments of `tocsin restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    pub file: PathBuf,
    /// Put it in the place of data that is there; an old SQLite file is kept under another name
    #[arg(long)]
    pub force: bool,
    /// Only verify the backup and tell what it holds
    #[arg(long, conflicts_with = "force")]
    pub check: bool,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    pub format: DataFormat,
}

fn maker() -> Maker {
    let program = env!("CARGO_PKG_VERSION").to_owned();
    Maker { program, now: now(), seconds: jiff::Timestamp::now().as_second() }
}

/// Shows how far things are on a terminal; elsewhere nothing moves.
struct Bar(Option<indicatif::ProgressBar>);

impl Bar {
    fn new() -> Bar {
        Bar(std::io::stderr().is_terminal().then(indicatif::ProgressBar::new_spinner))
    }

    fn tell(&self, what: &str, rows: u64) {
        if let Some(bar) = &self.0 {
            let rows = if rows == 0 { String::new() } else { format!(", {} rows", grouped(rows)) };
            bar.set_message(format!("{}{rows}", plain(what)));
            bar.tick();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Runs `tocsin backup`.
///
/// # Errors
/// There is no data, the target cannot be written or is there already, or the copy cannot be verified.
pub fn backup(global: &Global, args: &BackupArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let (dir, place) = (global.data_dir()?, global.place()?);
    let bar = Bar::new();
    let mut tell = |what: &str, rows: u64| bar.tell(what, rows);
    let maker = maker();
    let made = backup::make(&dir, &place, &args.target, !args.without_key, &maker, &mut tell);
    let (file, manifest) = wait(async { Ok(made.await?) })?;
    drop(bar);
    warn_of(&manifest);
    if args.format == DataFormat::Json {
        let mut value = serde_json::json!({"file": file.display().to_string()});
        if let (Some(value), Ok(serde_json::Value::Object(fields))) =
            (value.as_object_mut(), serde_json::to_value(&manifest))
        {
            value.extend(fields);
        }
        sheet::json(out, "tocsin.backup/1", value)?;
    } else {
        let bytes = std::fs::metadata(&file).map_or(0, |m| m.len());
        let what = format!("{} ({}), verified", file.display(), size(bytes));
        show(out, &manifest, ("backup", what))?;
    }
    Ok(Outcome::Fine)
}

fn warn_of(manifest: &Manifest) {
    if let Some(at) = manifest.audit.as_ref().and_then(|a| a.broken_at) {
        say(&format!("warning: the audit trail is broken at event {at}; see `tocsin audit verify`"));
    }
}

fn show(out: &mut dyn Write, m: &Manifest, first: (&str, String)) -> Result<(), Error> {
    let key = match m.key {
        true => "with the key file: keep the backup as secret as the key",
        false => "without a key file",
    };
    let events =
        m.audit.as_ref().map_or(String::new(), |a| format!("{} events", grouped(a.events.unsigned_abs())));
    let rows = [
        first,
        ("made", format!("{} by Tocsin {}", m.made, m.program)),
        ("schema", m.schema.last().cloned().unwrap_or_default()),
        ("rows", format!("{} in {} tables", grouped(m.rows()), m.tables.len())),
        ("audit", events),
        ("key", key.to_owned()),
    ];
    sheet::list(out, &rows)
}

/// Runs `tocsin restore`.
///
/// # Errors
/// The backup is damaged, there is data in its place, or the data is in use.
pub fn restore(global: &Global, args: &RestoreArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let bar = Bar::new();
    let mut tell = |what: &str, rows: u64| bar.tell(what, rows);
    if matches!(dump::recognise(&args.file), Ok(true)) {
        return Err(Error::Usage(format!(
            "{0} is an export, not a backup; give it to `tocsin db import {0}`",
            args.file.display()
        )));
    }
    if args.check {
        let manifest = wait(async { Ok(backup::verify(&args.file, &mut tell).await?) })?;
        drop(bar);
        warn_of(&manifest);
        match args.format {
            DataFormat::Json => sheet::json(out, "tocsin.backup/1", &manifest)?,
            DataFormat::Table => show(out, &manifest, ("backup", "every checksum is right".to_owned()))?,
        }
        return Ok(Outcome::Fine);
    }
    let (dir, place) = (global.data_dir()?, global.place()?);
    let maker = maker();
    let done = backup::restore(&dir, &place, &args.file, args.force, &maker, &mut tell);
    let done = wait(async { Ok(done.await?) })?;
    drop(bar);
    restored(out, "tocsin.restore/1", args.format, &done)
}

fn restored(
    out: &mut dyn Write,
    schema: &str,
    format: DataFormat,
    done: &Restored,
) -> Result<Outcome, Error> {
    if let Some(at) = done.audit.as_ref().and_then(|a| a.broken_at) {
        say(&format!("warning: the audit trail is broken at event {at}; see `tocsin audit verify`"));
    }
    if done.replaced > 0 {
        say(&format!(
            "warning: {} texts held U+0000, which PostgreSQL cannot; U+FFFD stands there",
            done.replaced
        ));
    }
    if format == DataFormat::Json {
        sheet::json(out, schema, done)?;
        return Ok(Outcome::Fine);
    }
    let schema = match done.schema == done.migrated {
        true => done.schema.clone(),
        false => format!("{}, brought up to {}", done.schema, done.migrated),
    };
    let rows = [
        ("restored", format!("{} rows", grouped(done.rows))),
        ("made", format!("{} by Tocsin {}", done.made, done.program)),
        ("schema", schema),
        ("key", if done.key { "the key file is in place".to_owned() } else { String::new() }),
        ("old data", done.kept.as_ref().map_or(String::new(), |p| format!("kept as {}", p.display()))),
    ];
    sheet::list(out, &rows)?;
    Ok(Outcome::Fine)
}

/// Runs `tocsin db export`.
///
/// # Errors
/// There is no data, or the file is there already or cannot be written.
pub fn export(
    global: &Global,
    file: &Path,
    format: DataFormat,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let place = global.place()?;
    let bar = Bar::new();
    let mut tell = |what: &str, rows: u64| bar.tell(what, rows);
    let maker = maker();
    let done = backup::export(&place, file, &maker, &mut tell);
    let summary = wait(async { Ok(done.await?) })?;
    drop(bar);
    if format == DataFormat::Json {
        sheet::json(out, "tocsin.db.export/1", &summary)?;
        return Ok(Outcome::Fine);
    }
    let bytes = std::fs::metadata(file).map_or(0, |m| m.len());
    let rows = [
        ("export", format!("{} ({}), verified", file.display(), size(bytes))),
        ("schema", summary.schema.last().cloned().unwrap_or_default()),
        ("rows", format!("{} in {} tables", grouped(summary.rows), summary.tables.len())),
    ];
    sheet::list(out, &rows)?;
    Ok(Outcome::Fine)
}

/// Loads an export where one of the paths of `tocsin db import` is one; `None` where none is.
///
/// # Errors
/// Others are given with it, it is damaged, or there is data already.
pub fn import(
    global: &Global,
    paths: &[PathBuf],
    format: DataFormat,
    out: &mut dyn Write,
) -> Result<Option<Outcome>, Error> {
    for path in paths {
        let read = |e| Error::io(path.display().to_string(), e);
        if backup::recognise(path).map_err(read)? {
            let file = path.display();
            return Err(Error::Usage(format!("{file} is a backup; give it to `tocsin restore {file}`")));
        }
        if !dump::recognise(path).map_err(read)? {
            continue;
        }
        if paths.len() > 1 {
            return Err(Error::Usage(format!("{} is an export of all data; give it alone", path.display())));
        }
        let (dir, place) = (global.data_dir()?, global.place()?);
        let bar = Bar::new();
        let mut tell = |what: &str, rows: u64| bar.tell(what, rows);
        let maker = maker();
        let done = backup::import(&dir, &place, path, &maker, &mut tell);
        let done = wait(async { Ok(done.await?) })?;
        drop(bar);
        return restored(out, "tocsin.db.import-all/1", format, &done).map(Some);
    }
    Ok(None)
}
