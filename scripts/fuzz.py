#!/usr/bin/env python3
"""Runs every fuzz target (fuzz/) for a while, guided by coverage, and reports the results.

Builds `boxoffice-fuzz` with libFuzzer and coverage of this workspace's crates; the SDK stays as it was compiled. Begins with the targets' seeds, what the
repository keeps (fuzz/corpus/) and what earlier runs here found (.local/fuzz/). An input that makes a target fail ends that target's turn, is kept in
.local/fuzz/<target>.findings/, and fails the run.

    fuzz.py [--seconds 60] [--target NAME] [--keep]     --keep: writes some inputs of the least set with the same coverage to fuzz/corpus/
"""

import argparse
import base64
import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from checkout import ROOT, heading
from boxoffice_local import settings, toolchain
from boxoffice_local.console import StepFailed, elapsed, say

WORK = settings.LOCAL / "fuzz"
CORPUS = ROOT / "fuzz" / "corpus"
WRAPPER = ROOT / "scripts" / "rustc_with_coverage.sh"
PROGRESS = 15  # seconds between two lines of progress
LONGEST_INPUT = 4096
SLOW = 10  # seconds that no input may take
# Limits for fuzz/corpus/: enough inputs to begin with, few and short enough for a repository.
KEPT_INPUTS, KEPT_LENGTH = 100, 400


@dataclass
class Turn:
    """The result of one target."""

    target: str
    seconds: float = 0
    executions: int = 0
    corpus: int = 0
    coverage: int = 0
    finding: str = ""


def build() -> str:
    """The program, compiled for speed: how much a fuzzer finds is how often it tries."""
    heading("Compiling with coverage")
    command = [
        "cargo", "test", "--release", "--no-run", "--message-format", "json-render-diagnostics",
        "--workspace", "--features", "boxoffice-fuzz/libfuzzer", "--example", "libfuzzer",
    ]
    environment = settings.environment() | {"RUSTC_WORKSPACE_WRAPPER": str(WRAPPER)}
    started = time.monotonic()
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        raise StepFailed("Compiling the fuzz targets failed.")
    say(f"  ✓ compiled ({elapsed(time.monotonic() - started)})")
    artifacts = (json.loads(line) for line in run.stdout.splitlines())
    return next(a["executable"] for a in artifacts if a.get("executable") and a["target"]["name"] == "libfuzzer")


def targets() -> list[str]:
    return sorted(file.stem for file in CORPUS.glob("*.txt"))


def prepare(program: str, target: str) -> Path:
    """The folder of the target's inputs, with what there is to begin with."""
    folder = WORK / target
    folder.mkdir(parents=True, exist_ok=True)
    (WORK / f"{target}.findings").mkdir(exist_ok=True)
    subprocess.run([program], env=environment_of(target) | {"BOXOFFICE_FUZZ_PREPARE": str(folder)}, check=True)
    return folder


def environment_of(target: str) -> dict[str, str]:
    return settings.environment() | {"BOXOFFICE_FUZZ_TARGET": target, "RUST_BACKTRACE": "1"}


def take_turn(program: str, target: str, seconds: int) -> Turn:
    heading(f"{target}, {seconds} s")
    folder, log = prepare(program, target), settings.LOGS / f"fuzz-{target}.log"
    command = [
        program, str(folder), f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", f"-timeout={SLOW}", "-print_final_stats=1",
        f"-dict={folder}.dictionary", f"-artifact_prefix={folder}.findings/", "-use_value_profile=1", "-reload=0",
    ]
    turn, started = Turn(target), time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment_of(target), stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                try:
                    process.wait(PROGRESS)
                except subprocess.TimeoutExpired:
                    read(turn, log.read_text(errors="replace"))
                    say(f"  … {elapsed(time.monotonic() - started)}  {describe(turn)}")
        except BaseException:
            process.terminate()
            raise
    text = log.read_text(errors="replace")
    turn.seconds = time.monotonic() - started
    read(turn, text)
    if process.returncode != 0:
        written = re.search(r"Test unit written to (\S+)", text)
        turn.finding = written.group(1) if written else f"exit code {process.returncode}"
        say("\n".join("    " + line for line in text.splitlines() if "panicked" in line or "ERROR" in line or "SUMMARY" in line))
        panic = re.search(r"panicked at .*(?:\n.*){0,6}", text)
        say(panic.group(0) if panic else "")
    say(f"  {'✗' if turn.finding else '✓'} {describe(turn)}  (log: {log.relative_to(ROOT)})")
    return turn


def read(turn: Turn, log: str) -> None:
    """Reads the figures from libFuzzer's log: `#4096 pulse cov: 1503 ft: 5010 corp: 321/12Kb …`."""
    lines = re.findall(r"^#(\d+)\s.*?cov: (\d+).*?corp: (\d+)/", log, re.MULTILINE)
    if lines:
        turn.executions, turn.coverage, turn.corpus = map(int, lines[-1])
    if final := re.search(r"stat::number_of_executed_units:\s*(\d+)", log):
        turn.executions = int(final.group(1))


def describe(turn: Turn) -> str:
    return f"{turn.executions:,} executions, {turn.coverage:,} edges, {turn.corpus:,} inputs kept"


def keep(program: str, target: str) -> None:
    """Reduces the inputs to the least set with the same coverage, and writes some of every length to fuzz/corpus/, one a line."""
    folder, least = WORK / target, WORK / f"{target}.least"
    shutil.rmtree(least, ignore_errors=True)
    least.mkdir()
    log = settings.LOGS / f"fuzz-{target}-keep.log"
    with log.open("w") as output:
        subprocess.run([program, "-merge=1", str(least), str(folder)], env=environment_of(target), stdout=output, stderr=output, check=True)
    inputs = sorted((file.read_bytes() for file in least.iterdir()), key=lambda data: (len(data), data))
    short = [data for data in inputs if len(data) <= KEPT_LENGTH]
    kept = short[:: max(1, -(-len(short) // KEPT_INPUTS))]
    (CORPUS / f"{target}.txt").write_text("".join(f"{base64.b64encode(data).decode()}\n" for data in kept))
    say(f"  ✓ {target}: {len(kept)} of {len(inputs)} inputs kept in fuzz/corpus/{target}.txt")


def summary(turns: list[Turn]) -> None:
    heading("Summary")
    say(f"  {'target':<10} {'time':>7} {'executions':>12} {'per second':>11} {'edges':>7} {'inputs':>7}  finding")
    for turn in turns:
        rate = turn.executions / turn.seconds if turn.seconds else 0
        say(
            f"  {turn.target:<10} {elapsed(turn.seconds):>7} {turn.executions:>12,} {rate:>11,.0f} {turn.coverage:>7,} {turn.corpus:>7,}"
            f"  {turn.finding or 'none'}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz targets, guided by coverage.")
    parser.add_argument("--seconds", type=int, default=60, help="how long each target takes")
    parser.add_argument("--target", choices=targets(), help="this one alone")
    parser.add_argument("--keep", action="store_true", help="write some of the least inputs that reach as far to fuzz/corpus/")
    options = parser.parse_args()
    try:
        toolchain.set_up()
        program = build()
        chosen = [options.target] if options.target else targets()
        turns = [take_turn(program, target, options.seconds) for target in chosen]
        if options.keep:
            for target in chosen:
                keep(program, target)
    except StepFailed as failure:
        sys.exit(f"\n{failure}")
    summary(turns)
    if any(turn.finding for turn in turns):
        sys.exit("\nThere are findings: fix them, with a unit test and a seed each (fuzz/README.md).")


if __name__ == "__main__":
    main()
