//! A scratch PostgreSQL server for the tests: a cluster of its own in a temporary folder, on a free port.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A running server; it is stopped and its folder removed when this is dropped.
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    /// `postgres://…` of its database for administration.
    pub url: String,
}

/// The folder of the server's programs, the newest version first.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path().join("bin"))
        .filter(|p| p.join("initdb").exists() && p.join("pg_ctl").exists())
        .collect();
    found.sort();
    found.pop()
}

/// Whether this process runs as root, which PostgreSQL refuses for itself.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

/// The command, run as the system's `postgres` user where this process is root.
fn as_server(program: &Path) -> Command {
    if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// Starts a server, after installing one where it is missing and can be.
///
/// # Errors
/// There is none and none can be installed, or it does not start.
pub fn start() -> Result<Server, String> {
    if programs().is_none() {
        println!(
            "==> installing PostgreSQL, which the tests of the store start on a free port (apt-get install postgresql)"
        );
        if !is_root() {
            return Err("it is not installed, and only root may: apt-get install postgresql".to_owned());
        }
        // The package would start a server of its own; ours is a scratch one.
        let install = "mkdir -p /etc/postgresql-common && [ -e /etc/postgresql-common/createcluster.conf ] \
             || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf; \
             apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql";
        super::run(Command::new("sh").args(["-c", install]))?;
    }
    let programs = programs().ok_or("its programs were not found under /usr/lib/postgresql")?;
    let folder = std::env::temp_dir().join(format!("tocsin-postgres-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    // From here on the folder is removed whatever happens.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map_err(|e| e.to_string())?.port();
    let url = format!("postgres://tocsin@127.0.0.1:{port}/postgres");
    let server = Server { folder, programs, url };
    if is_root() {
        super::run(Command::new("chown").arg("postgres").arg(&server.folder))?;
    }
    let data = server.folder.join("data");
    println!("==> starting a scratch PostgreSQL on port {port} in {}", server.folder.display());
    super::run(
        as_server(&server.programs.join("initdb"))
            .arg("-D")
            .arg(&data)
            .args(["-A", "trust", "-U", "tocsin", "-E", "UTF8", "--no-sync"])
            .stdout(Stdio::null()),
    )?;
    let options =
        format!("-p {port} -k {} -c fsync=off -c listen_addresses=127.0.0.1", server.folder.display());
    super::run(
        as_server(&server.programs.join("pg_ctl"))
            .arg("-D")
            .arg(&data)
            .arg("-o")
            .arg(options)
            .arg("-l")
            .arg(server.folder.join("log"))
            .args(["-w", "start"])
            .stdout(Stdio::null()),
    )?;
    Ok(server)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is a scratch server: what cannot be stopped or removed is left for the system to clean.
        let _ = as_server(&self.programs.join("pg_ctl"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(["-m", "immediate", "stop"])
            .stdout(Stdio::null())
            .status();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
