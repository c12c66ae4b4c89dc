#!/usr/bin/env python3
"""Box Office's figures, from this machine, in one run.

    bench.py [--runs N] [--warm N]

    functions   every function: time to its first poll, memory then, size of its archive; first and warm invocations of an event of its own, processor time, memory
    booking     where the time of a booking and of a read goes: our own, the store, the gateway; bookings a second beside the raw rate of the same store
    login       a log-in beside a read of the same user: what is left between them is argon2
    peers       get-inventory and create-ticket beside the same handlers in Python and in Node, alternately: first poll, first invocation, warm ones, processor time, memory, size

Needs the running stack (`make bench` starts it), whose DynamoDB all of them read. The report goes to `.local/reports/bench.md` and `.json`.
"""

import argparse
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "localstack"))

from boxoffice_local import fingerprint, programs  # noqa: E402
from boxoffice_local.console import StepFailed, run_logged  # noqa: E402
from boxoffice_local.processes import LOOPBACK  # noqa: E402
from boxoffice_local.settings import AWS_ENDPOINT, LOCAL, NODE, REGION, ROOT, STACK_FILE, STACK_NAME, VENVS  # noqa: E402
import booking  # noqa: E402
import copies  # noqa: E402
import plots  # noqa: E402
import reports  # noqa: E402
from cost import Stack  # noqa: E402
from runtime_api import SUCCEEDED, DidNotStart, Measured, measure  # noqa: E402
from workload import Workload, calls, event  # noqa: E402

HERE = Path(__file__).resolve().parent
PEER_VENV = VENVS / "bench"
PEER_NODE = NODE.parent / "bench-node"


@dataclass(eq=False)
class Contender:
    """One way to run a handler."""

    name: str
    command: list[str]
    environment: dict[str, str]
    files: list[Path]  # those that its archive would hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="processes of each contender (default %(default)s)")
    parser.add_argument("--warm", type=int, default=200, help="warm invocations of each process (default %(default)s)")
    options = parser.parse_args()
    try:
        report = run(options.runs, options.warm)
    except (StepFailed, DidNotStart) as failure:
        sys.exit(f"\nbench: {failure}")
    reports.keep("bench", report, as_markdown(report))
    plots.keep("cold-starts", plots.bars("From its start to asking for work, ms", {name: one["firstPollMillis"]["median"] for name, one in report["peers"]["get-inventory"].items()}))


