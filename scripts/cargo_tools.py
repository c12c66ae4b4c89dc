"""Cargo's tools that only some targets need: pinned here, built from crates.io into `.local/cargo/` when one of them first asks.

From source, with the lock file that each was released with: what checks the supply chain brings no binary of somebody else's into it.
"""

import os
import subprocess
from pathlib import Path

from checkout import ROOT
from boxoffice_local import fingerprint
from boxoffice_local.console import StepFailed, run_logged
from boxoffice_local.settings import LOCAL, environment

# Moved by hand: Dependabot reads no Python. `cargo info NAME` says what is newest.
VERSIONS = {
    "cargo-audit": "0.22.2",
    "cargo-deny": "0.20.2",
    "cargo-llvm-cov": "0.9.1",
    "cargo-mutants": "27.1.0",
}
CARGO = LOCAL / "cargo"


def with_tools() -> dict[str, str]:
    """The environment of every command, in which `cargo NAME` finds the tools."""
    variables = environment()
    return variables | {"PATH": os.pathsep.join([str(CARGO / "bin"), variables["PATH"]])}


def require(*names: str) -> None:
    """Installs those of the tools that are missing or of another version; an unchanged rerun does nothing."""
    for name in names:
        wanted = fingerprint.of([], name, VERSIONS[name], str(CARGO))
        if fingerprint.is_current(name, wanted) and (CARGO / "bin" / name).exists():
            continue
        fingerprint.forget(name)
        # Not this workspace's flags: they would be an input of the tool, and it runs on this machine alone.
        variables = {key: value for key, value in environment().items() if key not in ("RUSTFLAGS", "CARGO_BUILD_TARGET")}
        command = ["cargo", "install", "--locked", "--force", "--root", str(CARGO), f"{name}@{VERSIONS[name]}"]
        run_logged(f"{name} {VERSIONS[name]} built, once", command, f"setup-{name}", env=variables)
        fingerprint.record(name, wanted)


def llvm(tool: str) -> str:
    """A program of this toolchain's own LLVM, since no other version reads the compiler's coverage data."""
    found = sysroot() / "lib" / "rustlib" / host() / "bin" / tool
    if not found.exists():
        run_logged("LLVM's tools", ["rustup", "component", "add", "llvm-tools"], "setup-llvm-tools")
    if not found.exists():
        raise StepFailed(f"{tool} is missing; install it with: rustup component add llvm-tools")
    return str(found)


def sysroot() -> Path:
    return Path(rustc("--print", "sysroot").strip())


def host() -> str:
    return next(line.split()[1] for line in rustc("-vV").splitlines() if line.startswith("host:"))


def rustc(*arguments: str) -> str:
    """The output of the compiler that this checkout uses, for these arguments."""
    return subprocess.run(["rustc", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout
