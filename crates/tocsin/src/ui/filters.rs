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

/// Who did something: `person:anna` as `anna`, `key:ci` as `key ci`.
#[askama::filter_fn]
pub fn person(name: impl std::fmt::Display, _: &dyn Values) -> Written {
    let name = name.to_string();
    Ok(name.strip_prefix("person:").map_or_else(|| name.replacen(':', " ", 1), str::to_owned))
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

/// A share in percent with two decimals: of small ones the second tells something.
#[askama::filter_fn]
pub fn percent64(share: &f64, _: &dyn Values) -> Written {
    Ok(format!("{:.2}", share * 100.0))
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

/// An instant to the minute in UTC; the script of the page tells it in the reader's zone, and within `data-ago` by how
/// long ago it is.
#[askama::filter_fn]
pub fn minute(at: impl std::fmt::Display, _: &dyn Values) -> Written {
    let at = at.to_string();
    let zone = if at.ends_with('Z') { " UTC" } else { "" };
    Ok(format!("{}{zone}", at.chars().take(16).collect::<String>().replace('T', " ")))
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

/// A whole number in groups of three: 291,479.
#[askama::filter_fn]
pub fn grouped(n: impl std::fmt::Display, _: &dyn Values) -> Written {
    let digits = n.to_string();
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |d| ("-", d));
    let mut out = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    Ok(out)
}

/// Why a finding was closed, as a sentence.
#[askama::filter_fn]
pub fn closing(reason: impl std::fmt::Display, _: &dyn Values) -> Written {
    Ok(match reason.to_string().as_str() {
        "upgraded" => "the component was upgraded to a version that it does not hurt.".to_owned(),
        "upgraded-still-vulnerable" | "still-vulnerable" => {
            "the component was upgraded, and the new version has the flaw too; that is another finding."
                .to_owned()
        }
        "removed" => "the component is no longer in the release.".to_owned(),
        "patched-by-the-build" => "the document says that the build patches it.".to_owned(),
        "revised-downstream" => {
            "who distributes the component revised it without changing its version.".to_owned()
        }
        "told-otherwise" => {
            "the document tells the same component otherwise; its findings went over.".to_owned()
        }
        "stated-not-affected" => "a statement in the document says that it is not affected.".to_owned(),
        "record-changed" => {
            "a source changed its record, which does not name this version any more.".to_owned()
        }
        "record-withdrawn" => "its record was withdrawn or rejected.".to_owned(),
        "surroundings-changed" => {
            "the release holds other components than before, on which the match depended.".to_owned()
        }
        "unexplained" => "nothing explains it; look whether the new document is complete.".to_owned(),
        other => format!("{}.", other.replace(['-', '_'], " ")),
    })
}
