//! What a report goes out as: PDF, Markdown, JSON, and a STIX 2.1 bundle.

use serde_json::json;
use tocsin_core::Error as Fault;
use tocsin_core::report::{Section, Whole};
use tocsin_formats::stix::write as stix;
use tokio::sync::Semaphore;

use super::text::{Block, Span};
use super::{mail, parts, pdf, text};

/// PDFs that are made at once; each takes a core.
static MAKING: Semaphore = Semaphore::const_new(2);

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// PDF.
    Pdf,
    /// Markdown.
    Markdown,
    /// JSON, as the API has it.
    Json,
    /// STIX 2.1.
    Stix,
}

/// All forms: word in addresses, label, ending, media type.
pub const FORMS: [(Form, &str, &str, &str, &str); 4] = [
    (Form::Pdf, "pdf", "PDF", ".pdf", "application/pdf"),
    (Form::Stix, "stix", "STIX 2.1 bundle", ".stix.json", "application/stix+json;version=2.1"),
    (Form::Markdown, "markdown", "Markdown", ".md", "text/markdown; charset=utf-8"),
    (Form::Json, "json", "JSON", ".json", "application/json"),
];

impl Form {
    /// The form of a word.
    pub fn parse(word: &str) -> Option<Form> {
        FORMS.iter().find(|f| f.1 == word).map(|f| f.0)
    }

    fn about(self) -> (&'static str, &'static str) {
        FORMS.iter().find(|f| f.0 == self).map_or(("", ""), |f| (f.3, f.4))
    }
}

/// A report as a file.
pub struct File {
    /// Its name.
    pub name: String,
    /// Media type.
    pub kind: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Writes a report; `site` is our address, which tells us from other makers. A PDF takes a while.
///
/// # Errors
/// The PDF is too large or takes too long.
pub fn write(whole: &Whole, site: &str, form: Form) -> Result<File, Fault> {
    let (ending, kind) = form.about();
    let pretty = |value: &serde_json::Value| {
        let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    };
    let bytes = match form {
        Form::Pdf => pdf::make(whole)
            .map_err(|e| Fault::Rejected { field: "report".to_owned(), message: e.to_string() })?,
        Form::Markdown => mail::markdown(whole).into_bytes(),
        Form::Json => {
            let mut value = serde_json::to_value(whole).unwrap_or_default();
            if let Some(object) = value.as_object_mut() {
                object.insert("schema".to_owned(), json!("tocsin.report/1"));
            }
            pretty(&value)
        }
        Form::Stix => pretty(&stix::bundle(&bundled(whole, site))),
    };
    Ok(File { name: format!("{}{ending}", mail::file_name(whole)), kind, bytes })
}

/// As [`write`], on a thread that may block, few at once.
///
/// # Errors
/// As [`write`].
pub async fn file(whole: Whole, site: String, form: Form) -> Result<File, Fault> {
    let fault = |cause: Box<dyn std::error::Error + Send + Sync>| Fault::Internal {
        doing: "writing a report".to_owned(),
        cause,
    };
    let _turn = MAKING.acquire().await.map_err(|e| fault(Box::new(e)))?;
    let made = tokio::task::spawn_blocking(move || write(&whole, &site, form)).await;
    made.map_err(|e| fault(Box::new(e)))?
}

fn bundled(whole: &Whole, site: &str) -> stix::Report {
    let r = &whole.report;
    let first =
        |texts: &[&String]| texts.iter().find(|t| !t.is_empty()).map_or(String::new(), |t| (**t).clone());
    stix::Report {
        maker_key: format!("{site}/{}", whole.workspace_id),
        maker: whole.workspace.clone(),
        maker_since: first(&[&whole.workspace_since, &r.created]),
        key: r.label(),
        title: r.title.clone(),
        description: text::plain(&text::read(&whole.head.intro)),
        created: r.created.clone(),
        modified: first(&[&r.approved, &r.changed]),
        published: first(&[&r.sent, &r.approved, &r.changed]),
        language: if whole.head.language == "iso" { "en".to_owned() } else { whole.head.language.clone() },
        tlp: r.tlp.clone(),
        notes: whole.sections.iter().map(note).collect(),
    }
}

fn note(s: &Section) -> stix::Note {
    let texts: Vec<String> = parts(s)
        .into_iter()
        .map(|(_, label, markdown)| format!("## {label}\n\n{}", markdown.trim()))
        .collect();
    let mut references = Vec::new();
    links(&text::read(&s.text.references), &mut references);
    stix::Note {
        key: s.id.to_string(),
        heading: s.text.heading.clone(),
        content: texts.join("\n\n"),
        ids: s.facts.ids.clone(),
        tlp: s.text.tlp.clone(),
        references,
    }
}

/// Addresses that a text links to, each once.
fn links(blocks: &[Block], found: &mut Vec<String>) {
    for block in blocks {
        match block {
            Block::Para(spans) => of_spans(spans, found),
            Block::Code(_) => {}
            Block::Quote(inner) => links(inner, found),
            Block::List(_, items) => items.iter().for_each(|item| links(item, found)),
        }
    }
}

fn of_spans(spans: &[Span], found: &mut Vec<String>) {
    for link in spans.iter().filter_map(|s| s.link.as_ref()).filter(|l| l.starts_with("http")) {
        if !found.contains(link) {
            found.push(link.clone());
        }
    }
}
