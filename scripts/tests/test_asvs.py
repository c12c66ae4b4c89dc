"""The rules for docs/asvs.md, on a small checkout that keeps them and on one that breaks each.

    python3 -m unittest discover -s scripts/tests
"""

import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))

import docs_asvs as asvs  # noqa: E402

FIRST = "| 1.1.1 | 2 | Decoded once | yes | `shared/one.rs::body_is_read_once` |"


class Checkout(unittest.TestCase):
    """A checkout with a row for every requirement: the first is met, the others are about nothing here."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("shared/one.rs", "fn body_is_read_once() {}\n")
        rows = [f"| {name} | {level} | Something | n/a | There is none |" for name, level in asvs.due().items()]
        self.write(asvs.PAGE, asvs.with_counts("\n".join([f"{asvs.BEGIN}\n{asvs.END}", FIRST, *rows[1:], ""])))

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def findings(self):
        return [str(finding) for finding in asvs.requirements(self.root)]

    def after(self, old, new):
        """The findings after replacing this text of the page and recomputing its counts."""
        page = (self.root / asvs.PAGE).read_text()
        self.assertIn(old, page)
        self.write(asvs.PAGE, asvs.with_counts(page.replace(old, new, 1)))
        return "\n".join(self.findings())

    def test_page_with_every_requirement_is_accepted(self):
        self.assertEqual([], self.findings())

    def test_standard_has_as_many_requirements_as_it_had_when_it_was_copied(self):
        levels = list(asvs.due().values())
        self.assertEqual((70, 183, 345), (levels.count(1), levels.count(2), sum(map(len, asvs.LEVELS.values()))))

    def test_requirement_without_a_row_is_found(self):
        self.assertIn("17.3.2 has no row", self.after("| 17.3.2 | 2 | Something | n/a | There is none |\n", ""))

    def test_second_row_of_a_requirement_is_found(self):
        self.assertIn("1.1.1 is there already", self.after(FIRST, f"{FIRST}\n{FIRST}"))

    def test_requirement_of_level_three_is_found(self):
        row = "| 1.2.10 | 3 | Something | n/a | There is none |"
        self.assertIn("1.2.10 is no requirement of level 1 or 2", self.after(FIRST, f"{FIRST}\n{row}"))

    def test_wrong_level_is_found(self):
        self.assertIn("1.1.1 is of level 2", self.after("| 1.1.1 | 2 |", "| 1.1.1 | 1 |"))

    def test_verdict_outside_the_set_is_found(self):
        self.assertIn("1.1.1: mostly is no verdict", self.after("Decoded once | yes |", "Decoded once | mostly |"))

    def test_met_requirement_that_nothing_shows_is_found(self):
        self.assertIn("1.1.1 is met, and nothing shows it", self.after("`shared/one.rs::body_is_read_once`", "We are careful"))

    def test_unmet_requirement_without_a_reason_is_found(self):
        self.assertIn("1.1.1 has no reason", self.after("| yes | `shared/one.rs::body_is_read_once` |", "| no |  |"))

    def test_file_that_is_not_there_is_found(self):
        self.assertIn("there is no shared/two.rs", self.after("shared/one.rs", "shared/two.rs"))

    def test_test_that_is_not_there_is_found(self):
        self.assertIn("shared/one.rs has no body_is_read_twice", self.after("body_is_read_once", "body_is_read_twice"))

    def test_counts_of_yesterday_are_found(self):
        page = (self.root / asvs.PAGE).read_text()
        self.write(asvs.PAGE, page.replace("| 2 | 1 | 0 | 0 | 182 |", "| 2 | 2 | 0 | 0 | 181 |"))
        self.assertEqual(["docs/asvs.md: its counts are out of date: python3 scripts/docs.py asvs"], self.findings())

    def test_function_that_starts_a_program_is_found(self):
        self.write("functions/users/src/one.rs", "// process::Command is named here only\n")
        self.assertEqual([], list(asvs.no_processes(self.root)))
        self.write("functions/users/src/one.rs", 'let shell = std::process::Command::new("sh");\n')
        self.assertEqual(["functions/users/src/one.rs:1: starts a program, which a function has no use for"], list(map(str, asvs.no_processes(self.root))))


if __name__ == "__main__":
    unittest.main()
