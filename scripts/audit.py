#!/usr/bin/env python3
"""Checks every dependency: known vulnerabilities, licences, what is banned or there twice, where it comes from. `deny.toml` says what may.

cargo-deny and cargo-audit both ask RustSec's database, which is on GitHub; without it the run fails, rather than pass by not looking.

    audit.py [--offline]     --offline: only the checks that need no database; says which it left out
"""

import argparse
import subprocess
import sys

import cargo_tools
from checkout import ROOT, heading
from boxoffice_local import toolchain
from boxoffice_local.console import StepFailed

OFFLINE = ["bans", "licenses", "sources"]


def run(title: str, *command: str) -> bool:
    heading(title)
    return subprocess.run(command, cwd=ROOT, env=cargo_tools.with_tools()).returncode == 0


def checks(offline: bool) -> list[tuple[str, list[str]]]:
    deny = ["cargo", "deny", "--locked", "check", "--deny", "warnings"]
    if offline:
        return [("Licences, bans and sources", [*deny, *OFFLINE])]
    return [
        ("Advisories, licences, bans and sources", deny),
        # Every crate of Cargo.lock, also those for systems that deny.toml leaves out.
        ("Advisories of the whole lock file", ["cargo", "audit", "--deny", "yanked"]),
        ("Advisories of the Node tools", ["npm", "audit", "--prefix", "localstack", "--package-lock-only", "--audit-level", "moderate"]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Checks every dependency.")
    parser.add_argument("--offline", action="store_true", help="leave out what needs a database of advisories")
    offline = parser.parse_args().offline
    try:
        toolchain.require_machine()
        cargo_tools.require("cargo-deny", *([] if offline else ["cargo-audit"]))
    except StepFailed as failure:
        sys.exit(f"\n{failure}")
    failed = [title for title, command in checks(offline) if not run(title, *command)]
    if failed:
        sys.exit(f"\nFailed: {', '.join(failed)}")
    print("\nEvery dependency is as deny.toml wants it." + (" No database of advisories was asked." if offline else ""))


if __name__ == "__main__":
    main()
