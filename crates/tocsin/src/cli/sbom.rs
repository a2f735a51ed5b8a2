//! `tocsin sbom`: SBOMs of releases, in the data of this machine or at a server.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::db::DataFormat;
use super::local::{self, wait};
use super::remote::{Remote, Server};
use super::{Global, Outcome, say, sheet};
use crate::error::Error;
use crate::intake::{self, Place};
use crate::output::text::{grouped, plain};
use crate::server::{App, UPLOAD_BYTES};

/// Arguments of `tocsin sbom`.
#[derive(Debug, Args)]
pub struct SbomArgs {
    /// Form of the result
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: DataFormat,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `tocsin sbom` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Upload an SBOM for a release; it takes the place of what the release holds and is matched at once
    #[command(disable_version_flag = true)] // --version is the release's
    Upload(Box<Upload>),
}

/// Arguments of `tocsin sbom upload`.
#[derive(Debug, Args)]
pub struct Upload {
    /// CycloneDX or SPDX document, lock file or package database
    pub file: PathBuf,
    /// Name of the product; made where it is missing
    #[arg(long, value_name = "NAME")]
    pub product: String,
    /// Version of the release; made where it is missing
    #[arg(long, value_name = "VERSION")]
    pub version: String,
    /// Product line in which a missing product is made
    #[arg(long, value_name = "NAME", default_value = "Products")]
    pub line: String,
    /// Number of the workspace [default: the first]; a server takes the one of the key
    #[arg(long, value_name = "NUMBER", conflicts_with = "server")]
    pub workspace: Option<i64>,
    /// The token with which an unusual upload was held back, to confirm it
    #[arg(long, value_name = "TOKEN")]
    pub confirm: Option<String>,
    /// The server.
    #[command(flatten)]
    pub remote: Remote,
}

/// How often a job of the server is asked after.
const EVERY: Duration = Duration::from_millis(700);

/// Runs the command.
///
/// # Errors
/// The file cannot be read, is no document that is known, or is refused.
pub fn run(global: &Global, args: &SbomArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let Verb::Upload(upload) = &args.verb;
    let shown = upload.file.display().to_string();
    let meta = std::fs::metadata(&upload.file).map_err(|e| Error::io(shown.clone(), e))?;
    if meta.len() > UPLOAD_BYTES as u64 {
        return Err(Error::Usage(format!(
            "{shown} is larger than {} MiB, the most that is taken",
            UPLOAD_BYTES >> 20
        )));
    }
    let name = upload.file.file_name().map_or_else(|| "sbom".into(), |n| n.to_string_lossy().into_owned());
    let done = match upload.remote.open()? {
        Some(server) => remote(&server, upload, &name)?,
        None => {
            let bytes = std::fs::read(&upload.file).map_err(|e| Error::io(shown, e))?;
            here(global, upload, name, bytes)?
        }
    };
    match args.format {
        DataFormat::Json => sheet::json(out, "tocsin.sbom.upload/1", done)?,
        DataFormat::Table => show(out, upload, &done)?,
    }
    Ok(Outcome::Fine)
}

fn here(global: &Global, upload: &Upload, name: String, bytes: Vec<u8>) -> Result<Value, Error> {
    let place = Place::Named {
        line: upload.line.clone(),
        product: upload.product.clone(),
        version: upload.version.clone(),
    };
    wait(async {
        let (db, actor) = local::open_or_begin(global, upload.workspace).await?;
        drop(db);
        let app = App::open(global.data_dir()?, global.place()?, false).await?;
        let confirm = upload.confirm.clone();
        let done =
            intake::take_confirmed(&app, &actor, place, name, bytes, confirm).await.map_err(|e| match e {
                tocsin_core::Error::Refused(why) => Error::Input(why),
                tocsin_core::Error::Unusual(question) => Error::Usage(unusual(&question)),
                other => other.into(),
            })?;
        serde_json::to_value(done).map_err(|e| Error::io("the result", e.into()))
    })
}

