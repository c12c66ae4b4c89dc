#!/usr/bin/env python3
"""Builds the last commit twice, in two clones whose paths differ in name and length, and compares the bytes of everything that is released.

    reproduce.py [--architecture arm64|x86_64] [--only BIN ...] [--keep]     --keep: leaves the clones in .local/reproduce/

Everything is compiled twice, the SDK too: it takes twice as long as the first build on a fresh machine.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import release
from checkout import ROOT, heading
from boxoffice_local import settings, toolchain
from boxoffice_local.console import StepFailed, run_logged, say
from boxoffice_local.settings import LOCAL

WORK = LOCAL / "reproduce"
CLONES = ["first", "second/in-a-folder-with-a-longer-name"]


def clone(name: str) -> Path:
    root = WORK / name / "checkout"
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    run_logged(f"cloned into {root.relative_to(ROOT)}", ["git", "clone", "--quiet", str(ROOT), str(root)], "reproduce-clone")
    return root


def made_in(root: Path, architecture: str, only: list[str]) -> dict[str, str]:
    """The hashes of all that this clone's build makes."""
    target = root.parent / "target"
    built = release.build(root, target, architecture, only)
    folder = root.parent / "release"
    names = only or release.deployed_programs(root)
    hashes = release.package(built, folder, names)
    release.complete(root, folder, architecture, hashes)
    machine = [root, Path.home(), target]
    for name in names:
        if found := release.leaks((built / name / release.PROGRAM).read_bytes(), machine):
            raise StepFailed(f"{name} names folders of this machine: {', '.join(found)}")
    return hashes


def differences(first: dict[str, str], second: dict[str, str]) -> list[str]:
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds the last commit twice, and compares.")
    parser.add_argument("--architecture", choices=sorted(release.TRIPLES), default=settings.architecture())
    parser.add_argument("--only", nargs="+", default=[], metavar="BIN", help="these functions alone")
    parser.add_argument("--keep", action="store_true", help="leave the clones, to look into what differs")
    options = parser.parse_args()
    try:
        toolchain.set_up()
        heading(f"Two builds of {release.commit(ROOT)[:12]} for {options.architecture}")
        if subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT).returncode != 0:
            say("  What is not committed is not in them.")
        first, second = (made_in(clone(name), options.architecture, options.only) for name in CLONES)
    except StepFailed as failure:
        sys.exit(f"\n{failure}")
    if differing := differences(first, second):
        sys.exit("\nThe two builds differ in:\n" + "\n".join(f"  {name}" for name in differing) + f"\nBoth are in {WORK.relative_to(ROOT)}.")
    if not options.keep:
        shutil.rmtree(WORK)
    zips = sum(name.endswith(".zip") for name in first)
    say(f"\nBoth builds made the same bytes: {zips} zips, the template, and the bill of materials.")


if __name__ == "__main__":
    main()
