"""Lets the scripts use the local stack's own code, wherever they are started from."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "localstack"))

from boxoffice_local import deployment, settings, targets  # noqa: E402

# Every server named here must answer: a store test that finds one missing fails, it does not skip.
STORE_TESTS = {
    "BOXOFFICE_DYNAMODB_ENDPOINTS": f"emulator={settings.AWS_ENDPOINT},moto={settings.MOTO_ENDPOINT}",
    "BOXOFFICE_PAYMENTS_URL": settings.PAYMENTS_URL,
}


def heading(text: str) -> None:
    print(f"\n── {text} {'─' * max(0, 90 - len(text))}", flush=True)


def run(title: str, *command: str, **environment: str) -> bool:
    """Runs a command in the stack's environment with its output in full view; says whether it succeeded."""
    heading(title)
    return subprocess.run(command, cwd=ROOT, env=settings.environment() | environment).returncode == 0


@contextmanager
def stores() -> Iterator[None]:
    """What the store tests ask: both AWS implementations, and the payment server. Only moto goes: what is deployed next runs on the others."""
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
