//! A value that carries its reasons: what "Why?" opens.
//!
//! A score here is a sum of addends and nothing else. Weights are kept in hundredths, so that what is shown adds up
//! to what is stored, to the last digit and on every machine.

use serde::{Deserialize, Serialize};

/// One reason with what it adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Addend {
    /// Stable code of the rule (`component`, `age`), for filters and translation.
    pub code: String,
    /// The reason as a person reads it: "names openssl, which EdgeGate 200 holds".
    pub words: String,
    /// What it adds, in points; negative takes away. Rounded to hundredths.
    pub weight: f64,
    /// What it came from: key of a component, id of a vulnerability, name of a source. Empty: of the whole.
    pub from: String,
}

impl Addend {
    /// An addend; the weight is rounded to hundredths, and what is no number counts nothing.
    pub fn new(code: &str, words: impl Into<String>, weight: f64, from: impl Into<String>) -> Addend {
        Addend { code: code.to_owned(), words: words.into(), weight: hundredths(weight), from: from.into() }
    }
}

/// A value with its addends, in the order in which they are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained<T> {
    /// The value.
    pub value: T,
    /// Why it is what it is.
    pub addends: Vec<Addend>,
}

impl Explained<f64> {
    /// The sum of addends, in points.
    pub fn sum(addends: Vec<Addend>) -> Explained<f64> {
        Explained { value: hundredths(addends.iter().map(|a| a.weight).sum()), addends }
    }

    /// Adds a reason and its weight.
    pub fn push(&mut self, addend: Addend) {
        self.value = hundredths(self.value + addend.weight);
        self.addends.push(addend);
    }
}

/// Rounds points to hundredths; `-0` and what is no number become 0.
fn hundredths(points: f64) -> f64 {
    let rounded = (points * 100.0).round() / 100.0;
    if rounded.is_finite() && rounded != 0.0 { rounded } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_adds_up() {
        let thirds = (0..3).map(|n| Addend::new("third", "a third", 1.0 / 3.0, n.to_string())).collect();
        let mut sum = Explained::sum(thirds);
        assert_eq!(sum.value, 0.99, "the shown 0.33 three times, not 1");
        sum.push(Addend::new("age", "old", -0.994, ""));
        assert_eq!(sum.value, 0.0);
        assert_eq!(Addend::new("x", "", f64::NAN, "").weight, 0.0);
    }

    #[test]
    fn it_is_stored_and_read_again() {
        let told = Explained::sum(vec![Addend::new("component", "names openssl", 40.0, "openssl")]);
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<Explained<f64>>(&text).unwrap(), told);
    }
}
