//! Drawings made on the server as SVG: the dependency graph in layers, bars over releases. Colours come from the style
//! sheet; every drawing has a list or table beside it that says the same.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use tocsin_core::inventory::{Graph, Release};

use super::encode;

/// Most nodes that are drawn at once.
pub const MOST: usize = 200;
/// Nodes of one layer, and in one row of it: a wide layer takes several rows, so that a page shows all of it.
const PER_LAYER: usize = 20;
const PER_ROW: usize = 5;
const LAYERS: usize = 16;
const WIDTH: usize = 172;
const HEIGHT: usize = 42;
const BESIDE: usize = 14;
const BETWEEN: usize = 46;
/// Between the rows of one layer.
const ROWS: usize = 16;

/// A drawing of a part of a graph.
#[derive(Default)]
pub struct Drawing {
    /// The SVG element.
    pub svg: String,
    /// Nodes that are drawn.
    pub drawn: usize,
    /// Nodes that are not: below what is drawn, or beside it.
    pub folded: usize,
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn short(text: &str, most: usize) -> String {
    let end = text.chars().count() > most;
    let cut: String = text.chars().take(if end { most - 1 } else { most }).collect();
    if end { format!("{cut}…") } else { cut }
}

/// Nodes in layers from `from` downwards: at most [`PER_LAYER`] in one and [`MOST`] in all, those first that lead to
/// something marked or to bad findings.
fn layers(g: &Graph, from: &[usize], marked: &HashSet<usize>) -> Vec<Vec<usize>> {
    let worst = g.worst_below();
    let mut leads: HashSet<usize> = marked.clone();
    let mut queue: Vec<usize> = marked.iter().copied().collect();
    while let Some(n) = queue.pop() {
        queue.extend(g.needed_by(n).iter().filter(|p| leads.insert(**p)));
    }
    let key = |n: &usize| {
        let severity = worst.get(*n).copied().unwrap_or(0);
        (!marked.contains(n), !leads.contains(n), -severity, *n)
    };
    let mut first: Vec<usize> = from.to_vec();
    first.sort_by_key(key);
    first.truncate(PER_LAYER);
    let mut seen: HashSet<usize> = first.iter().copied().collect();
    let mut layers = vec![first];
    while layers.len() < LAYERS && seen.len() < MOST {
        let last = layers.last().map(Vec::as_slice).unwrap_or_default();
        let mut next: Vec<usize> = Vec::new();
        let mut met = HashSet::new();
        for n in last {
            next.extend(g.needs(*n).iter().filter(|c| !seen.contains(c) && met.insert(**c)));
        }
        next.sort_by_key(key);
        next.truncate(PER_LAYER.min(MOST - seen.len()));
        if next.is_empty() {
            break;
        }
        seen.extend(&next);
        layers.push(next);
    }
    // Each layer in the order of what is above it, so that edges cross less.
    let mut place: HashMap<usize, usize> = HashMap::new();
    for layer in &mut layers {
        let middle = |n: &usize| {
            let above: Vec<usize> = g.needed_by(*n).iter().filter_map(|p| place.get(p)).copied().collect();
            if above.is_empty() { usize::MAX } else { above.iter().sum::<usize>() * 1000 / above.len() }
        };
        layer.sort_by_cached_key(|n| (middle(n), *n));
        place.extend(layer.iter().enumerate().map(|(at, n)| (*n, at % PER_ROW)));
    }
    layers
}

/// Draws a graph from `from` downwards; a node's address is `base` and its component's id.
pub fn graph(g: &Graph, from: &[usize], marked: &HashSet<usize>, base: &str) -> Drawing {
    let layers = layers(g, from, marked);
    let widest = layers.iter().map(Vec::len).max().unwrap_or(0).clamp(1, PER_ROW);
    let width = widest * (WIDTH + BESIDE) + BESIDE;
    let mut place: HashMap<usize, (usize, usize)> = HashMap::new();
    let mut top = 4;
    for layer in &layers {
        for row in layer.chunks(PER_ROW) {
            let left = (width - row.len() * (WIDTH + BESIDE) + BESIDE) / 2;
            place.extend(row.iter().enumerate().map(|(at, n)| (*n, (left + at * (WIDTH + BESIDE), top))));
            top += HEIGHT + ROWS;
        }
        top += BETWEEN - ROWS;
    }
    let height = top - BETWEEN + 4;
    let mut svg = format!(
        "<svg class=\"graph\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"group\" \
         aria-label=\"Dependency graph, {} of {} components\">",
        place.len(),
        g.nodes.len()
    );
    for n in layers.iter().flatten() {
        let Some((x, y)) = place.get(n) else { continue };
        for child in g.needs(*n) {
            let Some((cx, cy)) = place.get(child) else { continue };
            let class = match (cy > y, marked.contains(n) && marked.contains(child)) {
                (_, true) => "edge on",
                (true, _) => "edge",
                (false, _) => "edge back",
            };
            let (x1, y1, x2, y2) = (x + WIDTH / 2, y + HEIGHT, cx + WIDTH / 2, *cy);
            let middle = (y1 + y2) / 2;
            let _ = write!(
                svg,
                "<path class=\"{class}\" d=\"M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}\"/>"
            );
        }
    }
    for n in layers.iter().flatten() {
        let (Some((x, y)), Some(node)) = (place.get(n), g.nodes.get(*n)) else { continue };
        let hidden = g.needs(*n).iter().filter(|c| !place.contains_key(c)).count();
        let mut class = String::from("node");
        if marked.contains(n) {
            class.push_str(" on");
        }
        let letter = ["", "", "L", "M", "H", "C"].get(node.worst as usize).copied().unwrap_or("");
        let word =
            ["", "", "low", "medium", "high", "critical"].get(node.worst as usize).copied().unwrap_or("");
        let more = if hidden > 0 { format!(", {hidden} more below") } else { String::new() };
        let hurt = if node.findings > 0 {
            format!(", {} open findings, worst {word}", node.findings)
        } else {
            String::new()
        };
        let title = escape(&format!("{} {}{hurt}{more}", node.name, node.version));
        let _ = write!(
            svg,
            "<a href=\"{base}{}\"><title>{title}</title><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" rx=\"5\"/><text class=\"name\" x=\"{}\" y=\"{}\">{}</text><text class=\"version\" \
             x=\"{}\" y=\"{}\">{}</text>",
            node.id,
            x + 9,
            y + 17,
            escape(&short(&node.name, 21)),
            x + 9,
            y + 33,
            escape(&short(&node.version, if hidden > 0 { 12 } else { 18 })),
        );
        if !letter.is_empty() {
            let _ = write!(
                svg,
                "<text class=\"letter {word}\" x=\"{}\" y=\"{}\">{letter}</text>",
                x + WIDTH - 17,
                y + 17
            );
        }
        if hidden > 0 {
            let _ =
                write!(svg, "<text class=\"more\" x=\"{}\" y=\"{}\">+{hidden}</text>", x + WIDTH - 8, y + 33);
        }
        svg.push_str("</a>");
    }
    svg.push_str("</svg>");
    Drawing { svg, drawn: place.len(), folded: g.nodes.len().saturating_sub(place.len()) }
}

/// A round number not below the largest value, and the step of the grid.
fn scale(largest: i64) -> (i64, i64) {
    let mut step = 1;
    for factor in [2, 5, 10].iter().cycle() {
        if largest <= step * 4 {
            break;
        }
        let decade = 10_i64.pow((step as f64).log10().floor() as u32);
        step = decade * factor;
    }
    (step * ((largest.max(1) + step - 1) / step), step)
}

/// Bars of open findings by severity over releases, oldest first. Each leads to its release.
pub fn bars(releases: &[Release]) -> String {
    const WORDS: [(&str, &str); 5] =
        [("unknown", "–"), ("low", "L"), ("medium", "M"), ("high", "H"), ("critical", "C")];
    const BAR: i64 = 34;
    const STEP: i64 = 62;
    const TALL: i64 = 150;
    let largest = releases.iter().map(|r| r.open.iter().sum::<i64>()).max().unwrap_or(0);
    let (top, step) = scale(largest);
    let (width, height) = (46 + STEP * releases.len() as i64, TALL + 52);
    let y_of = |value: i64| 18 + TALL - value * TALL / top.max(1);
    let mut svg = format!(
        "<svg class=\"chart\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"group\" \
         aria-label=\"Open findings by release, oldest first; the table below says the same\">"
    );
    let mut line = 0;
    while line <= top {
        let y = y_of(line);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M40 {y}H{width}\"/><text class=\"axis\" x=\"34\" y=\"{}\" text-anchor=\"end\">{line}</text>",
            y + 4
        );
        line += step;
    }
    for (n, r) in releases.iter().enumerate() {
        let x = 46 + STEP * n as i64 + (STEP - BAR) / 2 - 8;
        let total: i64 = r.open.iter().sum();
        let told = ["critical", "high", "medium", "low", "without rating"]
            .iter()
            .zip(r.open)
            .filter(|(_, n)| *n > 0);
        let told: Vec<String> = told.map(|(word, n)| format!("{n} {word}")).collect();
        let told = if told.is_empty() { "none open".to_owned() } else { told.join(", ") };
        let _ = write!(svg, "<a href=\"/releases/{}\"><title>{}: {told}</title>", r.id, escape(&r.version));
        let mut at = 0;
        for ((word, letter), count) in WORDS.iter().zip(r.open.iter().rev()) {
            if *count == 0 {
                continue;
            }
            let (low, high) = (y_of(at), y_of(at + count));
            let tall = (low - high).max(1);
            let _ = write!(
                svg,
                "<rect class=\"{word}\" x=\"{x}\" y=\"{high}\" width=\"{BAR}\" height=\"{tall}\"/>"
            );
            if tall >= 14 {
                let _ = write!(
                    svg,
                    "<text class=\"letter\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{letter}</text>",
                    x + BAR / 2,
                    (low + high) / 2 + 4
                );
            }
            at += count;
        }
        let _ = write!(
            svg,
            "<text class=\"total\" x=\"{0}\" y=\"{1}\" text-anchor=\"middle\">{total}</text><text class=\"label\" x=\"{0}\" \
             y=\"{2}\" text-anchor=\"middle\">{3}</text></a>",
            x + BAR / 2,
            y_of(total) - 5,
            TALL + 36,
            escape(&short(&r.version, 9))
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The address under which a release shows its graph from a component downwards, without the component's id.
pub fn base(release: i64, find: &str) -> String {
    let find = if find.is_empty() { String::new() } else { format!("&amp;find={}", encode(find)) };
    format!("/releases/{release}?tab=graph{find}&amp;at=")
}

#[cfg(test)]
mod tests {
    use tocsin_core::inventory::Node;

    use super::*;

    fn wide() -> Graph {
        let node = |id| Node { id, name: format!("n<{id}>"), version: "1".into(), findings: 0, worst: 0 };
        let edges: Vec<(i64, i64)> = (2..=5_000).map(|n| (n / 20 + 1, n)).collect();
        Graph::new((1..=5_000).map(node).collect(), &edges, 1)
    }

    #[test]
    fn a_large_graph_is_folded_and_counted() {
        let g = wide();
        let d = graph(&g, &g.tops(), &HashSet::new(), "?at=");
        assert!(d.drawn <= MOST && d.drawn > PER_LAYER, "{}", d.drawn);
        assert_eq!(d.drawn + d.folded, 5_000);
        assert_eq!(d.svg.matches("<rect").count(), d.drawn);
        assert!(d.svg.contains("n&lt;1&gt;") && !d.svg.contains("n<1>"));
    }

    #[test]
    fn what_is_searched_for_is_drawn_wherever_it_lies() {
        let mut g = wide();
        let found = g.find(4_999).unwrap();
        let marked: HashSet<usize> = g.ways(found, 1).into_iter().flatten().collect();
        let d = graph(&g, &g.tops(), &marked, "?at=");
        assert!(d.svg.contains("?at=4999\""));
        g.nodes[found].worst = 5;
        let d = graph(&g, &g.tops(), &HashSet::new(), "?at=");
        assert!(d.svg.contains("?at=4999\""), "a critical finding draws the way to it");
    }

    #[test]
    fn scales_are_round() {
        for (largest, wanted) in
            [(0, (1, 1)), (3, (3, 1)), (7, (8, 2)), (18, (20, 5)), (39, (40, 10)), (950, (1000, 500))]
        {
            assert_eq!(scale(largest), wanted, "{largest}");
        }
    }
}
