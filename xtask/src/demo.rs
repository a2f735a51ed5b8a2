//! The demos: the web application with an invented maker's workspace, and the main job on the command line.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use super::{Outcome, cargo, prepare, root, run, target};

/// The port on which `tocsin serve` listens unless told.
const PORT: u16 = 8470;

/// Fills a data folder with the maker's workspace and serves it until it is stopped.
pub fn serve() -> Outcome {
    prepare()?;
    super::assets();
    cargo(&["build", "--locked", "--workspace", "--bin", "tocsin", "--bin", "tocsin-demo"])?;
    let data = fresh("demo")?;
    let password = password()?;
    println!("==> filling {} with the demo's maker", data.display());
    let filler = target().join("debug/tocsin-demo");
    run(Command::new(filler).arg(root().join("demo/maker")).arg(&data).arg(&password))?;
    let listen = format!("127.0.0.1:{}", port()?);
    println!(
        "\n    http://{listen}\n\n    sign in as      mara    PSIRT manager (anil analyst, sofia and jonas and chiara security\n                    \
         contacts, tom developer, audit auditor, lena administrator)\n    password        {password}\n\n    Ctrl-C stops it.\n"
    );
    run(Command::new(target().join("debug/tocsin"))
        .arg("--data-dir")
        .arg(&data)
        .args(["serve", "--listen", &listen]))
}

/// Scans the demo product against the demo intelligence.
pub fn scan() -> Outcome {
    prepare()?;
    cargo(&["build", "--locked", "--workspace", "--bin", "tocsin"])?;
    let tocsin = target().join("debug/tocsin");
    let data = fresh("demo-scan")?;
    let tocsin = || {
        let mut command = Command::new(&tocsin);
        command.arg("--data-dir").arg(&data);
        command
    };
    run(tocsin().args(["db", "import"]).arg(root().join("demo/intelligence")))?;
    println!();
    run(tocsin().arg("scan").arg(root().join("demo/infusion-pump-3.2.cdx.json")))
}

/// An empty folder in the target folder.
fn fresh(name: &str) -> Result<PathBuf, String> {
    let folder = target().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

/// A password for this run alone.
fn password() -> Result<String, String> {
    let mut bytes = [0_u8; 8];
    let read = fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    read.map_err(|e| format!("/dev/urandom: {e}"))?;
    Ok(format!("demo-{:016x}", u64::from_le_bytes(bytes)))
}

/// The usual port, or a free one where it is taken.
fn port() -> Result<u16, String> {
    let bind = |port| TcpListener::bind(("127.0.0.1", port)).and_then(|l| l.local_addr());
    Ok(bind(PORT).or_else(|_| bind(0)).map_err(|e| e.to_string())?.port())
}
