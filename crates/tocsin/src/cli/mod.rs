//! The grammar of the command line, and the way from it to a command and an exit code.

pub mod audit;
pub mod copy;
pub mod db;
pub mod feeds;
pub mod findings;
pub mod jobs;
mod local;
pub mod notify;
mod people;
pub mod remote;
pub mod report;
pub mod sbom;
pub mod scan;
pub mod serve;
mod sheet;
mod warning;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tocsin_core::intel::Store;
use tocsin_core::platform::db::Place;
use tocsin_model::diagnostic::Diagnostic;

use crate::error::{EXIT_FAULT, EXIT_GATE, EXIT_OK, Error};
use crate::output::text::plain;

/// Product security: reads SBOMs and vulnerability data and matches them exactly.
#[derive(Debug, Parser)]
#[command(name = "tocsin", version, propagate_version = true)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Folder of the data [default: $XDG_DATA_HOME/tocsin, else ~/.local/share/tocsin]
    #[arg(long, global = true, value_name = "DIR", env = "TOCSIN_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Database in place of the SQLite file in the data folder: postgres://USER:PASSWORD@HOST:PORT/NAME
    #[arg(long, global = true, value_name = "URL", env = "TOCSIN_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// Settings file (TOML; the keys `data_dir` and `database` are read)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Match an SBOM, a lock file or a folder against the imported intelligence
    Scan(scan::ScanArgs),
    /// Import and look at vulnerability intelligence
    Db(db::DbArgs),
    /// Follow the sources of intelligence, look at their state, mirror them
    Feeds(feeds::FeedsArgs),
    /// List findings by query, as table, JSON, CSV or SARIF
    Findings(findings::FindingsArgs),
    /// Look at jobs, run them again, cancel them
    Jobs(jobs::JobsArgs),
    /// Look at what people are told and how, test a channel
    Notify(notify::NotifyArgs),
    /// Early warnings: flaws that have no CVE yet
    Warning(warning::WarningArgs),
    /// Reports: the archive, drafting, and one as a file
    Report(report::ReportArgs),
    /// Serve the web application and its API
    Serve(serve::ServeArgs),
    /// Upload SBOMs of releases
    Sbom(sbom::SbomArgs),
    /// Invite people and list them
    People(people::PeopleArgs),
    /// Verify and list the audit trail
    Audit(audit::AuditArgs),
    /// Copy all data into one verified file, while the server runs
    Backup(copy::BackupArgs),
    /// Put a backup in place
    Restore(copy::RestoreArgs),
}

/// How a command that ran to its end came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Fine.
    Fine,
    /// A gate the user set did not hold.
    GateFailed,
}

impl Global {
    /// The folder of the data: `--data-dir`, then the settings file, then the XDG base directories.
    ///
    /// # Errors
    /// The settings file cannot be read, or there is no home folder to fall back on.
    pub fn data_dir(&self) -> Result<PathBuf, Error> {
        if let Some(dir) = &self.data_dir {
            return Ok(dir.clone());
        }
        if let Some(file) = &self.config
            && let Some(dir) = settings(file)?.data_dir
        {
            return Ok(dir);
        }
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        absolute("XDG_DATA_HOME")
            .or_else(|| absolute("HOME").map(|h| h.join(".local/share")))
            .map(|base| base.join("tocsin"))
            .ok_or_else(|| Error::Usage("no home folder is known; give --data-dir DIR".to_owned()))
    }

    /// Where the database is: `--database`, then the settings file, then a file in the data folder.
    ///
    /// # Errors
    /// As [`Global::data_dir`], or the URL is of no database that can be used.
    pub fn place(&self) -> Result<Place, Error> {
        let url = match (&self.database, &self.config) {
            (Some(url), _) => Some(url.clone()),
            (None, Some(file)) => settings(file)?.database,
            (None, None) => None,
        };
        match url {
            None => Ok(Place::File(self.data_dir()?.join("tocsin.db"))),
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Place::Postgres(url))
            }
            Some(_) => Err(Error::Usage(
                "the database is told as postgres://USER:PASSWORD@HOST:PORT/NAME".to_owned(),
            )),
        }
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As [`Global::place`], or it cannot be opened.
    pub fn store(&self) -> Result<Store, Error> {
        Ok(Store::open_at(&self.data_dir()?, self.place()?)?)
    }
}

