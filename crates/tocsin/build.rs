//! Puts the page assets that `cargo xtask assets` fetched into the program. Without them it is built all the same, and
//! the pages that would use them show plain ones.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// File in the npm package and its media type.
const SWAGGER: [(&str, &str); 2] = [
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
];

fn main() -> std::io::Result<()> {
    let Some(out) = std::env::var_os("OUT_DIR").map(PathBuf::from) else { return Ok(()) };
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out, with a triple between where one is named
    let target = out.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists());
    let assets = target.unwrap_or(&out).join("assets");
    // cargo looks at the folder itself, so it has to be there to be looked at
    std::fs::create_dir_all(&assets)?;
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", assets.display());
    let swagger = assets.join("swagger-ui-dist");
    let mut text = "pub const SWAGGER: &[(&str, &str, &[u8])] = &[\n".to_owned();
    if SWAGGER.iter().all(|(name, _)| swagger.join(name).is_file()) {
        for (name, kind) in SWAGGER {
            let _ = writeln!(text, "    ({name:?}, {kind:?}, include_bytes!({:?})),", path(&swagger, name));
        }
    }
    text.push_str("];\n");
    std::fs::write(out.join("assets.rs"), text)
}

fn path(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}
