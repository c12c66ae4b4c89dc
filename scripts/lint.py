#!/usr/bin/env python3
"""Runs every static check, all of them even when one fails, and sums up at the end."""

import re
import sys

from checkout import ROOT, run
from boxoffice_local import toolchain
from boxoffice_local.console import StepFailed
from boxoffice_local.settings import LOCAL, VENVS, python, tool

# A list for reviewers and for the templates' tests, no template.
NO_TEMPLATE = "infra/policies.yaml"


def linter(name: str) -> str:
    """A program of the linters' virtual environment."""
    return str(VENVS / "lint" / "bin" / name)


def files(*patterns: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern))


def filled_in() -> list[str]:
    """The state machines as the template would deploy them: what stands where a number must is filled with one."""
    folder = LOCAL / "statemachines"
    folder.mkdir(parents=True, exist_ok=True)
    filled = []
    for file in files("statemachines/*.asl.json"):
        copy = folder / file.split("/")[-1]
        copy.write_text(re.sub(r'(?<!")\$\{\w+\}(?!")', "60", (ROOT / file).read_text()))
        filled.append(str(copy))
    return filled


def checks() -> list[tuple[str, list[str]]]:
    return [
        ("Formatting", ["cargo", "fmt", "--all", "--check"]),
        # In the release profile, so that build scripts and macros are shared with the build.
        ("Clippy", ["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        # The code's own pages: a link to an item that was renamed leads nowhere. Links to private items are fine, since those are documented too.
        ("Code documentation", [
            "env", "RUSTDOCFLAGS=-D warnings -A rustdoc::private_intra_doc_links",
            "cargo", "doc", "--quiet", "--no-deps", "--workspace", "--lib", "--document-private-items",
        ]),
        ("cfn-lint", [
            tool("cfn-lint"), "template.yaml",
            *[file for file in files("infra/*.yaml") if file != NO_TEMPLATE],
        ]),
        ("SAM template", [tool("sam"), "validate", "--lint", "--template-file", "template.yaml"]),
        # Rules that cfn-lint lacks: alarms and their runbooks, dead-letter queues, permissions (infra/policies.yaml).
        ("Template rules", [python("tools"), "-m", "unittest", "discover", "--start-directory", "infra/tests"]),
        ("Documentation", [sys.executable, "scripts/docs.py", "check"]),
        ("Unused dependencies", [sys.executable, "scripts/dependencies.py"]),
        ("Tests of these checks", [sys.executable, "-m", "unittest", "discover", "-s", "scripts/tests"]),
        ("Tests of the bench", [sys.executable, "-m", "unittest", "discover", "-s", "bench/tests"]),
        ("Spelling", [linter("typos"), "--format", "brief"]),
        # Offline: without the audits that ask GitHub.
        ("Workflows", [linter("zizmor"), "--offline", "--quiet", ".github"]),
        # Resources are filled in by the template, so they are not ARNs yet.
        ("State machines", [
            toolchain.ASL_VALIDATOR, "--no-arn-check",
            *[word for file in filled_in() for word in ("--json-path", file)],
        ]),
    ]


def main() -> None:
    try:
        toolchain.set_up()
    except StepFailed as failure:
        sys.exit(str(failure))
    failed = [title for title, command in checks() if not run(title, *command)]
    if failed:
        sys.exit(f"\nLint failed: {', '.join(failed)}")
    print("\nLint passed.")


if __name__ == "__main__":
    main()
