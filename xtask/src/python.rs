//! Programs that come as Python packages, installed into an environment of their own in the target folder.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The environment; made where it is missing.
///
/// # Errors
/// Python or its `venv` module is missing and cannot be installed.
fn environment() -> Result<PathBuf, String> {
    let folder = super::target().join("python");
    if folder.join("bin/pip").exists() {
        return Ok(folder);
    }
    let make = || {
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    if make() {
        return Ok(folder);
    }
    if !super::postgres::is_root() {
        return Err("Python's venv is missing, and only root may: apt-get install python3-venv".to_owned());
    }
    println!("==> installing Python's venv (apt-get install python3-venv)");
    let install = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv";
    super::run(Command::new("sh").args(["-c", install]))?;
    if make() { Ok(folder) } else { Err("python3 -m venv does not work here".to_owned()) }
}

/// The folder of the programs of `packages` (`name==version`), installed where they are missing.
///
/// # Errors
/// As [`environment`], or the packages cannot be had.
pub fn programs(packages: &[&str]) -> Result<PathBuf, String> {
    let folder = environment()?;
    let pip = folder.join("bin/pip");
    let frozen = Command::new(&pip).args(["list", "--format", "freeze"]).output();
    let there = frozen.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    if !packages.iter().all(|p| there.lines().any(|line| line == *p)) {
        println!("==> installing {} into {}", packages.join(" and "), folder.display());
        super::run(
            Command::new(&pip)
                .args(["install", "--quiet", "--disable-pip-version-check", "--retries=1"])
                .args(packages),
        )?;
    }
    Ok(folder.join("bin"))
}
