"""Unused dependencies, in a small workspace that has none, and with one planted at a time.

    python3 -m unittest discover -s scripts/tests
"""

import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))

import dependencies  # noqa: E402

WORKSPACE = '[workspace.dependencies]\nserde = "1"\nserde_json = "1"\ngetrandom = "0.4"\n'
CRATE = """[package]
name = "one"

[dependencies]
serde.workspace = true

# For their features; see the workspace's manifest.
getrandom.workspace = true

[dev-dependencies]
serde_json.workspace = true
"""


class Workspace(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("Cargo.toml", WORKSPACE)
        self.write("one/Cargo.toml", CRATE)
        self.write("one/src/lib.rs", "use serde::Serialize;\n")
        self.write("one/tests/all.rs", "fn it() { serde_json::json!({}); }\n")

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def test_workspace_that_names_all_it_wants_has_no_finding(self):
        self.assertEqual([], dependencies.unused(self.root))

    def test_dependency_that_no_line_names_is_found(self):
        self.write("one/src/lib.rs", "// serde was here\n")
        self.assertEqual(["one/Cargo.toml: serde (dependencies) is named nowhere"], dependencies.unused(self.root))

    def test_dependency_of_tests_that_no_line_names_is_found(self):
        self.write("one/tests/all.rs", "fn it() {}\n")
        self.assertEqual(["one/Cargo.toml: serde_json (dev-dependencies) is named nowhere"], dependencies.unused(self.root))

    def test_dependency_without_its_reason_is_found(self):
        self.write("one/Cargo.toml", CRATE.replace("# For their features; see the workspace's manifest.\n", ""))
        self.assertEqual(["one/Cargo.toml: getrandom (dependencies) is named nowhere"], dependencies.unused(self.root))

    def test_entry_of_the_workspace_that_no_crate_wants_is_found(self):
        self.write("Cargo.toml", WORKSPACE + 'time = "0.3"\n')
        self.assertEqual(["Cargo.toml: time is wanted by no crate"], dependencies.unused(self.root))

    def test_crate_within_a_crate_speaks_for_itself_alone(self):
        self.write("one/src/lib.rs", "")
        self.write("one/fuzz/Cargo.toml", '[package]\nname = "two"\n')
        self.write("one/fuzz/src/lib.rs", "use serde::Serialize;\n")
        self.assertEqual(["one/Cargo.toml: serde (dependencies) is named nowhere"], dependencies.unused(self.root))


if __name__ == "__main__":
    unittest.main()
