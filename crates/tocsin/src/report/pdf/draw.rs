//! Pages that were set become PDF, with their structure (ISO 32000-1, 14.7).

use std::num::NonZeroU16;

use krilla::action::{Action, LinkAction};
use krilla::annotation::{Annotation, LinkAnnotation, Target as To};
use krilla::color::rgb;
use krilla::configure::{Accessibility, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, ListNumbering, Node as Tagged, SpanTag, TableHeaderScope,
    Tag, TagGroup, TagKind, TagTree,
};
use krilla::{Document, SerializeSettings};
use tocsin_core::report::Whole;

use super::font::Fonts;
use super::layout::{Colour, HEIGHT, Item, Kid, Role, Setter, Target, Unset, WIDTH};

/// Identifiers of what was drawn, by leaf: the text, then links over it.
type Drawn = Vec<Vec<Identifier>>;

fn fault(e: impl std::fmt::Debug) -> Unset {
    Unset::Fault(format!("{e:?}").chars().take(300).collect())
}

fn ink(colour: Colour) -> Option<Fill> {
    let [r, g, b] = colour;
    Some(Fill { paint: rgb::Color::new(r, g, b).into(), ..Fill::default() })
}

/// The day of an instant, as PDF keeps it: of the report, and not of the moment.
fn date(at: &str) -> Option<DateTime> {
    let part = |range: std::ops::Range<usize>| at.get(range)?.parse::<u16>().ok();
    let small = |range| part(range).and_then(|n| u8::try_from(n).ok());
    let mut date = DateTime::new(part(0..4)?).month(small(5..7)?).day(small(8..10)?);
    if let (Some(hour), Some(minute), Some(second)) = (small(11..13), small(14..16), small(17..19)) {
        date = date.hour(hour).minute(minute).second(second).utc_offset_hour(0).utc_offset_minute(0);
    }
    Some(date)
}

pub(super) fn draw(s: Setter<'_>, fonts: &Fonts, whole: &Whole) -> Result<Vec<u8>, Unset> {
    let ua = ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1);
    let settings = SerializeSettings {
        configuration: ua.finish().map_err(fault)?,
        enable_tagging: true,
        ..SerializeSettings::default()
    };
    let mut document = Document::new_with(settings);
    let language = match whole.head.language.as_str() {
        "iso" => "en",
        known => known,
    };
    let places = places(&s);
    let mut drawn: Drawn = (0..s.leaves).map(|_| Vec::new()).collect();
    for items in &s.pages {
        let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| fault("the size of a page"))?;
        let mut page = document.start_page_with(size);
        let mut surface = page.surface();
        for item in items {
            item_of(&mut surface, item, fonts, &mut drawn);
        }
        surface.finish();
        for item in items {
            let Item::Link { at: [x, y, w, h], to, words, leaf } = item else { continue };
            let (Some(rect), Some(to)) = (Rect::from_xywh(*x, *y, w.max(1.0), *h), target(to, &places))
            else {
                continue;
            };
            let link = Annotation::new_link(LinkAnnotation::new(rect, to), Some(words.clone()));
            let id = page.add_tagged_annotation(link);
            if let Some(all) = drawn.get_mut(*leaf) {
                all.push(id);
            }
        }
        page.finish();
    }
    let mut outline = Outline::new();
    for (section, place) in whole.sections.iter().zip(&places) {
        outline.push_child(OutlineNode::new(section.text.heading.clone(), place.clone()));
    }
    document.set_outline(outline);
    let mut tree = TagTree::new().with_lang(Some(language.to_owned()));
    if let Some(root) = group(&s, 0, &mut drawn) {
        tree.push(root);
    }
    document.set_tag_tree(tree);
    document.set_metadata(metadata(whole, language));
    document.finish().map_err(fault)
}

fn metadata(whole: &Whole, language: &str) -> Metadata {
    let r = &whole.report;
    let at = [&r.approved, &r.changed].into_iter().find(|t| !t.is_empty());
    let mut data = Metadata::new()
        .title(r.title.clone())
        .description(format!("Report {} of {}, TLP:{}", r.label(), whole.workspace, r.tlp))
        .language(language.to_owned())
        .creator("Tocsin".to_owned())
        .authors(vec![whole.workspace.clone()])
        .keywords(vec![format!("TLP:{}", r.tlp)])
        .document_id(format!("report/{}/{}", r.id, r.label()));
    if let Some(date) = at.and_then(|at| date(at)) {
        data = data.creation_date(date);
    }
    data
}

