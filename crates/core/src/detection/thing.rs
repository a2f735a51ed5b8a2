//! What a component is when its document is written anew: package and version. Documents add a CPE name or a supplier
//! from one build to the next, which makes another row of the same thing.

use sea_orm::{DbErr, QueryResult};

/// A package in a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Thing {
    /// Package URL without version and qualifiers, or empty.
    package: String,
    /// Group and name.
    name: String,
    /// Version.
    pub version: String,
}

/// Columns of [`Thing::read`] for a component table `c`.
pub(super) const COLUMNS: &str = "c.purl, c.grp, c.name, c.version";

impl Thing {
    pub(super) fn new(purl: &str, group: &str, name: &str, version: &str) -> Thing {
        let purl = purl.split(['?', '#']).next().unwrap_or_default();
        // `@` of a scope is written %40, so the last one is that of the version
        let package = match purl.rsplit_once('@') {
            Some((package, version)) if !version.contains('/') => package,
            _ => purl,
        };
        Thing { package: package.to_owned(), name: format!("{group}/{name}"), version: version.to_owned() }
    }

    /// The thing in the [`COLUMNS`] from `at`; nothing where a left join found none.
    pub(super) fn read(row: &QueryResult, at: usize) -> Result<Option<Thing>, DbErr> {
        let text = |n: usize| row.try_get_by_index::<Option<String>>(at + n);
        Ok(match (text(0)?, text(1)?, text(2)?, text(3)?) {
            (Some(purl), Some(group), Some(name), Some(version)) => {
                Some(Thing::new(&purl, &group, &name, &version))
            }
            _ => None,
        })
    }

    /// The same package in any version. A document that has no package URLs tells it by name.
    pub(super) fn is_package(&self, other: &Thing) -> bool {
        if self.package.is_empty() || other.package.is_empty() {
            return self.name == other.name;
        }
        self.package == other.package
    }

    /// The same package in the same version.
    pub(super) fn is(&self, other: &Thing) -> bool {
        self.is_package(other) && self.version == other.version
    }

    /// What it is looked up by.
    pub(super) fn key(&self) -> String {
        let name = if self.package.is_empty() { &self.name } else { &self.package };
        format!("{name}@{}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_is_known_however_it_is_written() {
        let bare = Thing::new("", "", "left", "1.0");
        let full = Thing::new("pkg:npm/left@1.0?arch=x#src", "", "left", "1.0");
        let scoped = Thing::new("pkg:npm/%40org/left@1.0", "@org", "left", "1.0");
        for (a, b, package, same) in [
            (&bare, &full, true, true),
            (&full, &scoped, false, false),
            (&full, &Thing::new("pkg:npm/left@1.1", "", "left", "1.1"), true, false),
            (&full, &Thing::new("pkg:pypi/left@1.0", "", "left", "1.0"), false, false),
            (&Thing::new("pkg:npm/left", "", "left", "1.0"), &full, true, true),
        ] {
            assert_eq!((a.is_package(b), a.is(b)), (package, same), "{a:?} {b:?}");
        }
        assert_eq!(scoped.key(), "pkg:npm/%40org/left@1.0");
    }
}
