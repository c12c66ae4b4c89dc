//! The style sheet, the script and the icon, under names that change with their content, so that a browser may keep each for good.

use boxoffice_runtime::http::Answer;

/// A file that pages load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    stem: &'static str,
    extension: &'static str,
    content_type: &'static str,
    content: &'static str,
    hash: u64,
}

impl Asset {
    const fn new(
        stem: &'static str,
        extension: &'static str,
        content_type: &'static str,
        content: &'static str,
    ) -> Self {
        Self { stem, extension, content_type, content, hash: fnv1a(content.as_bytes()) }
    }

    /// The name it is served by.
    pub fn name(&self) -> String {
        format!("{}.{:016x}.{}", self.stem, self.hash, self.extension)
    }

    /// The asset that is served by this name. A page that was made by an earlier deployment asks for an earlier hash and gets the file as it is now,
    /// but to keep it only for a minute.
    pub fn served(name: &str) -> Option<Answer> {
        let (stem, rest) = name.split_once('.')?;
        let asset = ASSETS.iter().find(|asset| asset.stem == stem && rest.ends_with(asset.extension))?;
        let caching = if asset.name() == name { "public, max-age=31536000, immutable" } else { "public, max-age=60" };
        let answer = Answer::content(asset.content_type, asset.content.to_owned());
        Some(answer.with_header("cache-control", caching.to_owned()))
    }
}

/// The style sheet of every page.
pub const STYLE: Asset = Asset::new("shop", "css", "text/css; charset=utf-8", include_str!("../assets/shop.css"));
/// The script of every page. Nothing depends on it.
pub const SCRIPT: Asset = Asset::new("shop", "js", "text/javascript; charset=utf-8", include_str!("../assets/shop.js"));
/// The icon in a browser's tab.
pub const ICON: Asset = Asset::new("icon", "svg", "image/svg+xml; charset=utf-8", include_str!("../assets/icon.svg"));

const ASSETS: [Asset; 3] = [STYLE, SCRIPT, ICON];

/// FNV-1a: it names a version of a file, and protects nothing.
const fn fnv1a(mut bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    while let Some((first, rest)) = bytes.split_first() {
        hash = (hash ^ *first as u64).wrapping_mul(0x0100_0000_01b3);
        bytes = rest;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_current_name_is_kept_for_good_and_an_old_one_for_a_minute() {
        for asset in ASSETS {
            let caching = |name: &str| {
                let answer = Asset::served(name)?;
                answer.header_values("cache-control").next().map(ToOwned::to_owned)
            };
            assert_eq!(caching(&asset.name()).as_deref(), Some("public, max-age=31536000, immutable"));
            let old = format!("{}.0123456789abcdef.{}", asset.stem, asset.extension);
            assert_eq!(caching(&old).as_deref(), Some("public, max-age=60"));
        }
        for name in ["", "shop", "shop.0.html", "../Cargo.toml", "other.0.css"] {
            assert!(Asset::served(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_script_weighs_less_than_15_kilobytes_and_the_style_less_than_30() {
        assert!(SCRIPT.content.len() < 15 * 1024, "{}", SCRIPT.content.len());
        assert!(STYLE.content.len() < 30 * 1024, "{}", STYLE.content.len());
    }

    #[test]
    fn files_of_another_content_have_other_names() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
