"""The rule for docs/aws.md, on a page that keeps it and on one that breaks it.

    python3 -m unittest discover -s scripts/tests
"""

import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))

import docs_aws  # noqa: E402

SHOWN = "`infra/rules.py::every_region_is_named`"


class Page(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("infra/rules.py", "def every_region_is_named(): ...\n")
        names = [f"{part}{number}" for part, count in docs_aws.FINDINGS.items() for number in range(1, count + 1)]
        self.write(docs_aws.PAGE, "".join(f"| {name} | Something breaks | mended | It does not | {SHOWN} |\n" for name in names))

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def after(self, old, new):
        page = (self.root / docs_aws.PAGE).read_text()
        self.assertIn(old, page)
        self.write(docs_aws.PAGE, page.replace(old, new, 1))
        return "\n".join(str(finding) for finding in docs_aws.findings(self.root))

    def test_page_with_a_line_for_every_finding_is_accepted(self):
        self.assertEqual([], docs_aws.findings(self.root))

    def test_each_fault_of_a_page_is_found(self):
        row = f"| C16 | Something breaks | mended | It does not | {SHOWN} |\n"
        for old, new, what in (
            (row, "", "C16 has no row"),
            (row, row + row, "C16: is there already"),
            (row, row + row.replace("C16", "C17"), "C17: is no finding of the review"),
            ("mended", "known", "A1: known is no outcome"),
            (SHOWN, "we looked", "A1: nothing shows it"),
            ("infra/rules.py", "infra/rule.py", "A1: there is no infra/rule.py"),
            ("every_region_is_named", "every_zone_is_named", "A1: infra/rules.py has no every_zone_is_named"),
        ):
            with self.subTest(what):
                self.setUp()
                self.assertIn(what, self.after(old, new))


if __name__ == "__main__":
    unittest.main()
