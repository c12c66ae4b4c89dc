"""Where the time of a request goes, and how many bookings a second the local stack makes beside the raw rate of its store.

One request at a time, three figures: through the API; the same event given to the function's own process, without gateway or emulator; and that process's own
processor time. The first difference is the emulator's gateway and Lambda, the second is waiting for the store. Eight at once, in turns: bookings through the
API, and transactions of as many items straight to the store.
"""

import statistics
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from cost import Stack
from runtime_api import measure
from workload import Workload

AT_ONCE, ROUNDS, SECONDS = 8, 3, 5
# Items that a booking writes: key, ticket, payment, reservation, shard, three events.
ITEMS = 8
RAW = "bench-raw"


def percentiles(millis: list[float]) -> dict[str, float]:
    ordered = sorted(millis)
    return {"p50Millis": round(statistics.median(ordered), 2), "p99Millis": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2)}


def timed(act) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def book(stack: Stack, workload: Workload) -> None:
    stack.request("POST", "/tickets", {"inventoryId": workload.arena, "quantity": 1}, stack.token, key=str(uuid.uuid4()))


def requests(stack: Stack, workload: Workload) -> dict:
    ticket = workload.ids["tickets"]
    return {
        "create-ticket": lambda: book(stack, workload),
        "get-ticket": lambda: stack.request("GET", f"/tickets/{ticket}", token=stack.token),
        "get-inventory": lambda: stack.request("GET", f"/inventory/{workload.hall}"),
    }


def shares(stack: Stack, workload: Workload, contenders: dict, number: int) -> dict:
    """Medians in milliseconds, function by function: all of a request, and its three parts."""
    found = {}
    for name, request in requests(stack, workload).items():
        contender = contenders[name]
        whole, alone, own = [], [], []
        for _ in range(ROUNDS):
            whole += [timed(request) for _ in range(number // ROUNDS)]
            one = measure(contender.command, contender.environment, workload.events(name, number // ROUNDS + 1), only=None)
            alone += one.warm
            own.append(one.warm_cpu)
        all_of_it, by_itself, ours = percentiles(whole), statistics.median(alone), statistics.median(own)
        found[name] = all_of_it | {
            "ownMillis": round(ours, 3), "storeMillis": round(by_itself - ours, 3), "emulatorMillis": round(all_of_it["p50Millis"] - by_itself, 3),
            "ownShare": round(ours / all_of_it["p50Millis"], 4),
        }
    return found


def rate(act) -> tuple[float, list[float]]:
    """Runs `act` on several threads for some seconds; gives how many a second, and how long each took."""
    until = time.monotonic() + SECONDS

    def one_of_them(_: int) -> list[float]:
        millis = []
        while time.monotonic() < until:
            millis.append(timed(act))
        return millis

    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        millis = [each for some in pool.map(one_of_them, range(AT_ONCE)) for each in some]
    return len(millis) / (time.monotonic() - began), millis


def rates(stack: Stack, workload: Workload) -> dict:
    """Bookings, and transactions of as many items, in turns."""
    def transaction() -> None:
        puts = [{"Put": {"TableName": RAW, "Item": {"pk": {"S": str(uuid.uuid4())}, "text": {"S": "x" * 400}}}} for _ in range(ITEMS)]
        stack.aws.ask("DynamoDB_20120810.TransactWriteItems", {"TransactItems": puts})

    bookings, raw, waited = [], [], []
    stack.aws.ask("DynamoDB_20120810.CreateTable", {
        "TableName": RAW, "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    })
    try:
        for _ in range(ROUNDS):
            per_second, millis = rate(lambda: book(stack, workload))
            bookings.append(per_second)
            waited += millis
            raw.append(rate(transaction)[0])
    finally:
        stack.aws.ask("DynamoDB_20120810.DeleteTable", {"TableName": RAW})
    return {
        "bookingsPerSecond": round(statistics.median(bookings), 1), **percentiles(waited), "rawTransactionsPerSecond": round(statistics.median(raw), 1),
        "atOnce": AT_ONCE,
    }


def measure_all(stack: Stack, workload: Workload, contenders: dict, number: int) -> dict:
    return {"shares": shares(stack, workload, contenders, max(30, number)), "rates": rates(stack, workload)}


def as_markdown(report: dict) -> list[str]:
    rates = report["rates"]
    lines = [
        "## Where a request's time goes", "", "One at a time through the local stack, ms: all of it, what our process ran, what it waited for the store, and gateway and Lambda of the emulator.", "",
        "| | p50 | p99 | ours | store | emulator | ours of all |", "|---|---|---|---|---|---|---|",
    ]
    for name, one in report["shares"].items():
        lines.append(
            f"| {name} | {one['p50Millis']:.2f} | {one['p99Millis']:.2f} | {one['ownMillis']:.2f} | {one['storeMillis']:.2f} | {one['emulatorMillis']:.2f} "
            f"| {100 * one['ownShare']:.0f} % |"
        )
    return [
        *lines, "",
        f"{rates['atOnce']} buyers at once: {rates['bookingsPerSecond']:.1f} bookings/s (p50 {rates['p50Millis']:.0f} ms, p99 {rates['p99Millis']:.0f} ms), sagas and all; the same store "
        f"took {rates['rawTransactionsPerSecond']:.1f} raw transactions/s of as many items.",
    ]
