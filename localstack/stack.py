#!/usr/bin/env python3
"""Box Office on this machine: `make help` lists what people type; this is what those targets run.

    stack.py setup     install the pinned tools into .local/
    stack.py build     compile and package every function
    stack.py up        all of it: set up, build, start, deploy, wait until healthy
    stack.py down      stop everything; with TARGET set, that target alone
    stack.py reset     empty state, freshly deployed, nothing rebuilt
    stack.py status    say what runs, and where
    stack.py logs      the functions' logs (--function NAME, --follow), or --servers for the servers' own
    stack.py run -- COMMAND ...   a command in the stack's environment (AWS endpoint, tools, cargo flags)

TARGET=localstack uses LocalStack in place of the embedded emulator, in Docker where that answers and else without. Both can be up at once.
"""

import argparse
import os
import sys
import time

from boxoffice_local import deployment, processes, targets, toolchain
from boxoffice_local.console import StepFailed, elapsed, say, tail
from boxoffice_local.settings import ADMIN, ADMIN_PASSWORD, HERE, LOGS, PLACES, ROOT, environment, python


def setup() -> None:
    toolchain.set_up()


def setup_for_tests() -> None:
    """`make setup`: also what only tests need, as far as this machine lets us."""
    setup()
    try:
        toolchain.browser()
    except StepFailed as missing:
        say(f"  ! {missing}")


def build() -> None:
    setup()
    deployment.build()


def up() -> None:
    setup()
    built = deployment.build()
    start_servers()
    deployment.deploy(built)
    announce("up")


def announce(state: str) -> None:
    api_url = deployment.read_stack()["apiUrl"]
    say(f"\n  Box Office is {state}: {api_url}")
    say(f"  The shop: {api_url}/shop")
    say(f"  The API, to try out: {api_url}/docs as {ADMIN['username']} with the password {ADMIN_PASSWORD}\n")


def start_servers() -> None:
    if targets.aws().ensure():
        deployment.forget()  # a new emulator remembers nothing
    targets.payments().ensure()


def down() -> None:
    stopped = [stop(target) for target in ([os.environ["TARGET"]] if os.environ.get("TARGET") else PLACES)]
    say("  Stopped." if any(stopped) else "  Nothing was running.")


def stop(target: str) -> bool:
    """Stops everything that this target has running, also if it was started with another setting; says whether anything ran."""
    stopped = processes.stop_all(PLACES[target])
    if target == "localstack" and targets.docker_answers():
        stopped = targets.DockerLocalStack().stop() or stopped
    deployment.forget(PLACES[target])
    return stopped


def reset() -> None:
    setup()
    built = deployment.build()
    deployment.forget()
    targets.aws().restart()
    if not targets.payments().ensure():
        targets.reset_payments()
    deployment.deploy(built)
    announce("up, and empty")


def status() -> None:
    stack = deployment.read_stack()
    api_url = stack.get("apiUrl")
    rows = {
        "AWS": targets.aws().status(),
        "payments": targets.server_status(targets.payments()),
        "API": f"{'healthy' if deployment.is_healthy(api_url) else 'not healthy'} at {api_url}" if api_url else "not deployed",
    }
    for name, text in rows.items():
        say(f"  {name:<10} {text}")
    if not deployment.is_healthy(api_url):
        raise SystemExit(1)


def logs(function: str, follow: bool, servers: bool) -> None:
    if servers:
        for file in [*targets.aws().log_files(), LOGS / "payments.log"]:
            say(f"── {file.relative_to(ROOT)}")
            say("\n".join(tail(file, 50)) if file.exists() else "(none)")
        return
    arguments = ["logs", "--function", function] + (["--follow"] if follow else [])
    run([python("tools"), str(HERE / "aws_calls.py"), *arguments])


def run(command: list[str]) -> None:
    """Becomes the command: its output, its signals and its exit code are its own."""
    settings = environment()
    try:
        os.execvpe(command[0], command, settings)
    except FileNotFoundError:
        raise StepFailed(f"There is no program named {command[0]}; has `make setup` been run?") from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("setup", "build", "up", "down", "reset", "status"):
        commands.add_parser(name)
    log = commands.add_parser("logs")
    log.add_argument("--function", default="", help="only functions whose name contains this")
    log.add_argument("--follow", action="store_true", help="go on until interrupted")
    log.add_argument("--servers", action="store_true", help="the emulator's and the payment server's own logs")
    commands.add_parser("run").add_argument("program", nargs=argparse.REMAINDER)
    options = parser.parse_args()

    started = time.monotonic()
    match options.command:
        case "logs":
            logs(options.function, options.follow, options.servers)
        case "run":
            run(options.program[1:] if options.program[:1] == ["--"] else options.program)
        case "status":
            status()
        case name:
            {"setup": setup_for_tests, "build": build, "up": up, "down": down, "reset": reset}[name]()
            say(f"  make {name}: done in {elapsed(time.monotonic() - started)}")


if __name__ == "__main__":
    try:
        main()
    except StepFailed as failure:
        sys.exit(f"\nmake: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