/// What the settings file may hold.
#[derive(serde::Deserialize)]
struct Settings {
    data_dir: Option<PathBuf>,
    database: Option<String>,
}

fn settings(file: &std::path::Path) -> Result<Settings, Error> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|e| Error::io(shown.clone(), e))?;
    let mut settings: Settings = toml::from_str(&text)
        .map_err(|e| Error::Usage(format!("{shown}: the settings file is not valid: {}", e.message())))?;
    // A relative folder is meant from where the settings file stands, not from where the user stands.
    settings.data_dir = settings.data_dir.map(|d| file.parent().map_or_else(|| d.clone(), |p| p.join(&d)));
    Ok(settings)
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    run(std::env::args_os(), &mut std::io::stdout().lock())
}

/// Runs one command line; results go to `out`, everything else to stderr.
pub fn run(args: impl IntoIterator<Item = impl Into<OsString> + Clone>, out: &mut dyn Write) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results and go to stdout; clap knows which is which.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EXIT_FAULT } else { EXIT_OK });
        }
    };
    let outcome = match &cli.command {
        Command::Scan(args) => scan::run(&cli.global, args, out),
        Command::Db(args) => db::run(&cli.global, args, out),
        Command::Feeds(args) => feeds::run(&cli.global, args, out),
        Command::Findings(args) => findings::run(&cli.global, args, out),
        Command::Jobs(args) => jobs::run(&cli.global, args, out),
        Command::Notify(args) => notify::run(&cli.global, args, out),
        Command::Warning(args) => warning::run(&cli.global, args, out),
        Command::Report(args) => report::run(&cli.global, args, out),
        Command::Serve(args) => serve::run(&cli.global, args),
        Command::Sbom(args) => sbom::run(&cli.global, args, out),
        Command::People(args) => people::run(&cli.global, args, out),
        Command::Audit(args) => audit::run(&cli.global, args, out),
        Command::Backup(args) => copy::backup(&cli.global, args, out),
        Command::Restore(args) => copy::restore(&cli.global, args, out),
    };
    let outcome = outcome.and_then(|o| out.flush().map(|()| o).map_err(|e| Error::io("stdout", e)));
    match outcome {
        Ok(Outcome::Fine) => ExitCode::from(EXIT_OK),
        Ok(Outcome::GateFailed) => ExitCode::from(EXIT_GATE),
        Err(error) => {
            if !error.is_broken_pipe() {
                report(&error);
            }
            error.exit_code()
        }
    }
}

fn report(error: &Error) {
    match error {
        Error::Input(diagnostics) if !diagnostics.is_empty() => say_all(diagnostics),
        _ => say(&format!("error: {error}")),
    }
}

/// Writes a notice to stderr; a closed stderr is no reason to fail.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.lines().map(plain).collect::<Vec<_>>().join("\n"));
}

/// Writes diagnostics with their remedies to stderr: at most 20 of one code, the rest as a count.
pub fn say_all(diagnostics: &[Diagnostic]) {
    const MOST: usize = 20;
    let mut seen: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for d in diagnostics {
        let n = seen.entry(d.code).or_default();
        *n += 1;
        if *n == 1 && !d.remedy().is_empty() {
            say(&format!("{d}\n  {}", d.remedy()));
        } else if *n <= MOST {
            say(&d.to_string());
        }
    }
    for (code, n) in seen.into_iter().filter(|(_, n)| *n > MOST) {
        say(&format!("… and {} more of [{code}]", n - MOST));
    }
}

/// Whether colour and moving progress may be used on a stream: a terminal, and `NO_COLOR` is not set.
pub fn lively(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}
