"""Content hashes, so that work already done for the same content is not done again."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from .settings import LOCAL, ROOT

# Everything that decides what is built and deployed.
SOURCES = [
    "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ".cargo", "shared", "functions", "cli", "api",
    "statemachines", "events", "infra", "template.yaml", "samconfig.toml",
]
STAMPS = LOCAL / "stamps"


def of(paths: Iterable[Path | str], *more: str) -> str:
    """One hash over the names and contents of files and folders, and over `more`."""
    digest = hashlib.sha256("\0".join(more).encode())
    for path in paths:
        root = ROOT / path
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        for file in files:
            if file.is_file():
                digest.update(f"\0{file.relative_to(ROOT)}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def of_sources(*more: str) -> str:
    return of(SOURCES, *more)


def is_current(name: str, fingerprint: str) -> bool:
    stamp = STAMPS / name
    return stamp.exists() and stamp.read_text() == fingerprint


def record(name: str, fingerprint: str) -> None:
    STAMPS.mkdir(parents=True, exist_ok=True)
    (STAMPS / name).write_text(fingerprint)


def forget(name: str) -> None:
    (STAMPS / name).unlink(missing_ok=True)
