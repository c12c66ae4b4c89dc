#!/usr/bin/env python3
"""Computes what an hourly `reconcile` costs a month, by how many bookings there ever were: reading all each time, or only those that moved (docs/adr/0037).

Prices are those of bench/prices.json. The items that a run reads follow from the access patterns; their sizes are those measured in docs/cost.md, rounded up.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

PRICES = json.loads((Path(__file__).parent / "prices.json").read_text())["items"]

RUNS = 730  # hours of a month
TICKET_KIB = 1.0  # a ticket, with its idempotency key beside it
RESERVATION_KIB = 0.5
BUCKETS = 8
ENTRY_KIB = 0.15


@dataclass(frozen=True)
class House:
    """The sales of a house: past bookings, events to come with their shards and bookings, and bookings a month."""

    past: int
    events: int = 50
    shards: int = 10
    live: int = 20_000
    monthly: int = 20_000


def scanned(kib: float) -> float:
    """Read units for so many KiB, eventually consistent."""
    return kib / 8


def of_everything(house: House) -> float:
    """Read units a month: every ticket and reservation scanned, every payment and reservation fetched at half a unit each."""
    bookings = house.past + house.live
    scans = scanned(bookings * (TICKET_KIB + RESERVATION_KIB)) + scanned(bookings * TICKET_KIB)
    return RUNS * (scans + bookings)


def of_what_moved(house: House) -> tuple[float, float]:
    """Read and write units a month. Every booking is open for one run, proven in another; an event is counted anew while it sells, a quarter of the hours."""
    lists = 4 * BUCKETS * 0.5  # the lists of tickets and payments, and both of sagas
    counters = house.events * (1 + house.shards / 4 + 2 * 0.5)  # terms and shards; proof and summary
    runs = RUNS * (lists + counters)
    counted = RUNS / 4 * house.live * (2 * 0.5 + 2 * scanned(ENTRY_KIB))
    first_looks = 2 * (1 + 2 * 0.5)
    proof = 4 + 3 * 1.5
    proven = house.monthly * (first_looks + proof)
    writes = house.monthly * (2 + 2 + 1) + RUNS / 4 * house.events
    return runs + counted + proven, writes


def dollars(reads: float, writes: float = 0) -> float:
    return (reads * PRICES["readUnit"]["perMillion"] + writes * PRICES["writeUnit"]["perMillion"]) / 1e6


def table(houses: list[House]) -> str:
    lines = ["| Past bookings | Reading all, a month | Reading what moved, a month |", "|---|---|---|"]
    for house in houses:
        reads, writes = of_what_moved(house)
        lines.append(f"| {house.past:,} | {dollars(of_everything(house)):,.2f} USD | {dollars(reads, writes):,.2f} USD |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--past", type=int, nargs="*", default=[10**4, 10**6, 10**8], help="bookings there ever were")
    parser.add_argument("--live", type=int, default=20_000, help="bookings of events to come")
    parser.add_argument("--monthly", type=int, default=20_000, help="bookings a month")
    arguments = parser.parse_args()
    print(table([House(past, live=arguments.live, monthly=arguments.monthly) for past in arguments.past]))


if __name__ == "__main__":
    main()
