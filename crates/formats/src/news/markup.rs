//! RSS and Atom, read element by element: one item at a time is a tree, so that what comes before a fault is read.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, escape};
use tocsin_model::diagnostic::Diagnostic;

use super::{ITEMS, LONG, News, NewsItem, instant, line, link, long, longest, short, text};

/// Deepest nesting of elements that is kept; what lies deeper belongs to the element above it.
const DEPTH: usize = 64;
/// Attributes of an element that are looked at.
const ATTRIBUTES: usize = 50;
/// Bytes of text that one item may hold in all.
const HELD: usize = 4 << 20;

/// An element with what is inside.
#[derive(Default)]
struct Element {
    prefix: String,
    name: String,
    attributes: Vec<(String, String)>,
    inside: Vec<Inside>,
}

enum Inside {
    Text(String),
    Element(Element),
}

impl Element {
    fn of(tag: &BytesStart<'_>) -> Element {
        let name = tag.name();
        let mut all = tag.attributes();
        let attributes = all.with_checks(false).flatten().take(ATTRIBUTES).map(|a| {
            let value = escape::unescape(&a.value).unwrap_or(std::borrow::Cow::Borrowed(&a.value));
            (a.key.as_ref().to_owned(), value.into_owned())
        });
        Element {
            prefix: name.prefix().map(|p| p.as_ref().to_ascii_lowercase()).unwrap_or_default(),
            name: name.local_name().as_ref().to_owned(),
            attributes: attributes.collect(),
            inside: Vec::new(),
        }
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.0 == name).map(|a| a.1.as_str())
    }

    fn push(&mut self, text: &str) {
        match self.inside.last_mut() {
            Some(Inside::Text(known)) => known.push_str(text),
            _ => self.inside.push(Inside::Text(text.to_owned())),
        }
    }

    fn children(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.inside.iter().filter_map(move |i| match i {
            Inside::Element(e) if e.name == name => Some(e),
            _ => None,
        })
    }

    /// The child of a name: that of the format itself, not that of an extension which uses the same word
    /// (`media:title`, `itunes:author`).
    fn child(&self, name: &str) -> Option<&Element> {
        let own = |e: &&Element| matches!(e.prefix.as_str(), "" | "rss" | "atom" | "a10" | "rdf" | "atom10");
        let best = self.children(name).filter(own).min_by_key(|e| !e.prefix.is_empty());
        best.or_else(|| {
            self.children(name).find(|e| matches!(e.prefix.as_str(), "dc" | "dcterms" | "content"))
        })
    }

    /// All text inside, as it is written: of a text that is markup by its own elements, that markup.
    fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, false);
        out
    }

    /// What is inside as HTML: of XHTML (RFC 4287, section 3.1.1.3) its elements.
    fn markup(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, true);
        out
    }

    fn write(&self, out: &mut String, xhtml: bool) {
        for inside in &self.inside {
            if out.len() > LONG * 4 {
                return;
            }
            match inside {
                Inside::Text(text) if xhtml => out.push_str(&escape::partial_escape(text.as_str())),
                Inside::Text(text) => out.push_str(text),
                Inside::Element(e) if xhtml => {
                    let href = e.attribute("href").map(|h| format!(" href=\"{}\"", escape::escape(h)));
                    out.push_str(&format!("<{}{}>", e.name, href.unwrap_or_default()));
                    e.write(out, xhtml);
                    out.push_str(&format!("</{}>", e.name));
                }
                Inside::Element(e) => e.write(out, xhtml),
            }
        }
    }

    fn text_of(&self, name: &str) -> String {
        self.child(name).map(|e| e.text().trim().to_owned()).unwrap_or_default()
    }
}

/// What is read so far.
struct Reading<'a> {
    base: &'a str,
    news: News,
    said: Vec<Diagnostic>,
    stack: Vec<Element>,
    /// Elements open below the deepest that is kept.
    deeper: usize,
    held: usize,
}

