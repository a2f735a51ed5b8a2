//! JSON Feed, version 1.1 (jsonfeed.org/version/1.1) and 1.0.

use serde_json::Value;
use tocsin_model::diagnostic::Diagnostic;

use super::{ITEMS, LONG, News, NewsItem, instant, line, link, long, longest, short, text};

pub(super) fn read(text: &str, base: &str) -> Result<(News, Vec<Diagnostic>), Diagnostic> {
    let document: Value = serde_json::from_str(text)
        .map_err(|e| Diagnostic::new("input-syntax", format!("line {}", e.line()), e.to_string()))?;
    let Some(items) = document.get("items").and_then(Value::as_array) else {
        return Err(Diagnostic::new("input-syntax", "", "it is no JSON Feed: there is no list `items`"));
    };
    let mut said = Vec::new();
    if items.len() > ITEMS {
        said.push(Diagnostic::new(
            "limit-entries",
            "items",
            format!("limit: {ITEMS} items; the rest is left out"),
        ));
    }
    let items = items.iter().take(ITEMS).map(|i| item(i, base)).collect();
    Ok((News { title: line(&word(&document, "title")), items, whole: true }, said))
}

fn word(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) => n.to_string(),
        _ => String::new(),
    }
}

fn item(v: &Value, base: &str) -> NewsItem {
    let plain = |name: &str| text::cut(word(v, name).trim(), LONG);
    let mut names: Vec<String> = v
        .get("authors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .chain(v.get("author"))
        .map(|a| line(&word(a, "name")))
        .filter(|n| !n.is_empty())
        .take(10)
        .collect();
    names.dedup();
    let url = ["url", "external_url"].map(|name| link::absolute(base, &word(v, name)));
    NewsItem {
        id: text::cut(word(v, "id").trim(), super::SHORT),
        url: url.into_iter().find(|u| !u.is_empty()).unwrap_or_default(),
        title: short(&word(v, "title")),
        text: longest([long(&word(v, "content_html")), plain("content_text"), plain("summary")]),
        published: ["date_published", "date_modified"].iter().find_map(|n| instant(&word(v, n))),
        author: names.join(", "),
        answers: String::new(),
    }
}
