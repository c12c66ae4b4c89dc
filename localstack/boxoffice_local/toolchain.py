"""Installs the pinned tools into the checkout, under `.local/`."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import fingerprint, targets
from .console import StepFailed, run_logged, step
from .settings import HERE, LOCAL, NODE, TARGET, VENVS

LOCALSTACK = "localstack"
VENV_NAMES = ["tools", "lint", "emulator", "payments", "moto", "contract"]
ASL_VALIDATOR = str(NODE / "node_modules" / ".bin" / "asl-validator")


def set_up() -> None:
    """Installs what is missing or out of date; an unchanged rerun does nothing."""
    require_machine()
    LOCAL.mkdir(exist_ok=True)
    stale = [name for name in venv_names() if not fingerprint.is_current(f"venv-{name}", venv_fingerprint(name))]
    installs = [(install_venv, name) for name in stale]
    if not fingerprint.is_current("node", node_fingerprint()):
        installs.append((install_node, None))
    if not installs:
        return
    with step("pinned tools installed into .local/"), ThreadPoolExecutor() as pool:
        for future in [pool.submit(install, name) for install, name in installs]:
            future.result()


def venv_names() -> list[str]:
    """LocalStack's is half a gigabyte: only for those who run it on the host."""
    return [*VENV_NAMES, LOCALSTACK] if TARGET == LOCALSTACK and isinstance(targets.aws(), targets.HostLocalStack) else VENV_NAMES


def require_machine() -> None:
    """Says in one line what this machine lacks."""
    missing = []
    if sys.version_info < (3, 11):
        missing.append(f"Python 3.11 or newer (this is {sys.version.split()[0]})")
    if not has_module("ensurepip"):
        missing.append("Python's venv module (Debian: python3-venv)")
    if not shutil.which("cargo"):
        missing.append("Rust (cargo)")
    if not shutil.which("cc"):
        missing.append("a C linker (cc)")
    if not (shutil.which("node") and shutil.which("npm")):
        missing.append("Node.js with npm")
    if TARGET not in ("embedded", "localstack"):
        missing.append(f"a TARGET that is embedded or localstack, not {TARGET!r}")
    if missing:
        raise StepFailed("Box Office needs " + ", and ".join(missing) + ".")


def has_module(name: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True).returncode == 0


def browser() -> str:
    """The Chromium that tests of pages run in: this machine's own, or Debian's, installed where that is allowed."""
    if found := find_browser():
        return found
    install = "apt-get update && apt-get install --yes --no-install-recommends chromium"
    if not (os.geteuid() == 0 and shutil.which("apt-get")):
        raise StepFailed(f"The browser test needs Chromium. On Debian, as root: {install}")
    run_logged("Chromium", ["sh", "-c", f"export DEBIAN_FRONTEND=noninteractive; {install}"], "setup-chromium", env=None)
    return find_browser() or "chromium"


def find_browser() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def requirements(name: str) -> Path:
    if name == LOCALSTACK:
        return targets.host_release().requirements
    return HERE / "requirements" / f"{name}.txt"


def interpreter(name: str) -> str:
    """The Python that makes a virtual environment: the one that runs this, except for LocalStack's, which may need a newer one."""
    return targets.host_release().python if name == LOCALSTACK else sys.executable


def venv_fingerprint(name: str) -> str:
    # A virtual environment knows its own path: one that was moved with the checkout is of no use.
    made_with = [targets.host_release().python] if name == LOCALSTACK else []
    return fingerprint.of([requirements(name)], sys.version, *made_with, str(VENVS))


def install_venv(name: str) -> None:
    fingerprint.forget(f"venv-{name}")
    venv = VENVS / name
    shutil.rmtree(venv, ignore_errors=True)
    script = (
        f"'{interpreter(name)}' -m venv '{venv}' && "
        # The file names every version, so there is nothing to resolve.
        f"'{venv}/bin/pip' install --disable-pip-version-check --no-deps --requirement '{requirements(name)}'"
    )
    run_logged(f"tools for {name}", ["sh", "-c", script], f"setup-{name}", env=None)
    fingerprint.record(f"venv-{name}", venv_fingerprint(name))


def node_fingerprint() -> str:
    return fingerprint.of([HERE / "package.json", HERE / "package-lock.json"])


def install_node(_: None) -> None:
    fingerprint.forget("node")
    NODE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, NODE / name)
    run_logged("tools for Node", ["npm", "ci", "--no-audit", "--no-fund"], "setup-node", cwd=NODE, env=None)
    fingerprint.record("node", node_fingerprint())
