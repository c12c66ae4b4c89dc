#!/usr/bin/env python3
"""Deploys on ministack and on LocalStack, one after the other, and times the same things on both.

    emulators.py [--buyers 120] [--seats 60] [--at-once 8]

From stopped servers to a healthy stack, `sam deploy` within that, the demo, and a sale in which every buyer has a good card. Everything is compiled before the
clock runs. The report is `.local/reports/emulators.md` and `.json`; docs/performance.md has one of them. It compares two emulators on one machine, and says nothing of AWS.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "localstack"), str(ROOT / "scripts")]

import reports  # noqa: E402
from boxoffice_local import deployment, settings, toolchain  # noqa: E402
from boxoffice_local.console import StepFailed  # noqa: E402

TARGETS = ("embedded", "localstack")
NAMES = {"embedded": "ministack", "localstack": "LocalStack"}
STACK = [sys.executable, str(ROOT / "localstack/stack.py")]
# Not the progress before it, which has the same words.
DEPLOYED = re.compile(r"✓ stack deployed \((?:(\d+)m)?([\d.]+)s\)")
ROWS = (
    ("upSeconds", "from stopped servers to a healthy stack, s"),
    ("deploySeconds", "`sam deploy` of it, s"),
    ("demoSeconds", "the demo, of which 20 s are a hold, s"),
    ("ordersPerSecond", "orders a second, {buyers} buyers for {seats} seats, {atOnce} at once"),
    ("acceptedP50Ms", "an accepted order, p50, ms"),
    ("acceptedP99Ms", "an accepted order, p99, ms"),
    ("soldSeats", "seats sold, confirmed and paid"),
)


def compiled(*arguments: str) -> str:
    """The one program that cargo makes of this."""
    command = ["cargo", *arguments, "--message-format", "json-render-diagnostics", "--package", "boxoffice-e2e"]
    done = subprocess.run(command, cwd=ROOT, env=settings.environment(), stdout=subprocess.PIPE, text=True, check=True)
    artifacts = [json.loads(line) for line in done.stdout.splitlines()]
    return next(it["executable"] for it in artifacts if it["reason"] == "compiler-artifact" and it["executable"])


def call(target: str, *command: str, **variables: str) -> tuple[float, str]:
    """Runs a command for a target; gives the seconds it took and what it printed."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT / "tests", env=os.environ | {"TARGET": target} | variables, stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    if done.returncode != 0:
        raise StepFailed(f"{NAMES[target]}: {' '.join(command)} failed.")
    return time.monotonic() - began, done.stdout


def seconds(found: re.Match) -> float:
    return int(found[1] or 0) * 60 + float(found[2])


def measured(target: str, programs: dict[str, str], sale: dict[str, int]) -> dict:
    """Everything of one target, whose servers it stops again."""
    in_the_stack = [*STACK, "run", "--"]
    call(target, *STACK, "down")
    try:
        up, said = call(target, *STACK, "up")
        demo, _ = call(target, *in_the_stack, programs["demo"])
        variables = {f"BOXOFFICE_ON_SALE_{name}": str(value) for name, value in sale.items()} | {
            "BOXOFFICE_ON_SALE_ALL_PAY": "1", "BOXOFFICE_PATIENCE": "5", "CARGO_MANIFEST_DIR": str(ROOT / "tests"),
        }
        call(target, *in_the_stack, programs["on_sale"], "--nocapture", **variables)
        figures = json.loads((settings.LOCAL / "reports" / "on-sale.json").read_text())
    finally:
        call(target, *STACK, "down")
    deployed = DEPLOYED.search(said)
    if not deployed:
        raise StepFailed(f"{NAMES[target]}: nothing was deployed.")
    return {
        "upSeconds": up, "deploySeconds": seconds(deployed), "demoSeconds": demo, "ordersPerSecond": figures["ordersPerSecond"],
        "acceptedP50Ms": figures["accepted"]["p50Ms"], "acceptedP99Ms": figures["accepted"]["p99Ms"], "soldSeats": figures["sold"],
    }


def table(found: dict[str, dict], sale: dict[str, int], load: list[float]) -> str:
    size = {"buyers": sale["BUYERS"], "seats": sale["SEATS"], "atOnce": sale["AT_ONCE"]}
    lines = [f"| | {' | '.join(NAMES[target] for target in TARGETS)} |", "|---|---:|---:|"]
    for key, title in ROWS:
        values = [found[target][key] for target in TARGETS]
        lines.append(f"| {title.format(**size)} | {' | '.join(f'{value:.1f}' if isinstance(value, float) else str(value) for value in values)} |")
    return "\n".join([*lines, "", f"The machine's load before and after: {load[0]:.1f}, {load[1]:.1f}, on {os.cpu_count()} cores."]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="The same things on ministack and on LocalStack.")
    parser.add_argument("--buyers", type=int, default=120)
    parser.add_argument("--seats", type=int, default=60)
    parser.add_argument("--at-once", type=int, default=8, help="orders under way at a time")
    options = parser.parse_args()
    sale = {"BUYERS": options.buyers, "SEATS": options.seats, "AT_ONCE": options.at_once}
    try:
        toolchain.set_up()
        deployment.build()
        programs = {"demo": compiled("build", "--example", "demo"), "on_sale": compiled("test", "--no-run", "--test", "on_sale")}
        before = os.getloadavg()[0]
        found = {target: measured(target, programs, sale) for target in TARGETS}
    except StepFailed as failure:
        sys.exit(f"\n{failure}")
    reports.keep("emulators", {"sale": sale, **found}, table(found, sale, [before, os.getloadavg()[0]]))


if __name__ == "__main__":
    main()
