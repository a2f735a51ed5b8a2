//! `tocsin-demo FOLDER DATA PASSWORD`: fills the data folder DATA with what FOLDER (`demo/maker`) says. Run by
//! `cargo xtask demo`.

#![allow(clippy::print_stdout, reason = "a helper of the build talks to the person who runs it")]

use std::path::Path;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, data, password] = args.as_slice() else {
        bail!("usage: tocsin-demo FOLDER DATA PASSWORD");
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let open = runtime.block_on(tocsin_demo::fill::fill(Path::new(folder), Path::new(data), password))?;
    println!("{open} open findings");
    Ok(())
}
