//! Which ecosystems the packages of all inventories are of: what is worth following of a source that has many.

use sea_orm::DatabaseConnection;
use tocsin_model::ecosystem::{ALL, Ecosystem};

use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// The ecosystems of the package URLs that any release of any workspace holds. It reads every component once.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn ecosystems(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Ecosystem>> {
    actor.need_everywhere(Permission::InventoryRead)?;
    let mut kinds: Vec<(String, Ecosystem)> = ALL
        .iter()
        .map(|e| match e.purl_type() {
            (kind, "") => (format!("pkg:{kind}/"), *e),
            (kind, namespace) => (format!("pkg:{kind}/{namespace}/"), *e),
        })
        .collect();
    // a namespace of its own goes before the type that it is of
    kinds.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    let whens: Vec<String> =
        kinds.iter().map(|(prefix, e)| format!("WHEN purl LIKE '{prefix}%' THEN {}", *e as u8)).collect();
    let select =
        format!("SELECT DISTINCT CASE {} ELSE -1 END FROM component WHERE purl <> ''", whens.join(" "));
    let found: Vec<(i32,)> = sql::rows(db, "finding the ecosystems in use", &select, vec![]).await?;
    let mut found: Vec<Ecosystem> =
        found.into_iter().filter_map(|(n,)| Ecosystem::from_u8(u8::try_from(n).ok()?)).collect();
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::each;

    #[test]
    fn each_ecosystem_is_found_once_and_a_namespace_before_its_type() {
        each(async |db| {
            let purls = [
                "pkg:npm/%40scope/a@1",
                "pkg:npm/b@1",
                "pkg:composer/drupal/core@1",
                "pkg:deb/debian/openssl@3",
                "pkg:generic/pump@1",
                "",
            ];
            for (n, purl) in purls.iter().enumerate() {
                let insert = "INSERT INTO component (hash, kind, grp, name, version, purl, cpes, supplier, plain) \
                              VALUES ($1, 'library', '', 'x', '1', $2, '[]', '', 'x')";
                sql::run(db, "a test", insert, vec![format!("{n}").into(), (*purl).into()]).await.unwrap();
            }
            let actor = Actor::system(0, "2026-01-01T00:00:00.000Z");
            let found = ecosystems(db, &actor).await.unwrap();
            assert_eq!(found, [Ecosystem::Npm, Ecosystem::Debian, Ecosystem::Drupal]);
        });
    }
}
