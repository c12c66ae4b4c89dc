#!/usr/bin/env python3
"""Says which lines the unit and store tests run, and fails when those of the domain are too few. Needs no deployment.

    coverage.py [--package NAME ...] [--threshold 90] [--html]
        --package: these packages' tests alone, and no verdict about files of others
        --html:    the lines themselves, to read in a browser: .local/coverage/html/

Tests are no part of what is counted: a file counts up to its `mod tests`. The figures go to `.local/reports/coverage.md`.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cargo_tools
from checkout import ROOT, STORE_TESTS, heading, stores
from boxoffice_local import toolchain
from boxoffice_local.console import StepFailed, say
from boxoffice_local.settings import LOCAL
from test import END_TO_END

# The domain: code in which a wrong line breaks a promise to a buyer. A file that is in no group would not be counted, so `main` refuses it.
# A file belongs to the first group that matches it.
GROUPS = [
    ("left out", "functions/*/src/main.rs", "wiring, an arm for each function; every end-to-end test runs them, in processes of their own"),
    ("left out", "**/build.rs", "runs in the compiler"),
    ("left out", "**/tests/**/*.rs", "tests, and what they share"),
    ("left out", "fuzz/**/*.rs", "tests"),
    ("left out", "bench/**/*.rs", "measures, and is no part of what is deployed"),
    ("edge", "functions/*/src/handlers/**/*.rs", "turns requests into calls and outcomes into answers: end-to-end tests and the API's contract drive it as deployed"),
    ("edge", "api/**/*.rs", "writes the API's document, which a test compares"),
    ("edge", "cli/**/*.rs", "the operator's command, which end-to-end tests run"),
    ("edge", "statemachines/**/*.rs", "writes the state machines, which a test compares"),
    ("domain", "shared/**/*.rs", "the vocabulary, the event store, and how every function reads, answers and fails"),
    ("domain", "functions/*/src/**/*.rs", "each context's decisions, stores and sagas' steps"),
]
GATED = "domain"
OUTPUT = LOCAL / "coverage"
REPORT = LOCAL / "reports" / "coverage.md"
TESTS = re.compile(r"^\s*#\[cfg\(test\)\]\s*\n(?:\s*#\[[^\n]*\n)*\s*(?:pub(?:\([a-z]+\))? )?mod \w+ \{", re.MULTILINE)


@dataclass
class File:
    """The lines of one file that the tests ran."""

    path: str
    group: str
    lines: int
    run: int

    @property
    def share(self) -> float:
        return share(self.run, self.lines)


def share(run: int, lines: int) -> float:
    return 100 * run / lines if lines else 100.0


def group_of(path: str) -> str | None:
    return next((group for group, pattern, _ in GROUPS if matches(path, pattern)), None)


def matches(path: str, pattern: str) -> bool:
    """As a shell does it: `*` within a folder, `**/` through any number of them."""
    expression = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(expression, path) is not None


def tests_from(source: str) -> int:
    """The line at which a file's own tests begin, or one after its last."""
    found = TESTS.search(source)
    return source[: found.start()].count("\n") + 1 + leading(found.group()) if found else source.count("\n") + 2


def leading(text: str) -> int:
    return len(text[: len(text) - len(text.lstrip())].splitlines()) if text[:1].isspace() else 0


def read_lcov(lcov: str, root: Path = ROOT) -> list[File]:
    """Each file of the report, counted up to its tests."""
    files, path, counted = [], "", {}
    for line in lcov.splitlines():
        key, _, value = line.partition(":")
        if key == "SF":
            path, counted = str(Path(value).relative_to(root)), {}
        elif key == "DA":
            number, times = value.split(",")[:2]
            counted[int(number)] = int(times)
        elif line == "end_of_record":
            files.append(measured(path, (root / path).read_text(), counted))
    return files


def measured(path: str, source: str, counted: dict[int, int]) -> File:
    end = tests_from(source)
    lines = [times for number, times in counted.items() if number < end]
    return File(path, group_of(path) or "", len(lines), sum(times > 0 for times in lines))


def total(files: list[File]) -> tuple[int, int, float]:
    run, lines = sum(file.run for file in files), sum(file.lines for file in files)
    return run, lines, share(run, lines)


