//! Clients of Dependency-Track from the package registries, unmodified, against our server. They are installed into
//! the target folder; where the registries cannot be reached the tests say so loudly and pass.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use crate::compat::{BOM, flawed};
use crate::serve::Server;

/// The client whose generated code follows version 4 of the server, the one we speak like.
const VERSION_4: &[&str] = &["owasp-dependency-track-client==4.13.7"];
/// Clients that go together: generated for version 5, an auditing command, a wrapper.
const VERSION_5: &[&str] =
    &["owasp-dependency-track-client==5.1.1", "dtrack-auditor==1.5.0", "dependency-track-client==4.0.3"];
/// The command of the generated client; it is written in the Python of 3.13 and later.
const COMMAND: &[&str] = &["owasp-dependency-track-cli==5.1.3"];
/// The client of Node.js.
const NODE: &str = "@dependency-track/bom@1.0.2";

/// One installation at a time.
static INSTALLING: Mutex<()> = Mutex::new(());

fn skipped(why: &str) {
    println!("\n==> SKIPPED: the clients of Dependency-Track were not tested: {why}\n");
    // the harness swallows what passing tests print; whoever reads the log of a build shall see it
    // appended, as it may be a file that others write to
    if let Ok(mut out) = fs::OpenOptions::new().append(true).open("/dev/stderr") {
        let _ = writeln!(out, "==> SKIPPED: clients of Dependency-Track: {why}");
    }
}

/// The folder in which clients are installed.
fn folder() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_tocsin"));
    let target = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists());
    target.unwrap_or(Path::new("target")).join("clients")
}

fn run(command: &mut Command) -> Result<Output, String> {
    let out = command.output().map_err(|e| format!("{command:?} could not be started: {e}"))?;
    if out.status.success() {
        return Ok(out);
    }
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let end: Vec<&str> = text.lines().rev().take(4).collect();
    Err(format!("{command:?}: {}", end.into_iter().rev().collect::<Vec<_>>().join(" | ")))
}

