//! The build helper: `cargo xtask test | pages | demo | bench`. Plain Rust over plain commands; nothing here is part of
//! the product.

#![allow(clippy::print_stdout, reason = "a build helper talks to the person who runs it")]

mod browser;
mod postgres;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
cargo xtask test              format, lints, licences and all tests
cargo xtask pages             the pages in a browser (part of test)
cargo xtask demo              the main job on the built-in demo data
cargo xtask bench NAME        match | index | import | sbom: figures as JSON lines
";

/// Names a PostgreSQL server to the tests.
const SERVER: &str = "TOCSIN_TEST_POSTGRES";

type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.first().map(String::as_str) {
        Some("test") => test(),
        Some("pages") => pages(),
        Some("demo") => demo(),
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
    cargo_with(args, None)
}

fn cargo_with(args: &[&str], variable: Option<(&str, &str)>) -> Outcome {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    println!("==> cargo {}", args.join(" "));
    run(Command::new(cargo).args(args).envs(variable).current_dir(root()))
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
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    if has("cargo", &["deny", "--version"]) {
        // the advisory check needs its database, which not every machine can fetch
        cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"])?;
    } else {
        println!(
            "==> SKIPPED: cargo-deny is not installed (cargo install cargo-deny); licences were not checked"
        );
    }
    // The store is tested on PostgreSQL too: on the server that is named, else on one of our own.
    let server = if std::env::var_os(SERVER).is_some() {
        None
    } else {
        postgres::start()
            .inspect_err(|e| println!("==> SKIPPED: the store was not tested on PostgreSQL: {e}"))
            .ok()
    };
    let url = server.as_ref().map(|s| (SERVER, s.url.as_str()));
    cargo_with(&["test", "--workspace", "--locked"], url)?;
    pages()
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

/// Scans the demo product against the demo intelligence, in a scratch folder.
fn demo() -> Outcome {
    prepare()?;
    cargo(&["build", "--release", "--locked", "-p", "tocsin"])?;
    let scratch = std::env::temp_dir().join(format!("tocsin-demo-{}", std::process::id()));
    let tocsin = target().join("release/tocsin");
    let data = scratch.join("data");
    let outcome = run(Command::new(&tocsin)
        .arg("--data-dir")
        .arg(&data)
        .args(["db", "import"])
        .arg(root().join("demo/intelligence")))
    .and_then(|()| {
        println!();
        run(Command::new(&tocsin)
            .arg("--data-dir")
            .arg(&data)
            .arg("scan")
            .arg(root().join("demo/infusion-pump-3.2.cdx.json")))
    });
    // the folder is ours alone; what cannot be removed is left for the system to clean
    let _ = std::fs::remove_dir_all(&scratch);
    outcome
}

/// The folder that cargo builds into.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn bench(args: &[String]) -> Outcome {
    let mut all = vec!["run", "--release", "--locked", "--quiet", "-p", "tocsin-bench", "--"];
    all.extend(args.iter().map(String::as_str));
    cargo(&all)
}
