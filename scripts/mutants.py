#!/usr/bin/env python3
"""Changes the domain's decisions one at a time, and looks whether a unit test notices. A change that survives is a rule that no test holds.

    mutants.py [--file PATH ...] [--list] [--jobs 1]     --list: list the changes, and try none

Runs the unit tests alone: they test the domain's decisions, and each change links one program. A change that only a store test or an end-to-end test would
notice is listed as surviving. `.cargo/mutants.toml` lists what is never changed. The report goes to `.local/mutants/mutants.out/`.
"""

import argparse
import subprocess
import sys

import cargo_tools
from checkout import ROOT, heading
from boxoffice_local import toolchain
from boxoffice_local.console import StepFailed
from boxoffice_local.settings import LOCAL

# Money and seats: where a wrong sign or a missing comparison sells a seat twice, or for nothing.
FILES = [
    "shared/kernel/src/money.rs",
    "shared/kernel/src/quantity.rs",
    "functions/inventory/src/domain.rs",
    "functions/saga/src/domain.rs",
    "functions/tickets/src/domain.rs",
]
OUTPUT = LOCAL / "mutants"
# Mutants that may survive: the end of their line in the report, after the place, and the reason. One that a test notices after all fails the run too.
ACCEPTED: dict[str, str] = {
    "functions/inventory/src/domain.rs: replace > with >= in gather":
        "a shard without seats is asked last, when seats are missing after all others, and gives none: the answer is None either way",
}


def command(files: list[str], jobs: int, more: list[str]) -> list[str]:
    chosen = [word for file in files for word in ("--file", file)]
    return ["cargo", "mutants", "--jobs", str(jobs), "--jobserver-tasks", str(jobs), "--output", str(OUTPUT), *chosen, *more]


def environment() -> dict[str, str]:
    variables = cargo_tools.with_tools()
    # The copies that are tried are compiled for this machine as plainly as can be, and into one folder, so that the SDK is compiled once.
    for name in ("CARGO_BUILD_TARGET", "RUSTFLAGS"):
        variables.pop(name, None)
    return variables | {
        "CARGO_TARGET_DIR": str(ROOT / "target" / "mutants"),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_PROFILE_TEST_DEBUG": "0",
    }


def without_place(line: str) -> str:
    """`shared/kernel/src/money.rs:43:28: replace > with >= in …` without the numbers, which every edit above it changes."""
    path, _, _, change = line.split(":", 3)
    return f"{path}:{change}"


def judge(missed: list[str], files: list[str], accepted: dict[str, str]) -> list[str]:
    """The reasons to fail: mutants that survived unaccepted, and accepted ones that were noticed."""
    survived = {without_place(line): line for line in missed}
    problems = [f"not noticed by any unit test: {line}" for key, line in survived.items() if key not in accepted]
    wanted = [key for key in accepted if key.split(":")[0] in files]
    return problems + [f"accepted in scripts/mutants.py, but noticed: {key}" for key in wanted if key not in survived]


def main() -> None:
    parser = argparse.ArgumentParser(description="Changes the domain, and looks whether a unit test notices.")
    parser.add_argument("--file", nargs="+", default=FILES, metavar="PATH", help="these files in place of the list in scripts/mutants.py")
    parser.add_argument("--list", action="store_true", help="list the changes, and try none")
    parser.add_argument("--jobs", type=int, default=1, help="how many are tried at a time")
    options = parser.parse_args()
    try:
        toolchain.require_machine()
        cargo_tools.require("cargo-mutants")
    except StepFailed as failure:
        sys.exit(f"\n{failure}")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    heading("Mutants of the domain")
    more = ["--list"] if options.list else ["--cargo-arg=--lib"]
    run = subprocess.run(command(options.file, options.jobs, more), cwd=ROOT, env=environment())
    if options.list:
        sys.exit(run.returncode)
    # 2: some survived; 3: some ran into the time limit, which counts as noticed. Any other code is a failure of cargo-mutants.
    if run.returncode not in (0, 2, 3):
        sys.exit(f"\ncargo-mutants ended with {run.returncode}; .local/mutants/mutants.out has its logs.")
    missed = (OUTPUT / "mutants.out" / "missed.txt").read_text().splitlines()
    if problems := judge(missed, options.file, ACCEPTED):
        sys.exit("\n" + "\n".join(problems))
    print(f"\nEvery mutant was noticed, but for {len(ACCEPTED)} accepted by a reason." if ACCEPTED else "\nEvery mutant was noticed.")


if __name__ == "__main__":
    main()
