#!/usr/bin/env python3
"""Counts what a booking costs on AWS, from real bookings on the running stack.

    cost.py

Books three times through the API (paid at once and confirmed; declined and undone; refused because sold out) with a recorder between the functions and
AWS, and counts everything that follows until the stack is idle: Lambda calls with their billed time, state transitions, read and write units, events,
mails, log. Multiplied by list prices (`prices.json`), that is the cost of a million bookings. The report goes to `.local/reports/cost.md` and `.json`.
"""

import argparse
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "localstack"))

from boxoffice_local.console import StepFailed  # noqa: E402
from boxoffice_local.processes import LOOPBACK  # noqa: E402
from boxoffice_local.settings import ADMIN, ADMIN_PASSWORD, AWS_ENDPOINT, STACK_FILE, STACK_NAME  # noqa: E402
import reports  # noqa: E402
from recorder import Call, Emulator, Recorder  # noqa: E402

HERE = Path(__file__).resolve().parent
RECORDED = ("DYNAMODB", "EVENTBRIDGE", "SFN", "SES", "SQS")
QUIET_SECONDS, PATIENCE_SECONDS = 4, 90
# The functions that a buyer waits for, besides the relay; the others run in their own time.
ON_THE_WAY = ("create-ticket", "claim-saga", "verify-hold", "initiate-payment", "confirm-ticket")
REPORT = re.compile(r"REPORT RequestId: (\S+)\s+Duration: ([\d.]+) ms\s+Billed Duration: ([\d.]+) ms\s+Memory Size: (\d+) MB")


