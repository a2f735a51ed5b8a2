//! `tocsin warning`: early warnings, their making and merging. Whoever may open the database may; the running server
//! brings findings up to them.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::json;
use tocsin_core::detection;
use tocsin_core::warnings::{self, NewWarning, SEVERITY_WORDS, TLPS, Warning};
use tocsin_model::query::parse;

use super::db::DataFormat;
use super::local::{self, wait};
use super::{Global, Outcome, say, sheet};
use crate::error::Error;

/// Arguments of `tocsin warning`.
#[derive(Debug, Args)]
pub struct WarningArgs {
    /// Form of the result
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: DataFormat,
    /// Number of the workspace [default: the first]
    #[arg(long, value_name = "NUMBER", global = true)]
    pub workspace: Option<i64>,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `tocsin warning` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Early warnings, youngest first
    List {
        /// Only those that this query finds, as on the page: `state:open severity>=high`
        #[arg(default_value = "", hide_default_value = true)]
        query: String,
        /// Rows of a page
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
        /// The next page: what the page before ended with
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
    },
    /// Make an early warning: a provisional vulnerability of the workspace
    New(Box<NewArgs>),
    /// Merge an early warning into the CVE that it turned out to be
    Merge {
        /// Its name: TOCSIN-2026-0001
        name: String,
        /// Any id of the vulnerability, or a CVE id that no source has told of yet
        into: String,
    },
}

/// What is known.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// One line
    pub title: String,
    /// Name of the component or product; without a package URL or CPE, what is called so is found as a guess
    #[arg(long, default_value = "", hide_default_value = true)]
    pub product: String,
    /// Who makes it
    #[arg(long, default_value = "", hide_default_value = true)]
    pub vendor: String,
    /// Package URL
    #[arg(long, default_value = "", hide_default_value = true)]
    pub purl: String,
    /// CPE 2.3 name
    #[arg(long, default_value = "", hide_default_value = true)]
    pub cpe: String,
    /// Affected versions, `>= 1.0, < 1.4.2 | = 2.0`; every version where it is not given
    #[arg(long, default_value = "", hide_default_value = true)]
    pub affected: String,
    /// How bad it is judged to be
    #[arg(long, default_value = "unknown", value_parser = clap::builder::PossibleValuesParser::new(SEVERITY_WORDS))]
    pub severity: String,
    /// Marking of the Traffic Light Protocol 2.0
    #[arg(long, default_value = "AMBER", value_parser = clap::builder::PossibleValuesParser::new(TLPS))]
    pub tlp: String,
    /// What is known, in own words
    #[arg(long, default_value = "", hide_default_value = true)]
    pub summary: String,
    /// Address where it is told of; can be given several times
    #[arg(long = "link", value_name = "ADDRESS")]
    pub links: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// The database cannot be read, the query cannot, what is given is refused, or the result cannot be written.
pub fn run(global: &Global, args: &WarningArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let json = args.format == DataFormat::Json;
    match &args.verb {
        Verb::List { query, limit, from } => {
            let query = parse(query, &warnings::warning_schema())
                .map_err(|e| Error::Usage(format!("the query cannot be read: {e}")))?;
            let found = wait(async {
                let (db, actor) = local::open(global, args.workspace).await?;
                Ok(warnings::warning_list(&db, &actor, &query, from.as_deref(), *limit).await?)
            })?;
            if json {
                let value = json!({"warnings": found.rows, "next": found.next});
                sheet::json(out, "tocsin.warning.list/1", value)?;
            } else {
                let header = ["NAME", "SEVERITY", "STATE", "MERGED INTO", "SINCE", "TITLE"];
                sheet::table(out, &header, &[], found.rows.into_iter().map(row))?;
                if let Some(next) = found.next {
                    say(&format!("more: --from {next}"));
                }
            }
        }
        Verb::New(new) => {
            let shown = wait(async {
                let (db, actor) = local::open(global, args.workspace).await?;
                let name = warnings::create(&db, &actor, &what(new)).await?;
                Ok(warnings::shown(&db, &actor, &name).await?)
            })?;
            if json {
                sheet::json(out, "tocsin.warning.new/1", json!({"warning": shown}))?;
            } else {
                writeln!(out, "{}", shown.warning.name).map_err(|e| Error::io("stdout", e))?;
            }
        }
        Verb::Merge { name, into } => {
            let (shown, moved) = wait(async {
                let (db, actor) = local::open(global, args.workspace).await?;
                let moved = detection::merge_warning(&db, &actor, name, 0, into).await?;
                Ok((warnings::shown(&db, &actor, name).await?, moved))
            })?;
            if json {
                sheet::json(out, "tocsin.warning.merge/1", json!({"warning": shown, "moved": moved}))?;
            } else {
                let w = &shown.warning;
                let words = format!("{} is {}; findings moved: {}", w.name, w.main, moved.findings);
                writeln!(out, "{words}").map_err(|e| Error::io("stdout", e))?;
            }
        }
    }
    Ok(Outcome::Fine)
}

fn what(new: &NewArgs) -> NewWarning {
    NewWarning {
        title: new.title.clone(),
        summary: new.summary.clone(),
        product: new.product.clone(),
        vendor: new.vendor.clone(),
        purl: new.purl.clone(),
        cpe: new.cpe.clone(),
        told: String::new(),
        affected: new.affected.clone(),
        severity: new.severity.clone(),
        tlp: new.tlp.clone(),
        links: new.links.clone(),
    }
}

fn row(w: Warning) -> Vec<String> {
    let since = w.created.get(..10).unwrap_or(&w.created).to_owned();
    vec![w.name, w.what.severity, w.state, w.main, since, w.what.title]
}
