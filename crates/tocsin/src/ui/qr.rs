//! QR codes (ISO/IEC 18004) as SVG, made here: what they hold goes to no other host.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// A picture of a text, dark on light whatever the page's colours: scanners want it so. Empty where the text is too
/// long for one.
pub fn svg(text: &str) -> String {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return String::new() };
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{},{}h1v1h-1z", x + 4, y + 4);
        }
    }
    let whole = size + 8;
    format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"QR code of the secret below\" viewBox=\"0 0 {whole} {whole}\" \
         shape-rendering=\"crispEdges\"><rect width=\"{whole}\" height=\"{whole}\" fill=\"#fff\"/><path fill=\"#000\" \
         d=\"{path}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_picture_has_a_quiet_zone_and_nothing_of_the_text() {
        let svg = super::svg("otpauth://totp/Tocsin:anna?secret=MZXW6YTBOI");
        assert!(svg.starts_with("<svg") && svg.contains("M4,4h1v1h-1z"), "the first finder pattern: {svg}");
        assert!(!svg.contains("MZXW6YTBOI"));
        assert_eq!(super::svg(&"x".repeat(5000)), "");
    }
}