@dataclass
class Counted:
    """Everything that one booking caused."""

    name: str
    invocations: Counter = field(default_factory=Counter)
    billed_millis: Counter = field(default_factory=Counter)
    memory: dict[str, int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    log_bytes: int = 0
    api_requests: int = 1

    def quantities(self) -> dict[str, float]:
        """Billed quantities, by the names of `prices.json`."""
        gigabyte_seconds = sum(self.billed_millis[name] / 1000 * self.memory[name] / 1024 for name in self.invocations)
        return {
            "apiRequest": self.api_requests,
            "lambdaRequest": self.invocations.total(),
            "lambdaGigabyteSecond": gigabyte_seconds,
            "transition": len(self.states),
            "writeUnit": sum(call.writes for call in self.calls),
            "readUnit": sum(call.reads for call in self.calls),
            "busEvent": sum(call.events for call in self.calls),
            "logGigabyte": self.log_bytes / 1024**3,
            "mail": sum("SendEmail" in call.operation or "SendRawEmail" in call.operation or "SendTemplatedEmail" in call.operation for call in self.calls),
            # A message of the notification queue is put there, received and deleted by AWS itself.
            "queueRequest": sum(call.operation.startswith("AmazonSQS") for call in self.calls) + 3 * self.invocations["send-notification"],
        }

    def on_the_way(self) -> int:
        """Lambda calls before the booking is confirmed: the steps, and the relay's first, which starts the saga."""
        return sum(self.invocations[name] for name in ON_THE_WAY) + min(1, self.invocations["relay-events"])

    def tries(self) -> int:
        """Transactions that `create-ticket` sent."""
        return sum(call.function == "create-ticket" and call.operation.endswith("TransactWriteItems") for call in self.calls)


class Stack:
    """The running stack: its API, and AWS behind it."""

    def __init__(self) -> None:
        if not STACK_FILE.exists():
            raise StepFailed("there is no running stack; run `make up` first")
        stack = json.loads(STACK_FILE.read_text())
        self.api, self.machines = stack["apiUrl"], [stack["outputs"]["BookingSagaArn"]]
        self.aws = Emulator(AWS_ENDPOINT)
        self.logged_in, self.access = 0.0, ""

    @property
    def token(self) -> str:
        """An ADMIN's access token. One lives for five minutes."""
        if not self.access or time.monotonic() - self.logged_in > 200:
            self.logged_in = time.monotonic()
            self.access = self.request("POST", "/users/login", {"username": ADMIN["username"], "password": ADMIN_PASSWORD})["accessToken"]
        return self.access

    def request(self, method: str, path: str, body: dict | None = None, token: str | None = None, expect: int = 2, key: str | None = None) -> dict:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {}) | ({"Idempotency-Key": key} if key else {})
        request = urllib.request.Request(self.api + path, None if body is None else json.dumps(body).encode(), headers, method=method)
        try:
            with LOOPBACK.open(request, timeout=60) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            status, content = refusal.code, refusal.read()
        if status // 100 != expect:
            raise StepFailed(f"{method} {path} answered {status}: {content[:300]!r}")
        return json.loads(content or b"{}")

    def on_sale(self, name: str, seats: int) -> str:
        """Puts an event on sale; its id."""
        body = {"eventName": name, "eventDate": "2035-06-01T20:00:00Z", "totalSeats": seats, "price": 49.9, "currency": "EUR", "location": "Hall"}
        # One buyer books over and over, which the usual limits are there to stop.
        body |= {"maxPerOrder": 60, "maxHeldPerBuyer": seats, "maxPerBuyer": seats}
        return self.request("POST", "/inventory", body, self.token)["id"]

    def table(self, name: str) -> str:
        """The deployed name of a table of infra/tables.yaml."""
        return next(table for table in self.aws.ask("DynamoDB_20120810.ListTables", {})["TableNames"] if name in table)

    # Functions

    def functions(self) -> list[dict]:
        found, marker = [], ""
        while True:
            with LOOPBACK.open(f"{AWS_ENDPOINT}/2015-03-31/functions/?MaxItems=50{marker}", timeout=10) as answer:
                page = json.load(answer)
            found += [function for function in page["Functions"] if function["FunctionName"].startswith(f"{STACK_NAME}-")]
            if not page.get("NextMarker"):
                return found
            marker = f"&Marker={urllib.parse.quote(page['NextMarker'])}"

    def give_variables(self, function: str, variables: dict[str, str]) -> None:
        body = json.dumps({"Environment": {"Variables": variables}}).encode()
        request = urllib.request.Request(f"{AWS_ENDPOINT}/2015-03-31/functions/{function}/configuration", body, {"Content-Type": "application/json"}, method="PUT")
        LOOPBACK.open(request, timeout=30).read()

    # Logs and executions

    def lines(self, since: int) -> list[tuple[str, str]]:
        """Every log line since that time: the function's name, and the line."""
        found = []
        groups = self.pages("Logs_20140328.DescribeLogGroups", {"logGroupNamePrefix": f"/aws/lambda/{STACK_NAME}-"}, "logGroups")
        for group in groups:
            name = group["logGroupName"]
            for event in self.pages("Logs_20140328.FilterLogEvents", {"logGroupName": name, "startTime": since}, "events"):
                found.append((name.removeprefix(f"/aws/lambda/{STACK_NAME}-"), event["message"]))
        return found

    def pages(self, target: str, body: dict, items: str, most: int | None = None) -> list[dict]:
        """All items of a list, or those of its first pages."""
        found, token = [], {}
        while True:
            page = self.aws.ask(target, body | token)
            found += page.get(items, [])
            most = most and most - 1
            if not page.get("nextToken") or most == 0:
                return found
            token = {"nextToken": page["nextToken"]}

    def executions(self) -> dict[str, set[str]]:
        """Every execution of every machine."""
        machines = self.aws.ask("AWSStepFunctions.ListStateMachines", {})["stateMachines"]
        return {
            machine["stateMachineArn"]: {
                execution["executionArn"] for execution in self.pages("AWSStepFunctions.ListExecutions", {"stateMachineArn": machine["stateMachineArn"]}, "executions")
            }
            for machine in machines
            if machine["name"].startswith(STACK_NAME)
        }

    def is_running(self) -> bool:
        """Whether an execution of a machine has not ended."""
        running = ({"stateMachineArn": machine, "statusFilter": "RUNNING"} for machine in self.executions())
        return any(self.aws.ask("AWSStepFunctions.ListExecutions", one)["executions"] for one in running)

    def states(self, execution: str) -> list[str]:
        history = self.pages("AWSStepFunctions.GetExecutionHistory", {"executionArn": execution, "maxResults": 1000}, "events")
        return [event["stateEnteredEventDetails"]["name"] for event in history if event["type"].endswith("StateEntered")]


