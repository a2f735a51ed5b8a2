//! Setting text on pages: words into lines, lines onto pages, and beside them the structure that a screen reader reads.

use std::collections::HashMap;
use std::time::Instant;

use super::font::{Fonts, Run, Use};
use crate::report::text::{Block, Span};

/// A4, in points, and the space around the text.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
pub(super) const SIDE: f32 = 62.0;
const TOP: f32 = 78.0;
const BOTTOM: f32 = 78.0;
/// Width of the text.
pub(super) const MEASURE: f32 = WIDTH - 2.0 * SIDE;
/// Size of the text, and of what is small.
pub(super) const BODY: f32 = 10.5;
pub(super) const SMALL: f32 = 9.0;

/// Colours, as red, green and blue.
pub(super) type Colour = [u8; 3];
pub(super) const INK: Colour = [26, 28, 36];
pub(super) const SOFT: Colour = [88, 92, 104];
const LINK: Colour = [52, 48, 160];
pub(super) const RULE: Colour = [205, 208, 216];
const SHADE: Colour = [243, 244, 247];

/// What a structure element is (ISO 32000-1, 14.8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    Part,
    Section,
    Head(u16, String),
    Para,
    Quote,
    Code,
    List(bool),
    Item,
    Label,
    ItemBody,
    Table,
    TableHead,
    TableBody,
    Row,
    HeadCell,
    Cell,
    Contents,
    ContentsItem,
    Link,
}

/// A child of an element.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kid {
    Node(usize),
    /// Something on a page: its number among all.
    Leaf(usize),
}

pub(super) struct Node {
    pub(super) role: Role,
    pub(super) kids: Vec<Kid>,
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    Address(String),
    /// A section, by its number from 0.
    Section(usize),
}

/// What is drawn on a page.
pub(super) enum Item {
    /// Text with its baseline; of a leaf, or decoration.
    Text { x: f32, y: f32, run: Run, colour: Colour, leaf: Option<usize> },
    /// A filled rectangle: left, top, width, height.
    Fill { at: [f32; 4], colour: Colour },
    /// A link over a leaf.
    Link { at: [f32; 4], to: Target, words: String, leaf: usize },
}

/// Why a document was not set.
#[derive(Debug, thiserror::Error)]
pub enum Unset {
    /// It took too long, or became too large.
    #[error("the PDF is not made: {0}; split the report in two")]
    Bounds(&'static str),
    /// A fault of the program.
    #[error("the PDF is not made: {0}")]
    Fault(String),
}

/// Limits of one document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) until: Instant,
    pub(super) pages: usize,
}

/// A piece of a line: a word or what is between two, with its look.
struct Piece {
    text: String,
    used: Use,
    width: f32,
    link: Option<Target>,
    space: bool,
    breaks: bool,
}

/// Pages that are being filled.
pub(super) struct Setter<'a> {
    pub(super) fonts: &'a Fonts,
    bounds: Bounds,
    pub(super) pages: Vec<Vec<Item>>,
    pub(super) nodes: Vec<Node>,
    open: Vec<usize>,
    pub(super) leaves: usize,
    pub(super) y: f32,
    widths: HashMap<(String, Use, u32), f32>,
    /// Pages on which sections begin, and where.
    pub(super) begins: Vec<(usize, f32)>,
}

/// How lines of a text look.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) size: f32,
    pub(super) colour: Colour,
    pub(super) left: f32,
    pub(super) width: f32,
    pub(super) after: f32,
}

impl Look {
    pub(super) fn body() -> Look {
        Look { size: BODY, colour: INK, left: SIDE, width: MEASURE, after: 6.0 }
    }
}

