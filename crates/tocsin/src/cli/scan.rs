//! `tocsin scan`: read the target, match it, write the answer, hold the gate.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tocsin_core::intel::Opened;
use tocsin_engine::matching::{self, Finding, Options, Report};
use tocsin_formats::input::ReadOptions;
use tocsin_model::finding::Confidence;
use tocsin_model::vex::VexStatement;

use super::{Global, Outcome, say, say_all};
use crate::error::Error;
use crate::output::{self, Scan};
use crate::{store, target, vex};

/// Arguments of `tocsin scan`.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// An SBOM, a lock file, an archive, a container image, a folder, or `-` for standard input
    pub target: String,
    /// Form of the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write the result to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit with 1 when an open finding has this severity or worse
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,
    /// Leave out findings whose component is identified less surely
    #[arg(long, value_enum, value_name = "CONFIDENCE")]
    pub min_confidence: Option<Sureness>,
    /// VEX statements to apply (OpenVEX, CycloneDX); may be given again, the last word wins
    #[arg(long, value_name = "FILE")]
    pub vex: Vec<PathBuf>,
    /// Leave out the VEX statements that were imported into the store
    #[arg(long)]
    pub no_stored_vex: bool,
    /// Show the evidence, and candidates that were dismissed
    #[arg(long)]
    pub explain: bool,
    /// Refuse documents that break their specification
    #[arg(long)]
    pub strict: bool,
}

/// Forms of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// `tocsin.scan/1`.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// The input as CycloneDX, with its vulnerabilities.
    Cyclonedx,
    /// One row per finding.
    Csv,
}

/// Severities a gate can be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Severity {
    /// CVSS 0.1 to 3.9.
    Low,
    /// CVSS 4.0 to 6.9.
    Medium,
    /// CVSS 7.0 to 8.9.
    High,
    /// CVSS 9.0 to 10.0.
    Critical,
}

impl Severity {
    /// Rank as [`output::severity_rank`] counts.
    fn rank(self) -> u8 {
        match self {
            Severity::Low => 1,
            Severity::Medium => 2,
            Severity::High => 3,
            Severity::Critical => 4,
        }
    }
}

/// How surely a component must be identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sureness {
    /// By package URL.
    Exact,
    /// By a CPE the document gives, or better.
    Declared,
    /// By a guess, or better.
    Inferred,
}

impl From<Sureness> for Confidence {
    fn from(value: Sureness) -> Self {
        match value {
            Sureness::Exact => Confidence::Exact,
            Sureness::Declared => Confidence::Declared,
            Sureness::Inferred => Confidence::Inferred,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The target, a VEX file or the index cannot be read, or the result cannot be written.
pub fn run(global: &Global, args: &ScanArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    run_with(|again| store::open_index(global, again), args, out)
}

/// Runs the command with an index of the caller's; `open` is called once the target is read, and with `true` when
/// the index turned out to be damaged and is to be built again.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    open: impl Fn(bool) -> Result<Option<Opened>, Error>,
    args: &ScanArgs,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let options = ReadOptions { strict: args.strict, ..ReadOptions::default() };
    let mut input = target::read(&args.target, &options)?;
    if args.format != Format::Cyclonedx {
        input.raw = None;
    }
    let mut statements = Vec::new();
    for file in &args.vex {
        let (more, remarks) = vex::read(file, &options)?;
        statements.extend(more);
        input.diagnostics.extend(remarks.into_iter().map(|d| d.within(&file.display().to_string())));
    }
    let reports = match match_all(open(false)?, args, &mut input, &statements) {
        Err(Error::Index(damage)) => {
            say(&format!("notice: {damage}; it is built again now"));
            match_all(open(true)?, args, &mut input, &statements)?
        }
        done => done?,
    };
    let scan = gather(args, &input, &reports);
    say_all(scan.diagnostics);
    write(args, &scan, out)?;
    let Some(least) = args.fail_on else { return Ok(Outcome::Fine) };
    let confidence = args.min_confidence.map_or(Confidence::Declared, Confidence::from);
    let failed =
        scan.findings.iter().filter(|i| output::fails_gate(i.finding, least.rank(), confidence)).count();
    if failed == 0 {
        return Ok(Outcome::Fine);
    }
    say(&format!("gate failed: {failed} open findings at or above the severity of --fail-on"));
    Ok(Outcome::GateFailed)
}

fn match_all(
    opened: Option<Opened>,
    args: &ScanArgs,
    input: &mut target::Input,
    statements: &[VexStatement],
) -> Result<Vec<Vec<Finding>>, Error> {
    let Some(Opened { index, vex: mut stored, .. }) = opened else {
        say(
            "notice: no vulnerability intelligence was imported yet, so nothing can be found; import some: tocsin db import PATH",
        );
        return Ok(Vec::new());
    };
    let options = Options {
        min_confidence: args.min_confidence.map_or(Confidence::Inferred, Confidence::from),
        explain: args.explain,
    };
    if args.no_stored_vex {
        stored.clear();
    }
    // What the user gives comes after what is stored, and wins.
    stored.extend_from_slice(statements);
    let mut notices = 0;
    let mut remarks = Vec::new();
    let mut reports = Vec::with_capacity(input.documents.len());
    for bom in &input.documents {
        // The engine applies the document's own statements first; what the user gives comes later and wins.
        let Report { findings, diagnostics, informational } = matching::scan(&index, bom, &stored, &options)?;
        remarks.extend(diagnostics);
        notices += informational.len();
        reports.push(findings);
    }
    input.diagnostics.extend(remarks);
    if notices > 0 {
        say(&format!(
            "notice: {notices} notices that are no vulnerabilities (unmaintained, unsound) were left out"
        ));
    }
    Ok(reports)
}

fn gather<'a>(args: &'a ScanArgs, input: &'a target::Input, reports: &'a [Vec<Finding>]) -> Scan<'a> {
    let mut findings = Vec::new();
    let mut guessed = Vec::new();
    for (document, (bom, report)) in input.documents.iter().zip(reports).enumerate() {
        for item in output::once(bom, report, document) {
            if args.min_confidence.is_none() && item.finding.confidence == Confidence::Inferred {
                guessed.push(item);
            } else {
                findings.push(item);
            }
        }
    }
    output::sort(&mut findings);
    output::sort(&mut guessed);
    Scan {
        target: &args.target,
        documents: &input.documents,
        places: &input.places,
        raw: input.raw.as_deref(),
        diagnostics: &input.diagnostics,
        findings,
        inferred: args.min_confidence.is_none().then_some(guessed),
        explain: args.explain,
    }
}

fn write(args: &ScanArgs, scan: &Scan<'_>, out: &mut dyn Write) -> Result<(), Error> {
    let emit = |out: &mut dyn Write| -> io::Result<()> {
        match args.format {
            Format::Table => output::table::write(out, scan),
            Format::Json => output::json::write(out, scan),
            Format::Sarif => output::sarif::write(out, scan),
            Format::Cyclonedx => output::cyclonedx::write(out, scan),
            Format::Csv => output::csv::write(out, scan),
        }
    };
    match &args.output {
        None => emit(out).map_err(|e| Error::io("stdout", e)),
        Some(path) => {
            let shown = path.display().to_string();
            let mut file = File::create(path).map_err(|e| Error::io(shown.clone(), e))?;
            emit(&mut file).map_err(|e| Error::io(shown, e))
        }
    }
}
