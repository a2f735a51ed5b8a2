//! Where a page ended, as an opaque text: the order's name and the keys of the last row.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{QueryResult, Value};
use serde_json::Value as Json;

use super::{Key, Order, rejected};
use crate::error::{Doing, Error, Result};

/// Longest cursor read.
const MOST: usize = 4_000;

fn head(order: &Order, down: bool) -> String {
    format!("{}{}", if down { "-" } else { "" }, order.name)
}

/// The cursor behind a row whose keys stand from column `first` on.
pub(super) fn write(row: &QueryResult, first: usize, order: &Order, down: bool) -> Result<String> {
    let what = "reading where a page ends";
    let mut list = vec![Json::from(head(order, down))];
    for (n, (_, key)) in order.keys.iter().enumerate() {
        list.push(match key {
            Key::Text => row.try_get_by_index::<String>(first + n).doing(what)?.into(),
            Key::Int => row.try_get_by_index::<i64>(first + n).doing(what)?.into(),
            Key::Real => row.try_get_by_index::<f64>(first + n).doing(what)?.into(),
        });
    }
    Ok(URL_SAFE_NO_PAD.encode(Json::Array(list).to_string()))
}

/// The keys of a cursor of this order.
pub(super) fn read(text: &str, order: &Order, down: bool) -> Result<Vec<Value>> {
    keys(text, order, down).ok_or_else(|| -> Error {
        rejected("after", "this place is of a list in another order, or damaged; begin at the first page")
    })
}

fn keys(text: &str, order: &Order, down: bool) -> Option<Vec<Value>> {
    let bytes =
        URL_SAFE_NO_PAD.decode(text.get(..MOST.min(text.len())).filter(|t| t.len() == text.len())?).ok()?;
    let list: Vec<Json> = serde_json::from_slice(&bytes).ok()?;
    let (name, keys) = list.split_first()?;
    if name.as_str()? != head(order, down) || keys.len() != order.keys.len() {
        return None;
    }
    let value = |(json, (_, key)): (&Json, &(&str, Key))| {
        Some(match key {
            Key::Text => super::ask::text(json.as_str()?),
            Key::Int => json.as_i64()?.into(),
            Key::Real => json.as_f64()?.into(),
        })
    };
    keys.iter().zip(order.keys).map(value).collect()
}
