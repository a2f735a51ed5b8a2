//! What a workspace sets for itself: how long sessions last, who needs a second step, its provider of identities.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::access::{Actor, Grant, Permission, Role};
use super::change::Change;
use super::people::Door;
use super::sql;
use crate::error::{Error, Result};

/// Settings of a workspace about people. What is not set has its default; keys of other domains are left as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// A session ends after so many minutes without use.
    pub idle_minutes: i64,
    /// A session ends so many hours after it began.
    pub session_hours: i64,
    /// An invitation holds so many hours.
    pub invitation_hours: i64,
    /// Roles whose people need a second step.
    pub second_step: Vec<Role>,
    /// A decision needs a second person's approval.
    pub approval: bool,
    /// The provider that vouches for people, where there is one.
    pub oidc: Option<Oidc>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            idle_minutes: 12 * 60,
            session_hours: 24 * 7,
            invitation_hours: 72,
            second_step: Vec::new(),
            approval: false,
            oidc: None,
        }
    }
}

/// A provider of identities (OpenID Connect Core 1.0).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Oidc {
    /// What the button says: `Example single sign-on`.
    pub name: String,
    /// Issuer, an `https` address without a slash at its end where it has none.
    pub issuer: String,
    /// Our name there.
    pub client: String,
    /// Our secret there, sealed and in hexadecimal; empty for a public client.
    pub secret: String,
    /// Claim that lists a person's groups.
    pub groups: String,
    /// Role in the whole workspace of each group's members.
    pub roles: Vec<(String, Role)>,
    /// Whether people unknown here are made at their first sign-in, where one of their groups has a role.
    pub provision: bool,
}

impl Settings {
    /// Reads stored settings; what cannot be read has its default.
    pub fn parse(text: &str) -> Settings {
        let Ok(Value::Object(all)) = serde_json::from_str(text) else { return Settings::default() };
        // each key by itself: a value of another shape costs itself alone
        let mut read = serde_json::to_value(Settings::default()).unwrap_or_default();
        for key in KEYS {
            let (Some(value), Some(object)) = (all.get(key), read.as_object_mut()) else { continue };
            let before = object.insert(key.to_owned(), value.clone());
            if serde_json::from_value::<Settings>(Value::Object(object.clone())).is_err()
                && let Some(before) = before
            {
                object.insert(key.to_owned(), before);
            }
        }
        serde_json::from_value(read).unwrap_or_default()
    }

    /// Whether somebody with these roles needs a second step.
    pub fn asks_second_step(&self, grants: &[Grant]) -> bool {
        grants.iter().any(|g| self.second_step.contains(&g.role))
    }
}

const KEYS: [&str; 6] =
    ["idle_minutes", "session_hours", "invitation_hours", "second_step", "approval", "oidc"];

/// Bounds of the numbers: name, least, most.
const BOUNDS: [(&str, i64, i64); 3] =
    [("idle_minutes", 5, 7 * 24 * 60), ("session_hours", 1, 90 * 24), ("invitation_hours", 1, 30 * 24)];

pub(super) async fn stored(db: &impl ConnectionTrait, workspace: i64) -> Result<String> {
    let select = "SELECT settings FROM workspace WHERE id = $1";
    let row: Option<(String,)> = sql::row(db, "reading settings", select, vec![workspace.into()]).await?;
    row.map(|r| r.0).ok_or_else(|| Error::NotFound("the workspace".to_owned()))
}

/// Settings of the actor's workspace.
///
/// # Errors
/// The database does not answer.
pub async fn settings(db: &impl ConnectionTrait, actor: &Actor) -> Result<Settings> {
    Ok(Settings::parse(&stored(db, actor.workspace).await?))
}

/// Settings of a workspace whose provider somebody signs in with; nobody acts yet.
pub(crate) async fn of(db: &impl ConnectionTrait, workspace: i64) -> Result<Settings> {
    Ok(Settings::parse(&stored(db, workspace).await?))
}

/// What is written into the trail: everything but the secret.
fn told(settings: &Settings) -> Settings {
    let mut told = settings.clone();
    if let Some(oidc) = told.oidc.as_mut().filter(|o| !o.secret.is_empty()) {
        oidc.secret = "sealed".to_owned();
    }
    told
}

