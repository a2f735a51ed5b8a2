//! `tocsin findings`: the findings of a database that a query asks for. Whoever may open the database may.

use std::io::Write;

use clap::{Args, ValueEnum};
use tocsin_core::detection::{self, Export, Finding};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::{db, people};
use tocsin_model::query::parse;

use super::{Global, Outcome, say};
use crate::error::Error;
use crate::output::findings::{Form, Writer};
use crate::output::text::{clip, plain};
use crate::server::now;

/// Arguments of `tocsin findings`.
#[derive(Debug, Args)]
pub struct FindingsArgs {
    /// What is wanted, as on the page: `severity>=high product:"Pump 3" -status:fixed sort:-epss`; all open ones
    /// where it is missing
    #[arg(default_value = "")]
    pub query: String,
    /// Form of the result; all but the table write every finding
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Form of the result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: as many rows as the query's `limit:`, 100 where it has none
    #[default]
    Table,
    /// One list
    Json,
    /// A line each
    Ndjson,
    /// For spreadsheets
    Csv,
    /// SARIF 2.1.0
    Sarif,
}

/// Runs the command.
///
/// # Errors
/// The query cannot be read, the database cannot be opened, or the result cannot be written.
pub fn run(global: &Global, args: &FindingsArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::io("starting", e))?;
    runtime.block_on(work(global, args, out))?;
    Ok(Outcome::Fine)
}

async fn work(global: &Global, args: &FindingsArgs, out: &mut dyn Write) -> Result<(), Error> {
    let query = parse(&args.query, &detection::schema())
        .map_err(|e| Error::Usage(format!("the query cannot be read: {e}")))?;
    let db = db::open(&global.place()?).await?;
    let none = || Error::Usage("the database has no workspace yet; start `tocsin serve` once".to_owned());
    let workspace = people::workspaces(&db).await?.first().copied().ok_or_else(none)?;
    let mut actor = Actor::system(workspace, &now());
    actor.name = "command line".to_owned();
    let written = |e| Error::io("stdout", e);
    let form = match args.format {
        Format::Table => {
            let most = query.limit.map_or(100, u64::from);
            let page = detection::list(&db, &actor, &query, None, most).await?;
            table(out, &page.rows).map_err(written)?;
            say(&format!("{} of {} findings", page.rows.len(), page.total));
            return Ok(());
        }
        Format::Json => Form::Json,
        Format::Ndjson => Form::Ndjson,
        Format::Csv => Form::Csv,
        Format::Sarif => Form::Sarif,
    };
    let (mut export, mut writer) = (Export::new(query, None), Writer::new(form));
    loop {
        let page = export.next(&db, &actor).await?;
        if page.is_empty() {
            return out.write_all(&writer.end().map_err(written)?).map_err(written);
        }
        out.write_all(&writer.page(&page).map_err(written)?).map_err(written)?;
    }
}

fn table(out: &mut dyn Write, findings: &[Finding]) -> std::io::Result<()> {
    if findings.is_empty() {
        return writeln!(out, "no findings");
    }
    writeln!(
        out,
        "{:<8}  {:<19}  {:<28}  {:<24}  STATUS",
        "SEVERITY", "VULNERABILITY", "COMPONENT", "RELEASE"
    )?;
    for f in findings {
        let id = plain(&f.vulnerability);
        let component = clip(&format!("{} {}", f.component_name, f.component_version), 28);
        let release = clip(&format!("{} {}", f.product, f.release_version), 24);
        let status = f.status.replace('_', " ");
        writeln!(out, "{:<8}  {id:<19}  {component:<28}  {release:<24}  {status}", f.severity)?;
    }
    Ok(())
}
