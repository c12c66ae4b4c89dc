//! libFuzzer around one of the targets. `scripts/fuzz.py` builds this with coverage, names the target in `BOXOFFICE_FUZZ_TARGET`, and first has it write out what
//! there is to begin with, to the folder in `BOXOFFICE_FUZZ_PREPARE`.

#![no_main]

use boxoffice_fuzz::{Target, material};
use libfuzzer_sys::fuzz_target;
use std::{env, fs, path::Path, process, sync::LazyLock};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = env::var("BOXOFFICE_FUZZ_TARGET").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| panic!("BOXOFFICE_FUZZ_TARGET is {name:?}, which is no target"))
});

fuzz_target!(
    init: {
        if let Ok(folder) = env::var("BOXOFFICE_FUZZ_PREPARE") {
            prepare(Path::new(&folder));
            process::exit(0);
        }
    },
    |input: &[u8]| {
        (TARGET.check)(input);
    }
);

/// A file for each input, and libFuzzer's dictionary.
fn prepare(folder: &Path) {
    for (number, input) in (TARGET.seeds)().into_iter().chain(material::corpus(&TARGET)).enumerate() {
        fs::write(folder.join(format!("{number:04}")), input).expect("the folder can be written");
    }
    let quoted = |word: &String| {
        let bytes: Vec<String> = word.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("\"{}\"", bytes.concat())
    };
    let dictionary = material::WORDS.iter().map(quoted).collect::<Vec<_>>().join("\n");
    fs::write(folder.with_extension("dictionary"), dictionary).expect("the folder can be written");
}
