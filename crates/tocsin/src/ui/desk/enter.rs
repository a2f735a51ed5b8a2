//! Entering what an analyst or a paid service brings: typed, or a file with a message or text.

use askama::Template;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse, Redirect, Response};
use std::collections::HashMap;
use tocsin_core::Error;
use tocsin_core::desk::{self, NewItem, RELIABILITIES, TLPS};
use tocsin_core::platform::access::Permission;

use super::super::{Answer, Page, encode, show};
use super::sender;
use crate::mail;
use crate::server::{App, Browser, PageError};

#[derive(Template)]
#[template(path = "desk/enter.html")]
struct Enter {
    page: Page,
    source: String,
    new: NewItem,
    credibility: String,
    field: String,
    wrong: String,
}

impl Enter {
    fn tlps(&self) -> &'static [&'static str] {
        &TLPS
    }

    fn reliabilities(&self) -> &'static [(&'static str, &'static str)] {
        &RELIABILITIES
    }

    fn credibilities(&self) -> Vec<(String, &'static str)> {
        (1..=6).map(|n| (n.to_string(), desk::credibility(n))).collect()
    }

    /// What is wrong with a field; empty where nothing is.
    fn of(&self, field: &str) -> &str {
        if self.field == field { &self.wrong } else { "" }
    }
}

fn filled(browser: &Browser, source: String, new: NewItem, (field, wrong): (String, String)) -> Enter {
    let credibility = if new.credibility == 0 { "6".to_owned() } else { new.credibility.to_string() };
    let page = Page::new(browser, "/desk", "Enter an item").crumb("/desk", "Desk");
    Enter { page, source, new, credibility, field, wrong }
}

pub async fn form(State(_): State<App>, browser: Browser) -> Answer {
    browser.actor().need_everywhere(Permission::DeskWrite)?;
    // what comes by hand is kept close until somebody says otherwise
    let new = NewItem {
        tlp: "AMBER".to_owned(),
        reliability: "F".to_owned(),
        credibility: 6,
        ..NewItem::default()
    };
    show(&filled(&browser, String::new(), new, (String::new(), String::new())))
}

pub async fn take(State(app): State<App>, browser: Browser, parts: Multipart) -> Result<Response, PageError> {
    let (fields, file) = super::super::form(parts).await?;
    let field = |name: &str| fields.get(name).map(|v| v.trim().replace("\r\n", "\n")).unwrap_or_default();
    let actor = sender(&browser, &field("csrf"))?;
    let (new, source) = read(&fields, file);
    match desk::enter(app.db(), &actor, &source, new.clone()).await {
        Ok(entered) => {
            let told = if entered.new {
                "The item is entered; it is part of a story within seconds."
            } else {
                "This item was known; it is not entered twice."
            };
            Ok(Redirect::to(&format!("/desk?sort=-latest&done={}", encode(told))).into_response())
        }
        Err(Error::Rejected { field, message }) => {
            Ok(show(&filled(&browser, source, new, (field, message)))?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

/// The item of a form: what a file tells stands where nothing was typed.
pub(crate) fn read(fields: &HashMap<String, String>, file: Option<(String, Vec<u8>)>) -> (NewItem, String) {
    let field = |name: &str| fields.get(name).map(|v| v.trim().replace("\r\n", "\n")).unwrap_or_default();
    let told = file.map(|(name, bytes)| mail::item(&name, &bytes)).unwrap_or_default();
    let or = |typed: String, told: &str| if typed.is_empty() { told.to_owned() } else { typed };
    // browsers send a local time without a zone, which is read as UTC
    let published = match field("published") {
        day if day.len() == 10 => format!("{day}T00:00:00Z"),
        minute if minute.len() == 16 => format!("{minute}:00Z"),
        other => other,
    };
    let new = NewItem {
        own: told.own.clone(),
        url: field("url"),
        title: or(field("title"), &told.title),
        text: or(field("text"), &told.text),
        author: or(field("author"), &told.author),
        published: or(published, &told.published),
        tlp: field("tlp"),
        reliability: field("reliability"),
        credibility: field("credibility").parse().unwrap_or_default(),
        thread: told.thread.clone(),
    };
    (new, field("source"))
}