def report(files: list[File], threshold: float) -> str:
    rows = ["# Lines that the unit and store tests run", ""]
    for group in dict.fromkeys(group for group, _, _ in GROUPS if group != "left out"):
        members = sorted((file for file in files if file.group == group and file.lines), key=lambda file: (file.share, file.path))
        run, lines, percent = total(members)
        gate = f"; at least {threshold:g} % are wanted" if group == GATED else "; no threshold"
        rows += [f"## {group}: {percent:.1f} % ({run} of {lines} lines{gate})", "", "| file | lines | run | % |", "|---|---|---|---|"]
        rows += [f"| {file.path} | {file.lines} | {file.run} | {file.share:.1f} |" for file in members] + [""]
    return "\n".join(rows)


def environment() -> dict[str, str]:
    variables = cargo_tools.with_tools()
    # Compiles for this machine only, and apart from `make build`: cargo-llvm-cov has its own target folder.
    variables.pop("CARGO_BUILD_TARGET", None)
    variables.pop("RUSTFLAGS", None)
    return variables | STORE_TESTS | {
        "LLVM_COV": cargo_tools.llvm("llvm-cov"),
        "LLVM_PROFDATA": cargo_tools.llvm("llvm-profdata"),
        # Coverage knows its lines without debug information, and the SDK's is most of the build.
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_PROFILE_TEST_DEBUG": "0",
    }


def llvm_cov(*arguments: str) -> None:
    if subprocess.run(["cargo", "llvm-cov", *arguments], cwd=ROOT, env=environment()).returncode != 0:
        raise StepFailed(f"cargo llvm-cov {arguments[0]} failed.")


def run_tests(packages: list[str]) -> str:
    """Runs the tests; gives their coverage as lcov."""
    selection = [word for name in packages for word in ("--package", name)] or ["--workspace", "--exclude", END_TO_END]
    heading("Tests, with coverage")
    # A program of an earlier build would count lines at their old places.
    llvm_cov("clean", "--workspace")
    llvm_cov("--no-report", "--locked", *selection, "--lib", *([] if packages else ["--test", "*"]), "--no-fail-fast")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    llvm_cov("report", "--lcov", "--output-path", str(OUTPUT / "coverage.lcov"))
    return (OUTPUT / "coverage.lcov").read_text()


def with_servers(packages: list[str]) -> str:
    if packages:
        return run_tests(packages)
    with stores():
        return run_tests(packages)


def verdict(files: list[File], threshold: float) -> str | None:
    """The reason to fail, or None."""
    if strays := [file.path for file in files if not file.group]:
        return f"In no group of scripts/coverage.py: {', '.join(strays)}"
    percent = total([file for file in files if file.group == GATED])[2]
    return f"{percent:.1f} % of the domain's lines are run; {threshold:g} % are wanted." if percent < threshold else None


def main() -> None:
    parser = argparse.ArgumentParser(description="Says which lines the unit and store tests run.")
    parser.add_argument("--package", nargs="+", default=[], metavar="NAME", help="these packages' unit tests alone")
    parser.add_argument("--threshold", type=float, default=90, help="the least percentage of the domain's lines")
    parser.add_argument("--html", action="store_true", help="the lines themselves, in .local/coverage/html/")
    options = parser.parse_args()
    try:
        toolchain.set_up()
        cargo_tools.require("cargo-llvm-cov")
        files = read_lcov(with_servers(options.package))
        if options.package:
            # The report also covers the packages' dependencies, which are not asked about.
            asked = tuple(f"{folder}/" for folder in folders(options.package))
            files = [file for file in files if file.path.startswith(asked)]
        if options.html:
            llvm_cov("report", "--html", "--output-dir", str(OUTPUT))
        text = report(files, options.threshold)
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(text)
        say(f"\n{text}")
        if problem := verdict(files, options.threshold):
            raise StepFailed(problem)
    except StepFailed as failure:
        sys.exit(f"\n{failure}")


def folders(packages: list[str]) -> list[str]:
    """The folders of these packages."""
    manifests = {re.search(r'^name = "([^"]+)"', file.read_text(), re.MULTILINE)[1]: file for file in ROOT.glob("*/**/Cargo.toml") if ".local" not in file.parts}
    return [str(manifests[name].parent.relative_to(ROOT)) for name in packages]


if __name__ == "__main__":
    main()
