#!/usr/bin/env python3
"""Runs the whole test suite, in an order that lets one cargo build serve all of it.

1. compile every function, and every test; a test that does not compile fails in minutes, not at the end
2. the payment server's own checks
3. unit, property and store tests, the stores against two DynamoDB implementations
4. end-to-end tests against the deployed stack

    test.py [--unit]     --unit ends after 3
"""

import argparse
import sys

from checkout import heading, run
from boxoffice_local import deployment, settings, targets, toolchain
from boxoffice_local.console import StepFailed
from boxoffice_local.settings import HERE, STACK_FILE, python

# Every endpoint named here must answer: a store test that finds one missing fails, it does not skip.
DYNAMODB_ENDPOINTS = f"emulator={settings.AWS_ENDPOINT},moto={settings.MOTO_ENDPOINT}"
# Libraries and integration tests: the functions' entry points have no branch, so no test, and each would be linked once more.
UNIT = ["--workspace", "--exclude", "boxoffice-e2e", "--lib", "--test", "*"]
END_TO_END = ["--package", "boxoffice-e2e", "--lib", "--test", "*"]
# Tests end to end mostly wait for a hold to end: more threads than cores are quicker.
THREADS = ["--", "--test-threads", "8"]


def require(succeeded: bool, what: str) -> None:
    if not succeeded:
        raise StepFailed(f"{what} failed.")


def unit_tests() -> None:
    heading("Set-up and build")
    toolchain.set_up()
    deployment.build()
    require(run("Compiling the tests", "cargo", "test", "--release", "--no-run", *UNIT), "Compiling the tests")

    payment_tests = [python("payments"), "-m", "unittest", "discover", "-s", str(HERE / "payments")]
    require(run("Payment server", *payment_tests), "The payment server's test")

    heading("Servers")
    if targets.aws().ensure():
        deployment.forget()
    moto = targets.moto()
    moto.ensure()
    try:
        tests = ["cargo", "test", "--release", *UNIT]
        passed = run("Unit, property and store tests", *tests, BOXOFFICE_DYNAMODB_ENDPOINTS=DYNAMODB_ENDPOINTS)
    finally:
        moto.stop()
    require(passed, "The unit, property and store tests")


def end_to_end_tests() -> None:
    heading("Deployment")
    targets.payments().ensure()
    deployment.deploy(deployment.build())
    if not STACK_FILE.exists():
        raise StepFailed("There is no deployed stack to test.")
    require(run("End-to-end tests", "cargo", "test", "--release", *END_TO_END, *THREADS), "The end-to-end tests")


def main() -> None:
    parser = argparse.ArgumentParser(description="The test suite.")
    parser.add_argument("--unit", action="store_true", help="leave the end-to-end tests out")
    options = parser.parse_args()
    try:
        unit_tests()
        if not options.unit:
            end_to_end_tests()
    except StepFailed as failure:
        sys.exit(f"\n{failure}")
    print("\nEvery test passed.")


if __name__ == "__main__":
    main()
