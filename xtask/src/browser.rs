//! The pages in a real browser: Chromium driven by Node, against a scratch server with the demo intelligence.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the script needs, from npm into the target folder: name and version.
const MODULES: [&str; 2] = ["playwright-core@1.65.1", "axe-core@4.14.1"];

/// Names under which systems have Chromium.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What the tests need of the machine.
pub struct Browser {
    chromium: &'static str,
    modules: PathBuf,
}

fn chromium() -> Option<&'static str> {
    NAMES.into_iter().find(|name| super::has(name, &["--version"]))
}

/// Finds Chromium, Node and the modules, or installs them where that can be done.
///
/// # Errors
/// What is missing and cannot be installed.
pub fn prepare() -> Result<Browser, String> {
    let node = || super::has("node", &["--version"]) && super::has("npm", &["--version"]);
    if chromium().is_none() || !node() {
        if !super::postgres::is_root() {
            return Err(
                "Chromium or Node is not installed, and only root may: apt-get install chromium nodejs npm"
                    .to_owned(),
            );
        }
        println!(
            "==> installing Chromium and Node, which drive the pages (apt-get install chromium nodejs npm)"
        );
        let install = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
                       --no-install-recommends chromium nodejs npm";
        super::run(Command::new("sh").args(["-c", install]))?;
    }
    let chromium = chromium().ok_or("Chromium was not found after it was installed")?;
    let folder = super::target().join("browser");
    let modules = folder.join("node_modules");
    if !MODULES.iter().all(|m| installed(&modules, m)) {
        println!("==> installing {} into {}", MODULES.join(" and "), folder.display());
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let options = [
            "install",
            "--no-save",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--fetch-retries=0",
            "--prefix",
        ];
        super::run(Command::new("npm").args(options).arg(&folder).args(MODULES))?;
    }
    Ok(Browser { chromium, modules })
}

/// Whether the module is there in this version.
fn installed(modules: &Path, module: &str) -> bool {
    let Some((name, version)) = module.rsplit_once('@') else { return false };
    fs::read_to_string(modules.join(name).join("package.json"))
        .is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\"")))
}

/// A scratch server; stopped, and its folder removed, when it goes.
struct Server {
    child: Child,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // it is a scratch server: what cannot be stopped or removed is left for the system to clean
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs the script against a server of its own.
///
/// # Errors
/// A check failed, or something did not start.
pub fn test(browser: &Browser) -> super::Outcome {
    super::cargo(&["build", "--locked", "--workspace", "--bin", "tocsin"])?;
    let tocsin = super::target().join("debug/tocsin");
    let folder = std::env::temp_dir().join(format!("tocsin-browser-{}", std::process::id()));
    let data = folder.join("data");
    let import = Command::new(&tocsin)
        .arg("--data-dir")
        .arg(&data)
        .args(["db", "import"])
        .arg(super::root().join("demo/intelligence"))
        .stdout(Stdio::null())
        .status();
    if !import.is_ok_and(|s| s.success()) {
        return Err("the demo intelligence could not be imported".to_owned());
    }
    let child = Command::new(&tocsin)
        .arg("--data-dir")
        .arg(&data)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{} could not be started: {e}", tocsin.display()))?;
    let mut server = Server { child, folder };
    let told = server.child.stderr.take().ok_or("the server has no output")?;
    let mut lines = BufReader::new(told).lines().map_while(Result::ok);
    let link = lines
        .by_ref()
        .find_map(|line| line.split_whitespace().find(|w| w.contains("/welcome/")).map(str::to_owned))
        .ok_or("the server ended before it told the link of the first start")?;
    let base = link.split("/welcome/").next().unwrap_or_default().to_owned();
    println!("==> testing the pages in {} at {base}", browser.chromium);
    super::run(
        Command::new("node")
            .arg(super::root().join("crates/tocsin/tests/browser/pages.mjs"))
            .args([&base, &link])
            .arg(super::root().join("demo/infusion-pump-3.2.cdx.json"))
            .arg(&browser.modules)
            .arg(browser.chromium),
    )
}
