//! `tocsin report`: the archive, a draft of a period, a report as a file. Whoever may open the database may.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use tocsin_core::report::{self, Report, Wanted};
use tocsin_model::query::parse;

use super::db::DataFormat;
use super::local::{self, wait};
use super::{Global, Outcome, say, sheet};
use crate::error::Error;
use crate::report::export::{self, Form};

/// Arguments of `tocsin report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
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

/// What a report can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum As {
    /// PDF, tagged
    Pdf,
    /// STIX 2.1 bundle
    Stix,
    /// Markdown
    Markdown,
    /// JSON, as the API has it
    Json,
}

/// What `tocsin report` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Reports, the youngest period first
    List {
        /// Only those that this query finds, as on the page: `state:sent text:openssl`
        #[arg(default_value = "", hide_default_value = true)]
        query: String,
        /// Rows of a page
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
        /// The next page: what the page before ended with
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
    },
    /// Draft a report from the desk
    Draft {
        /// First day of the period [default: Monday of this week]
        #[arg(long, default_value = "", hide_default_value = true, value_name = "DAY")]
        first: String,
        /// Last day of the period [default: six days after the first]
        #[arg(long, default_value = "", hide_default_value = true, value_name = "DAY")]
        last: String,
        /// Title [default: that of a weekly report]
        #[arg(long, default_value = "", hide_default_value = true)]
        title: String,
        /// Stories at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=50))]
        most: u64,
    },
    /// Write a report as a file
    Export {
        /// Id of the report, as `list` shows it
        id: i64,
        /// What it is written as
        #[arg(long = "as", value_enum, default_value = "pdf", value_name = "FORM")]
        form: As,
        /// Where to; `-` is stdout [default: a file named after the report, here]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Address of the installation, which tells its STIX objects from those of others
        #[arg(long, default_value = "http://localhost", value_name = "URL")]
        site: String,
    },
}

/// Runs the command.
///
/// # Errors
/// The database cannot be read, the query cannot, there is no such report, or the result cannot be written.
pub fn run(global: &Global, args: &ReportArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let json = args.format == DataFormat::Json;
    match &args.verb {
        Verb::List { query, limit, from } => {
            let query = parse(query, &report::report_schema())
                .map_err(|e| Error::Usage(format!("the query cannot be read: {e}")))?;
            let found = wait(async {
                let (db, actor) = local::open(global, args.workspace).await?;
                Ok(report::report_list(&db, &actor, &query, from.as_deref(), *limit).await?)
            })?;
            if json {
                let value = json!({"reports": found.rows, "next": found.next});
                sheet::json(out, "tocsin.report.list/1", value)?;
            } else {
                let header = ["ID", "NUMBER", "PERIOD", "TLP", "STATE", "SECTIONS", "TITLE"];
                sheet::table(out, &header, &[0, 5], found.rows.into_iter().map(row))?;
                if let Some(next) = found.next {
                    say(&format!("more: --from {next}"));
                }
            }
        }
        Verb::Draft { first, last, title, most } => {
            let wanted = Wanted {
                first: first.clone(),
                last: last.clone(),
                title: title.clone(),
                most: *most,
                empty: false,
            };
            let made = wait(async {
                let (db, actor) = local::open(global, args.workspace).await?;
                let id = report::draft(&db, &actor, &wanted).await?;
                Ok(report::report(&db, &actor, id).await?)
            })?;
            if json {
                sheet::json(out, "tocsin.report.draft/1", json!({"report": made.report}))?;
            } else {
                let r = &made.report;
                writeln!(out, "report {}: {} ({}), {} sections", r.id, r.title, r.label(), r.sections)
                    .map_err(|e| Error::io("stdout", e))?;
            }
        }
        Verb::Export { id, form, output, site } => {
            let whole = wait(async {
                let (db, actor) = local::open(global, args.workspace).await?;
                Ok(report::report(&db, &actor, *id).await?)
            })?;
            let form = match form {
                As::Pdf => Form::Pdf,
                As::Stix => Form::Stix,
                As::Markdown => Form::Markdown,
                As::Json => Form::Json,
            };
            let file = export::write(&whole, site, form)?;
            let to = output.clone().unwrap_or_else(|| PathBuf::from(&file.name));
            if to.as_os_str() == "-" {
                out.write_all(&file.bytes).map_err(|e| Error::io("stdout", e))?;
            } else {
                std::fs::write(&to, &file.bytes).map_err(|e| Error::io(to.display().to_string(), e))?;
                say(&format!("wrote {}", to.display()));
            }
        }
    }
    Ok(Outcome::Fine)
}

fn row(r: Report) -> Vec<String> {
    let label = r.label();
    vec![
        r.id.to_string(),
        label,
        format!("{} – {}", r.first, r.last),
        r.tlp,
        r.state,
        r.sections.to_string(),
        r.title,
    ]
}
