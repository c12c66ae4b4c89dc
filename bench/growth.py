#!/usr/bin/env python3
"""Measures how the cost of a list grows with the number of stored items, on the running stack.

    growth.py [--tickets 100 10000 100000] [--events 1 10 100]

Stores so many tickets and events (copies of a real one, under ids of their own), lists them through the API with a recorder between the functions and DynamoDB,
and counts the read units of a page: the first, and the thousandth. The stack is full of them afterwards: `make reset` empties it. The report goes to
`.local/reports/growth.md` and `.json`.
"""

import argparse
import secrets
import statistics
import sys
import time

from cost import Stack, recorded  # noqa: I001  (it also makes the local set-up importable)
import reports
from boxoffice_local.console import StepFailed
from recorder import Emulator, Recorder

LIMIT, FAR, REPEATS = 10, 1000, 9
STRIDE = 100  # the largest page there is
EPOCH_MILLIS = 1_767_225_600_000  # 2026-01-01


def an_id(prefix: str, number: int) -> str:
    """UUIDv7, as the product makes them: sorted by time, random at the end."""
    return f"{prefix}_{EPOCH_MILLIS + number:012x}7{secrets.token_hex(2)[1:]}8{secrets.token_hex(8)[1:]}"


def copy_of(item: dict, old: str, new: str) -> dict:
    copied = {}
    for name, value in item.items():
        (kind, inside), = value.items()
        if kind == "S":
            inside = inside.replace(old, new)
            # A list that everybody adds to is spread by the last digit of the id (shared/aws/src/listing.rs).
            if name.startswith("gsi") and name.endswith("pk") and inside[-2:-1] == "#":
                inside = f"{inside[:-1]}{int(new[-1], 16) % 8}"
        copied[name] = {kind: inside}
    return copied


def store(aws: Emulator, table: str, items: list[dict]) -> None:
    for start in range(0, len(items), 25):
        batch = {table: [{"PutRequest": {"Item": item}} for item in items[start:start + 25]]}
        aws.ask("DynamoDB_20120810.BatchWriteItem", {"RequestItems": batch})


class Growing:
    """One list, and what is on it."""

    def __init__(self, stack: Stack, recorder: Recorder, name: str, path: str) -> None:
        self.stack, self.recorder, self.name, self.path = stack, recorder, name, path

    def page(self, cursor: str | None, limit: int = LIMIT) -> tuple[float, float, str | None]:
        """Read units, milliseconds, and where to go on."""
        token = self.stack.token
        self.recorder.taken()
        began = time.perf_counter()
        page = self.stack.request("GET", f"{self.path}?limit={limit}" + (f"&next={cursor}" if cursor else ""), token=token)
        millis = (time.perf_counter() - began) * 1000
        calls = [call for call in self.recorder.taken() if call.function == self.name]
        return sum(call.reads for call in calls), millis, page.get("next")

    def measured(self, cursor: str | None) -> dict[str, float]:
        pages = [self.page(cursor)[:2] for _ in range(REPEATS)]
        return {"readUnits": statistics.median(units for units, _ in pages), "millis": round(statistics.median(millis for _, millis in pages), 2)}

    def far(self) -> str | None:
        """The cursor of about the thousandth page. It is reached by larger pages: a cursor does not depend on the size of the pages before it."""
        cursor = None
        for _ in range(FAR * LIMIT // STRIDE - 1):
            _, _, cursor = self.page(cursor, STRIDE)
            if not cursor:
                return None
        return cursor


def tickets(stack: Stack, recorder: Recorder, sizes: list[int]) -> list[dict]:
    table, event = stack.table("TicketsTable"), stack.on_sale(f"Growth {secrets.token_hex(6)}", 10)
    booked = stack.request("POST", "/tickets", {"inventoryId": event, "quantity": 1}, stack.token, key=secrets.token_hex(8))["id"]
    real = stack.aws.item(table, {"pk": {"S": f"TKT#{booked}"}, "sk": {"S": "TICKET"}})
    if not real:
        raise StepFailed("the ticket that was just booked is not where docs/data-model.md says")
    growing, found, stored = Growing(stack, recorder, "list-tickets", "/tickets"), [], 0
    for size in sizes:
        store(stack.aws, table, [copy_of(real, booked, an_id("tkt", number)) for number in range(stored, size)])
        stored = size
        row = {"stored": size, "first": growing.measured(None)}
        if size >= LIMIT * FAR and (cursor := growing.far()):
            row["thousandth"] = growing.measured(cursor)
        found.append(row)
        print(f"  … {row}", file=sys.stderr, flush=True)
    return found


def events(stack: Stack, recorder: Recorder, sizes: list[int]) -> list[dict]:
    growing, found, stored = Growing(stack, recorder, "list-inventory", "/inventory"), [], 1
    for size in sizes:
        for _ in range(stored, size):
            stack.on_sale(f"Growth {secrets.token_hex(6)}", 10)
        stored = size
        found.append({"stored": size, "first": growing.measured(None)})
    return found


def as_markdown(report: dict) -> str:
    text = ["# How a list's page grows", "", f"Pages of {LIMIT}; medians of {REPEATS}. Read units are counted by DynamoDB's rules from what was read.", ""]
    for what in ("tickets", "events"):
        text += [f"| {what} | page 1, read units | ms | page {FAR:,}, read units | ms |", "|---:|---:|---:|---:|---:|"]
        for row in report[what]:
            far = row.get("thousandth")
            text.append(f"| {row['stored']:,} | {row['first']['readUnits']:g} | {row['first']['millis']} | {far['readUnits'] if far else ''} | {far['millis'] if far else ''} |")
        text.append("")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, nargs="+", default=[100, 10_000, 100_000])
    parser.add_argument("--events", type=int, nargs="+", default=[1, 10, 100])
    options = parser.parse_args()
    try:
        stack = Stack()
        with recorded(stack) as recorder:
            # Events first: the tickets' is one of them.
            report = {"events": events(stack, recorder, options.events), "tickets": tickets(stack, recorder, options.tickets)}
    except StepFailed as failure:
        sys.exit(f"\ngrowth: {failure}")
    reports.keep("growth", report, as_markdown(report))


if __name__ == "__main__":
    main()
