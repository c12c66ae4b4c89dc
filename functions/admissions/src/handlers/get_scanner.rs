//! Serves the scanner: a page that a device opens from its invitation's QR code.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /scanner`, `GET /scanner/{file}` |
//! | reads | nothing: the files are in the program |
//!
//! The page decides nothing. It sends each scan to `POST /check-ins` and shows the answer.

use boxoffice_runtime::{Code, Problem, http::Answer};
use lambda_http::{Request, RequestExt as _};

/// Its own files and calls, and the camera; nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; media-src 'self' blob:; \
                      manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A new version of a file is taken up within so many seconds.
const CACHED_SECONDS: u32 = 300;

const FILES: [(&str, &str, &str); 5] = [
    ("scanner.js", "text/javascript; charset=utf-8", include_str!("../../page/scanner.js")),
    ("scanner.css", "text/css; charset=utf-8", include_str!("../../page/scanner.css")),
    ("scanner.webmanifest", "application/manifest+json", include_str!("../../page/scanner.webmanifest")),
    ("icon.svg", "image/svg+xml; charset=utf-8", include_str!("../../page/icon.svg")),
    // jsQR 1.4.0, Apache-2.0: for browsers without BarcodeDetector, which load it with the camera.
    ("jsqr.js", "text/javascript; charset=utf-8", include_str!("../../page/jsqr.js")),
];

/// Answers the route that was called: the page, or a file of it.
///
/// # Errors
/// Those of [`file()`].
pub fn handle(request: &Request) -> Result<Answer, Problem> {
    match request.path_parameters().first("file") {
        None => Ok(page()),
        Some(name) => file(name),
    }
}

/// Shows the scanner.
#[utoipa::path(
    get,
    path = "/scanner",
    operation_id = "get-scanner",
    tag = "admissions",
    responses((
        status = 200,
        description = "The page",
        body = String,
        content_type = "text/html",
        example = "<!doctype html>"
    ))
)]
pub fn page() -> Answer {
    scanner(Answer::content("text/html; charset=utf-8", include_str!("../../page/index.html").to_owned()))
}

/// Shows a file of the scanner.
///
/// # Errors
/// When there is none of this name.
#[utoipa::path(
    get,
    path = "/scanner/{file}",
    operation_id = "get-scanner-file",
    tag = "admissions",
    params(("file" = String, Path, description = "Its name", example = "scanner.js")),
    responses(
        (
            status = 200,
            description = "The file",
            body = String,
            content_type = "text/javascript",
            example = "// The scanner of a door"
        ),
        (status = 404, description = "`ROUTE_NOT_FOUND`: the scanner has no such file"),
    )
)]
pub fn file(name: &str) -> Result<Answer, Problem> {
    let file = FILES.iter().find(|(known, _, _)| *known == name);
    let missing = || Problem::new(Code::RouteNotFound, "The scanner has no such file. Open /scanner.");
    let (_, content_type, text) = file.ok_or_else(missing)?;
    Ok(scanner(Answer::content(content_type, (*text).to_owned())))
}

fn scanner(answer: Answer) -> Answer {
    answer
        .cached(CACHED_SECONDS)
        .with_header("content-security-policy", POLICY.to_owned())
        .with_header("permissions-policy", "camera=(self), microphone=(), geolocation=()".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_for_nothing_that_is_not_served() {
        let page = page();
        let page = page.body().unwrap();
        let asked = page.split("\"scanner/").skip(1).filter_map(|rest| rest.split_once('"')).map(|(name, _)| name);
        let asked: Vec<_> = asked.collect();
        assert!(asked.contains(&"scanner.js") && asked.contains(&"scanner.css"), "{asked:?}");
        for name in asked {
            assert!(file(name).is_ok(), "{name}");
        }
        assert!(file("../Cargo.toml").is_err());
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("onclick"), "{page}");
    }

    /// The contrast of two colours (WCAG 2.2, relative luminance).
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let hex = colour.get(at..at + 2).unwrap();
            let value = f64::from(u8::from_str_radix(hex, 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    #[test]
    fn the_three_states_are_read_at_seven_to_one_and_differ_in_greyscale() {
        let (_, _, css) = FILES[1];
        let colour = |state: &str| {
            let (_, rule) = css.split_once(&format!("body[data-state=\"{state}\"]")).unwrap();
            let (_, rule) = rule.split_once("--bg: ").unwrap();
            luminance(rule.get(..7).unwrap())
        };
        let states = ["in", "look", "stop"].map(colour);
        for (background, ink) in states.into_iter().zip([0.0, 0.0, 1.0]) {
            let (light, dark) = (f64::max(background, ink), f64::min(background, ink));
            assert!((light + 0.05) / (dark + 0.05) >= 7.0, "{background}");
        }
        for pair in states.windows(2) {
            assert!((pair[0] + 0.05) / (pair[1] + 0.05) >= 1.5, "{states:?}");
        }
    }
}
