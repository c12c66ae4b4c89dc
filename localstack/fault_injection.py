"""Puts a fault injector in front of every task of the deployed booking saga, and takes them away again.

    fault_injection.py install FOLDER    FOLDER: where plans are read and attempts are noted
    fault_injection.py remove FOLDER

The machine that runs is the deployed one in every state, order, retry and catch; only what its tasks call is another function, which calls the real one
(`tests/faults/injector.py`). Runs in the tools' virtual environment, where boto3 is; both commands may be run twice.
"""

import argparse
import io
import json
import sys
import zipfile
from pathlib import Path

import boto3

from boxoffice_local import programs
from boxoffice_local.settings import ROOT, STACK_FILE, STACK_NAME

INJECTOR = ROOT / "tests/faults/injector.py"
PREFIX = f"{STACK_NAME}-fault-"
TIMEOUT_SECONDS = 120  # more than a frozen step takes


def machine_arn() -> str:
    return json.loads(STACK_FILE.read_text())["outputs"]["BookingSagaArn"]


def original(folder: Path) -> Path:
    return folder / "original.asl.json"


def install(folder: Path) -> None:
    remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    machines = boto3.client("stepfunctions")
    definition = machines.describe_state_machine(stateMachineArn=machine_arn())["definition"]
    original(folder).write_text(definition)
    machine = json.loads(definition)
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            stand_in_front(name, state, folder)
    machines.update_state_machine(stateMachineArn=machine_arn(), definition=json.dumps(machine))
    print(f"{len(functions())} injectors in front of {machine_arn()}")


def stand_in_front(name: str, state: dict, folder: Path) -> None:
    """Makes the state call an injector in place of what it calls."""
    resource = state["Resource"]
    if ":function:" in resource:
        state["Resource"] = create(name, resource, folder)
    elif "lambda:invoke" in resource:
        state["Arguments"]["FunctionName"] = create(name, state["Arguments"]["FunctionName"], folder)
    elif "sqs:sendMessage" in resource:
        state["Resource"] = create(name, None, folder)
    else:
        raise SystemExit(f"{name} calls {resource}: say in {Path(__file__).name} how an injector calls it")


def create(state: str, function: str | None, folder: Path) -> str:
    client = boto3.client("lambda")
    name = PREFIX + state.lower().replace(" ", "-")
    # The injector's process hands its `Handler` down to the program, which chooses its function by it.
    handler, variables = "bootstrap", {"FAULTS_FOLDER": str(folder), "FAULTS_STATE": state}
    if function:
        real = client.get_function_configuration(FunctionName=function)
        handler = real["Handler"]
        variables |= real.get("Environment", {}).get("Variables", {})
        variables["FAULTS_PROGRAM"] = str(program(real["FunctionName"]))
    created = client.create_function(
        FunctionName=name, Runtime="provided.al2023", Handler=handler, Role="arn:aws:iam::000000000000:role/fault-injector",
        Timeout=TIMEOUT_SECONDS, MemorySize=128, Environment={"Variables": variables}, Code={"ZipFile": package()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return created["FunctionArn"]


def program(function: str) -> Path:
    """The function's own program, as it was built for the deployment."""
    found = programs.bootstrap(function.removeprefix(f"{STACK_NAME}-"))
    if not found or not found.exists():
        raise SystemExit(f"the program of {function} is not there: run `make up` first")
    return found


def package() -> bytes:
    """The injector as a function's archive: its first line names the Python of this very environment, which an emulator's processes do not find by themselves."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        file.writestr(entry, f"#!{sys.executable}\n{INJECTOR.read_text()}")
    return archive.getvalue()


def functions() -> list[str]:
    pages = boto3.client("lambda").get_paginator("list_functions").paginate()
    return [function["FunctionName"] for page in pages for function in page["Functions"] if function["FunctionName"].startswith(PREFIX)]


def remove(folder: Path) -> None:
    if original(folder).exists():
        boto3.client("stepfunctions").update_state_machine(stateMachineArn=machine_arn(), definition=original(folder).read_text())
        original(folder).unlink()
    for name in functions():
        boto3.client("lambda").delete_function(FunctionName=name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["install", "remove"])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    {"install": install, "remove": remove}[options.command](options.folder.resolve())


if __name__ == "__main__":
    main()
