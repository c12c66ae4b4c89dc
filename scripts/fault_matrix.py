#!/usr/bin/env python3
"""The fault matrix: every task of the deployed booking saga, and everything that can go wrong with it.

    fault_matrix.py [--sample]      --sample: fewer cells, with every state and every fault at least once

Puts fault injectors in front of the running stack's saga, runs the program `fault_matrix` of `tests/`, and takes the injectors away again, however it
ended. The grid is printed, and left in `.local/reports/`.
"""

import argparse
import os
import shutil
import subprocess
import sys

from checkout import ROOT
from boxoffice_local.console import StepFailed, run_logged
from boxoffice_local.settings import HERE, RUN, environment, python

FOLDER = RUN / "faults"


def injectors(command: str, title: str) -> None:
    run_logged(title, [python("tools"), str(HERE / "fault_injection.py"), command, str(FOLDER)], f"faults-{command}")


def run(program: list[str], sample: bool) -> bool:
    """Runs the program with the injectors in place; says whether it passed."""
    # Leftovers of an earlier run that was killed: its injectors first, then its notes.
    injectors("remove", "earlier injectors removed")
    shutil.rmtree(FOLDER, ignore_errors=True)
    variables = {"BOXOFFICE_FAULTS": str(FOLDER), "BOXOFFICE_FAULT_MATRIX": "sample" if sample else "whole"}
    try:
        injectors("install", "fault injectors in place")
        return subprocess.run(program, cwd=ROOT / "tests", env=environment() | variables).returncode == 0
    finally:
        injectors("remove", "fault injectors removed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", action="store_true", help="fewer cells, with every state and every fault at least once")
    options = parser.parse_args()
    # Built by cargo here; `scripts/test.py` has built it already, and calls `run`.
    program = ["cargo", "test", "--package", "boxoffice-e2e", "--test", "fault_matrix", "--", "--nocapture"]
    try:
        if not run(program, options.sample):
            sys.exit(1)
    except StepFailed as failure:
        sys.exit(f"\n{failure}")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
