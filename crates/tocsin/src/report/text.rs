//! The Markdown that analysts write: paragraphs, lists, quotes, code, emphasis and links, read once into blocks that
//! pages, mail, plain text and PDF are made of. Raw HTML and images are text, headings are strong lines, and a link that
//! is neither http, https nor mailto is its text.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Levels of lists and quotes within one another; deeper ones stay on the last.
const DEEPEST: usize = 6;

/// A run of text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// The text; a line break where it is one line feed.
    pub text: String,
    /// Strong.
    pub strong: bool,
    /// Emphasis.
    pub em: bool,
    /// Code.
    pub code: bool,
    /// Where it leads.
    pub link: Option<String>,
}

/// A block of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A paragraph.
    Para(Vec<Span>),
    /// Code, with its lines.
    Code(String),
    /// A quote.
    Quote(Vec<Block>),
    /// A list; with its first number where it has numbers.
    List(Option<u64>, Vec<Vec<Block>>),
}

/// What is open while events come.
enum Open {
    Quote(Vec<Block>),
    List(Option<u64>, Vec<Vec<Block>>),
    Item(Vec<Block>),
}

#[derive(Default)]
struct Builder {
    done: Vec<Block>,
    open: Vec<Open>,
    /// Opened ones that were not deep enough to count.
    ignored: usize,
    spans: Vec<Span>,
    strong: usize,
    em: usize,
    heading: bool,
    code: Option<String>,
    links: Vec<Option<String>>,
}

/// An address that a link may have.
fn checked(address: &str) -> Option<String> {
    let begin = address.trim_start().get(..8).unwrap_or(address.trim_start()).to_ascii_lowercase();
    let known = ["https://", "http://", "mailto:"].iter().any(|s| begin.starts_with(s));
    let odd = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    (known && !address.contains(odd)).then(|| address.to_owned())
}

impl Builder {
    fn text(&mut self, text: &str, code: bool) {
        if let Some(all) = &mut self.code {
            all.push_str(text);
            return;
        }
        // marks that turn the direction of what follows would let a text look like another
        let text: String = text
            .chars()
            .filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
            .collect();
        let span = Span {
            text,
            strong: self.strong > 0 || self.heading,
            em: self.em > 0,
            code,
            link: self.links.last().cloned().flatten(),
        };
        let alike = |s: &Span| {
            (s.strong, s.em, s.code, &s.link) == (span.strong, span.em, span.code, &span.link)
                && s.text != "\n"
        };
        match self.spans.last_mut() {
            Some(last) if alike(last) && span.text != "\n" => last.text.push_str(&span.text),
            _ => self.spans.push(span),
        }
    }

    fn block(&mut self, block: Block) {
        match self.open.last_mut() {
            Some(Open::Quote(all) | Open::Item(all)) => all.push(block),
            Some(Open::List(_, items)) => items.push(vec![block]),
            None => self.done.push(block),
        }
    }

    fn end_spans(&mut self) {
        if !self.spans.is_empty() {
            let spans = std::mem::take(&mut self.spans);
            self.block(Block::Para(spans));
        }
    }

    fn begin(&mut self, open: Open) {
        self.end_spans();
        if self.ignored > 0 || self.open.len() >= DEEPEST * 2 {
            self.ignored += 1;
        } else {
            self.open.push(open);
        }
    }