impl<'a> Setter<'a> {
    pub(super) fn new(fonts: &'a Fonts, bounds: Bounds) -> Setter<'a> {
        let root = Node { role: Role::Part, kids: Vec::new() };
        Setter {
            fonts,
            bounds,
            pages: vec![Vec::new()],
            nodes: vec![root],
            open: vec![0],
            leaves: 0,
            y: TOP,
            widths: HashMap::new(),
            begins: Vec::new(),
        }
    }

    fn check(&self) -> Result<(), Unset> {
        if self.pages.len() > self.bounds.pages {
            return Err(Unset::Bounds("it has too many pages"));
        }
        // the clock is handed in as an end; asking it is what a limit of time is
        if Instant::now() > self.bounds.until {
            return Err(Unset::Bounds("it takes too long"));
        }
        Ok(())
    }

    /// Opens an element; it takes what follows until it is closed.
    pub(super) fn begin(&mut self, role: Role) {
        let id = self.nodes.len();
        self.nodes.push(Node { role, kids: Vec::new() });
        let parent = self.open.last().copied().unwrap_or(0);
        if let Some(parent) = self.nodes.get_mut(parent) {
            parent.kids.push(Kid::Node(id));
        }
        self.open.push(id);
    }

    pub(super) fn end(&mut self) {
        if self.open.len() > 1 {
            self.open.pop();
        }
    }

    fn leaf(&mut self) -> usize {
        let leaf = self.leaves;
        self.leaves += 1;
        let open = self.open.last().copied().unwrap_or(0);
        if let Some(node) = self.nodes.get_mut(open) {
            node.kids.push(Kid::Leaf(leaf));
        }
        leaf
    }

    fn put(&mut self, item: Item) {
        if let Some(page) = self.pages.last_mut() {
            page.push(item);
        }
    }

    pub(super) fn turn(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Turns the page where so much does not fit.
    pub(super) fn room(&mut self, height: f32) -> Result<(), Unset> {
        if self.y + height > HEIGHT - BOTTOM && self.y > TOP {
            self.turn();
        }
        self.check()
    }

    pub(super) fn gap(&mut self, height: f32) {
        if self.y > TOP {
            self.y += height;
        }
    }

    pub(super) fn down(&mut self, height: f32) {
        self.y += height;
    }

    pub(super) fn fill(&mut self, at: [f32; 4], colour: Colour) {
        self.put(Item::Fill { at, colour });
    }

    /// Says that a section begins here.
    pub(super) fn mark(&mut self) {
        self.begins.push((self.pages.len() - 1, self.y));
    }

    fn width(&mut self, text: &str, used: Use, size: f32) -> f32 {
        let key = (text.to_owned(), used, size.to_bits());
        if let Some(known) = self.widths.get(&key) {
            return *known;
        }
        let width = self.fonts.width(text, used, size);
        self.widths.insert(key, width);
        width
    }

    /// Spans as pieces, none wider than a line.
    fn pieces(&mut self, spans: &[Span], size: f32, width: f32) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for span in spans {
            let used = match (span.code, span.strong, span.em) {
                (true, _, _) => Use::Mono,
                (_, true, true) => Use::StrongEm,
                (_, true, _) => Use::Strong,
                (_, _, true) => Use::Em,
                _ => Use::Plain,
            };
            let link = span.link.clone().map(Target::Address);
            let piece = |text: String, width: f32, space: bool, breaks: bool| Piece {
                text,
                used,
                width,
                link: link.clone(),
                space,
                breaks,
            };
            if span.text == "\n" {
                pieces.push(piece(String::new(), 0.0, false, true));
                continue;
            }
            let size = if span.code { size * 0.88 } else { size };
            for (word, space) in words(&span.text) {
                let w = self.width(&word, used, size);
                if w <= width || space {
                    pieces.push(piece(word, w, space, false));
                    continue;
                }
                // longer than a line: cut where it must be
                let mut part = String::new();
                for c in word.chars() {
                    part.push(c);
                    if self.fonts.width(&part, used, size) > width * 0.97 {
                        part.pop();
                        let w = self.fonts.width(&part, used, size);
                        pieces.push(piece(std::mem::take(&mut part), w, false, false));
                        part.push(c);
                    }
                }
                let w = self.fonts.width(&part, used, size);
                pieces.push(piece(part, w, false, false));
            }
        }
        pieces
    }

    /// Sets spans as lines.
    pub(super) fn lines(&mut self, spans: &[Span], look: Look) -> Result<(), Unset> {
        let pieces = self.pieces(spans, look.size, look.width);
        let mut line: Vec<Piece> = Vec::new();
        let mut used = 0.0;
        for piece in pieces {
            if piece.breaks || (used + piece.width > look.width && !piece.space && !line.is_empty()) {
                self.line(std::mem::take(&mut line), look)?;
                used = 0.0;
            }
            if piece.breaks || (piece.space && line.is_empty()) {
                continue;
            }
            used += piece.width;
            line.push(piece);
        }
        if !line.is_empty() {
            self.line(line, look)?;
        }
        self.y += look.after;
        Ok(())
    }

    /// Sets one line: neighbours of one look are one run, with the spaces between words in it.
    fn line(&mut self, mut pieces: Vec<Piece>, look: Look) -> Result<(), Unset> {
        let height = look.size * 1.42;
        self.room(height)?;
        let baseline = self.y + look.size * 1.02;
        // the space at the end stays, so that the words of two lines are not one to who reads the text aloud
        if !pieces.last().is_some_and(|p| p.space)
            && let Some(last) = pieces.last_mut()
        {
            last.text.push(' ');
        }
        let mut x = look.left;
        let mut pieces = pieces.into_iter().peekable();
        while let Some(first) = pieces.next() {
            let mut text = first.text;
            while let Some(next) = pieces.next_if(|p| p.used == first.used && p.link == first.link) {
                text.push_str(&next.text);
            }
            let size = if first.used == Use::Mono { look.size * 0.88 } else { look.size };
            let colour = if first.link.is_some() { LINK } else { look.colour };
            if first.link.is_some() {
                self.begin(Role::Link);
            }
            let (begin, words) = (x, text.trim().to_owned());
            let shown = self.fonts.width(text.trim_end(), first.used, size);
            let mut leaf = 0;
            for run in self.fonts.runs(&text, first.used, size) {
                leaf = self.leaf();
                let width = run.width;
                self.put(Item::Text { x, y: baseline, run, colour, leaf: Some(leaf) });
                x += width;
            }
            if let Some(to) = first.link {
                let at = [begin, self.y, shown, height];
                self.put(Item::Link { at, to, words, leaf });
                self.end();
            }
        }
        self.y += height;
        Ok(())
    }

    /// One line of decoration: it is none of the text.
    pub(super) fn decorate(
        &mut self,
        text: &str,
        used: Use,
        size: f32,
        (x, y): (f32, f32),
        colour: Colour,
    ) -> f32 {
        let mut at = x;
        for run in self.fonts.runs(text, used, size) {
            let width = run.width;
            self.put(Item::Text { x: at, y, run, colour, leaf: None });
            at += width;
        }
        at - x
    }

    /// Blocks of a text.
    pub(super) fn blocks(&mut self, blocks: &[Block], look: Look) -> Result<(), Unset> {
        for block in blocks {
            match block {
                Block::Para(spans) => {
                    self.begin(Role::Para);
                    self.lines(spans, look)?;
                    self.end();
                }
                Block::Code(code) => self.code(code, look)?,
                Block::Quote(inner) => {
                    self.begin(Role::Quote);
                    let inset = 14.0_f32.min(look.width / 4.0);
                    let quoted =
                        Look { left: look.left + inset, width: look.width - inset, colour: SOFT, ..look };
                    self.blocks(inner, quoted)?;
                    self.end();
                }
                Block::List(first, items) => {
                    self.begin(Role::List(first.is_some()));
                    for (n, item) in items.iter().enumerate() {
                        let sign = first
                            .map_or_else(|| "•".to_owned(), |f| format!("{}.", f.saturating_add(n as u64)));
                        self.item(&sign, item, look)?;
                    }
                    self.end();
                    self.y += look.after - 2.0;
                }
            }
        }
        Ok(())
    }

    fn item(&mut self, sign: &str, inner: &[Block], look: Look) -> Result<(), Unset> {
        self.room(look.size * 1.42)?;
        let inset = 18.0_f32.min(look.width / 4.0);
        self.begin(Role::Item);
        self.begin(Role::Label);
        let (top, page) = (self.y, self.pages.len());
        let span = Span { text: sign.to_owned(), ..Span::default() };
        self.lines(&[span], Look { after: 0.0, width: inset, ..look })?;
        self.end();
        // the text begins beside its sign
        if self.pages.len() == page {
            self.y = top;
        }
        self.begin(Role::ItemBody);
        let look = Look { left: look.left + inset, width: look.width - inset, after: 2.0, ..look };
        self.blocks(inner, look)?;
        self.end();
        self.end();
        Ok(())
    }

    fn code(&mut self, code: &str, look: Look) -> Result<(), Unset> {
        self.begin(Role::Para);
        self.begin(Role::Code);
        for line in code.lines() {
            let text = if line.is_empty() { " ".to_owned() } else { line.replace('\t', "    ") };
            let size = look.size * 0.95;
            self.room(size * 1.42)?;
            self.fill([look.left, self.y, look.width, size * 1.42], SHADE);
            // what begins a line in code is part of it
            let kept = text.replace(' ', "\u{a0}");
            let span = Span { text: kept, code: true, ..Span::default() };
            let look = Look { size, left: look.left + 6.0, width: look.width - 12.0, after: 0.0, ..look };
            self.lines(&[span], look)?;
        }
        self.end();
        self.end();
        self.y += look.after;
        Ok(())
    }

    /// A line of the contents: a heading that leads to its section, dots, and the page.
    pub(super) fn contents(&mut self, heading: &str, section: usize, page: usize) -> Result<(), Unset> {
        let look = Look { width: MEASURE - 40.0, after: 3.0, ..Look::body() };
        self.begin(Role::ContentsItem);
        let top = self.y;
        let spans = [Span { text: heading.to_owned(), ..Span::default() }];
        let mut pieces = self.pieces(&spans, look.size, look.width);
        for piece in &mut pieces {
            piece.link = Some(Target::Section(section));
        }
        let mut line: Vec<Piece> = Vec::new();
        let mut used = 0.0;
        for piece in pieces {
            if used + piece.width > look.width && !piece.space && !line.is_empty() {
                self.line(std::mem::take(&mut line), look)?;
                used = 0.0;
            }
            used += piece.width;
            line.push(piece);
        }
        if line.is_empty() {
            self.y = top + look.size * 1.42;
        } else {
            self.line(line, look)?;
        }
        let number = page.to_string();
        let width = self.fonts.width(&number, Use::Plain, BODY);
        let y = self.y - look.size * 0.4;
        // the page is part of the text, beside the heading's last line
        let leaf = self.leaf();
        if let Some(run) = self.fonts.runs(&number, Use::Plain, BODY).into_iter().next() {
            self.put(Item::Text { x: SIDE + MEASURE - width, y, run, colour: INK, leaf: Some(leaf) });
        }
        self.y += look.after;
        self.end();
        Ok(())
    }
}

/// A text as words and the spaces between them. A long word may end after `/`, `-`, `_`, `.`, `&` or `=`.
fn words(text: &str) -> Vec<(String, bool)> {
    let mut all: Vec<(String, bool)> = Vec::new();
    for c in text.chars() {
        let space = c.is_whitespace() && c != '\u{a0}';
        match all.last_mut() {
            Some((_, true)) if space => {}
            Some((word, false)) if !space => {
                let cut = word.chars().count() > 12 && word.ends_with(['/', '-', '_', '&', '=']);
                if cut {
                    all.push((c.to_string(), false));
                } else {
                    word.push(c);
                }
            }
            _ => all.push((if space { " ".to_owned() } else { c.to_string() }, space)),
        }
    }
    all
}
