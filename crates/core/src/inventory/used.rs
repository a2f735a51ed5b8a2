//! Where something is used: by name, package URL, version range, CPE name, hash or licence.

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;
use tocsin_model::cpe::Cpe;
use tocsin_model::ecosystem::of_purl;
use tocsin_model::purl::Purl;
use tocsin_model::version::Scheme;
use tocsin_model::version::vers::Range;

use super::{in_lines, plain};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// Where a component is used.
#[derive(Debug, Clone, Serialize)]
pub struct Use {
    /// Release.
    pub release: i64,
    /// Its product.
    pub product: String,
    /// Its product line.
    pub line: String,
    /// Its version.
    pub release_version: String,
    /// Component.
    pub component: i64,
    /// Name with its group.
    pub name: String,
    /// Version found.
    pub version: String,
    /// Package URL, or empty.
    pub purl: String,
    /// Named by the product itself.
    pub direct: bool,
    /// Units in the field.
    pub units: i64,
}

/// What is asked for.
enum Ask {
    Name(String),
    /// Column and beginning.
    Begins(&'static str, String),
    /// Package URL without version, and the range.
    Range(String, Range),
    Cpe(Box<Cpe>),
    Hash(String),
    Licence(String),
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

fn ask(text: &str) -> Result<Ask> {
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
async fn in_range(db: &DatabaseConnection, purl: &str, range: &Range) -> Result<Vec<i64>> {
    let select = "SELECT id, version FROM component WHERE purl = $1 OR purl >= $2 AND purl < $3 LIMIT $4";
    // `@` is followed by `A` in the order of the texts
    let values = vec![purl.into(), format!("{purl}@").into(), format!("{purl}A").into(), SEEN.into()];
    let rows: Vec<(i64, String)> = sql::rows(db, "looking through versions", select, values).await?;
    Ok(rows.into_iter().filter(|(_, v)| range.contains(v) == Some(true)).map(|r| r.0).collect())
}

/// Components with a CPE name that `cpe` covers.
async fn covered(db: &DatabaseConnection, cpe: &Cpe) -> Result<Vec<i64>> {
    // The product narrows it down where it is plain; the comparison proper follows.
    let product = cpe.to_string().split(':').nth(4).unwrap_or_default().to_lowercase();
    let easy =
        !product.is_empty() && product.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let like = if easy && product != "-" { format!("%:{product}:%") } else { "%cpe:%".to_owned() };
    let select = "SELECT id, cpes FROM component WHERE LOWER(cpes) LIKE $1 LIMIT $2";
    let rows: Vec<(i64, String)> =
        sql::rows(db, "looking through CPE names", select, vec![like.into(), SEEN.into()]).await?;
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

/// Releases that hold what `text` asks for:
///
/// - `openssl`, `log4j*`: a component of this name, or whose name begins so;
/// - `pkg:npm/left`: whose package URL begins so;
/// - `pkg:npm/left@>=1.0,<1.3.0`: this package in versions of this range, in the order of the package's ecosystem;
/// - `cpe:2.3:…` or `cpe:/…`: with a CPE name that this one covers (NISTIR 7696, equal or superset);
/// - `sha256:…` (any algorithm) or the bare hexadecimal: with this hash;
/// - `licence:GPL-3.0-only`: with this licence among theirs.
///
/// # Errors
/// Denied; [`Error::Rejected`] for a range or CPE name that cannot be read; the database does not answer.
pub async fn where_used(db: &DatabaseConnection, actor: &Actor, text: &str, most: u64) -> Result<Vec<Use>> {
    let text = text.trim();
    let mut values = vec![actor.workspace.into()];
    let condition = match ask(text)? {
        Ask::Name(name) => {
            values.push(name.into());
            "c.plain = $2".to_owned()
        }
        Ask::Begins(column, start) => {
            values.extend([Value::from(start.clone()), format!("{start}\u{10ffff}").into()]);
            format!("c.{column} >= $2 AND c.{column} < $3")
        }
        Ask::Range(purl, range) => {
            actor.need(Permission::InventoryRead)?;
            values.push(sql::list(&in_range(db, &purl, &range).await?));
            format!("c.id IN {}", sql::numbers(db, 2))
        }
        Ask::Cpe(cpe) => {
            actor.need(Permission::InventoryRead)?;
            values.push(sql::list(&covered(db, &cpe).await?));
            format!("c.id IN {}", sql::numbers(db, 2))
        }
        Ask::Hash(hash) => {
            values.push(hash.into());
            let listed = "SELECT 1 FROM occurrence_hash x WHERE x.release = r.id AND x.component = c.id";
            format!("EXISTS ({listed} AND x.value = $2)")
        }
        Ask::Licence(name) => {
            values.push(name.to_lowercase().into());
            let listed = "SELECT 1 FROM occurrence_licence x WHERE x.release = r.id AND x.component = c.id";
            format!("EXISTS ({listed} AND LOWER(x.licence) = $2)")
        }
    };
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    values.push((most as i64).into());
    let select = format!(
        "SELECT r.id, p.name, l.name, r.version, c.id, c.grp, c.name, c.version, c.purl, o.direct, r.units \
         FROM component c JOIN occurrence o ON o.component = c.id JOIN release r ON r.id = o.release \
         JOIN product p ON p.id = r.product JOIN line l ON l.id = p.line \
         WHERE {condition} AND r.workspace = $1{scope} ORDER BY l.name, p.name, r.id DESC, c.name, c.version LIMIT ${}",
        values.len()
    );
    type Row = (i64, String, String, String, i64, String, String, String, String, i64, i64);
    let rows: Vec<Row> = sql::rows(db, "asking where a component is used", &select, values).await?;
    let one = |(
        release,
        product,
        line,
        release_version,
        component,
        group,
        name,
        version,
        purl,
        direct,
        units,
    ): Row| Use {
        release,
        product,
        line,
        release_version,
        component,
        name: if group.is_empty() { name } else { format!("{group}/{name}") },
        version,
        purl,
        direct: direct != 0,
        units,
    };
    Ok(rows.into_iter().map(one).collect())
}