def run(runs: int, warm: int) -> dict:
    if not STACK_FILE.exists():
        raise StepFailed("there is no running stack; run `make up` first")
    set_up_peers()
    names = list(deployed())
    functions = {name: [] for name in names}
    for round_number in range(runs):
        progress(f"first polls, round {round_number + 1} of {runs}")
        for name in names:
            functions[name].append(measure([str(programs.bootstrap(name))], function_environment(name), []))
    stack = Stack()
    workload = Workload(stack)
    workload.settle()
    read = event("GET", "/inventory/{id}", {"id": workload.hall})
    compared = {"get-inventory": take_turns("get-inventory", peers("get-inventory"), lambda _, number: [read] * number, runs, warm)}
    tables = {name: function_environment("create-ticket")[name] for name in ("INVENTORY_TABLE", "TICKETS_TABLE", "PAYMENTS_TABLE", "EVENTS_TABLE")}
    with copies.of_tables(stack.aws, tables, workload.arena) as copied:
        contenders = [replace(one, environment=one.environment | copied) for one in peers("create-ticket")]
        # Every order needs its own idempotency key.
        compared["create-ticket"] = take_turns(
            "create-ticket", contenders, lambda _, number: workload.events("create-ticket", number), min(runs, 9), min(warm, 50), "201",
        )
    # A token lives for five minutes, and a log-in takes its time on purpose.
    log_ins = take_turns("log-ins", [ours("login"), ours("get-me")], workload.events, min(runs, 5), min(warm, 50))
    invoked = {name: invocations(name, workload, max(1, runs // 5), min(warm, 50)) for name in reads_first(names)}
    workload.settle()
    return {
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(), "node": node_version()},
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "runs": runs,
        "warm": warm,
        "functions": {name: of_function(name, all_of_it) | invoked[name] for name, all_of_it in functions.items()},
        "booking": booking.measure_all(stack, workload, {name: ours(name) for name in ("create-ticket", "get-ticket", "get-inventory")}, warm),
        "logIns": log_ins,
        "peers": compared,
    }


def take_turns(what: str, contenders: list[Contender], events: Callable[[str, int], list[dict]], runs: int, warm: int, only: str = SUCCEEDED) -> dict[str, dict]:
    """Measures every contender with the events for its name, one contender after the other in each round."""
    measured: dict[Contender, list[Measured]] = {contender: [] for contender in contenders}
    for round_number in range(runs):
        progress(f"{what}, round {round_number + 1} of {runs}")
        for contender in contenders:
            measured[contender].append(measure(contender.command, contender.environment, events(contender.name, warm + 1), only))
    return {contender.name: of_contender(contender, all_of_it) for contender, all_of_it in measured.items()}


def progress(text: str) -> None:
    print(f"  … {text}", file=sys.stderr, flush=True)


# Contenders


@cache
def deployed() -> dict[str, dict[str, str]]:
    """Every function of the stack, with its variables."""
    found, marker = {}, ""
    while True:
        with LOOPBACK.open(f"{AWS_ENDPOINT}/2015-03-31/functions/?MaxItems=50{marker}", timeout=10) as answer:
            page = json.load(answer)
        for function in page["Functions"]:
            name = function["FunctionName"].removeprefix(f"{STACK_NAME}-")
            if name != function["FunctionName"] and (program := programs.bootstrap(name)) and program.exists():
                found[name] = function.get("Environment", {}).get("Variables", {})
        if not page.get("NextMarker"):
            return dict(sorted(found.items()))
        marker = f"&Marker={page['NextMarker']}"


def function_environment(name: str) -> dict[str, str]:
    """The environment that Lambda would give the function, with its own variables as they are deployed."""
    return deployed()[name] | {
        "PATH": os.defpath, "LANG": "C.UTF-8", "AWS_ENDPOINT_URL": AWS_ENDPOINT, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_LAMBDA_FUNCTION_NAME": name, "_HANDLER": name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}", "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
    }


def ours(function: str) -> Contender:
    program = programs.bootstrap(function)
    return Contender(function, [str(program)], function_environment(function), [program])


def peers(function: str) -> list[Contender]:
    """A function of ours, and the same handler written the usual way."""
    environment = function_environment(function)
    python, node, module = HERE / "peers/python", PEER_NODE, function.replace("-", "_")
    packages = next((PEER_VENV / "lib").glob("python*")) / "site-packages"
    # A function's archive holds the handler and the packages that the runtime lacks: Lambda's own images have the SDK, custom images do not.
    python_files = [python / f"{module}.py", *(packages / name for name in (
        "awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "s3transfer", "simplejson", "snapshot_restore_py", "urllib3",
    ))]
    return [
        replace(ours(function), name="Rust"),
        Contender(
            "Python", [str(PEER_VENV / "bin/python"), "-m", "awslambdaric", f"{module}.handler"],
            environment | {"PYTHONPATH": str(python), "LAMBDA_TASK_ROOT": str(python), "PYTHONDONTWRITEBYTECODE": ""}, python_files,
        ),
        Contender(
            "Node", [shutil.which("node") or "node", str(node / "node_modules/aws-lambda-ric/index.mjs"), f"{function}.handler"],
            environment | {"LAMBDA_TASK_ROOT": str(node), "_HANDLER": f"{function}.handler"}, [node / f"{function}.mjs", node / "node_modules"],
        ),
    ]


def set_up_peers() -> None:
    """Installs the runtimes and packages of the peers, unless they are there."""
    requirements = HERE / "peers/python/requirements.txt"
    node_files = [HERE / "peers/node" / name for name in ("package.json", "package-lock.json", "get-inventory.mjs", "create-ticket.mjs")]
    wanted = fingerprint.of([requirements, *node_files], sys.version, str(LOCAL))
    if fingerprint.is_current("bench", wanted):
        return
    shutil.rmtree(PEER_VENV, ignore_errors=True)
    install = f"'{sys.executable}' -m venv '{PEER_VENV}' && '{PEER_VENV}/bin/pip' install --disable-pip-version-check --no-deps --requirement '{requirements}'"
    run_logged("Python peer", ["sh", "-c", install], "setup-bench-python", env=None)
    PEER_NODE.mkdir(parents=True, exist_ok=True)
    for file in node_files:
        shutil.copy(file, PEER_NODE / file.name)
    # Node's runtime client is built from C++ when it is installed, by cmake.
    path = os.pathsep.join([str(PEER_VENV / "bin"), os.environ.get("PATH", os.defpath)])
    command = ["npm", "ci", "--no-audit", "--no-fund"]
    run_logged("Node peer", command, "setup-bench-node", cwd=PEER_NODE, env=os.environ | {"PATH": path})
    fingerprint.record("bench", wanted)


def reads_first(names: list[str]) -> list[str]:
    """Sorts functions that only read before those that write: a write keeps the stack busy afterwards."""
    reads = {name for name, (method, *_) in calls().items() if method == "GET"}
    return sorted(names, key=lambda name: name not in reads)


def invocations(name: str, workload: Workload, runs: int, warm: int) -> dict:
    """Invokes a function with its own event again and again, in `runs` processes; empty for a function that the bench does not invoke."""
    progress(f"invocations of {name}")
    events = [workload.events(name, warm + 1) for _ in range(runs)]
    if not all(events):
        return {}
    all_of_it = [measure([str(programs.bootstrap(name))], function_environment(name), its_events, only=None) for its_events in events]
    return of_invocations(all_of_it) | {"answers": sum((one.answers for one in all_of_it), Counter())}


# The report


def spread(values: list[float]) -> dict[str, float]:
    """The median, and the quartiles around it."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    return {"median": round(middle, 3), "low": round(low, 3), "high": round(high, 3)}


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def of_function(name: str, all_of_it: list[Measured]) -> dict:
    return {
        "firstPollMillis": spread([one.init for one in all_of_it]),
        "memoryMiB": spread([one.init_memory / 1024 for one in all_of_it]),
        "unzippedMB": round(programs.bootstrap(name).stat().st_size / 1e6, 2),
        "zippedMB": zipped([programs.bootstrap(name)]),
    }


def of_contender(contender: Contender, all_of_it: list[Measured]) -> dict:
    return {
        "firstPollMillis": spread([one.init for one in all_of_it]),
        **of_invocations(all_of_it),
        "unzippedMB": round(sum(file.stat().st_size for file in everything(contender.files)) / 1e6, 2),
        "zippedMB": zipped(contender.files),
    }


def of_invocations(all_of_it: list[Measured]) -> dict:
    return {
        "firstInvocationMillis": spread([one.first for one in all_of_it]),
        "warmP50Millis": spread([percentile(one.warm, 0.5) for one in all_of_it]),
        "warmP99Millis": spread([percentile(one.warm, 0.99) for one in all_of_it]),
        "warmCpuMillis": spread([one.warm_cpu for one in all_of_it]),
        "peakMemoryMiB": spread([one.peak_memory / 1024 for one in all_of_it]),
    }


def everything(files: list[Path]) -> list[Path]:
    found = [inner for file in files for inner in (file.rglob("*") if file.is_dir() else [file])]
    return [file for file in found if file.is_file() and "__pycache__" not in file.parts]


def zipped(files: list[Path]) -> float:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in everything(files):
            file.write(path, str(path.relative_to(path.anchor)))
    return round(len(archive.getvalue()) / 1e6, 2)


def processor() -> str:
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def node_version() -> str:
    return subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()


ROWS = {
    "firstPollMillis": "first poll, ms", "firstInvocationMillis": "first invocation, ms", "warmP50Millis": "warm p50, ms",
    "warmP99Millis": "warm p99, ms", "warmCpuMillis": "processor time of a warm invocation, ms", "peakMemoryMiB": "peak memory, MiB",
    "unzippedMB": "unzipped, MB", "zippedMB": "zipped, MB",
}


def as_markdown(report: dict) -> str:
    machine = report["machine"]
    lines = [
        "# Figures", "",
        f"Measured {report['measured']} on {machine['cores']} cores ({machine['processor']}), Python {machine['python']}, Node {machine['node']}. "
        f"Medians of {report['runs']} processes, with their quartiles; {report['warm']} warm invocations each.", "",
    ]
    for function, contenders in report["peers"].items():
        lines += [
            f"## {function}, beside the same handler in Python and Node", "",
            "Same event, same DynamoDB, processes started alternately. ×: how many times the Rust function's.", "",
            f"| | {' | '.join(contenders)} |", f"|---|{'---|' * len(contenders)}",
        ]
        lines += [f"| {title} | {' | '.join(cell(contenders, name, key) for name in contenders)} |" for key, title in ROWS.items()] + [""]
    login, me = report["logIns"]["login"], report["logIns"]["get-me"]
    lines += [
        "## A log-in", "",
        f"Warm, it takes {login['warmP50Millis']['median']:.1f} ms (p50) and {login['warmCpuMillis']['median']:.1f} ms of a processor; reading the same user with a "
        f"token takes {me['warmP50Millis']['median']:.1f} ms and {me['warmCpuMillis']['median']:.1f} ms. The difference is argon2id and the writes of a session.",
    ]
    lines += ["", *booking.as_markdown(report["booking"])]
    lines += [
        "", "## Every function", "", "Asked with an event of its own (`bench/workload.py`); answers: how many of which.", "",
        "| function | first poll, ms | quartiles | first invocation, ms | warm p50, ms | p99 | processor, ms | peak memory, MiB | unzipped, MB | zipped, MB | answers |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, figures in report["functions"].items():
        poll, middle = figures["firstPollMillis"], {key: figures[key]["median"] for key in ROWS if isinstance(figures.get(key), dict)}
        invoked = [f"{middle[key]:.2f}" if key in middle else "" for key in ("firstInvocationMillis", "warmP50Millis", "warmP99Millis", "warmCpuMillis")]
        memory = middle.get("peakMemoryMiB", figures["memoryMiB"]["median"])
        answers = ", ".join(f"{number} {answer}" for answer, number in figures.get("answers", {}).items())
        lines.append(
            f"| {name} | {poll['median']:.1f} | {poll['low']:.1f} to {poll['high']:.1f} | {' | '.join(invoked)} | {memory:.1f} "
            f"| {figures['unzippedMB']:.1f} | {figures['zippedMB']:.2f} | {answers} |"
        )
    slowest = max(report["functions"], key=lambda name: report["functions"][name]["firstPollMillis"]["median"])
    lines += ["", f"The slowest to its first poll: {slowest}."]
    return "\n".join(lines) + "\n"


def cell(peers_of: dict, name: str, key: str) -> str:
    def of(contender: str) -> float:
        value = peers_of[contender][key]
        return value["median"] if isinstance(value, dict) else value

    ratio = "" if name == "Rust" or not of("Rust") else f" (×{of(name) / of('Rust'):.1f})"
    return f"{of(name):.2f}{ratio}"


if __name__ == "__main__":
    main()
