//! Precision, recall and what follows of them.

/// How well a method found what is relevant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Of what it called relevant, the share that is.
    pub precision: f64,
    /// Of what is relevant, the share that it called so.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Mean of the precision at each relevant story, in the order of the ranking. Stories of one score are met together.
    pub ap: f64,
}

fn ratio(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

/// Precision, recall, F1 of hits among what was called (`found`) and what is (`all`).
pub fn harmonic(hits: usize, found: usize, all: usize) -> (f64, f64, f64) {
    let (precision, recall) = (ratio(hits, found), ratio(hits, all));
    let sum = precision + recall;
    (precision, recall, if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 })
}

/// The quality of scores at a threshold: at or above it a story counts as relevant.
pub fn quality(scored: &[(f64, bool)], threshold: f64) -> Quality {
    let all = scored.iter().filter(|s| s.1).count();
    let found: Vec<bool> = scored.iter().filter(|s| s.0 >= threshold).map(|s| s.1).collect();
    let hits = found.iter().filter(|relevant| **relevant).count();
    let (precision, recall, f1) = harmonic(hits, found.len(), all);
    Quality { precision, recall, f1, ap: average_precision(scored) }
}

fn average_precision(scored: &[(f64, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = sorted.iter().filter(|s| s.1).count();
    let (mut hits, mut seen, mut sum) = (0, 0, 0.0);
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let new = group.iter().filter(|s| s.1).count();
        seen += group.len();
        hits += new;
        sum += new as f64 * ratio(hits, seen);
    }
    if all == 0 { 0.0 } else { sum / all as f64 }
}

/// The threshold with the best F1 on these stories.
pub fn best_threshold(scored: &[(f64, bool)]) -> f64 {
    let candidates = scored.iter().map(|s| s.0).filter(|s| *s > 0.0);
    let best = candidates.map(|t| (quality(scored, t).f1, t)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(f64::INFINITY, |(_, threshold)| threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let scored = [(9.0, true), (8.0, false), (7.0, true), (1.0, false)];
        let q = quality(&scored, 7.0);
        assert_eq!((q.precision, q.recall), (2.0 / 3.0, 1.0));
        assert!((q.f1 - 0.8).abs() < 1e-9);
        assert!((q.ap - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-9);
        // of one score all are met together: no luck by order
        assert_eq!(quality(&[(1.0, true), (1.0, false)], 1.0).ap, 0.5);
        assert_eq!(best_threshold(&scored), 7.0);
        assert_eq!(quality(&[], 0.0).f1, 0.0);
    }
}
