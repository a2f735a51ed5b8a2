//! Who publishes advisories and VEX documents for a workspace (CSAF 2.0, 3.2.1.8 `/document/publisher`).

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::access::{Actor, Permission};
use super::change::Change;
use super::settings::stored;
use super::sql;
use crate::error::{Error, Result};

/// Categories of publishers that make what they publish of (CSAF 2.0, 3.2.1.8.1).
pub const CATEGORIES: [&str; 5] = ["vendor", "coordinator", "discoverer", "translator", "user"];

/// The publisher; what is empty has its default where documents are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Publisher {
    /// Name: `Example Medical GmbH PSIRT`.
    pub name: String,
    /// Address under which its ids are unique: `https://psirt.example.com`.
    pub namespace: String,
    /// One of [`CATEGORIES`]; `vendor` where empty.
    pub category: String,
    /// How to reach it, in words.
    pub contact: String,
    /// Its part in the products and its authority to speak of them, in words.
    pub authority: String,
}

const KEY: &str = "publisher";

fn parse(settings: &str) -> Publisher {
    let all: Map<String, Value> = serde_json::from_str(settings).unwrap_or_default();
    all.get(KEY).cloned().and_then(|v| serde_json::from_value(v).ok()).unwrap_or_default()
}

/// The publisher as it was told; see [`set_publisher`].
///
/// # Errors
/// The database does not answer.
pub async fn publisher_told(db: &impl ConnectionTrait, actor: &Actor) -> Result<Publisher> {
    actor.need(Permission::FindingRead)?;
    Ok(parse(&stored(db, actor.workspace).await?))
}

/// Tells who publishes for the actor's workspace.
///
/// # Errors
/// Denied; [`Error::Rejected`]: a field does not do.
pub async fn set_publisher(db: &DatabaseConnection, actor: &Actor, new: &Publisher) -> Result<()> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    check(new)?;
    let mut change = Change::begin(db, actor).await?;
    let before = stored(&change.tx, actor.workspace).await?;
    let told = parse(&before);
    if told == *new {
        return Ok(());
    }
    let mut all: Map<String, Value> = serde_json::from_str(&before).unwrap_or_default();
    all.insert(KEY.to_owned(), serde_json::to_value(new).unwrap_or_default());
    let update = "UPDATE workspace SET settings = $2 WHERE id = $1";
    let values = vec![actor.workspace.into(), Value::Object(all).to_string().into()];
    sql::run(&change.tx, "writing the publisher", update, values).await?;
    change.record("settings.publisher", format!("workspace/{}", actor.workspace), "publisher", &told, new);
    change.commit().await
}

fn check(new: &Publisher) -> Result<()> {
    let reject = |field: &str, message: &str| {
        Err(Error::Rejected { field: field.to_owned(), message: message.to_owned() })
    };
    for (field, value, most) in [
        ("name", &new.name, 200),
        ("namespace", &new.namespace, 300),
        ("contact", &new.contact, 2_000),
        ("authority", &new.authority, 2_000),
    ] {
        let short = value.chars().count() <= most;
        let lines = field == "contact" || field == "authority";
        if !short || value.chars().any(|c| c.is_control() && !(lines && matches!(c, '\n' | '\r'))) {
            return reject(
                field,
                &format!("at most {most} characters{}", if lines { "" } else { ", on one line" }),
            );
        }
    }
    if !new.category.is_empty() && !CATEGORIES.contains(&new.category.as_str()) {
        return reject("category", "vendor, coordinator, discoverer, translator or user");
    }
    let host = new.namespace.strip_prefix("https://").or(new.namespace.strip_prefix("http://"));
    let good =
        host.is_some_and(|h| h.split('/').next().is_some_and(|h| h.contains('.') && !h.starts_with('.')));
    if !new.namespace.is_empty() && (!good || new.namespace.contains([' ', '?', '#', '"', '<', '>'])) {
        return reject("namespace", "an address of yours, like https://psirt.example.com");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::access::{Grant, Role};
    use crate::platform::testing::each;

    #[test]
    fn a_publisher_is_kept_beside_other_settings() {
        each(async |db| {
            let insert = "INSERT INTO workspace (id, slug, name, settings, created) VALUES (1, 'a', 'A', '{\"approval\": \
                          true, \"publisher\": \"odd\"}', '')";
            db.execute_unprepared(insert).await.unwrap();
            let actor = Actor::system(1, "2026-03-01T00:00:00.000Z");
            assert_eq!(publisher_told(db, &actor).await.unwrap(), Publisher::default());
            let new = Publisher {
                name: "Example PSIRT".to_owned(),
                namespace: "https://psirt.example.com".to_owned(),
                contact: "psirt@example.com".to_owned(),
                ..Publisher::default()
            };
            set_publisher(db, &actor, &new).await.unwrap();
            assert_eq!(publisher_told(db, &actor).await.unwrap(), new);
            assert!(super::super::settings::settings(db, &actor).await.unwrap().approval, "others stay");
            for (field, wrong) in [
                ("namespace", Publisher { namespace: "psirt.example.com".to_owned(), ..new.clone() }),
                ("namespace", Publisher { namespace: "https://host".to_owned(), ..new.clone() }),
                ("name", Publisher { name: "a\nb".to_owned(), ..new.clone() }),
                ("category", Publisher { category: "maker".to_owned(), ..new.clone() }),
                ("contact", Publisher { contact: "x".repeat(2_001), ..new.clone() }),
            ] {
                let e = set_publisher(db, &actor, &wrong).await.unwrap_err();
                assert!(matches!(e, Error::Rejected { field: ref at, .. } if at == field), "{e:?}");
            }
            let analyst = Actor { grants: vec![Grant { role: Role::Analyst, line: None }], ..actor.clone() };
            assert!(matches!(set_publisher(db, &analyst, &new).await, Err(Error::Denied(_))));
        });
    }
}
