//! Takes out of Swagger UI's distribution the two files that the page at `/docs` loads.

use std::{env, error::Error, fs::File, io, path::Path};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

const FILES: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var("OUT_DIR")?;
    let mut archive = ZipArchive::new(io::Cursor::new(SWAGGER_UI_VENDORED))?;
    // Everything is in one folder, named after the version.
    let first = archive.file_names().next().ok_or("an empty archive")??.into_owned();
    let root = first.split('/').next().unwrap_or_default();
    for file in FILES {
        let mut source = archive.by_name(&format!("{root}/dist/{file}"))?;
        io::copy(&mut source, &mut File::create(Path::new(&folder).join(file))?)?;
    }
    Ok(())
}
