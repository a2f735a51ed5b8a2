//! A report as PDF: cover and contents, sections with their product tables, the marking on every page. The document is
//! tagged, so that it is read aloud in its order (ISO 14289-1, PDF/UA-1), all fonts are embedded, and the same report gives
//! the same bytes. What people typed is set as text and never as markup of the document.

mod draw;
mod font;
mod layout;
mod table;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use tocsin_core::report::{Section, Whole};

use self::font::{Fonts, Use};
pub use self::layout::Unset;
use self::layout::{Bounds, HEIGHT, Look, MEASURE, Role, SIDE, SMALL, SOFT, Setter, WIDTH};
use super::text::{self, Span};
use super::{dates, parts, period, tlp_rgb, tlp_words};

/// How long a document may take, and how many pages and bytes it may have.
const TIME: Duration = Duration::from_secs(20);
const PAGES: usize = 600;
const BYTES: usize = 20 << 20;

/// Makes the PDF. It takes a while: callers are on a thread that may block.
///
/// # Errors
/// It took too long, or became too large.
pub fn make(whole: &Whole) -> Result<Vec<u8>, Unset> {
    let bounds = Bounds { until: Instant::now() + TIME, pages: PAGES };
    let fonts = Fonts::read().ok_or_else(|| Unset::Fault("a font cannot be read".to_owned()))?;
    // where sections begin is known only once they are set; how many pages the contents take does not depend on it
    let front = |pages: &[usize]| -> Result<Setter<'_>, Unset> {
        let mut s = Setter::new(&fonts, bounds);
        cover(&mut s, whole, pages)?;
        Ok(s)
    };
    let none = vec![0; whole.sections.len()];
    let ahead = front(&none)?.pages.len();
    let mut s = Setter::new(&fonts, bounds);
    for (n, section) in whole.sections.iter().enumerate() {
        set(&mut s, section, n, whole)?;
    }
    let pages: Vec<usize> = s.begins.iter().map(|b| ahead + b.0 + 1).collect();
    let mut all = Setter::new(&fonts, bounds);
    cover(&mut all, whole, &pages)?;
    if !whole.sections.is_empty() {
        all.turn();
        for (n, section) in whole.sections.iter().enumerate() {
            set(&mut all, section, n, whole)?;
        }
    }
    furniture(&mut all, &fonts, whole);
    let bytes = draw::draw(all, &fonts, whole)?;
    if bytes.len() > BYTES {
        return Err(Unset::Bounds("it has more than 20 MB"));
    }
    Ok(bytes)
}

fn strong(text: &str) -> [Span; 1] {
    [Span { text: text.to_owned(), strong: true, ..Span::default() }]
}

fn plain(text: &str) -> [Span; 1] {
    [Span { text: text.to_owned(), ..Span::default() }]
}

/// Cover, introduction and contents; `pages` are those on which sections begin, from 1.
fn cover(s: &mut Setter<'_>, whole: &Whole, pages: &[usize]) -> Result<(), Unset> {
    let r = &whole.report;
    s.begin(Role::Section);
    s.down(34.0);
    s.begin(Role::Para);
    let soft = Look { size: 11.0, colour: SOFT, after: 4.0, ..Look::body() };
    s.lines(&plain(&whole.workspace), soft)?;
    s.end();
    s.begin(Role::Head(1, r.title.clone()));
    s.lines(&strong(&r.title), Look { size: 25.0, after: 6.0, ..Look::body() })?;
    s.end();
    let day = |at: &str| dates::day(at, &whole.head.language);
    let mut lines = vec![period(whole), format!("Report {}", r.label())];
    if r.corrects != 0 {
        lines.push("This is a correction; it takes the place of what was sent before.".to_owned());
    }
    if !r.approved.is_empty() {
        let by = r.approver.split_once(':').map_or(r.approver.as_str(), |(_, name)| name);
        lines.push(format!("Approved on {} by {by}", day(&r.approved)));
    } else {
        lines.push("Draft: this report is not approved".to_owned());
    }
    lines.push(format!("TLP:{}. {}", r.tlp, tlp_words(&r.tlp)));
    for line in &lines {
        s.begin(Role::Para);
        s.lines(&plain(line), Look { size: 11.0, after: 2.0, ..Look::body() })?;
        s.end();
    }
    s.gap(16.0);
    s.blocks(&text::read(&whole.head.intro), Look::body())?;
    s.end();
    if whole.sections.is_empty() {
        return Ok(());
    }
    s.gap(14.0);
    s.room(80.0)?;
    s.begin(Role::Section);
    s.begin(Role::Head(2, "Contents".to_owned()));
    s.lines(&strong("Contents"), Look { size: 15.0, after: 6.0, ..Look::body() })?;
    s.end();
    s.begin(Role::Contents);
    for (n, section) in whole.sections.iter().enumerate() {
        let heading = format!("{}. {}", n + 1, section.text.heading);
        s.contents(&heading, n, pages.get(n).copied().unwrap_or(0))?;
    }
    s.end();
    s.end();
    Ok(())
}