pub(super) fn read(text: &str, base: &str) -> Result<(News, Vec<Diagnostic>), Diagnostic> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let line_at = |at: u64| {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        format!("line {}", 1 + text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count())
    };
    let news = News { whole: true, ..News::default() };
    let mut r = Reading { base, news, said: Vec::new(), stack: Vec::new(), deeper: 0, held: 0 };
    loop {
        let fault = match reader.read_event() {
            Ok(Event::Start(tag)) => {
                r.start(&tag)?;
                None
            }
            Ok(Event::Empty(tag)) => {
                r.start(&tag)?;
                r.end(tag.name().as_ref());
                None
            }
            Ok(Event::End(tag)) => {
                r.end(tag.name().as_ref());
                None
            }
            Ok(Event::Text(t)) => {
                r.text(&t);
                None
            }
            Ok(Event::CData(t)) => {
                r.text(&t);
                None
            }
            Ok(Event::GeneralRef(name)) => {
                r.text(&referred(&name));
                None
            }
            Ok(Event::Eof) => match r.stack.last() {
                // the end of the feed alone is often forgotten
                Some(e) if !is_frame(&e.name) => Some(format!("it ends inside `{}`", text::cut(&e.name, 60))),
                _ => return Ok((r.news, r.said)),
            },
            Ok(_) => None,
            Err(e) => Some(e.to_string()),
        };
        if r.news.items.len() >= ITEMS {
            let what = format!("limit: {ITEMS} items; the rest is left out");
            r.said.push(Diagnostic::new("limit-entries", line_at(reader.buffer_position()), what));
            return Ok((r.news, r.said));
        }
        if let Some(fault) = fault {
            let fault = Diagnostic::new("input-syntax", line_at(reader.buffer_position()), fault);
            if r.news.items.is_empty() {
                return Err(fault);
            }
            r.news.whole = false;
            r.said.insert(0, fault);
            return Ok((r.news, r.said));
        }
    }
}

/// Elements around the items.
fn is_frame(name: &str) -> bool {
    matches!(name, "rss" | "RDF" | "feed" | "channel")
}

fn is_item(name: &str) -> bool {
    matches!(name, "item" | "entry")
}

/// The text of a reference: of XML, a number, or a name of HTML that nobody declared.
fn referred(name: &str) -> String {
    let one = |c: Option<char>| {
        c.filter(|c| !c.is_control() || c.is_whitespace()).map(String::from).unwrap_or_default()
    };
    match name {
        "amp" => "&".to_owned(),
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        "quot" => "\"".to_owned(),
        "apos" => "'".to_owned(),
        name => match name.strip_prefix('#') {
            Some(hex) if hex.starts_with(['x', 'X']) => {
                one(u32::from_str_radix(hex.get(1..).unwrap_or_default(), 16).ok().and_then(char::from_u32))
            }
            Some(decimal) => one(decimal.parse().ok().and_then(char::from_u32)),
            None => text::named(name),
        },
    }
}

impl Reading<'_> {
    /// Opens an element.
    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), Diagnostic> {
        if self.stack.len() >= DEPTH {
            self.deeper += 1;
            return Ok(());
        }
        let element = Element::of(tag);
        if self.stack.is_empty() && !is_frame(&element.name) {
            let what = match element.name.to_ascii_lowercase().as_str() {
                "html" => "it is a web page and no feed; look on it for the address of its feed".to_owned(),
                _ => format!("`{}` is no feed: rss, RDF or feed is wanted", text::cut(&element.name, 60)),
            };
            return Err(Diagnostic::new("input-syntax", "line 1", what));
        }
        self.stack.push(element);
        Ok(())
    }

    fn text(&mut self, text: &str) {
        // what stands between the items is of no use
        let Some(top) = self.stack.last_mut().filter(|e| !is_frame(&e.name)) else { return };
        if self.held + text.len() <= HELD {
            self.held += text.len();
            top.push(text);
        }
    }

    /// Closes the element of a name, and those in it that were left open.
    fn end(&mut self, name: &str) {
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        let local = name.rsplit(':').next().unwrap_or_default();
        let Some(at) = self.stack.iter().rposition(|e| e.name == local) else { return };
        // an end inside an item does not close what the item stands in
        if self.stack.get(at + 1..).is_some_and(|inner| inner.iter().any(|e| is_item(&e.name)))
            && !is_frame(local)
        {
            return;
        }
        while self.stack.len() > at {
            let Some(element) = self.stack.pop() else { return };
            self.close(element);
        }
    }

    fn close(&mut self, element: Element) {
        let inside_item = self.stack.iter().any(|e| is_item(&e.name));
        if is_item(&element.name) && !inside_item {
            self.held = 0;
            let read =
                if element.name == "entry" { entry(&element, self.base) } else { item(&element, self.base) };
            self.news.items.push(read);
            return;
        }
        let Some(parent) = self.stack.last_mut() else { return };
        if !is_frame(&parent.name) {
            parent.inside.push(Inside::Element(element));
        } else {
            self.held = 0;
            if element.name == "title" && element.prefix.is_empty() && self.news.title.is_empty() {
                self.news.title = short(&element.text());
            }
        }
    }
}

