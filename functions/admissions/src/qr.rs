//! A code as a picture that a browser draws at any size.

use boxoffice_admission::Code;
use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;

/// The quiet zone that a reader needs on each side, in modules (ISO/IEC 18004).
const QUIET: i32 = 4;

/// Why a code has no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the code does not fit into a QR code")]
pub struct TooLong;

fn symbol(code: &Code) -> Result<QrCode, TooLong> {
    QrCode::encode_text(&code.to_string(), QrCodeEcc::Medium).map_err(|_| TooLong)
}

/// The QR code as SVG: black on white in every theme, because readers need the contrast.
///
/// # Errors
/// When the code is too long: a bug.
pub fn svg(code: &Code) -> Result<String, TooLong> {
    let symbol = symbol(code)?;
    let side = symbol.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..symbol.size() {
        for x in (0..symbol.size()).filter(|x| symbol.get_module(*x, y)) {
            // A String takes everything.
            let _ = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    Ok(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="328" height="328" shape-rendering="crispEdges" role="img" aria-label="Ticket code"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d="{path}"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first code of the vectors.
    fn code() -> Code {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../shared/admission/vectors/ticket-codes.json")).unwrap();
        Code::read(vectors["codes"][0]["text"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn a_code_is_version_6_at_level_m() {
        let symbol = symbol(&code()).unwrap();
        assert_eq!((symbol.version().value(), symbol.size()), (6, 41));
        assert_eq!(symbol.error_correction_level(), QrCodeEcc::Medium);
    }

    #[test]
    fn the_picture_is_small_and_loads_nothing() {
        let svg = svg(&code()).unwrap();
        assert!(svg.len() < 20_000, "{}", svg.len());
        assert!(!svg.contains("href") && !svg.contains("<script"));
    }
}
