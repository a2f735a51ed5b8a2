//! Charts as SVG, made on the server: few kinds, direct labels, y from zero, colours from the page's tokens.

/// A bar of parts that add up: the class that colours each, and its count.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What the bar is about.
    pub label: String,
    /// Address of the rows behind it.
    pub href: String,
    /// Class and count of each part, in the order in which they are drawn.
    pub parts: Vec<(&'static str, i64)>,
}

impl Bar {
    /// The whole.
    pub fn total(&self) -> i64 {
        self.parts.iter().map(|p| p.1).sum()
    }

    /// The parts in words, for those who do not see the bar.
    pub fn words(&self) -> String {
        let words: Vec<String> =
            self.parts.iter().filter(|p| p.1 > 0).map(|(class, n)| format!("{n} {class}")).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }

    /// Class, left edge and width of each part in a box 1,000 wide, where `most` is the longest bar of the chart.
    pub fn pieces(&self, most: i64) -> Vec<(&'static str, i64, i64)> {
        let most = most.max(1);
        let mut left = 0;
        let place = |(class, count): &(&'static str, i64)| {
            let from = left * 1000 / most;
            left += count;
            (*class, from, left * 1000 / most - from)
        };
        self.parts.iter().map(place).filter(|(_, _, width)| *width > 0).collect()
    }
}

/// The longest of several bars.
pub fn most(bars: &[Bar]) -> i64 {
    bars.iter().map(Bar::total).max().unwrap_or(0)
}

/// A value from 0 to 1 over time, of which the steps are known: it holds until the next.
#[derive(Debug, Clone)]
pub struct Trend {
    /// Points of the line in a box 600 wide and 90 high.
    pub line: String,
    /// The same in a box of 120 and 24.
    pub small: String,
    /// The highest value, which is the upper edge of the box.
    pub most: f64,
    /// First and last day.
    pub days: (String, String),
    /// The steps, newest first: day, value, share of others that are lower.
    pub steps: Vec<(String, f64, f64)>,
}

/// The newest steps that a line has room for.
const STEPS: usize = 400;

/// The line of steps (day, value, share), oldest first; `None` for fewer than two, or where they are of one day.
pub fn trend(steps: &[(String, f64, f64)]) -> Option<Trend> {
    let steps = steps.get(steps.len().saturating_sub(STEPS)..).unwrap_or_default();
    let day = |text: &str| {
        let date: jiff::civil::Date = text.get(..10)?.parse().ok()?;
        Some(i64::from(date.since(jiff::civil::date(2000, 1, 1)).ok()?.get_days()))
    };
    let points: Vec<(i64, f64)> = steps.iter().map(|s| Some((day(&s.0)?, s.1))).collect::<Option<_>>()?;
    let (first, last) = (points.first()?.0, points.last()?.0);
    if last <= first {
        return None;
    }
    // a hundredth at least, or noise would fill the box
    let most = points.iter().map(|p| p.1).fold(0.01, f64::max);
    let line = |width: f64, height: f64| {
        let x = |at: i64| (at - first) as f64 / (last - first) as f64 * width;
        let y = |value: f64| height - 1.0 - value / most * (height - 2.0);
        let mut out: Vec<String> = Vec::new();
        for (n, (at, value)) in points.iter().enumerate() {
            if let Some((_, before)) = n.checked_sub(1).and_then(|n| points.get(n)) {
                out.push(format!("{:.1},{:.1}", x(*at), y(*before)));
            }
            out.push(format!("{:.1},{:.1}", x(*at), y(*value)));
        }
        out.join(" ")
    };
    let ends = |s: Option<&(String, f64, f64)>| s.map(|s| s.0.clone()).unwrap_or_default();
    Some(Trend {
        line: line(600.0, 90.0),
        small: line(120.0, 24.0),
        most,
        days: (ends(steps.first()), ends(steps.last())),
        steps: steps.iter().rev().cloned().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_meet_without_a_gap_and_the_longest_bar_fills_the_box() {
        let bar =
            |a, b| Bar { label: String::new(), href: String::new(), parts: vec![("high", a), ("low", b)] };
        let bars = [bar(1, 2), bar(0, 0), bar(2, 1)];
        assert_eq!(most(&bars), 3);
        assert_eq!(bars[0].pieces(3), [("high", 0, 333), ("low", 333, 667)]);
        assert_eq!(bars[1].pieces(3), []);
        assert_eq!(bars[1].words(), "none");
        assert_eq!(bars[2].words(), "2 high, 1 low");
    }

    #[test]
    fn a_trend_holds_each_value_until_its_next_step() {
        let step = |day: &str, value| (day.to_owned(), value, 0.5);
        let steps = [step("2026-03-01", 0.1), step("2026-03-02", 0.1), step("2026-03-11", 0.5)];
        let t = trend(&steps).unwrap();
        assert_eq!(t.small, "0.0,18.6 12.0,18.6 12.0,18.6 120.0,18.6 120.0,1.0");
        assert_eq!((t.days.0.as_str(), t.days.1.as_str(), t.steps[0].1), ("2026-03-01", "2026-03-11", 0.5));
        assert!(trend(&steps[..1]).is_none() && trend(&[]).is_none());
        assert!(trend(&[step("2026-03-01", 0.1), step("2026-03-01", 0.2)]).is_none());
        assert!(trend(&[step("once", 0.1), step("2026-03-01", 0.2)]).is_none());
        let many: Vec<_> = (0..1000).map(|n| step(&format!("2{:03}-01-01", n), 0.1)).collect();
        assert_eq!(trend(&many).unwrap().steps.len(), 400);
    }
}
