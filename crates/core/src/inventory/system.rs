//! How the operating system of a release is built: its os-release, the kernel's configuration, packages and hardening,
//! kept as people give them and read when they are shown (`tocsin_formats::system`).

use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};

use super::release_of;
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// Most bytes of one of the texts.
pub const SYSTEM_BYTES: usize = 1 << 20;

/// The texts, each may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct System {
    /// `/etc/os-release` (os-release(5)).
    pub os_release: String,
    /// The kernel's `.config`.
    pub kernel_config: String,
    /// Packages, one a line: name and version.
    pub packages: String,
    /// Hardening measures in words.
    pub hardening: String,
}

impl System {
    /// Nothing is told.
    pub fn is_empty(&self) -> bool {
        *self == System::default()
    }
}

/// How the operating system of a release is built.
///
/// # Errors
/// As [`release_of`].
pub async fn system(db: &impl sea_orm::ConnectionTrait, actor: &Actor, release: i64) -> Result<System> {
    release_of(db, actor, release).await?;
    let select = "SELECT system FROM release WHERE id = $1";
    let row: Option<(String,)> =
        sql::row(db, "reading an OS configuration", select, vec![release.into()]).await?;
    let text = row.map(|r| r.0).unwrap_or_default();
    if text.is_empty() {
        return Ok(System::default());
    }
    // What was kept before there were four texts is words about the system.
    Ok(serde_json::from_str(&text).unwrap_or(System { hardening: text, ..System::default() }))
}

/// Tells how the operating system of a release is built. The trail keeps how long the texts were, not the texts.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`] for more than [`SYSTEM_BYTES`].
pub async fn set_system(change: &mut Change<'_>, release: i64, s: &System) -> Result<()> {
    let r = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::InventoryWrite, r.line)?;
    let fields = |s: &System| {
        [
            ("os_release", s.os_release.len()),
            ("kernel_config", s.kernel_config.len()),
            ("packages", s.packages.len()),
            ("hardening", s.hardening.len()),
        ]
    };
    for (field, len) in fields(s) {
        if len > SYSTEM_BYTES {
            let message = format!("at most {SYSTEM_BYTES} bytes; it has {len}");
            return Err(Error::Rejected { field: field.to_owned(), message });
        }
    }
    let before = system(&change.tx, change.actor, release).await?;
    if before == *s {
        return Ok(());
    }
    let text = if s.is_empty() { String::new() } else { serde_json::to_string(s).unwrap_or_default() };
    let update = "UPDATE release SET system = $2 WHERE id = $1";
    let values = vec![release.into(), sql::text(&text.replace("\\u0000", "\\ufffd"))];
    sql::run(&change.tx, "telling an OS configuration", update, values).await?;
    let name = format!("{} {}", r.product_name, r.version);
    change.record("release.system", format!("release/{release}"), &name, &fields(&before), &fields(s));
    Ok(())
}

/// Whether anything is told, for lists.
///
/// # Errors
/// As [`release_of`].
pub async fn has_system(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<bool> {
    Ok(!system(db, actor, release).await?.is_empty())
}
