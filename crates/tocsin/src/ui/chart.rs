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
}
