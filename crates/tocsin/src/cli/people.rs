//! `tocsin people`: a way in for who has the data but no account, as when the first link is lost.

use std::io::Write;

use clap::{Args, Subcommand};
use tocsin_core::platform::access::{ROLES, Role};
use tocsin_core::platform::people;

use super::db::DataFormat;
use super::local::{self, wait};
use super::{Global, Outcome, say, sheet};
use crate::error::Error;
use crate::server::{later, random};

/// Arguments of `tocsin people`.
#[derive(Debug, Args)]
pub struct PeopleArgs {
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

fn role(name: &str) -> Result<Role, String> {
    let all = || ROLES.map(Role::name).join(", ");
    Role::parse(name).ok_or_else(|| format!("the roles are {}", all()))
}

/// What `tocsin people` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a one-time link; whoever opens it becomes a member
    Invite {
        /// Role of the new member; may be given several times
        #[arg(long, required = true, value_name = "ROLE", value_parser = role)]
        role: Vec<Role>,
        /// Their mail address
        #[arg(long, default_value = "", value_name = "ADDRESS", hide_default_value = true)]
        email: String,
        /// Name of the product line to which the roles are limited
        #[arg(long, value_name = "NAME")]
        line: Option<String>,
        /// Hours for which the link holds
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=720))]
        hours: i64,
        /// Where people reach the server
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8470")]
        url: String,
    },
    /// Members and their roles
    List,
}

/// Runs the command.
///
/// # Errors
/// The database cannot be read, there is no such product line, or the result cannot be written.
pub fn run(global: &Global, args: &PeopleArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    match &args.verb {
        Verb::Invite { role, email, line, hours, url } => {
            let until = later(*hours);
            let token = wait(async {
                let (db, actor) = local::open(global, args.workspace).await?;
                let line = match line {
                    None => None,
                    Some(name) => {
                        let found = tocsin_core::inventory::line_named(&db, &actor, name).await;
                        Some(
                            found
                                .map_err(|e| match e {
                                    tocsin_core::Error::NotFound(_) => {
                                        Error::Usage(format!("there is no product line named {name}"))
                                    }
                                    other => other.into(),
                                })?
                                .id,
                        )
                    }
                };
                Ok(people::invite(&db, &actor, random, email, role, line, &until).await?)
            })?;
            let link = format!("{}/welcome/{token}", url.trim_end_matches('/'));
            match args.format {
                DataFormat::Json => {
                    let value = serde_json::json!({"link": link, "until": until});
                    sheet::json(out, "tocsin.people.invite/1", value)?;
                }
                DataFormat::Table => {
                    writeln!(out, "{link}").map_err(|e| Error::io("stdout", e))?;
                    say(&format!(
                        "It can be used once, until {until}. Whoever has it can join: send it on a safe way."
                    ));
                }
            }
        }
        Verb::List => {
            let list = wait(async {
                let (db, actor) = local::open(global, args.workspace).await?;
                Ok(people::people(&db, &actor).await?)
            })?;
            if args.format == DataFormat::Json {
                sheet::json(out, "tocsin.people.list/1", serde_json::json!({"people": list}))?;
                return Ok(Outcome::Fine);
            }
            let rows = list.into_iter().map(|p| {
                let roles: Vec<&str> = p.roles.iter().map(|r| r.0.as_str()).collect();
                let seen = p.seen.unwrap_or_else(|| "never".to_owned());
                let state = if p.disabled { "disabled" } else { "" };
                vec![p.login, p.name, p.email, roles.join(" "), seen, state.to_owned()]
            });
            sheet::table(out, &["LOGIN", "NAME", "MAIL", "ROLES", "SEEN", ""], &[], rows)?;
        }
    }
    Ok(Outcome::Fine)
}
