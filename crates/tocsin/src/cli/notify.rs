//! `tocsin notify`: the ways out of the system, a test of one, and what went out through them. Whoever may open the
//! database may.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::json;
use tocsin_core::notify::{self, Channel, Delivery};
use tocsin_core::platform::access::Actor;
use tocsin_model::query::parse;

use super::db::DataFormat;
use super::local::{self, wait};
use super::{Global, Outcome, say, sheet};
use crate::error::Error;

/// How often it is looked whether a test went out.
const LOOK: Duration = Duration::from_millis(200);

/// Arguments of `tocsin notify`.
#[derive(Debug, Args)]
pub struct NotifyArgs {
    /// Form of the result
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: DataFormat,
    /// Number of the workspace [default: the first]
    #[arg(long, value_name = "NUMBER", global = true)]
    pub workspace: Option<i64>,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `tocsin notify` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Deliveries, newest first: to whom, which way, when, and why not
    List {
        /// Only those that this query finds, as on the page: `state:dead channel:mail`
        #[arg(default_value = "", hide_default_value = true)]
        query: String,
        /// Rows of a page
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
        /// The next page: what the page before ended with
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
    },
    /// Ways out of the system, and whether they work
    Channels,
    /// Send a test message through a channel; the running server sends it
    Test {
        /// Name of the channel
        channel: String,
        /// Mail address that the test goes to, where the channel is mail
        #[arg(long, default_value = "", value_name = "ADDRESS", hide_default_value = true)]
        to: String,
        /// Seconds to wait for what comes of it
        #[arg(long, default_value_t = 30, value_name = "SECONDS")]
        wait: u64,
    },
}

/// Runs the command.
///
/// # Errors
/// The database cannot be read, the query cannot, there is no such channel, the test did not go out, or the result
/// cannot be written.
pub fn run(global: &Global, args: &NotifyArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let json = args.format == DataFormat::Json;
    match &args.verb {
        Verb::List { query, limit, from } => {
            let query = parse(query, &notify::delivery_schema())
                .map_err(|e| Error::Usage(format!("the query cannot be read: {e}")))?;
            let found = wait(async {
                let (db, actor) = local::open(global, args.workspace).await?;
                Ok(notify::deliveries(&db, &actor, &query, from.as_deref(), *limit).await?)
            })?;
            if json {
                let value = json!({"deliveries": found.rows, "next": found.next});
                sheet::json(out, "tocsin.notify.list/1", value)?;
            } else {
                let header = ["NUMBER", "MESSAGE", "TO", "THROUGH", "STATE", "SENT", "ERROR"];
                sheet::table(out, &header, &[0], found.rows.into_iter().map(row))?;
                if let Some(next) = found.next {
                    say(&format!("more: --from {next}"));
                }
            }
        }
        Verb::Channels => {
            let list = wait(async {
                let (db, actor) = local::open(global, args.workspace).await?;
                Ok(notify::channels(&db, &actor).await?)
            })?;
            if json {
                sheet::json(out, "tocsin.notify.channels/1", json!({"channels": list}))?;
            } else {
                sheet::table(
                    out,
                    &["NAME", "KIND", "", "WORKED", "ERROR"],
                    &[],
                    list.into_iter().map(state),
                )?;
            }
        }
        Verb::Test { channel, to, wait: seconds } => {
            let found = wait(test(global, args.workspace, channel, to, Duration::from_secs(*seconds)))?;
            if json {
                sheet::json(out, "tocsin.notify.test/1", json!({"delivery": found}))?;
            } else {
                let words = match found.state.as_str() {
                    "sent" => "sent".to_owned(),
                    state => format!("{state}: is `tocsin serve` running? It sends what waits"),
                };
                writeln!(out, "message {} through {channel}: {words}", found.message)
                    .map_err(|e| Error::io("stdout", e))?;
            }
        }
    }
    Ok(Outcome::Fine)
}

async fn test(
    global: &Global,
    workspace: Option<i64>,
    name: &str,
    to: &str,
    patience: Duration,
) -> Result<Delivery, Error> {
    let (db, actor): (_, Actor) = local::open(global, workspace).await?;
    let all = notify::channels(&db, &actor).await?;
    let names = || all.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
    let channel = all.iter().find(|c| c.name == name).ok_or_else(|| match all.len() {
        0 => Error::Usage("there is no channel yet; make one under Settings, Channels".to_owned()),
        _ => Error::Usage(format!("there is no channel `{name}`; there are {}", names())),
    })?;
    let (message, _) = notify::test(&db, &actor, channel.id, to).await?;
    let query = parse(&format!("message={message}"), &notify::delivery_schema())
        .map_err(|e| Error::Usage(e.to_string()))?;
    let since = Instant::now();
    loop {
        let found = notify::deliveries(&db, &actor, &query, None, 1).await?.rows.into_iter().next();
        let found = found.ok_or_else(|| Error::Usage("the test was removed meanwhile".to_owned()))?;
        match found.state.as_str() {
            "waiting" if since.elapsed() < patience => tokio::time::sleep(LOOK).await,
            "dead" => return Err(Error::Usage(format!("the test did not go out: {}", found.error))),
            _ => return Ok(found),
        }
    }
}

fn row(d: Delivery) -> Vec<String> {
    let sent = d.sent.map_or_else(|| "-".to_owned(), |at| at.get(..19).unwrap_or(&at).to_owned() + "Z");
    vec![d.id.to_string(), d.title, d.to, d.channel, d.state, sent, d.error]
}

fn state(c: Channel) -> Vec<String> {
    let worked =
        c.worked.map_or_else(|| "never".to_owned(), |at| at.get(..19).unwrap_or(&at).to_owned() + "Z");
    let off = if c.enabled { "" } else { "off" };
    vec![c.name, c.kind, off.to_owned(), worked, c.error.unwrap_or_default()]
}
