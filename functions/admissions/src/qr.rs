//! A code as a picture: as SVG, which a browser draws at any size, and as PNG, which every mail program shows.

use boxoffice_admission::Code;
use boxoffice_aws::StoreError;
use miniz_oxide::deflate::compress_to_vec_zlib;
use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;

/// The quiet zone that a reader needs on each side, in modules (ISO/IEC 18004).
const QUIET: i32 = 4;

/// How many pixels a module of the PNG is wide: 392 for the whole, enough for a telephone's screen.
const PIXELS: usize = 8;

/// Why a code has no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the code does not fit into a QR code")]
pub struct TooLong;

impl From<TooLong> for StoreError {
    fn from(code: TooLong) -> Self {
        Self::Broken(code.to_string())
    }
}

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

/// The QR code as PNG ([specification](https://www.w3.org/TR/png-3/)), a bit a pixel: some 600 bytes. The same code is the same bytes.
///
/// # Errors
/// When the code is too long: a bug.
pub fn png(code: &Code) -> Result<Vec<u8>, TooLong> {
    let symbol = symbol(code)?;
    let modules = -QUIET..symbol.size() + QUIET;
    let mut lines = Vec::new();
    for y in modules.clone() {
        // Outside the symbol everything is light.
        let pixels: Vec<bool> = modules.clone().flat_map(|x| [!symbol.get_module(x, y); PIXELS]).collect();
        // A line begins with its filter: none, for a line like the one above it compresses best as it is.
        let line: Vec<u8> = std::iter::once(0).chain(pixels.chunks(8).map(packed)).collect();
        lines.extend(std::iter::repeat_n(line, PIXELS).flatten());
    }
    let side = u32::try_from(modules.count() * PIXELS).map_err(|_| TooLong)?.to_be_bytes();
    // One bit of grey, no interlacing, and the only compression and filtering there are.
    let header = [&side[..], &side[..], &[1, 0, 0, 0, 0]].concat();
    let data = compress_to_vec_zlib(&lines, 6);
    Ok([&SIGNATURE[..], &chunk(*b"IHDR", &header), &chunk(*b"IDAT", &data), &chunk(*b"IEND", &[])].concat())
}

/// The first bytes of every PNG.
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// A part of a PNG: its length, its kind, its data, and the checksum of the two.
fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    // A symbol's picture is never near 4 GB.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
}

/// Eight pixels in a byte, the first in its highest bit, light ones set.
fn packed(pixels: &[bool]) -> u8 {
    pixels.iter().zip([128, 64, 32, 16, 8, 4, 2, 1]).filter(|(light, _)| **light).map(|(_, bit)| bit).sum()
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

    /// The chunks of a PNG, each with its kind. Its length and checksum are right.
    fn chunks(mut png: &[u8]) -> Vec<(String, Vec<u8>)> {
        png = png.strip_prefix(&SIGNATURE).unwrap();
        let mut chunks = Vec::new();
        while !png.is_empty() {
            let (length, rest) = png.split_first_chunk().unwrap();
            let (body, rest) = rest.split_at(4 + u32::from_be_bytes(*length) as usize);
            let (sum, rest) = rest.split_first_chunk().unwrap();
            assert_eq!(u32::from_be_bytes(*sum), checksum(body));
            chunks.push((String::from_utf8(body[..4].to_vec()).unwrap(), body[4..].to_vec()));
            png = rest;
        }
        chunks
    }

    /// The CRC of the specification's annex D, bit by bit.
    fn checksum(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 })
        })
    }

    #[test]
    fn the_png_has_the_modules_of_the_symbol_in_a_quiet_zone() {
        let (png, symbol) = (png(&code()).unwrap(), symbol(&code()).unwrap());
        assert!(png.len() < 1500, "{} bytes", png.len());
        let chunks = chunks(&png);
        assert_eq!(chunks.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["IHDR", "IDAT", "IEND"]);
        assert_eq!(chunks[0].1, [0, 0, 1, 136, 0, 0, 1, 136, 1, 0, 0, 0, 0], "392 by 392 pixels, one bit each");
        let lines = miniz_oxide::inflate::decompress_to_vec_zlib(&chunks[1].1).unwrap();
        assert_eq!(lines.len(), 392 * 50);
        for (y, line) in lines.chunks(50).enumerate() {
            assert_eq!(line[0], 0, "line {y} has no filter");
            for x in 0..392 {
                let light = line[1 + x / 8] & (128 >> (x % 8)) != 0;
                let [column, row] = [x, y].map(|at| i32::try_from(at / 8).unwrap() - QUIET);
                assert_eq!(light, !symbol.get_module(column, row), "{x}, {y}");
            }
        }
    }

    #[test]
    fn the_picture_is_small_and_loads_nothing() {
        let svg = svg(&code()).unwrap();
        assert!(svg.len() < 20_000, "{}", svg.len());
        assert!(!svg.contains("href") && !svg.contains("<script"));
    }
}
