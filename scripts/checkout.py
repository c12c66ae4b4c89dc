"""Lets the scripts use the local stack's own code, wherever they are started from."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "localstack"))

from boxoffice_local import settings  # noqa: E402


def heading(text: str) -> None:
    print(f"\n── {text} {'─' * max(0, 90 - len(text))}", flush=True)


def run(title: str, *command: str, **environment: str) -> bool:
    """Runs a command in the stack's environment with its output in full view; says whether it succeeded."""
    heading(title)
    return subprocess.run(command, cwd=ROOT, env=settings.environment() | environment).returncode == 0
