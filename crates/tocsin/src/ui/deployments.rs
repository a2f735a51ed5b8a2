//! Units of a release in the field, and single devices: noted one by one or from a CSV file, and out as one; looking one
//! device up.

use std::collections::HashMap;

use askama::Template;
use axum::Form;
use axum::Router;
use axum::extract::{Multipart, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::inventory::{self, Deployment, Device, Located, Release};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;

use super::sheet::{Sheet, cell};
use super::{Answer, Page, encode, filters, form, releases, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("POST", "/releases/{id}/deployments", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/releases/{id}/deployments/import", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/releases/{id}/deployments.csv", Access::Needs(Permission::InventoryRead)),
    ("POST", "/releases/{id}/devices", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/releases/{id}/devices/remove", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/releases/{id}/devices.csv", Access::Needs(Permission::InventoryRead)),
    ("GET", "/devices", Access::Needs(Permission::InventoryRead)),
    ("GET", "/customers", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/releases/{id}/deployments", post(note))
        .route("/releases/{id}/deployments/import", post(import))
        .route("/releases/{id}/deployments.csv", get(export))
        .route("/releases/{id}/devices", post(note_devices))
        .route("/releases/{id}/devices/remove", post(drop_device))
        .route("/releases/{id}/devices.csv", get(export_devices))
        .route("/devices", get(look_up))
        .route("/customers", get(customer))
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
        Some((_, bytes)) if names_devices(&bytes) => {
            return store_devices(&app, &browser, id, read_devices(&bytes)).await;
        }
        Some((_, bytes)) => read(&bytes),
        None => Err("Choose a CSV file with the columns customer, region and units.".to_owned()),
    };
    store(&app, &browser, id, list).await
}

#[derive(Deserialize)]
struct NotedDevices {
    csrf: String,
    customer: String,
    #[serde(default)]
    region: String,
    serials: String,
}

async fn note_devices(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(noted): Form<NotedDevices>,
) -> Result<Response, PageError> {
    browser.check(&noted.csrf)?;
    let serials = noted.serials.lines().map(str::trim).filter(|l| !l.is_empty());
    let device = |serial: &str| Device {
        customer: noted.customer.clone(),
        region: noted.region.clone(),
        serial: serial.to_owned(),
    };
    let list: Vec<Device> = serials.map(device).collect();
    let list = if list.is_empty() { Err("Write at least one serial number.".to_owned()) } else { Ok(list) };
    store_devices(&app, &browser, id, list).await
}

#[derive(Deserialize)]
struct Dropped {
    csrf: String,
    serial: String,
}

async fn drop_device(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(dropped): Form<Dropped>,
) -> Result<Response, PageError> {
    browser.check(&dropped.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let mut change = Change::begin(app.db(), &actor).await?;
    let gone = inventory::drop_devices(&mut change, id, &[dropped.serial]).await?;
    change.commit().await?;
    let words = if gone == 0 { "It was not noted." } else { "Taken away; the number of units stays." };
    Ok(Redirect::to(&format!("/releases/{id}?tab=deployments&done={}", encode(words))).into_response())
}

/// Whether the header of a file names the column `serial`: then it is about devices.
fn names_devices(bytes: &[u8]) -> bool {
    let head = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let head = String::from_utf8_lossy(head).to_lowercase();
    head.split([',', ';']).any(|c| c.trim_matches(|c: char| !c.is_alphanumeric()) == "serial")
}

/// Rows of a CSV file whose header names customer, region and serial in any order.
fn read_devices(bytes: &[u8]) -> Result<Vec<Device>, String> {
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let delimiter = if text.lines().next().is_some_and(|l| l.contains(';')) { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| format!("The file is not CSV: {e}."))?.clone();
    let place = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name));
    let missing = "The first line names customer and serial, and region where there is one.";
    let (Some(customer), Some(serial)) = (place("customer"), place("serial")) else {
        return Err(missing.to_owned());
    };
    let region = place("region");
    let mut list = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| format!("The file is not CSV: {e}. Nothing was taken from it."))?;
        let line = row.position().map_or(0, csv::Position::line);
        let text = |n: usize| row.get(n).unwrap_or_default().to_owned();
        if text(customer).is_empty() || text(serial).is_empty() {
            return Err(format!(
                "In line {line}, customer or serial is missing. Nothing was taken from the file."
            ));
        }
        let region = region.map(text).unwrap_or_default();
        list.push(Device { customer: text(customer), region, serial: text(serial) });
    }
    if list.is_empty() { Err("The file has no line below its header.".to_owned()) } else { Ok(list) }
}