/// A Python environment with these packages; its folder of programs.
fn python(python: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let _one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let name: String = packages
        .join("_")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    let env = folder().join(name);
    let (bin, stamp) = (env.join("bin"), env.join("INSTALLED"));
    if stamp.exists() {
        return Ok(bin);
    }
    println!("==> installing {} into {}", packages.join(" "), env.display());
    let _ = fs::remove_dir_all(&env);
    fs::create_dir_all(folder()).map_err(|e| e.to_string())?;
    run(Command::new(python).args(["-m", "venv"]).arg(&env))?;
    let mut pip = Command::new(bin.join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1"])
        .args(packages);
    run(&mut pip)?;
    fs::write(&stamp, packages.join("\n")).map_err(|e| e.to_string())?;
    Ok(bin)
}

/// The module folder of a Node.js package.
fn node(package: &str) -> Result<PathBuf, String> {
    let _one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let (name, _) = package.rsplit_once('@').unwrap();
    let prefix = folder().join("npm");
    let module = prefix.join("node_modules").join(name);
    if !module.join("package.json").exists() {
        println!("==> installing {package} into {}", prefix.display());
        fs::create_dir_all(&prefix).map_err(|e| e.to_string())?;
        let options = [
            "install",
            "--no-save",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--fetch-retries=0",
            "--prefix",
        ];
        run(Command::new("npm").args(options).arg(&prefix).arg(package))?;
    }
    Ok(module)
}

/// A server with one flaw, a key, and an SBOM file.
fn with_server(check: impl FnOnce(&str, &str, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    flawed(&data);
    let server = Server::start(&data);
    let sbom = dir.path().join("sbom.json");
    fs::write(&sbom, BOM).unwrap();
    check(&format!("http://{}", server.address), &server.key("manager"), &sbom);
}

fn drive(command: &mut Command) -> String {
    let out = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}\n{text}");
    text
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

#[test]
fn the_generated_clients_of_both_versions_do_all_that_a_build_does() {
    for packages in [VERSION_4, VERSION_5] {
        match python("python3", packages) {
            Err(why) => skipped(&why),
            Ok(bin) => with_server(|server, key, sbom| {
                let mut python = Command::new(bin.join("python"));
                let told = drive(python.arg(script("generated.py")).args([server, key]).arg(sbom));
                assert!(told.contains("done: "), "{told}");
            }),
        }
    }
}

#[test]
fn the_auditor_uploads_and_counts_and_the_wrapper_reads() {
    let bin = match python("python3", VERSION_5) {
        Err(why) => return skipped(&why),
        Ok(bin) => bin,
    };
    with_server(|server, key, sbom| {
        let audit = |rules: &str| {
            let mut command = Command::new(bin.join("dtrackauditor"));
            command.args([
                "-u", server, "-k", key, "-p", "wrapped", "-v", "1.0", "-a", "-w", "-l", "ALL", "-r", rules,
            ]);
            command.arg("-f").arg(sbom).output().unwrap()
        };
        let passed = audit("critical:3:true");
        let text = String::from_utf8_lossy(&passed.stdout).into_owned();
        assert!(
            passed.status.success() && text.contains("CVE-2024-0001"),
            "{text}{}",
            String::from_utf8_lossy(&passed.stderr)
        );
        let failed = audit("critical:2:true");
        let text = String::from_utf8_lossy(&failed.stdout).into_owned();
        assert!(!failed.status.success() && text.contains("Threshold for CRITICAL"), "{text}");
        let told = drive(Command::new(bin.join("python")).arg(script("wrapper.py")).args([server, key]));
        assert!(told.contains("done: "), "{told}");
    });
}

#[test]
fn the_command_of_the_generated_client_tests_an_sbom() {
    let known = ["python3", "python3.13", "python3.14", "python3.15"];
    let new_enough = |python: &&str| {
        let wanted = "import sys; sys.exit(sys.version_info < (3, 13))";
        Command::new(python).args(["-c", wanted]).output().is_ok_and(|o| o.status.success())
    };
    let Some(found) = known.iter().find(|p| new_enough(p)) else {
        return skipped("owasp-dependency-track-cli needs Python 3.13 or later, which is not installed");
    };
    let bin = match python(found, COMMAND) {
        Err(why) => return skipped(&why),
        Ok(bin) => bin,
    };
    with_server(|server, key, sbom| {
        let cli = |args: &[&str], threshold: &str| {
            let mut command = Command::new(bin.join("owasp-dtrack-cli"));
            command.env("OWASP_DTRACK_URL", server).env("OWASP_DTRACK_API_KEY", key);
            command.env("SEVERITY_THRESHOLD_CRITICAL", threshold).args(args);
            let out = command.output().unwrap();
            (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
        };
        let sbom = sbom.to_str().unwrap();
        let test =
            ["test", "--project-name", "cli", "--project-version", "1.0", "--auto-create", "--latest", sbom];
        let (passed, text) = cli(&test, "3");
        assert!(passed && text.contains("CVE-2024-0001") && text.contains("NO POLICY VIOLATIONS"), "{text}");
        let (passed, text) = cli(&test, "2");
        assert!(!passed && text.contains("SEVERITY_THRESHOLD_CRITICAL hit"), "{text}");
        // the next version is a copy of the one before, which is then retired
        let next = [
            "upload",
            "--project-name",
            "cli",
            "--project-version",
            "2.0",
            "--auto-create",
            "--latest",
            sbom,
        ];
        let (passed, text) = cli(&next, "-1");
        assert!(passed, "{text}");
        let (passed, text) = cli(
            &[
                "project",
                "upsert",
                "--json",
                r#"{"name": "cli", "version": "2.0", "description": "d", "properties": [{"groupName": "g", "propertyName": "n", "propertyType": "STRING", "propertyValue": "v"}]}"#,
            ],
            "-1",
        );
        assert!(passed, "{text}");
        let (passed, text) = cli(&["metrics", "prometheus"], "-1");
        assert!(passed && text.contains("owasp_dtrack_cvss_score"), "{text}");
    });
}

#[test]
fn the_client_of_node_uploads_reads_and_deletes() {
    let module = match node(NODE) {
        Err(why) => return skipped(&why),
        Ok(module) => module,
    };
    with_server(|server, key, sbom| {
        let client = |args: &[&str]| {
            let mut command = Command::new("node");
            command.arg(module.join("bin/dependency-track")).args(args);
            command.args(["--dependencyTrackBaseUrl", server, "--apiKey", key]);
            drive(command.args(["--projectName", "node", "--projectVersion", "1.0", "--failOnError", "true"]))
        };
        let told = client(&["-u", sbom.to_str().unwrap()]);
        assert!(told.contains("Bom file uploaded"), "{told}");
        let told = client(&["-m"]);
        assert!(told.contains("\"critical\": 2") && told.contains("\"inheritedRiskScore\": 20"), "{told}");
        // its findings command prints a promise, so the findings are asked for through its library
        let library = format!(
            "const {{config}} = require('{0}/config'); Object.assign(config, {{apiKey: '{key}', baseUrl: '{server}', \
             projectName: 'node', projectVersion: '1.0'}}); require('{0}').findings().then(f => \
             console.log(f.map(x => x.vulnerability.vulnId).join()));",
            module.display()
        );
        let told = drive(Command::new("node").args(["-e", &library]));
        assert_eq!(told.trim(), "CVE-2024-0001,CVE-2024-0001");
        let told = client(&["-d"]);
        assert!(told.contains("has been deleted"), "{told}");
    });
}