/// Writes the settings; those of other domains stay as they are. Who changes how people sign in may manage people.
///
/// # Errors
/// Denied; [`Error::Rejected`]: a number is out of its bounds, or the provider is not told whole.
pub async fn set(db: &DatabaseConnection, actor: &Actor, new: &Settings) -> Result<()> {
    actor.need_everywhere(Permission::PeopleManage)?;
    let value = serde_json::to_value(new).unwrap_or_default();
    for (name, least, most) in BOUNDS {
        let number = value.get(name).and_then(Value::as_i64).unwrap_or_default();
        if !(least..=most).contains(&number) {
            let message = format!("a number from {least} to {most}");
            return Err(Error::Rejected { field: name.to_owned(), message });
        }
    }
    if let Some(oidc) = &new.oidc {
        check(oidc)?;
    }
    let mut change = Change::begin(db, actor).await?;
    let before = stored(&change.tx, actor.workspace).await?;
    let mut all: Map<String, Value> = serde_json::from_str(&before).unwrap_or_default();
    for key in KEYS {
        all.insert(key.to_owned(), value.get(key).cloned().unwrap_or_default());
    }
    let update = "UPDATE workspace SET settings = $2 WHERE id = $1";
    let values = vec![actor.workspace.into(), Value::Object(all).to_string().into()];
    sql::run(&change.tx, "writing settings", update, values).await?;
    let subject = format!("workspace/{}", actor.workspace);
    change.record("settings.people", subject, "people", &told(&Settings::parse(&before)), &told(new));
    change.commit().await
}

fn check(oidc: &Oidc) -> Result<()> {
    let reject = |field: &str, message: &str| {
        Err(Error::Rejected { field: field.to_owned(), message: message.to_owned() })
    };
    if !oidc.issuer.starts_with("https://") && !oidc.issuer.starts_with("http://") {
        return reject("issuer", "an address beginning with https://");
    }
    if oidc.issuer.contains(['?', '#', ' ']) || oidc.issuer.len() > 300 {
        return reject("issuer", "an address of at most 300 characters, without ? and #");
    }
    if oidc.client.trim().is_empty() || oidc.client.len() > 300 {
        return reject("client", "the client id that the provider gave, at most 300 characters");
    }
    if oidc.name.trim().is_empty() || oidc.name.len() > 80 {
        return reject("name", "what the button says, 1 to 80 characters");
    }
    if oidc.roles.len() > 200 {
        return reject("roles", "at most 200 groups");
    }
    Ok(())
}

/// Context in which a workspace's provider's secret is sealed.
fn secret_context(workspace: i64) -> String {
    format!("oidc/{workspace}")
}

/// Seals a provider's secret for [`Oidc::secret`].
///
/// # Errors
/// The vault does not answer.
pub fn seal_secret(door: &Door<'_>, workspace: i64, secret: &str) -> Result<String> {
    let sealed = door.vault.seal(door.random, &secret_context(workspace), secret.as_bytes())?;
    Ok(super::secret::hexadecimal(&sealed))
}

/// Opens [`Oidc::secret`].
///
/// # Errors
/// The vault does not answer, or the secret was sealed with a key that is not there.
pub fn open_secret(door: &Door<'_>, workspace: i64, sealed: &str) -> Result<String> {
    if sealed.is_empty() {
        return Ok(String::new());
    }
    let bytes = super::secret::from_hexadecimal(sealed).unwrap_or_default();
    let opened = door.vault.open(&secret_context(workspace), &bytes)?;
    Ok(String::from_utf8_lossy(&opened).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_cannot_be_read_costs_itself_alone() {
        let read = Settings::parse(
            r#"{"idle_minutes": 30, "session_hours": "long", "approval": true, "publisher": {}}"#,
        );
        assert_eq!(read, Settings { idle_minutes: 30, approval: true, ..Settings::default() });
        assert_eq!(Settings::parse("not JSON"), Settings::default());
        let read =
            Settings::parse(r#"{"second_step": ["manager"], "oidc": {"issuer": "https://id.example.org"}}"#);
        assert_eq!(read.second_step, [Role::Manager]);
        assert_eq!(read.oidc.unwrap().issuer, "https://id.example.org");
    }
}
