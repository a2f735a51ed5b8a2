//! Units of a release in the field: noted one by one or from a CSV file, and out as one.

use std::collections::HashMap;

use axum::Form;
use axum::Router;
use axum::extract::{Multipart, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::inventory::{self, Deployment};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;

use super::sheet::{Sheet, cell};
use super::{encode, form, releases};
use crate::server::{App, Browser, PageError, now};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/releases/{id}/deployments", post(note))
        .route("/releases/{id}/deployments/import", post(import))
        .route("/releases/{id}/deployments.csv", get(export))
}

/// Columns of the file, in and out.
const COLUMNS: [&str; 3] = ["customer", "region", "units"];

#[derive(Deserialize)]
struct Noted {
    csrf: String,
    customer: String,
    #[serde(default)]
    region: String,
    units: String,
}

fn units(text: &str) -> Result<i64, String> {
    let text = text.trim();
    text.parse()
        .map_err(|_| format!("`{text}` is not a number of units; write it in digits alone, like 1200"))
}

async fn note(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(noted): Form<Noted>,
) -> Result<Response, PageError> {
    browser.check(&noted.csrf)?;
    let list = units(&noted.units)
        .map(|units| vec![Deployment { customer: noted.customer, region: noted.region, units }]);
    store(&app, &browser, id, list).await
}

async fn import(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    parts: Multipart,
) -> Result<Response, PageError> {
    let (fields, file) = form(parts).await?;
    browser.check(fields.get("csrf").map_or("", String::as_str))?;
    let list = match file {
        Some((_, bytes)) => read(&bytes),
        None => Err("Choose a CSV file with the columns customer, region and units.".to_owned()),
    };
    store(&app, &browser, id, list).await
}

/// Rows of a CSV file whose header names [`COLUMNS`] in any order; commas, or semicolons as spreadsheets of some
/// countries write.
fn read(bytes: &[u8]) -> Result<Vec<Deployment>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let head = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let delimiter = if head.contains(&b';') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|e| format!("The file is not CSV: {e}."))?.clone();
    let place = |name: &str| {
        header.iter().position(|h| h.eq_ignore_ascii_case(name)).ok_or_else(|| {
            format!("The first line does not name the column {name}; it names customer, region and units.")
        })
    };
    let [customer, region, number] = COLUMNS.map(place);
    let (customer, region, number) = (customer?, region?, number?);
    let mut list = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| format!("The file is not CSV: {e}. Nothing was taken from it."))?;
        let line = row.position().map_or(0, csv::Position::line);
        let text = |n: usize| row.get(n).unwrap_or_default().to_owned();
        let wrong = |what: &str| format!("In line {line}, {what}. Nothing was taken from the file.");
        if text(customer).is_empty() {
            return Err(wrong("the customer is missing"));
        }
        let units = units(&text(number)).map_err(|e| wrong(&e))?;
        if units < 0 {
            return Err(wrong("the number of units is below 0"));
        }
        list.push(Deployment { customer: text(customer), region: text(region), units });
    }
    if list.is_empty() { Err("The file has no line below its header.".to_owned()) } else { Ok(list) }
}

async fn store(
    app: &App,
    browser: &Browser,
    id: i64,
    list: Result<Vec<Deployment>, String>,
) -> Result<Response, PageError> {
    let mut actor = browser.actor().clone();
    actor.now = now();
    actor.need(Permission::InventoryWrite)?;
    let stored = async {
        let list = list.map_err(|message| Error::Rejected { field: "units".to_owned(), message })?;
        let mut change = Change::begin(app.db(), &actor).await?;
        inventory::deploy(&mut change, id, &list).await?;
        change.commit().await?;
        Ok::<usize, Error>(list.len())
    };
    match stored.await {
        Ok(n) => {
            let words = if n == 1 { "Noted.".to_owned() } else { format!("{n} lines noted.") };
            let there = format!("/releases/{id}?tab=deployments&done={}", encode(&words));
            Ok(Redirect::to(&there).into_response())
        }
        Err(Error::Rejected { message, .. }) => {
            let tab = HashMap::from([("tab".to_owned(), "deployments".to_owned())]);
            Ok(releases::page(app, browser, id, &tab, message).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn export(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
) -> Result<Response, PageError> {
    let mut out = Sheet::new(&COLUMNS)?;
    for d in inventory::deployments(app.db(), browser.actor(), id).await? {
        out.row(&[cell(&d.customer), cell(&d.region), d.units.to_string()])?;
    }
    Ok(out.file("deployments"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_in_any_order_of_columns() {
        let unit = |customer: &str, region: &str, units| Deployment {
            customer: customer.to_owned(),
            region: region.to_owned(),
            units,
        };
        for (text, wanted) in [
            ("customer,region,units\nA,EU,1\n", Ok(vec![unit("A", "EU", 1)])),
            ("\u{feff}Units;Customer;Region\r\n 7 ;\"A; B\";\r\n", Ok(vec![unit("A; B", "", 7)])),
            ("customer,region,units\nA,EU,1\nB,EU,many\n", Err("line 3")),
            ("customer,region,units\nA,EU,-1\n", Err("line 2")),
            ("customer,region,units\n,EU,1\n", Err("customer is missing")),
            ("customer,region\nA,EU\n", Err("column units")),
            ("customer,region,units\n", Err("no line")),
            ("", Err("column customer")),
            ("customer,region,units\nA,EU\n", Err("not CSV")),
        ] {
            match (read(text.as_bytes()), wanted) {
                (Ok(is), Ok(wanted)) => assert_eq!(is, wanted),
                (Err(is), Err(wanted)) => assert!(is.contains(wanted), "{is}"),
                (is, _) => panic!("{text:?}: {is:?}"),
            }
        }
    }
}
