//! `tocsin serve`: the web application.

use std::net::SocketAddr;

use clap::Args;
use tocsin_core::platform::access::{Actor, Role};
use tocsin_core::platform::people;

use super::{Global, Outcome, say};
use crate::error::Error;
use crate::server::{self, App, later, now, random};
use crate::worker::{self, Node};

/// Hours for which the first administrator's link holds.
const WELCOME_HOURS: i64 = 24;

/// The first person runs the installation and works in it until there are others.
const FIRST: [Role; 2] = [Role::Administrator, Role::Manager];

/// Arguments of `tocsin serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8470", env = "TOCSIN_LISTEN")]
    pub listen: SocketAddr,
    /// People reach Tocsin over HTTPS (behind a proxy): cookies are sent over TLS alone
    #[arg(long)]
    pub https: bool,
    /// Requests a minute that are served to each API key
    #[arg(long, value_name = "N", default_value_t = server::REQUESTS, env = "TOCSIN_API_RATE")]
    pub api_rate: u32,
    /// Name of the workspace that the first start makes
    #[arg(long, value_name = "NAME", default_value = "Main")]
    pub workspace: String,
    /// Uploads of more bytes than this are kept first and read by a job
    #[arg(long, value_name = "BYTES", default_value_t = server::LARGE_UPLOAD)]
    pub large_upload: usize,
    /// Jobs that run at once; 0 leaves them to other servers on the same database
    #[arg(long, value_name = "NUMBER", default_value_t = worker::WORKERS)]
    pub workers: usize,
}

/// Runs the command until it is told to stop.
///
/// # Errors
/// The data cannot be opened or the address not be listened on.
pub fn run(global: &Global, args: &ServeArgs) -> Result<Outcome, Error> {
    let dir = global.data_dir()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Error::io("starting the server", e))?;
    runtime.block_on(async {
        let app = App::open(dir.clone(), global.place()?, args.https).await?;
        app.set_large(args.large_upload);
        app.0.rate.set(args.api_rate);
        let workspace = people::first_workspace(app.db(), &args.workspace, &now()).await?;
        let invitation = if people::is_first_start(app.db()).await? {
            let actor = Actor::system(workspace, &now());
            let until = later(WELCOME_HOURS);
            Some(people::invite(app.db(), &actor, random, "", &FIRST, None, &until).await?)
        } else {
            None
        };
        let workers = worker::start(&app, dir.clone(), Node::of(&dir), args.workers).await?;
        let scheme = if args.https { "https" } else { "http" };
        let served = server::serve(app.clone(), args.listen, |address| {
            say(&format!("Tocsin listens on {scheme}://{address}"));
            if let Some(token) = invitation {
                say(&format!("first start: become administrator at {scheme}://{address}/welcome/{token}"));
            }
        })
        .await;
        app.stop();
        workers.ended().await;
        served
    })?;
    Ok(Outcome::Fine)
}
