//! Reading the question "where is it used?" and finding the components it names.

use sea_orm::DatabaseConnection;
use tocsin_model::cpe::Cpe;
use tocsin_model::ecosystem::of_purl;
use tocsin_model::purl::Purl;
use tocsin_model::version::Scheme;
use tocsin_model::version::vers::Range;

use super::super::{plain, words};
use crate::error::{Error, Result};
use crate::platform::sql;

/// What is asked for.
pub(super) enum Ask {
    /// Name as it is looked up.
    Name(String),
    /// Column and beginning.
    Begins(&'static str, String),
    /// Package URL without version, and the range.
    Range(String, Range),
    Cpe(Box<Cpe>),
    Hash(String),
    Licence(String),
    /// Any id of a vulnerability.
    Vulnerability(String),
}

fn rejected(message: String) -> Error {
    Error::Rejected { field: "q".to_owned(), message }
}

/// `sha256:…`, `SHA-512:…` or the bare hexadecimal of a hash: its hexadecimal, in lower case.
fn hash(text: &str) -> Option<String> {
    let hex = match text.split_once(':') {
        Some((algorithm, hex)) => {
            let algorithm = algorithm.to_ascii_lowercase();
            ["md5", "sha", "blake"].iter().any(|a| algorithm.starts_with(a)).then_some(hex)?
        }
        None => text,
    };
    // the lengths of MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512
    let known = [32, 40, 56, 64, 96, 128].contains(&hex.len());
    (known && hex.bytes().all(|b| b.is_ascii_hexdigit())).then(|| hex.to_ascii_lowercase())
}

pub(super) fn ask(text: &str) -> Result<Ask> {
    if text.starts_with("pkg:") {
        return Ok(match text.rsplit_once('@') {
            Some((purl, range)) if range.trim_start().starts_with(['<', '>', '=', '!']) => {
                let (purl, range) = read_range(purl, range)?;
                Ask::Range(purl, range)
            }
            _ => Ask::Begins("purl", text.to_owned()),
        });
    }
    if let Some(name) = text.strip_prefix("licence:").or_else(|| text.strip_prefix("license:")) {
        return Ok(Ask::Licence(name.trim().to_owned()));
    }
    if text.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("cpe:")) {
        let cpe = Cpe::parse(text).map_err(|e| rejected(format!("this CPE name cannot be read: {e}")))?;
        return Ok(Ask::Cpe(Box::new(cpe)));
    }
    if is_vulnerability(text) {
        return Ok(Ask::Vulnerability(text.to_owned()));
    }
    if let Some(hash) = hash(text) {
        return Ok(Ask::Hash(hash));
    }
    Ok(match text.strip_suffix('*') {
        Some(start) => Ask::Begins("plain", plain(start)),
        None => Ask::Name(plain(text)),
    })
}

/// The package URL as stored and the range behind its `@`: comparisons with commas between them.
fn read_range(purl: &str, range: &str) -> Result<(String, Range)> {
    const HELP: &str = "write it like pkg:npm/left-pad@>=1.0,<1.3.0";
    let purl = Purl::parse(purl)
        .and_then(Purl::normalised)
        .map_err(|e| rejected(format!("this package URL cannot be read: {e}")))?;
    let scheme = of_purl(&purl).map_or(Scheme::Generic, |(ecosystem, _)| ecosystem.scheme());
    let mut parts = Vec::new();
    for part in range.split(',').map(str::trim) {
        let version = part.trim_start_matches(['<', '>', '=', '!']).trim();
        if version.is_empty() || scheme.key(version).is_err() {
            return Err(rejected(format!("`{part}` in the range after @ cannot be compared; {HELP}")));
        }
        // what the range's own notation (VERS) uses is written as per cent
        parts.push(part.replace('%', "%25").replace('+', "%2B").replace(':', "%3A"));
    }
    let range = Range::parse(&format!("vers:{}/{}", scheme.as_str(), parts.join("|")))
        .map_err(|e| rejected(format!("the range after @ cannot be read ({e}); {HELP}")))?;
    Ok((purl.to_string(), range))
}

/// Components of this package whose version is in the range.
pub(super) async fn in_range(db: &DatabaseConnection, purl: &str, range: &Range) -> Result<Vec<i64>> {
    let select = "SELECT id, version FROM component WHERE purl = $1 OR purl >= $2 AND purl < $3 LIMIT $4";
    // `@` is followed by `A` in the order of the texts
    let values = vec![purl.into(), format!("{purl}@").into(), format!("{purl}A").into(), SEEN.into()];
    let rows: Vec<(i64, String)> = sql::rows(db, "looking through versions", select, values).await?;
    Ok(rows.into_iter().filter(|(_, v)| range.contains(v) == Some(true)).map(|r| r.0).collect())
}

/// Components with a CPE name that `cpe` covers: those with its vendor and product among their words, compared
/// attribute by attribute.
pub(super) async fn covered(db: &DatabaseConnection, cpe: &Cpe) -> Result<Vec<i64>> {
    let text = cpe.to_string();
    let plain = |n: usize| {
        let part = text.split(':').nth(n).unwrap_or_default();
        if part.contains(['*', '?']) { String::new() } else { part.replace('\\', "") }
    };
    let Some(asked) = words::question(db, &format!("{} {}", plain(3), plain(4))) else {
        return Err(rejected("name the vendor or the product in the CPE name".to_owned()));
    };
    let select = format!("SELECT c.id, c.cpes FROM {} AND c.cpes <> '[]' LIMIT $2", words::matching(db, 1));
    let rows: Vec<(i64, String)> =
        sql::rows(db, "looking through CPE names", &select, vec![asked.into(), SEEN.into()]).await?;
    let covers = |name: &String| {
        Cpe::parse(name).is_ok_and(|found| {
            cpe.attributes().into_iter().zip(found.attributes()).all(|(a, b)| a.matches(b))
        })
    };
    let any = |cpes: &str| serde_json::from_str::<Vec<String>>(cpes).is_ok_and(|l| l.iter().any(covers));
    Ok(rows.into_iter().filter(|(_, cpes)| any(cpes)).map(|r| r.0).collect())
}

/// Most components that are looked through for a CPE or a version range.
const SEEN: i64 = 200_000;

/// Whether a text is the id of a vulnerability rather than a component's name.
fn is_vulnerability(text: &str) -> bool {
    let upper = text.to_uppercase();
    let known =
        ["CVE-", "GHSA-", "RUSTSEC-", "PYSEC-", "GO-", "DSA-", "DLA-", "RHSA-", "USN-", "OSV-", "MAL-"];
    !text.contains(char::is_whitespace)
        && known
            .iter()
            .any(|p| upper.strip_prefix(p).is_some_and(|rest| rest.contains(|c: char| c.is_ascii_digit())))
}