def count(stack: Stack, recorder: Recorder, name: str, act) -> Counted:
    """Runs `act`, waits until the stack is idle, and counts everything that `act` caused."""
    settle(stack, recorder)
    recorder.taken()
    known, since = stack.executions(), int(time.time() * 1000)
    act()
    settle(stack, recorder)
    counted = Counted(name, calls=recorder.taken())
    for function, line in stack.lines(since):
        counted.log_bytes += len(line.encode()) + 26  # CloudWatch adds 26 bytes to each
        if report := REPORT.search(line):
            counted.invocations[function] += 1
            counted.billed_millis[function] += -(-float(report[3]) // 1)
            counted.memory[function] = int(report[4])
    for machine, executions in stack.executions().items():
        for execution in executions - known.get(machine, set()):
            counted.states += stack.states(execution)
    return counted


def settle(stack: Stack, recorder: Recorder) -> None:
    """Waits until no function has asked for anything for a while and no execution runs: a declined booking waits in silence until its hold ends."""
    seen, quiet_since, deadline = -1, time.monotonic(), time.monotonic() + PATIENCE_SECONDS
    while True:
        if time.monotonic() > deadline:
            raise StepFailed(f"the stack is still busy after {PATIENCE_SECONDS} s; is somebody else using it?")
        if len(recorder.calls) != seen:
            seen, quiet_since = len(recorder.calls), time.monotonic()
        elif time.monotonic() - quiet_since >= QUIET_SECONDS:
            if not stack.is_running():
                return
            quiet_since = time.monotonic()
        time.sleep(min(0.1, QUIET_SECONDS))


def bookings(stack: Stack, recorder: Recorder) -> list[Counted]:
    def book(inventory: str, quantity: int, method: str, expect: int = 2) -> None:
        body = {"inventoryId": inventory, "quantity": quantity, "paymentMethod": "CREDIT_CARD", "paymentMethodToken": method}
        stack.request("POST", "/tickets", body, buyer, expect, str(uuid.uuid4()))

    name = f"cost-{uuid.uuid4().hex[:12]}"
    person = {"username": name, "email": f"{name}@cost.example", "password": "correct horse battery", "firstName": "Cost", "lastName": "Bench"}
    stack.request("POST", "/users", person)
    buyer = stack.request("POST", "/users/login", {"username": name, "password": person["password"]})["accessToken"]
    # `hall` has one shard and a price; `full` is sold out after its first booking.
    hall = stack.on_sale(f"Cost {uuid.uuid4()}", 90)
    full = stack.on_sale(f"Cost {uuid.uuid4()}", 1)
    book(full, 1, "pm_card_visa")
    # Warm up every process of a booking, so that work which only a first call does is not counted.
    book(hall, 1, "pm_card_visa")
    book(hall, 1, "pm_card_chargeDeclined")
    return [
        count(stack, recorder, "confirmed", lambda: book(hall, 2, "pm_card_visa")),
        count(stack, recorder, "declined", lambda: book(hall, 2, "pm_card_chargeDeclined")),
        count(stack, recorder, "sold out", lambda: book(full, 1, "pm_card_visa", expect=4)),
    ]


@contextmanager
def recorded(stack: Stack) -> Iterator[Recorder]:
    """Puts a recorder between every function and AWS, until the end of the block."""
    with Recorder(Emulator(AWS_ENDPOINT)) as recorder:
        originals = {function["FunctionName"]: function.get("Environment", {}).get("Variables", {}) for function in stack.functions()}
        try:
            for function, variables in originals.items():
                url = recorder.url(function.removeprefix(f"{STACK_NAME}-"))
                stack.give_variables(function, variables | {f"AWS_ENDPOINT_URL_{service}": url for service in RECORDED})
            yield recorder
        finally:
            for function, variables in originals.items():
                stack.give_variables(function, variables)


def measure() -> list[Counted]:
    stack = Stack()
    with recorded(stack) as recorder:
        return bookings(stack, recorder)


def priced(counted: Counted, prices: dict) -> dict:
    quantities = counted.quantities()
    lines = {name: {"each": quantity, "perMillion": round(quantity * prices["items"][name]["perMillion"], 4)} for name, quantity in quantities.items()}
    return {
        "items": lines,
        "total": round(sum(line["perMillion"] for line in lines.values()), 2),
        "invocations": dict(counted.invocations),
        "billedMillis": dict(counted.billed_millis),
        "lambdaCallsUntilConfirmed": counted.on_the_way(),
        "transitions": counted.states,
        "createTicketTransactions": counted.tries(),
        "unitsByFunction": {
            function: {"writes": sum(call.writes for call in counted.calls if call.function == function), "reads": sum(call.reads for call in counted.calls if call.function == function)}
            for function in sorted({call.function for call in counted.calls})
        },
    }


def as_markdown(report: dict) -> str:
    names = list(report["bookings"])
    prices = report["prices"]
    text = [
        f"# Cost per million bookings, {prices['region']}, list prices of {prices['date']}", "",
        "Counted from real bookings on the local stack (`bench/cost.py`), two seats each, with all that follows a booking: read models, notifications, log.", "",
        "| For a million | " + " | ".join(f"{name}: each | USD" for name in names) + " |",
        "|---|" + "---:|" * (2 * len(names)),
    ]
    for item, price in prices["items"].items():
        cells = []
        for name in names:
            line = report["bookings"][name]["items"][item]
            cells.append(f"{number(line['each'])} | {line['perMillion']:.2f}")
        text.append(f"| {price['what']} | " + " | ".join(cells) + " |")
    text.append("| **all** | " + " | ".join(f" | **{report['bookings'][name]['total']:.2f}**" for name in names) + " |")
    text += ["", "| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for title, key in (("Lambda calls until it is confirmed or undone", "lambdaCallsUntilConfirmed"), ("transactions of create-ticket", "createTicketTransactions")):
        text.append(f"| {title} | " + " | ".join(str(report["bookings"][name][key]) for name in names) + " |")
    text.append("| state transitions | " + " | ".join(str(len(report["bookings"][name]["transitions"])) for name in names) + " |")
    for name in names:
        booking = report["bookings"][name]
        text += ["", f"## {name}", "", f"Transitions: {', '.join(booking['transitions']) or 'none'}.", "", "| Function | calls | billed ms | write units | read units |", "|---|---:|---:|---:|---:|"]
        for function in sorted(set(booking["invocations"]) | set(booking["unitsByFunction"])):
            units = booking["unitsByFunction"].get(function, {"writes": 0, "reads": 0})
            text.append(f"| {function} | {booking['invocations'].get(function, 0)} | {booking['billedMillis'].get(function, 0):.0f} | {units['writes']} | {units['reads']} |")
    return "\n".join(text) + "\n"


def number(value: float) -> str:
    return f"{value:g}" if value >= 0.01 or value == 0 else f"{value:.6f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    try:
        counted = measure()
    except StepFailed as failure:
        sys.exit(f"\ncost: {failure}")
    prices = json.loads((HERE / "prices.json").read_text())
    report = {
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "prices": prices, "bookings": {one.name: priced(one, prices) for one in counted},
    }
    reports.keep("cost", report, as_markdown(report))


if __name__ == "__main__":
    main()
