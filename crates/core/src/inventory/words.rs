//! Components by their words: FTS5 on SQLite, an index over an expression on PostgreSQL (migration `m0025_inventory`).

use sea_orm::{ConnectionTrait, DbBackend};

/// Most words of a question.
const MOST: usize = 12;

/// The words of a question in the backend's language; every one must be there, a pair that stands together in this
/// order, the last as the beginning of a word. `None`: no word.
pub(crate) fn question(db: &impl ConnectionTrait, asked: &str) -> Option<String> {
    write(db.get_database_backend(), asked)
}

fn write(backend: DbBackend, asked: &str) -> Option<String> {
    let pieces = |word: &str| -> Vec<String> {
        word.split(|c: char| !c.is_alphanumeric()).filter(|p| !p.is_empty()).map(str::to_lowercase).collect()
    };
    let words: Vec<Vec<String>> =
        asked.split_whitespace().map(pieces).filter(|p| !p.is_empty()).take(MOST).collect();
    let one = |p: &Vec<String>| match backend {
        DbBackend::Postgres => format!("({}:*)", p.join(" <-> ")),
        _ => format!("\"{}\"*", p.join(" ")),
    };
    let and = if backend == DbBackend::Postgres { " & " } else { " " };
    (!words.is_empty()).then(|| words.iter().map(one).collect::<Vec<_>>().join(and))
}

/// `component c … WHERE` for the components whose words answer the question bound as `$n`; conditions may follow with
/// `AND`.
pub(crate) fn matching(db: &impl ConnectionTrait, n: usize) -> String {
    match db.get_database_backend() {
        DbBackend::Postgres => format!(
            "component c WHERE to_tsvector('simple'::regconfig, regexp_replace(c.grp || ' ' || c.name || ' ' || c.purl \
             || ' ' || c.cpes, '[^[:alnum:]]+', ' ', 'g')) @@ to_tsquery('simple', ${n})"
        ),
        _ => format!(
            "component_search JOIN component c ON c.id = component_search.rowid WHERE component_search MATCH ${n}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_the_database_cuts_them() {
        let both = |asked| (write(DbBackend::Sqlite, asked), write(DbBackend::Postgres, asked));
        let some = |a: &str, b: &str| (Some(a.to_owned()), Some(b.to_owned()));
        assert_eq!(both("log4j-core"), some("\"log4j core\"*", "(log4j <-> core:*)"));
        assert_eq!(both("Spring \"'|& web"), some("\"spring\"* \"web\"*", "(spring:*) & (web:*)"));
        assert_eq!(both(" -- "), (None, None));
    }
}
