//! What pages use of others, from npm into the target folder, from where the build puts it into the program. Nothing
//! of it is committed.

use std::fs;
use std::process::Command;

/// npm package and version.
const SWAGGER: &str = "swagger-ui-dist@5.35.0";
/// The files of it that pages use, and its licence.
const FILES: [&str; 4] = ["swagger-ui.css", "swagger-ui-bundle.js", "LICENSE", "NOTICE"];

/// Fetches what is not there yet.
///
/// # Errors
/// npm is missing or cannot reach its registry.
pub fn fetch() -> super::Outcome {
    let (name, version) = SWAGGER.split_once('@').unwrap_or((SWAGGER, ""));
    let folder = super::target().join("assets").join(name);
    let stamp = folder.join("VERSION");
    if fs::read_to_string(&stamp).is_ok_and(|v| v == version) {
        return Ok(());
    }
    if !super::has("npm", &["--version"]) {
        return Err("npm is not installed (on Debian: apt-get install nodejs npm)".to_owned());
    }
    let scratch = super::target().join("npm");
    println!("==> installing {SWAGGER} into {}", scratch.display());
    let io = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(&scratch).map_err(io)?;
    let options = [
        "install",
        "--no-save",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--fetch-retries=1",
        "--prefix",
    ];
    super::run(Command::new("npm").args(options).arg(&scratch).arg(SWAGGER))?;
    fs::create_dir_all(&folder).map_err(io)?;
    for file in FILES {
        fs::copy(scratch.join("node_modules").join(name).join(file), folder.join(file)).map_err(io)?;
    }
    // the stamp comes last: a fetch that broke off is made again
    fs::write(&stamp, version).map_err(io)
}