/// Why an upload was held back, and what to do about it.
fn unusual(question: &tocsin_core::inventory::Unusual) -> String {
    format!(
        "the upload is unusual and nothing was changed: {}. It is kept: look at the difference on the release's page \
         under SBOM history. If it is meant, run the same command with --confirm {}",
        question.reasons.join("; "),
        question.confirm
    )
}

fn remote(server: &Server, upload: &Upload, name: &str) -> Result<Value, Error> {
    let shown = upload.file.display().to_string();
    let file = std::fs::File::open(&upload.file).map_err(|e| Error::io(shown, e))?;
    let fields = [("line", &*upload.line), ("product", &*upload.product), ("version", &*upload.version)];
    let path = match &upload.confirm {
        Some(token) => format!("/api/v2/sboms?confirm={}", crate::ui::encode(token)),
        None => "/api/v2/sboms".to_owned(),
    };
    let reply = server.post_form(&path, &fields, ("bom", name), file)?;
    let accepted = reply.status == 202;
    let mut body = reply.success()?;
    let Some(job) = body["job"].as_i64().filter(|_| accepted) else { return Ok(body) };
    say(&format!("the server has it and reads it as job {job}"));
    loop {
        let state = server.get(&format!("/api/v2/jobs/{job}"))?.success()?;
        match state["state"].as_str().unwrap_or_default() {
            "waiting" | "running" => std::thread::sleep(EVERY),
            "done" => {
                body["result"] = state["result"].clone();
                // the result of the upload, where the job tells it in full
                return Ok(if state["result"]["difference"].is_object() {
                    state["result"].clone()
                } else {
                    body
                });
            }
            other => {
                let why = state["error"].as_str().unwrap_or_default();
                return Err(Error::Usage(format!("job {job} of the server is {other}: {why}")));
            }
        }
    }
}

fn show(out: &mut dyn Write, upload: &Upload, done: &Value) -> Result<(), Error> {
    let number = |v: &Value| v.as_u64().map_or_else(|| "0".to_owned(), grouped);
    let release = format!("{} {}", plain(&upload.product), plain(&upload.version));
    if !done["difference"].is_object() {
        // read by a job, which keeps numbers alone
        let mut rows = vec![("release", release)];
        for (name, value) in
            done["result"].as_object().into_iter().flatten().filter(|(n, _)| n.as_str() != "release")
        {
            rows.push((name.as_str(), value.to_string()));
        }
        return sheet::list(out, &rows);
    }
    let (d, f) = (&done["difference"], &done["findings"]);
    let changed: Vec<Vec<String>> = d["changed"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| (0..3_usize).map(|n| c[n].as_str().unwrap_or_default().to_owned()).collect())
        .collect();
    let closed: Vec<String> = f["closed"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(reason, n)| format!("{} {}", number(n), plain(reason)))
        .collect();
    let difference = match done["unchanged"].as_bool() {
        Some(true) => "none: the same bytes as before".to_owned(),
        _ => format!(
            "{} added, {} removed, {} changed",
            number(&d["added"]),
            number(&d["removed"]),
            changed.len()
        ),
    };
    let rows = [
        ("release", format!("{release} (id {})", done["release"])),
        (
            "components",
            format!("{}, {} of them distinct", number(&done["components"]), number(&done["distinct"])),
        ),
        ("difference", difference),
        (
            "findings",
            format!(
                "{} open: {} new, {} open again",
                number(&f["open"]),
                number(&f["new"]),
                number(&f["reopened"])
            ),
        ),
        ("closed", closed.join(", ")),
    ];
    sheet::list(out, &rows)?;
    if !changed.is_empty() {
        writeln!(out).map_err(|e| Error::io("stdout", e))?;
        sheet::table(out, &["COMPONENT", "BEFORE", "NOW"], &[], changed)?;
    }
    Ok(())
}