async fn store_devices(
    app: &App,
    browser: &Browser,
    id: i64,
    list: Result<Vec<Device>, String>,
) -> Result<Response, PageError> {
    let mut actor = browser.actor().clone();
    actor.now = now();
    let stored = async {
        let list = list.map_err(|message| Error::Rejected { field: "serial".to_owned(), message })?;
        let mut change = Change::begin(app.db(), &actor).await?;
        let new = inventory::note_devices(&mut change, id, &list).await?;
        change.commit().await?;
        Ok::<(u64, usize), Error>((new, list.len()))
    };
    match stored.await {
        Ok((new, all)) => {
            let words = format!("{new} devices noted, {} were known.", all as u64 - new.min(all as u64));
            Ok(Redirect::to(&format!("/releases/{id}?tab=deployments&done={}", encode(&words)))
                .into_response())
        }
        Err(Error::Rejected { message, .. }) => {
            let tab = HashMap::from([("tab".to_owned(), "deployments".to_owned())]);
            Ok(releases::page(app, browser, id, &tab, message).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn export_devices(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
) -> Result<Response, PageError> {
    let mut out = Sheet::new(&["customer", "region", "serial"])?;
    for d in inventory::devices(app.db(), browser.actor(), id, "", 0, 10_000_000).await? {
        out.row(&[cell(&d.customer), cell(&d.region), cell(&d.serial)])?;
    }
    Ok(out.file("devices"))
}

#[derive(Template)]
#[template(path = "devices/look_up.html")]
struct LookUp {
    page: Page,
    serial: String,
    found: Vec<Located>,
    now: String,
    most: usize,
}

async fn look_up(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    const MOST: u64 = 100;
    let serial = query.get("serial").map(|s| s.trim().to_owned()).unwrap_or_default();
    let found = inventory::locate(app.db(), browser.actor(), &serial, MOST).await?;
    show(&LookUp {
        page: Page::new(&browser, "/products", "Look a device up").crumb("/products", "Products"),
        serial,
        found,
        now: now(),
        most: MOST as usize,
    })
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

#[derive(Template)]
#[template(path = "devices/customer.html")]
struct Customer {
    page: Page,
    name: String,
    rows: Vec<(Release, String, i64)>,
    units: i64,
    now: String,
}

async fn customer(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let name = query.get("name").cloned().unwrap_or_default();
    let rows = inventory::customer(app.db(), browser.actor(), &name).await?;
    show(&Customer {
        page: Page::new(&browser, "/products", &name).crumb("/products", "Products"),
        units: rows.iter().map(|r| r.2).sum(),
        name,
        rows,
        now: now(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_devices_is_told_apart_and_read() {
        assert!(
            names_devices(b"\xef\xbb\xbfSerial;Customer\n")
                && !names_devices(b"customer,region,units\nserial,,1\n")
        );
        let device =
            |serial: &str| Device { customer: "A".into(), region: String::new(), serial: serial.into() };
        let is = read_devices(b"serial;customer\nSN 1;A\n\"2;3\";A\n").unwrap();
        assert_eq!(is, [device("SN 1"), device("2;3")]);
        for (text, wanted) in [
            ("serial,region\n1,EU\n", "customer"),
            ("serial,customer\n,A\n", "line 2"),
            ("serial,customer\n", "no line"),
        ] {
            assert!(read_devices(text.as_bytes()).unwrap_err().contains(wanted), "{text}");
        }
    }

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
