//! `tocsin serve`: the web application.

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use tocsin_core::platform::access::{Actor, Role};
use tocsin_core::platform::people::{self, Environment};

use super::{Global, Outcome, say};
use crate::error::Error;
use crate::server::site::Site;
use crate::server::{self, App, Means, later, now, random};
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
    /// Address at which people reach Tocsin, for links, passkeys and single sign-on [default: that of --listen]
    #[arg(long, value_name = "URL", env = "TOCSIN_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Address of a proxy whose X-Forwarded-For is believed; may be given more than once
    #[arg(long, value_name = "IP", env = "TOCSIN_PROXY", value_delimiter = ',')]
    pub proxy: Vec<IpAddr>,
    /// Host (NAME or NAME:PORT) that may be called although it is private or speaks plain HTTP; more than once
    #[arg(long, value_name = "HOST", env = "TOCSIN_ALLOW_HOST", value_delimiter = ',')]
    pub allow_host: Vec<String>,
    /// Issuer of single sign-on (OpenID Connect) for the first workspace
    #[arg(long, value_name = "URL", env = "TOCSIN_OIDC_ISSUER", requires = "oidc_client")]
    pub oidc_issuer: Option<String>,
    /// Client id at that issuer; its secret is read from the environment variable TOCSIN_OIDC_SECRET
    #[arg(long, value_name = "ID", env = "TOCSIN_OIDC_CLIENT", requires = "oidc_issuer")]
    pub oidc_client: Option<String>,
    /// Name of the workspace that the first start makes
    #[arg(long, value_name = "NAME", default_value = super::local::FIRST_WORKSPACE)]
    pub workspace: String,
    /// Uploads of more bytes than this are kept first and read by a job
    #[arg(long, value_name = "BYTES", default_value_t = server::LARGE_UPLOAD)]
    pub large_upload: usize,
    /// Jobs that run at once; 0 leaves them to other servers on the same database
    #[arg(long, value_name = "NUMBER", default_value_t = worker::WORKERS)]
    pub workers: usize,
}

/// What the arguments and the environment give the server.
fn means(args: &ServeArgs) -> Result<Means, Error> {
    let site = match &args.public_url {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            Some(Site::new(url, args.proxy.clone()))
        }
        Some(url) => {
            return Err(Error::Usage(format!("--public-url {url}: it begins with https:// or http://")));
        }
        None if args.proxy.is_empty() => None,
        None => Some(Site { proxies: args.proxy.clone(), ..Site::of(args.listen, args.https) }),
    };
    let oidc = match (&args.oidc_issuer, &args.oidc_client) {
        (Some(issuer), Some(client)) => Some(Environment {
            issuer: issuer.clone(),
            client: client.clone(),
            secret: std::env::var("TOCSIN_OIDC_SECRET").unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(Means { secure: args.https, site, oidc, allowed: args.allow_host.clone() })
}

/// Runs the command until it is told to stop.
///
/// # Errors
/// The data cannot be opened or the address not be listened on.
pub fn run(global: &Global, args: &ServeArgs) -> Result<Outcome, Error> {
    let dir = global.data_dir()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Error::io("starting the server", e))?;
    runtime.block_on(async {
        let app = App::open_with(dir.clone(), global.place()?, means(args)?).await?;
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
