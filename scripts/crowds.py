#!/usr/bin/env python3
"""Plays crowds of bookings: all calls and operators' acts on 50 bookings at once, interleaved request by request, each crowd by a seed of its own.

    crowds.py [--crowds 1000] [--seed N]     --seed: that of the first; with `--crowds 1`, the one crowd that broke a rule

Other crowds in every run, unless a seed is given. `tests/sequences/src/crowd.rs` says what they do and which rules they must keep.
"""

import argparse
import sys
import time

import test as suite
from checkout import STORE_TESTS, stores
from boxoffice_local.console import StepFailed

TEST = "any_interleaving_of_fifty_bookings_loses_nothing"


def play(crowds: int, seed: int) -> bool:
    programs = {(program.package, program.name): program for program in suite.compiled(suite.SELECTION)}
    settings = STORE_TESTS | {"BOXOFFICE_CROWDS": str(crowds), "BOXOFFICE_CROWDS_SEED": str(seed)}
    with stores():
        return programs["boxoffice-sequences", "store"].passes(TEST, "--nocapture", **settings)


def main() -> None:
    parser = argparse.ArgumentParser(description="Play crowds of bookings.")
    parser.add_argument("--crowds", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the seed of the first")
    options = parser.parse_args()
    try:
        if not play(options.crowds, options.seed):
            sys.exit("\nA crowd broke a rule. Its seed is above; make it a test in tests/sequences/tests/store/crowd.rs.")
    except StepFailed as failure:
        sys.exit(f"\n{failure}")


if __name__ == "__main__":
    main()
