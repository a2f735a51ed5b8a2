//! How values are written on pages.

use askama::Values;
use tocsin_core::detection::SEVERITIES;

/// What a filter gives.
pub type Written = askama::Result<String>;

/// `not_affected` as people read it: `not affected`.
#[askama::filter_fn]
pub fn words(text: impl std::fmt::Display, _: &dyn Values) -> Written {
    Ok(text.to_string().replace(['_', '-'], " "))
}

/// A share as per cent with one decimal, or a dash.
#[askama::filter_fn]
pub fn percent(share: &Option<f64>, _: &dyn Values) -> Written {
    Ok(share.map_or_else(|| "–".to_owned(), |s| format!("{:.1}", s * 100.0)))
}

/// See [`percent`].
#[askama::filter_fn]
pub fn percent32(share: &f32, _: &dyn Values) -> Written {
    Ok(format!("{:.1}", share * 100.0))
}

/// A score with one decimal.
#[askama::filter_fn]
pub fn tenth(score: &f64, _: &dyn Values) -> Written {
    Ok(format!("{score:.1}"))
}

/// See [`tenth`].
#[askama::filter_fn]
pub fn tenth32(score: &f32, _: &dyn Values) -> Written {
    Ok(format!("{score:.1}"))
}

/// The day of an instant.
#[askama::filter_fn]
pub fn day(at: impl std::fmt::Display, _: &dyn Values) -> Written {
    Ok(at.to_string().chars().take(10).collect())
}

/// An instant to the minute, UTC.
#[askama::filter_fn]
pub fn minute(at: impl std::fmt::Display, _: &dyn Values) -> Written {
    Ok(at.to_string().chars().take(16).collect::<String>().replace('T', " "))
}

/// The word of a stored severity.
#[askama::filter_fn]
pub fn severity(n: &i64, _: &dyn Values) -> Written {
    Ok(usize::try_from(*n).ok().and_then(|n| SEVERITIES.get(n)).copied().unwrap_or("unknown").to_owned())
}

/// A text as part of an address.
#[askama::filter_fn]
pub fn address(text: impl std::fmt::Display, _: &dyn Values) -> Written {
    Ok(super::encode(&text.to_string()))
}