/// Where sections begin. Pages of the body come behind those of cover and contents, which have no section.
fn places(s: &Setter<'_>) -> Vec<XyzDestination> {
    let at = |(page, y): &(usize, f32)| XyzDestination::new(*page, Point::from_xy(0.0, (y - 12.0).max(0.0)));
    s.begins.iter().map(at).collect()
}

fn target(to: &Target, places: &[XyzDestination]) -> Option<To> {
    Some(match to {
        Target::Address(address) => To::Action(Action::Link(LinkAction::new(address.clone()))),
        Target::Section(n) => To::Destination(places.get(*n)?.clone().into()),
    })
}

fn item_of(surface: &mut Surface<'_>, item: &Item, fonts: &Fonts, drawn: &mut Drawn) {
    match item {
        Item::Text { x, y, run, colour, leaf } => {
            let Some(font) = fonts.font(run.font) else { return };
            let tag = match leaf {
                Some(_) => ContentTag::Span(SpanTag::empty()),
                None => ContentTag::Artifact(Artifact::with_kind(ArtifactType::PaginationOther)),
            };
            let id = surface.start_tagged(tag);
            surface.set_fill(ink(*colour));
            surface.draw_glyphs(Point::from_xy(*x, *y), &run.glyphs, font, &run.text, run.size, false);
            surface.end_tagged();
            if let Some(all) = leaf.and_then(|leaf| drawn.get_mut(leaf)) {
                all.push(id);
            }
        }
        Item::Fill { at: [x, y, w, h], colour } => {
            let Some(rect) = Rect::from_xywh(*x, *y, *w, *h) else { return };
            let mut path = PathBuilder::new();
            path.push_rect(rect);
            let Some(path) = path.finish() else { return };
            surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
            surface.set_fill(ink(*colour));
            surface.draw_path(&path);
            surface.end_tagged();
        }
        Item::Link { .. } => {}
    }
}

fn kind(role: &Role) -> TagKind {
    match role {
        Role::Part => Tag::Part.into(),
        Role::Section => Tag::Section.into(),
        Role::Head(level, title) => {
            Tag::Hn(NonZeroU16::new(*level).unwrap_or(NonZeroU16::MIN), Some(title.clone())).into()
        }
        Role::Para => Tag::P.into(),
        Role::Quote => Tag::BlockQuote.into(),
        Role::Code => Tag::Code.into(),
        Role::List(numbers) => {
            Tag::L(if *numbers { ListNumbering::Decimal } else { ListNumbering::Disc }).into()
        }
        Role::Item => Tag::LI.into(),
        Role::Label => Tag::Lbl.into(),
        Role::ItemBody => Tag::LBody.into(),
        Role::Table => Tag::Table.into(),
        Role::TableHead => Tag::THead.into(),
        Role::TableBody => Tag::TBody.into(),
        Role::Row => Tag::TR.into(),
        Role::HeadCell => Tag::TH(TableHeaderScope::Column).into(),
        Role::Cell => Tag::TD.into(),
        Role::Contents => Tag::TOC.into(),
        Role::ContentsItem => Tag::TOCI.into(),
        Role::Link => Tag::Link.into(),
    }
}

/// An element with what is in it; nothing where that is nothing. Elements are as deep as lists and quotes are allowed to be.
fn group(s: &Setter<'_>, node: usize, drawn: &mut Drawn) -> Option<TagGroup> {
    let node = s.nodes.get(node)?;
    let mut group = TagGroup::new(kind(&node.role));
    for kid in &node.kids {
        match kid {
            Kid::Node(n) => {
                if let Some(inner) = self::group(s, *n, drawn) {
                    group.push(inner);
                }
            }
            Kid::Leaf(leaf) => {
                for id in drawn.get_mut(*leaf).map(std::mem::take).unwrap_or_default() {
                    group.push(Tagged::from(id));
                }
            }
        }
    }
    (!group.children.is_empty()).then_some(group)
}