/// An item of RSS.
fn item(e: &Element, base: &str) -> NewsItem {
    let guid = e.child("guid");
    let own = guid.map(|g| g.text().trim().to_owned()).unwrap_or_default();
    let link = e.children("link").map(|l| {
        let text = l.text();
        let written = if text.trim().is_empty() { l.attribute("href").unwrap_or_default() } else { &text };
        link::absolute(base, written)
    });
    let mut link = link.filter(|l| !l.is_empty());
    let permanent = guid.is_some_and(|g| g.attribute("isPermaLink") != Some("false"));
    let url = link.next().unwrap_or_else(|| if permanent { link::absolute("", &own) } else { String::new() });
    let about =
        || e.attribute("rdf:about").or_else(|| e.attribute("about")).unwrap_or_default().trim().to_owned();
    let texts = ["encoded", "description", "summary"].map(|name| long(&e.text_of(name)));
    let date = ["pubDate", "date", "published", "issued", "created", "updated", "modified"];
    let mut authors: Vec<String> = ["creator", "author"]
        .into_iter()
        .flat_map(|name| e.children(name).filter(|a| a.prefix != "itunes").take(10))
        .map(|a| short(&a.text()))
        .filter(|a| !a.is_empty())
        .collect();
    authors.dedup();
    NewsItem {
        id: text::cut(&if own.is_empty() { about() } else { own }, super::SHORT),
        url,
        title: short(&e.text_of("title")),
        text: longest(texts),
        published: date.iter().find_map(|n| instant(&e.text_of(n))),
        author: authors.join(", "),
        answers: String::new(),
    }
}

/// A text of Atom, of the type that it says it is of (RFC 4287, section 3.1).
fn typed(e: Option<&Element>, most: fn(&str) -> String, as_it_is: fn(&str) -> String) -> String {
    let Some(e) = e else { return String::new() };
    match e.attribute("type").unwrap_or("text").to_ascii_lowercase().as_str() {
        "xhtml" | "application/xhtml+xml" => most(&e.markup()),
        "text" | "text/plain" => as_it_is(&e.text()),
        _ => most(&e.text()),
    }
}

/// An entry of Atom.
fn entry(e: &Element, base: &str) -> NewsItem {
    let own = e.attribute("xml:base").map(|b| link::absolute(base, b)).filter(|b| !b.is_empty());
    let base = own.as_deref().unwrap_or(base);
    let rel = |wanted: &str| {
        let mut found = e.children("link").filter(|l| l.attribute("rel").unwrap_or("alternate") == wanted);
        found.find_map(|l| Some(link::absolute(base, l.attribute("href")?)).filter(|a| !a.is_empty()))
    };
    let kept = |text: &str| text::cut(text.trim(), LONG);
    let texts = ["content", "summary"].map(|name| typed(e.child(name), long, kept));
    let mut authors: Vec<String> = e
        .children("author")
        .take(10)
        .map(|a| {
            line(
                &[a.text_of("name"), a.text_of("email")]
                    .into_iter()
                    .find(|n| !n.is_empty())
                    .unwrap_or_default(),
            )
        })
        .filter(|n| !n.is_empty())
        .collect();
    authors.dedup();
    let answers = e.children("in-reply-to").find_map(|a| a.attribute("ref").or_else(|| a.attribute("href")));
    NewsItem {
        id: text::cut(&e.text_of("id"), super::SHORT),
        url: rel("alternate").or_else(|| rel("self")).unwrap_or_default(),
        title: typed(e.child("title"), short, line),
        text: longest(texts),
        published: ["published", "issued", "updated", "modified"].iter().find_map(|n| instant(&e.text_of(n))),
        author: authors.join(", "),
        answers: text::cut(answers.unwrap_or_default().trim(), super::SHORT),
    }
}
