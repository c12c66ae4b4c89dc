//! Writes the API's document to `api/openapi.json`.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    fs::write(&file, boxoffice_api::text()?)?;
    println!("wrote {}", file.display());
    Ok(())
}
