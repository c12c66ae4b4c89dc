"""Output for the person at the terminal: one line a step, and the end of the log when a step fails."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from .settings import LOGS, ROOT, environment

# Without a terminal (CI), a running step reports its progress this often, in seconds.
HEARTBEAT = 10
TAIL_LINES = 40


class StepFailed(Exception):
    """Ends the command with this message and exit code 1."""


def say(text: str) -> None:
    print(text, flush=True)


def elapsed(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 60 else f"{int(seconds // 60)}m{int(seconds % 60):02d}s"


@contextmanager
def step(title: str):
    """Reports a step when it is done, with the time it took."""
    started = time.monotonic()
    yield
    say(f"  ✓ {title} ({elapsed(time.monotonic() - started)})")


def last_line(path: Path) -> str:
    return next((line.strip() for line in reversed(tail(path, 5)) if line.strip()), "")


def run_logged(
    title: str, command: list[str], log: str, given: str | None = None, give_up: Callable[[float], str | None] = lambda _: None,
    progress: Callable[[Path], str] = last_line, **popen,
) -> None:
    """Runs a command with its output in the folder of logs, and shows its `progress` meanwhile, which is read from that log. It reads `given`, or nothing.

    `give_up` is called repeatedly with the seconds elapsed; if it returns a reason, the command is ended and fails with that reason.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    started = shown = time.monotonic()
    popen = {"cwd": ROOT, "env": environment()} | popen
    with path.open("w") as output:
        output.write(f"$ {' '.join(command)}\n")
        output.flush()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE, stdout=output,
            stderr=subprocess.STDOUT, text=True, **popen,
        )
        if given is not None:
            process.stdin.write(given)
            process.stdin.close()
        try:
            while (code := wait(process, 0.2)) is None:
                now = time.monotonic()
                if sys.stdout.isatty() or now - shown > HEARTBEAT:
                    shown = now
                    show_progress(title, progress(path), now - started)
                if reason := give_up(now - started):
                    raise StepFailed(f"{title}: given up after {elapsed(now - started)}. {reason} The whole log: {path.relative_to(ROOT)}")
        except BaseException:
            end(process)
            raise
    clear_progress()
    took = elapsed(time.monotonic() - started)
    if code != 0:
        say(f"  ✗ {title} failed after {took}; the end of {path.relative_to(ROOT)}:\n")
        say("\n".join("    " + line for line in tail(path, TAIL_LINES)))
        raise StepFailed(f"{title} failed. The whole log: {path.relative_to(ROOT)}")
    say(f"  ✓ {title} ({took})")


def wait(process: subprocess.Popen, seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def end(process: subprocess.Popen) -> None:
    process.terminate()
    if wait(process, 5) is None:
        process.kill()
        process.wait()


def show_progress(title: str, detail: str, seconds: float) -> None:
    text = f"  … {title} ({elapsed(seconds)})  {detail}"
    text = text[: shutil.get_terminal_size().columns - 1]
    if sys.stdout.isatty():
        print("\r\033[K" + text, end="", flush=True)
    else:
        say(text)


def clear_progress() -> None:
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file, read from its end."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 200 * lines))
        return file.read().decode(errors="replace").splitlines()[-lines:]
