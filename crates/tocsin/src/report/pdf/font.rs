//! The fonts of the PDF, all of them embedded: Libertinus Serif (SIL OFL 1.1), and DejaVu Sans Mono (Bitstream Vera) for
//! code and for what the first has no letter for.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, Face, UnicodeBuffer};

/// A font by its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Use {
    Plain,
    Strong,
    Em,
    StrongEm,
    Mono,
}

const USES: [(Use, &str); 5] = [
    (Use::Plain, "LibertinusSerif-Regular"),
    (Use::Strong, "LibertinusSerif-Bold"),
    (Use::Em, "LibertinusSerif-Italic"),
    (Use::StrongEm, "LibertinusSerif-BoldItalic"),
    (Use::Mono, "DejaVuSansMono"),
];

struct One {
    font: Font,
    face: Face<'static>,
}

/// The fonts, read.
pub(super) struct Fonts(Vec<One>);

/// A text in one font, with its glyphs.
pub(super) struct Run {
    pub(super) text: String,
    pub(super) font: usize,
    pub(super) size: f32,
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// Width, in points.
    pub(super) width: f32,
}

/// PostScript name of a face (OpenType `name`, id 6).
fn name(face: &Face<'_>) -> Option<String> {
    face.names().into_iter().filter(|n| n.name_id == 6).find_map(|n| n.to_string())
}

/// Characters that show nothing and would only break a text: zero-width marks, marks of direction, soft hyphens.
fn is_nothing(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

impl Fonts {
    /// Reads the fonts; nothing where one is not there.
    pub(super) fn read() -> Option<Fonts> {
        let mut all: Vec<(String, &'static [u8])> = Vec::new();
        for bytes in typst_assets::fonts() {
            let face = Face::from_slice(bytes, 0)?;
            all.push((name(&face)?, bytes));
        }
        let one = |wanted: &str| {
            let bytes = all.iter().find(|f| f.0 == wanted)?.1;
            Some(One { font: Font::new(bytes.into(), 0)?, face: Face::from_slice(bytes, 0)? })
        };
        USES.iter().map(|u| one(u.1)).collect::<Option<Vec<One>>>().map(Fonts)
    }

    pub(super) fn font(&self, n: usize) -> Option<Font> {
        self.0.get(n).map(|o| o.font.clone())
    }

    fn has(&self, font: usize, c: char) -> bool {
        self.0.get(font).is_some_and(|o| o.face.glyph_index(c).is_some_and(|g| g.0 != 0))
    }

    /// A text as runs: letters that a font lacks come from the last one, and what that lacks too is `U+FFFD`.
    pub(super) fn runs(&self, text: &str, used: Use, size: f32) -> Vec<Run> {
        let own = USES.iter().position(|u| u.0 == used).unwrap_or(0);
        let last = USES.len() - 1;
        let mut parts: Vec<(usize, String)> = Vec::new();
        for c in text.chars().filter(|c| !is_nothing(*c)) {
            let c = if c.is_control() { ' ' } else { c };
            let (font, c) = if self.has(own, c) {
                (own, c)
            } else if self.has(last, c) {
                (last, c)
            } else {
                (last, '\u{fffd}')
            };
            match parts.last_mut() {
                Some(part) if part.0 == font => part.1.push(c),
                _ => parts.push((font, c.to_string())),
            }
        }
        parts.into_iter().filter_map(|(font, text)| self.shape(text, font, size)).collect()
    }

    fn shape(&self, text: String, font: usize, size: f32) -> Option<Run> {
        let face = &self.0.get(font)?.face;
        let em = face.units_per_em() as f32;
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(&text);
        buffer.guess_segment_properties();
        let backwards = buffer.direction() == Direction::RightToLeft;
        let shaped = rustybuzz::shape(face, &[], buffer);
        let (infos, places) = (shaped.glyph_infos(), shaped.glyph_positions());
        // where the text of each cluster ends is where the next one begins
        let mut begins: Vec<usize> = infos.iter().map(|i| i.cluster as usize).collect();
        begins.sort_unstable();
        begins.dedup();
        let end = |at: usize| begins.iter().copied().find(|b| *b > at).unwrap_or(text.len());
        let mut width = 0.0;
        let mut glyphs = Vec::with_capacity(infos.len());
        for (info, place) in infos.iter().zip(places) {
            let begin = info.cluster as usize;
            let advance = place.x_advance as f32 / em;
            width += advance * size;
            glyphs.push(KrillaGlyph::new(
                GlyphId::new(info.glyph_id),
                advance,
                place.x_offset as f32 / em,
                place.y_offset as f32 / em,
                place.y_advance as f32 / em,
                begin..if backwards || !text.is_char_boundary(begin) { text.len() } else { end(begin) },
                None,
            ));
        }
        Some(Run { text, font, size, glyphs, width })
    }

    /// Width of a text, in points.
    pub(super) fn width(&self, text: &str, used: Use, size: f32) -> f32 {
        self.runs(text, used, size).iter().map(|r| r.width).sum()
    }
}