    fn end(&mut self) {
        self.end_spans();
        if self.ignored > 0 {
            self.ignored -= 1;
            return;
        }
        match self.open.pop() {
            Some(Open::Quote(all)) => self.block(Block::Quote(all)),
            Some(Open::List(first, items)) => self.block(Block::List(first, items)),
            Some(Open::Item(all)) => match self.open.last_mut() {
                Some(Open::List(_, items)) => items.push(all),
                _ => self.block(Block::Quote(all)),
            },
            None => {}
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::BlockQuote(_)) => self.begin(Open::Quote(Vec::new())),
            Event::Start(Tag::List(first)) => self.begin(Open::List(first, Vec::new())),
            Event::Start(Tag::Item) => self.begin(Open::Item(Vec::new())),
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item) => self.end(),
            Event::Start(Tag::CodeBlock(_)) => {
                self.end_spans();
                self.code = Some(String::new());
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some(code) = self.code.take() {
                    self.block(Block::Code(code.trim_end_matches('\n').to_owned()));
                }
            }
            Event::Start(Tag::Heading { .. }) => {
                self.end_spans();
                self.heading = true;
            }
            Event::End(TagEnd::Heading(_)) => {
                self.heading = false;
                self.end_spans();
            }
            Event::End(TagEnd::Paragraph | TagEnd::HtmlBlock) => self.end_spans(),
            Event::Start(Tag::Strong) => self.strong += 1,
            Event::End(TagEnd::Strong) => self.strong = self.strong.saturating_sub(1),
            Event::Start(Tag::Emphasis) => self.em += 1,
            Event::End(TagEnd::Emphasis) => self.em = self.em.saturating_sub(1),
            Event::Start(Tag::Link { dest_url, .. }) => self.links.push(checked(&dest_url)),
            Event::End(TagEnd::Link) => {
                self.links.pop();
            }
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text, false),
            Event::Code(text) => self.text(&text, true),
            Event::SoftBreak => self.text(" ", false),
            Event::HardBreak => self.text("\n", false),
            Event::Rule => self.end_spans(),
            _ => {}
        }
    }
}

/// Reads a text.
pub fn read(markdown: &str) -> Vec<Block> {
    let mut builder = Builder::default();
    for event in Parser::new_ext(markdown, Options::empty()) {
        builder.event(event);
    }
    builder.end_spans();
    while !builder.open.is_empty() {
        builder.end();
    }
    builder.done
}

/// A text as part of HTML.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// What is put into tags: nothing on pages, whose style sheet knows them; style in mail, which has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dress {
    /// Pages.
    Page,
    /// Mail.
    Mail,
}

impl Dress {
    fn of(self, tag: &str) -> &'static str {
        if self == Dress::Page {
            return "";
        }
        match tag {
            "p" => " style=\"margin:0 0 10px\"",
            "ul" | "ol" => " style=\"margin:0 0 10px;padding-left:22px\"",
            "pre" => {
                " style=\"margin:0 0 10px;padding:8px 10px;background:#f2f3f6;font:13px/1.5 monospace;white-space:pre-wrap\""
            }
            "code" => " style=\"font:13px monospace\"",
            "blockquote" => " style=\"margin:0 0 10px;padding-left:12px;border-left:3px solid #c9ccd6\"",
            "a" => " style=\"color:#3a39b0\"",
            _ => "",
        }
    }
}

/// Blocks as HTML.
pub fn html(blocks: &[Block], dress: Dress) -> String {
    let mut out = String::new();
    write(&mut out, blocks, dress);
    out
}

fn write(out: &mut String, blocks: &[Block], dress: Dress) {
    for block in blocks {
        match block {
            Block::Para(spans) => {
                out.push_str(&format!("<p{}>", dress.of("p")));
                spans.iter().for_each(|s| span(out, s, dress));
                out.push_str("</p>\n");
            }
            Block::Code(code) => {
                // a box that scrolls is reached by keys too
                let focus = if dress == Dress::Page { " tabindex=\"0\"" } else { "" };
                out.push_str(&format!("<pre{}{focus}>{}</pre>\n", dress.of("pre"), escaped(code)));
            }
            Block::Quote(inner) => {
                out.push_str(&format!("<blockquote{}>\n", dress.of("blockquote")));
                write(out, inner, dress);
                out.push_str("</blockquote>\n");
            }
            Block::List(first, items) => {
                let tag = if first.is_some() { "ol" } else { "ul" };
                let start = first.filter(|n| *n != 1).map_or(String::new(), |n| format!(" start=\"{n}\""));
                out.push_str(&format!("<{tag}{start}{}>\n", dress.of(tag)));
                for item in items {
                    out.push_str("<li>");
                    match item.as_slice() {
                        [Block::Para(spans)] => spans.iter().for_each(|s| span(out, s, dress)),
                        inner => write(out, inner, dress),
                    }
                    out.push_str("</li>\n");
                }
                out.push_str(&format!("</{tag}>\n"));
            }
        }
    }
}

fn span(out: &mut String, s: &Span, dress: Dress) {
    if s.text == "\n" {
        out.push_str("<br>");
        return;
    }
    let mut text = escaped(&s.text);
    if s.code {
        text = format!("<code{}>{text}</code>", dress.of("code"));
    }
    if s.em {
        text = format!("<em>{text}</em>");
    }
    if s.strong {
        text = format!("<strong>{text}</strong>");
    }
    if let Some(link) = &s.link {
        text =
            format!("<a href=\"{}\" rel=\"noreferrer noopener\"{}>{text}</a>", escaped(link), dress.of("a"));
    }
    out.push_str(&text);
}

