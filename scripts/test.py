#!/usr/bin/env python3
"""Runs the whole test suite, in an order that lets one cargo build serve all of it.

1. compile every function, and every test; a test that does not compile fails in minutes, not at the end
2. the payment server's own checks
3. unit, property and store tests, the stores against two DynamoDB implementations, Stripe's client against the payment server
4. end-to-end tests against the deployed stack, the API's contract, and the pages in a browser
5. a report of what the platform under the stack could not show

With TARGET=localstack: the demo, and of 4 what `ON_LOCALSTACK` names, since 1 to 3 need no deployment and are the same there.

    test.py [--unit] [--only NAME]     --unit ends after 3; --only runs the test programs whose name contains this
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import fault_matrix
import platform_report
from checkout import ROOT, STORE_TESTS, heading, run, stores
from boxoffice_local import deployment, settings, toolchain
import stack  # noqa: E402 (localstack/stack.py, which checkout has put on the path)
from boxoffice_local.console import StepFailed
from boxoffice_local.settings import HERE, STACK_FILE, python

# Libraries and integration tests: the functions' entry points have no branch, so no test, and each would be linked once more.
# All packages in one build: which of them are selected decides the features of what they share, and so what is compiled twice.
SELECTION = ["--workspace", "--lib", "--test", "*"]
END_TO_END = "boxoffice-e2e"
# Store tests mostly wait for their servers, tests end to end for a hold to end: more threads than cores are quicker.
STORE_THREADS = ["--test-threads", "4"]
THREADS = ["--test-threads", "8"]
LOCALSTACK_THREADS = ["--test-threads", "4"]
# Needs injectors in front of the saga, which no other program may meet.
FAULT_MATRIX = "fault_matrix"
# The programs that run on LocalStack, which starts functions slowly and carries few callers at once. The others load even the default target for minutes.
ON_LOCALSTACK = {"authorization", "journeys", "oversell_race", FAULT_MATRIX}
SLOWER = {"BOXOFFICE_PATIENCE": "5", "BOXOFFICE_RACE_BUYERS": "40", "BOXOFFICE_FAULTS_AT_ONCE": "8"}
# The same requests in every run, so that only a change can make it fail. `python3 scripts/contract.py` alone makes different ones each time.
CONTRACT_SEED = "20261124"


@dataclass(frozen=True)
class Program:
    """A compiled test program."""

    package: str
    name: str
    folder: Path
    executable: str

    def passes(self, *arguments: str, **environment: str) -> bool:
        heading(f"{self.package}: {self.name}")
        if self.name == FAULT_MATRIX:
            # With its output as it comes: it runs for minutes.
            return fault_matrix.run([self.executable, "--nocapture"], sample=True)
        variables = settings.environment() | {"CARGO_MANIFEST_DIR": str(self.folder)} | environment
        return subprocess.run([self.executable, *arguments], cwd=self.folder, env=variables).returncode == 0


def require(succeeded: bool, what: str) -> None:
    if not succeeded:
        raise StepFailed(f"{what} failed.")


def compiled(selection: list[str]) -> list[Program]:
    """Every test program of these, in a stable order."""
    heading("Compiling the tests")
    command = ["cargo", "test", "--no-run", "--message-format", "json-render-diagnostics", *selection]
    build = subprocess.run(command, cwd=ROOT, env=settings.environment(), stdout=subprocess.PIPE, text=True)
    require(build.returncode == 0, "Compiling the tests")
    programs = []
    for line in build.stdout.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and message["profile"]["test"] and message["executable"]:
            folder = Path(message["manifest_path"]).parent
            name, kind = message["target"]["name"], message["target"]["kind"][0]
            package = message["package_id"].split("#")[1].split("@")[0] if "@" in message["package_id"] else folder.name
            programs.append(Program(package, "unit" if "lib" in kind else name, folder, message["executable"]))
    return sorted(programs, key=lambda program: (program.package, program.name))


def unit_tests(only: str) -> list[Program]:
    """Runs what needs no deployment; gives the programs that do."""
    heading("Set-up and build")
    toolchain.set_up()
    deployment.build()
    programs = [program for program in compiled(SELECTION) if only in program.name or only in program.package]

    if not only:
        payment_tests = [python("payments"), "-m", "unittest", "discover", "-s", str(HERE / "payments")]
        require(run("Payment server", *payment_tests), "The payment server's test")

    with stores():
        run_all([program for program in programs if program.package != END_TO_END], *STORE_THREADS, **STORE_TESTS)
    return [program for program in programs if program.package == END_TO_END]


def end_to_end_tests(programs: list[Program], only: str) -> None:
    heading("Deployment")
    deployment.deploy(deployment.build())
    if not STACK_FILE.exists():
        raise StepFailed("There is no deployed stack to test.")
    run_all(programs, *THREADS)
    if not only:
        require(run("The pages", sys.executable, str(ROOT / "scripts/browser.py")), "The pages")
        # Last: random requests of an ADMIN change everything.
        require(run("The API's contract", sys.executable, str(ROOT / "scripts/contract.py"), "--seed", CONTRACT_SEED), "The API's contract")


def localstack_tests(only: str) -> None:
    """Runs the tests for LocalStack: the same template, build, programs and requests as on the default target, with more patience and fewer buyers at once."""
    heading("Set-up, build and deployment")
    stack.up()
    platform_report.forget()
    # The same selection as on the default target, so that tests compiled for one need no build for the other.
    programs = [program for program in compiled(SELECTION) if program.package == END_TO_END and only in program.name]
    here = [program for program in programs if program.name in ON_LOCALSTACK]
    for variable, value in SLOWER.items():
        os.environ.setdefault(variable, value)
    if not only:
        require(run("The demo", "cargo", "run", "--quiet", "--package", END_TO_END, "--example", "demo"), "The demo")
    failed = [program.name for program in here if not program.passes(*LOCALSTACK_THREADS)]
    if not only:
        for program in [program.name for program in programs if program not in here and program.name != "unit"] + ["the pages in a browser"]:
            platform_report.leave_out("Time: these run on the default target alone", program)
        if not run("The API's contract", sys.executable, str(ROOT / "scripts/contract.py"), "--seed", CONTRACT_SEED):
            failed.append("the API's contract")
    require(not failed, ", ".join(failed))


def say_what_was_not_shown() -> None:
    try:
        file = platform_report.write()
    except StepFailed as failure:
        print(f"\n{failure}")
        return
    heading(f"Not shown on this platform: {file.relative_to(ROOT)}")
    print(file.read_text())


def run_all(programs: list[Program], *arguments: str, **environment: str) -> None:
    """Runs every program, also after one has failed, and says in the end which did."""
    failed = [program for program in programs if not program.passes(*arguments, **environment)]
    require(not failed, ", ".join(f"{program.package} ({program.name})" for program in failed))


def main() -> None:
    parser = argparse.ArgumentParser(description="The test suite.")
    parser.add_argument("--unit", action="store_true", help="leave the end-to-end tests out")
    parser.add_argument("--only", default="", metavar="NAME", help="only test programs whose package or name contains this")
    options = parser.parse_args()
    try:
        if settings.TARGET == "localstack":
            try:
                localstack_tests(options.only)
            finally:
                say_what_was_not_shown()
        else:
            remaining = unit_tests(options.only)
            if not options.unit:
                platform_report.forget()
                end_to_end_tests(remaining, options.only)
                say_what_was_not_shown()
    except StepFailed as failure:
        sys.exit(f"\n{failure}")
    print("\nEvery test passed.")


if __name__ == "__main__":
    main()
