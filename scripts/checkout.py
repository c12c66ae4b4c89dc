"""Lets the scripts use the local stack's own code, wherever they are started from."""

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "localstack"))

from boxoffice_local import deployment, settings, targets  # noqa: E402
from boxoffice_local.console import elapsed  # noqa: E402

# Every server named here must answer: a store test that finds one missing fails, it does not skip.
STORE_TESTS = {
    "BOXOFFICE_DYNAMODB_ENDPOINTS": f"emulator={settings.AWS_ENDPOINT},moto={settings.MOTO_ENDPOINT}",
    "BOXOFFICE_PAYMENTS_URL": settings.PAYMENTS_URL,
    # The same sequences in every run, so that a change is what fails it. The test by itself thinks of others each time.
    "BOXOFFICE_SEQUENCES_SEED": os.environ.get("BOXOFFICE_SEQUENCES_SEED", "20261124"),
}


# The parts of this run and when each began.
PARTS: list[tuple[str, float]] = []


def heading(text: str) -> None:
    """Begins a part of the run; its time is printed when the program ends."""
    PARTS.append((text, time.monotonic()))
    print(f"\n── {text} {'─' * max(0, 90 - len(text))}", flush=True)


@atexit.register
def print_times() -> None:
    if len(PARTS) < 2:
        return
    ends = [began for _, began in PARTS[1:]] + [time.monotonic()]
    lines = [f"  {elapsed(end - began):>8}  {text}" for (text, began), end in zip(PARTS, ends)]
    lines.append(f"  {elapsed(ends[-1] - PARTS[0][1]):>8}  in all")
    print("\n── Times\n" + "\n".join(lines), flush=True)


def run(title: str, *command: str, **environment: str) -> bool:
    """Runs a command in the stack's environment with its output in full view; says whether it succeeded."""
    heading(title)
    return subprocess.run(command, cwd=ROOT, env=settings.environment() | environment).returncode == 0


@contextmanager
def stores() -> Iterator[None]:
    """Runs the servers of the store tests: both AWS implementations, and the payment server. Stops only moto afterwards: a deployed stack needs the rest."""
    heading("Servers")
    if targets.aws().ensure():
        deployment.forget()
    targets.payments().ensure()
    moto = targets.moto()
    moto.ensure()
    try:
        yield
    finally:
        moto.stop()
