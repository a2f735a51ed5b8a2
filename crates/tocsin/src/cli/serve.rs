//! `tocsin serve`: the web application.

use std::net::SocketAddr;

use clap::Args;
use tocsin_core::platform::access::{Actor, Role};
use tocsin_core::platform::people;

use super::{Global, Outcome, say};
use crate::error::Error;
use crate::server::{self, App, later, now, random};
use crate::worker;

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
    /// Name of the workspace that the first start makes
    #[arg(long, value_name = "NAME", default_value = "Main")]
    pub workspace: String,
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
        tokio::spawn(worker::watch(app.clone(), dir));
        let workspace = people::first_workspace(app.db(), &args.workspace, &now()).await?;
        let invitation = if people::is_first_start(app.db()).await? {
            let actor = Actor::system(workspace, &now());
            let until = later(WELCOME_HOURS);
            Some(people::invite(app.db(), &actor, random, "", &FIRST, None, &until).await?)
        } else {
            None
        };
        let scheme = if args.https { "https" } else { "http" };
        server::serve(app, args.listen, |address| {
            say(&format!("Tocsin listens on {scheme}://{address}"));
            if let Some(token) = invitation {
                say(&format!("first start: become administrator at {scheme}://{address}/welcome/{token}"));
            }
        })
        .await
    })?;
    Ok(Outcome::Fine)
}
