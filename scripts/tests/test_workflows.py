"""Every workflow keeps every rule, and every rule is broken once, to see that it would be noticed."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import workflows  # noqa: E402
from checkout import ROOT  # noqa: E402

GOOD = """\
name: Example

on:
  pull_request:

permissions:
  contents: read

jobs:
  one:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - run: |
          make test
          echo done
        env:
          BRANCH: ${{ github.head_ref }}
  two:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - run: make lint
"""


class EveryWorkflow(unittest.TestCase):
    def test_there_are_some(self):
        self.assertIn("ci.yml", workflows.workflows(ROOT))

    def test_keeps_every_rule(self):
        for name, text in workflows.workflows(ROOT).items():
            with self.subTest(name):
                self.assertEqual(workflows.problems(name, text), [])

    def test_no_writer_is_listed_who_writes_nothing(self):
        texts = workflows.workflows(ROOT)
        for (name, job), granted in workflows.WRITERS.items():
            lines = dict(workflows.jobs(list(enumerate(texts[name].splitlines(), 1))))[job]
            for what in granted:
                self.assertTrue(any(f"{what}: write" in line for _, line in lines), f"{name}: {job} does not write {what}")


class EveryRule(unittest.TestCase):
    def broken(self, old: str, new: str, name: str = "example.yml") -> str:
        self.assertEqual(GOOD.count(old), 1, old)
        found = workflows.problems(name, GOOD.replace(old, new))
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_the_good_one_is_good(self):
        self.assertEqual(workflows.problems("example.yml", GOOD), [])

    def test_an_action_at_a_tag_is_refused(self):
        self.assertIn("named by its commit", self.broken("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7.0.1"))

    def test_an_action_at_a_short_commit_is_refused(self):
        self.assertIn("named by its commit", self.broken("@3d3c42e5aac5ba805825da76410c181273ba90b1", "@3d3c42e5"))

    def test_an_action_whose_version_is_not_said_is_refused(self):
        self.assertIn("named by its commit", self.broken(" # v7.0.1", ""))

    def test_an_action_of_which_only_the_major_version_is_said_is_refused(self):
        self.assertIn("named by its commit", self.broken(" # v7.0.1", " # v7"))

    def test_permissions_that_are_not_stated_are_refused(self):
        self.assertIn("top-level permissions are missing", self.broken("permissions:\n  contents: read\n", ""))

    def test_permissions_beyond_reading_are_refused(self):
        self.assertIn("top-level permissions are", self.broken("  contents: read\n", "  contents: write\n"))
        self.assertIn("top-level permissions are", self.broken("permissions:\n  contents: read\n", "permissions: write-all\n"))

    def test_no_permissions_at_all_are_fine(self):
        self.assertEqual(workflows.problems("example.yml", GOOD.replace("permissions:\n  contents: read\n", "permissions: {}\n")), [])

    def test_a_strangers_change_with_our_rights_is_refused(self):
        self.assertIn("stranger", self.broken("  pull_request:\n", "  pull_request_target:\n"))
        self.assertIn("stranger", self.broken("on:\n  pull_request:\n", "on: [pull_request_target]\n"))
        self.assertIn("stranger", self.broken("  pull_request:\n", "  workflow_run:\n"))

    def test_a_comment_about_it_is_fine(self):
        self.assertEqual(workflows.problems("example.yml", "# no pull_request_target here\n" + GOOD), [])

    def test_a_job_that_writes_unlisted_is_refused(self):
        job = "  two:\n    runs-on: ubuntu-24.04\n"
        self.assertIn("two may not write packages", self.broken(job, job + "    permissions:\n      packages: write\n"))
        self.assertIn("names what it writes", self.broken(job, job + "    permissions: write-all\n"))

    def test_a_job_without_a_limit_is_refused(self):
        self.assertIn("two has no timeout", self.broken("    timeout-minutes: 5\n    steps:\n      - run: make lint", "    steps:\n      - run: make lint"))

    def test_a_checkout_that_keeps_its_token_is_refused(self):
        self.assertIn("keeps no token", self.broken("        with:\n          persist-credentials: false\n", ""))
        self.assertIn("keeps no token", self.broken("persist-credentials: false", "persist-credentials: true"))

    def test_an_expression_in_a_script_is_refused(self):
        self.assertIn("by env", self.broken("make test", "make ${{ github.head_ref }}"))
        self.assertIn("by env", self.broken("- run: make lint", "- run: make ${{ github.head_ref }}"))

    def test_a_release_that_restores_a_cache_is_refused(self):
        step = "      - uses: actions/cache@27d5ce7f107fe9357f9df03efb73ab90386fccae # v5.0.5\n"
        self.assertIn("no cache", self.broken("      - run: make lint\n", step, name="release.yml"))


if __name__ == "__main__":
    unittest.main()
