//! News: RSS (0.9x, 1.0, 2.0), Atom 1.0 (RFC 4287) and JSON Feed (1.1) as items of plain text.
//!
//! What a feed says is shown to people beside what they trust, so that nothing of its markup is kept: text, line
//! breaks, and addresses that are `http` or `https`. Feeds are often not what their formats want: what can be read of
//! one is read, and the rest is told.

mod date;
mod json;
mod link;
mod markup;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashSet;

use tocsin_model::diagnostic::Diagnostic;

pub use date::instant;
pub use link::absolute;
pub use text::{decode, plain};

/// Longest document read, in bytes.
pub const MOST: usize = 16 << 20;
/// Items read of one document; the first ones, which are the newest in nearly every feed.
pub const ITEMS: usize = 5_000;
/// Longest title, author, id and address, in bytes.
const SHORT: usize = 2_000;
/// Longest text of an item, in bytes.
const LONG: usize = 256 << 10;
/// Remarks kept of one document.
const REMARKS: usize = 100;

/// A feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// What it is called.
    pub title: String,
    /// Its items, as they stand in it.
    pub items: Vec<NewsItem>,
    /// It was read to its end; else what stands before the fault is here, and a diagnostic tells where that is.
    pub whole: bool,
}

/// One item of a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewsItem {
    /// What tells it from the others of its feed: its own id (`guid`, `id`, `rdf:about`), else its address, else its
    /// title.
    pub id: String,
    /// Address of the article; empty where there is none.
    pub url: String,
    /// Title, one line; may be empty where there is a text.
    pub title: String,
    /// Text without markup: the longest that it has.
    pub text: String,
    /// When it was published (else when it was changed), RFC 3339 in UTC.
    pub published: Option<String>,
    /// Who wrote it, with commas between; empty where that is not said.
    pub author: String,
    /// Id or address of what it answers (RFC 4685); empty where it answers nothing.
    pub answers: String,
}

/// Reads a feed that was fetched from `base`, from where its relative addresses are seen. Items that have neither title
/// nor text, or an id that came already, are left out, with a diagnostic.
///
/// # Errors
/// It is no feed, nothing of it can be read, or it is longer than [`MOST`].
pub fn read(bytes: &[u8], base: &str) -> Result<(News, Vec<Diagnostic>), Diagnostic> {
    if bytes.len() > MOST {
        return Err(Diagnostic::new("limit-size", "", format!("limit: a feed of {MOST} bytes")));
    }
    let text = text::decode(bytes);
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0');
    let (news, said) = match text.as_bytes().first() {
        Some(b'{') => json::read(text, base)?,
        Some(b'<') => markup::read(text, base)?,
        Some(_) => {
            return Err(Diagnostic::new("input-syntax", "line 1", "it is no feed: XML or JSON is wanted"));
        }
        None => return Err(Diagnostic::new("input-empty", "", "there is nothing in it")),
    };
    Ok(finished(news, said))
}

/// Sets ids; leaves out what is empty and what comes twice.
fn finished(mut news: News, mut said: Vec<Diagnostic>) -> (News, Vec<Diagnostic>) {
    let mut seen = HashSet::new();
    let mut at = 0_usize;
    news.items.retain_mut(|item| {
        let place = format!("items[{at}]");
        at += 1;
        if item.id.is_empty() {
            let instead = [&item.url, &item.title].into_iter().find(|s| !s.is_empty());
            item.id = instead.cloned().unwrap_or_default();
        }
        if item.title.is_empty() && item.text.is_empty() {
            said.push(Diagnostic::new("record-invalid", place, "the item has neither title nor text"));
            return false;
        }
        if !item.id.is_empty() && !seen.insert(item.id.clone()) {
            let what = format!("a second item of the id `{}`", text::cut(&item.id, 80));
            said.push(Diagnostic::new("value-ignored", place, what));
            return false;
        }
        true
    });
    said.truncate(REMARKS);
    (news, said)
}

/// Markup as one line.
fn short(html: &str) -> String {
    line(&text::plain(html))
}

/// Text as one line.
fn line(text: &str) -> String {
    text::cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), SHORT)
}

/// Markup as text.
fn long(html: &str) -> String {
    text::cut(&text::plain(html), LONG)
}

/// The longest of texts.
fn longest(texts: impl IntoIterator<Item = String>) -> String {
    texts.into_iter().max_by_key(String::len).unwrap_or_default()
}
