#!/usr/bin/env python3
"""Makes the parts of the documentation that are generated, and holds all of it to what it describes.

    docs.py events        writes docs/events.md, the event catalogue
    docs.py parameters    writes the parameters' tables in docs/deploying.md
    docs.py asvs          writes the counts in docs/asvs.md
    docs.py repository    writes the repository's address of Cargo.toml wherever an address starts with it
    docs.py check         says what is out of date, leads nowhere or names what is not there; fails if anything does

Standard library only, and quick: nothing is built, and nothing has to run.
"""

import argparse
import sys
import tomllib
from pathlib import Path

import docs_asvs
import docs_aws
import docs_checks
import docs_deploying
import docs_generated as generated
from template_yaml import Unreadable

ROOT = Path(__file__).resolve().parents[1]


def events(root):
    (root / generated.CATALOGUE).write_text(generated.catalogue(root))
    print(f"{generated.CATALOGUE} written.")


def parameters(root):
    page = root / generated.DEPLOYING
    page.write_text(generated.with_parameters(page.read_text(), generated.parameters(root)))
    print(f"{generated.DEPLOYING} written.")


def repository(root):
    stated = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["repository"]
    for place, text in docs_checks.texts(root):
        if place not in docs_checks.QUOTES_ADDRESSES and (renamed := docs_checks.OWN_ADDRESS.sub(stated, text)) != text:
            (root / place).write_text(renamed)
            print(f"{place} written.")


def asvs(root):
    docs_asvs.write(root)


def check(root):
    findings = []
    for rule in (*docs_checks.RULES, *docs_deploying.RULES, *docs_asvs.RULES, *docs_aws.RULES):
        found = list(rule(root))
        findings += found
        print(f"{'ok  ' if not found else 'FAIL'}  {rule.__doc__.splitlines()[0]}")
    for finding in findings:
        print(f"  {finding}")
    if findings:
        sys.exit(f"\nThe documentation breaks its rules in {len(findings)} places.")
    print(f"\nThe documentation keeps its rules ({len(docs_checks.pages(root))} pages).")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, what in (
        (events, "write docs/events.md"), (parameters, "write the tables in docs/deploying.md"),
        (asvs, "write the counts in docs/asvs.md"), (repository, "write the repository's address everywhere"), (check, "check every page"),
    ):
        commands.add_parser(command.__name__, help=what).set_defaults(run=command)
    options = parser.parse_args()
    try:
        options.run(ROOT)
    except (generated.Missing, Unreadable) as problem:
        sys.exit(f"{problem}")


if __name__ == "__main__":
    main()