/// Blocks as plain text, lines not broken.
pub fn plain(blocks: &[Block]) -> String {
    let mut out = String::new();
    lines(&mut out, blocks, "");
    out.trim_end().to_owned()
}

fn words(spans: &[Span]) -> String {
    spans.iter().fold(String::new(), |mut out, s| {
        out.push_str(&s.text);
        // an address that is its own text is told once
        if let Some(link) = s.link.as_deref().filter(|l| *l != s.text) {
            out.push_str(&format!(" <{link}>"));
        }
        out
    })
}

fn lines(out: &mut String, blocks: &[Block], before: &str) {
    let put = |out: &mut String, text: &str| {
        for line in text.lines() {
            out.push_str(&format!("{before}{line}\n"));
        }
    };
    for block in blocks {
        match block {
            Block::Para(spans) => put(out, &words(spans)),
            Block::Code(code) => put(out, code),
            Block::Quote(inner) => lines(out, inner, &format!("{before}> ")),
            Block::List(first, items) => {
                for (n, item) in items.iter().enumerate() {
                    let sign = first
                        .map_or_else(|| "- ".to_owned(), |f| format!("{}. ", f.saturating_add(n as u64)));
                    let mut inner = String::new();
                    lines(&mut inner, item, "");
                    for (at, line) in inner.trim_end().lines().enumerate() {
                        let sign = if at == 0 { sign.clone() } else { " ".repeat(sign.len()) };
                        out.push_str(format!("{before}{sign}{line}").trim_end());
                        out.push('\n');
                    }
                }
            }
        }
        // items of a list stand close together
        if before.is_empty() {
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(markdown: &str) -> String {
        html(&read(markdown), Dress::Page).replace('\n', "")
    }

    #[test]
    fn what_analysts_write_becomes_html_and_text() {
        for (markdown, wanted) in [
            ("One *two* **three**", "<p>One <em>two</em> <strong>three</strong></p>"),
            ("# Head\nText", "<p><strong>Head</strong></p><p>Text</p>"),
            ("- a\n- b `c`", "<ul><li>a</li><li>b <code>c</code></li></ul>"),
            ("3. a\n4. b", "<ol start=\"3\"><li>a</li><li>b</li></ol>"),
            ("> q", "<blockquote><p>q</p></blockquote>"),
            ("```\na < b\n```", "<pre tabindex=\"0\">a &lt; b</pre>"),
            ("a  \nb", "<p>a<br>b</p>"),
            ("a\nb", "<p>a b</p>"),
            (
                "[x](https://e.org/?a=1&b=2)",
                "<p><a href=\"https://e.org/?a=1&amp;b=2\" rel=\"noreferrer noopener\">x</a></p>",
            ),
            ("- a\n  - b", "<ul><li><p>a</p><ul><li>b</li></ul></li></ul>"),
        ] {
            assert_eq!(page(markdown), wanted, "{markdown}");
        }
        let blocks = read("Read [this](https://e.org), then:\n\n1. one\n2. two\n\n> as said");
        assert_eq!(plain(&blocks), "Read this <https://e.org>, then:\n\n1. one\n2. two\n\n> as said");
    }

    #[test]
    fn nothing_hostile_comes_through() {
        for markdown in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,hello)",
            "![x](javascript:alert(1))",
            "<javascript:alert(1)>",
            "[x](\"onclick=alert(1))",
            "[x](https://e.org/\"onclick=\"alert(1))",
            "&lt;script&gt;",
        ] {
            let page = page(markdown);
            for bad in ["<script", "<img", "href=\"javascript", "href=\"data", "\"onclick"] {
                assert!(!page.to_lowercase().contains(bad), "{markdown}: {page}");
            }
        }
        assert!(!page("a\u{202e}b").contains('\u{202e}'));
        let deep = page(&"> ".repeat(5_000));
        assert!(deep.len() < 10_000);
        let deep = page(&format!("{}x", "- ".repeat(3_000)));
        assert!(deep.matches("<ul>").count() <= DEEPEST * 2, "{}", deep.len());
    }
}