fn set(s: &mut Setter<'_>, section: &Section, n: usize, whole: &Whole) -> Result<(), Unset> {
    s.gap(20.0);
    s.room(120.0)?;
    s.mark();
    s.begin(Role::Section);
    let heading = format!("{}. {}", n + 1, section.text.heading);
    s.begin(Role::Head(2, section.text.heading.clone()));
    s.lines(&strong(&heading), Look { size: 15.5, after: 3.0, ..Look::body() })?;
    s.end();
    let mut about = vec![format!("TLP:{}", section.text.tlp)];
    about.extend(section.facts.ids.iter().take(12).cloned());
    if section.facts.exploited {
        about.push("known to be exploited".to_owned());
    }
    s.begin(Role::Para);
    s.lines(&plain(&about.join(" · ")), Look { size: SMALL, colour: SOFT, after: 6.0, ..Look::body() })?;
    s.end();
    for (name, label, markdown) in parts(section) {
        s.room(48.0)?;
        s.gap(3.0);
        s.begin(Role::Head(3, label.to_owned()));
        s.lines(&strong(label), Look { size: 11.5, after: 2.0, ..Look::body() })?;
        s.end();
        s.blocks(&text::read(markdown), Look::body())?;
        if name == "impact" {
            products(s, section, whole)?;
        }
    }
    s.end();
    Ok(())
}

fn products(s: &mut Setter<'_>, section: &Section, whole: &Whole) -> Result<(), Unset> {
    let facts = &section.facts;
    if facts.products.is_empty() {
        return Ok(());
    }
    let number = |n: i64| tocsin_core::platform::query::grouped(u64::try_from(n).unwrap_or(0));
    let rows: Vec<(Vec<String>, String)> = facts
        .products
        .iter()
        .map(|p| {
            let numbers = [p.findings, p.affected, p.releases, p.units].map(number);
            let holds: Vec<&str> = p.holds.iter().take(8).map(String::as_str).collect();
            let second = if holds.is_empty() { String::new() } else { format!("holds {}", holds.join(", ")) };
            (std::iter::once(p.name.clone()).chain(numbers).collect(), second)
        })
        .collect();
    s.table(&["Product", "Findings", "Affected", "Releases", "Units"], &rows, 56.0)?;
    s.begin(Role::Para);
    let at = format!("As of {}; findings are open ones.", dates::day(&facts.at, &whole.head.language));
    s.lines(&plain(&at), Look { size: SMALL, colour: SOFT, ..Look::body() })?;
    s.end();
    Ok(())
}

/// Head and foot of every page: the marking at the right of both (Traffic Light Protocol 2.0, section 4), title and page.
fn furniture(s: &mut Setter<'_>, fonts: &Fonts, whole: &Whole) {
    let pages = s.pages.len();
    let all = std::mem::take(&mut s.pages);
    let marking = format!("TLP:{}", whole.report.tlp);
    let wide = fonts.width(&marking, Use::Strong, 12.0);
    for (n, page) in all.into_iter().enumerate() {
        s.pages.push(page);
        for y in [30.0, HEIGHT - 48.0] {
            let left = WIDTH - SIDE - wide - 12.0;
            s.fill([left, y, wide + 12.0, 19.0], [0, 0, 0]);
            s.decorate(&marking, Use::Strong, 12.0, (left + 6.0, y + 13.4), tlp_rgb(&whole.report.tlp));
        }
        let number = format!("{} of {pages}", n + 1);
        let title = format!("{} · {}", whole.report.label(), whole.report.title);
        let title = fitting(fonts, &title, MEASURE - wide - 90.0);
        s.decorate(&title, Use::Plain, SMALL, (SIDE, 43.0), SOFT);
        s.decorate(&number, Use::Plain, SMALL, (SIDE, HEIGHT - 35.0), SOFT);
    }
}

/// A text cut to a width, with an ellipsis where it was.
fn fitting(fonts: &Fonts, text: &str, width: f32) -> String {
    if fonts.width(text, Use::Plain, SMALL) <= width {
        return text.to_owned();
    }
    let mut cut = text.to_owned();
    while cut.pop().is_some() && fonts.width(&cut, Use::Plain, SMALL) > width - 8.0 {}
    format!("{}…", cut.trim_end())
}
