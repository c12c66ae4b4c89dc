#!/usr/bin/env python3
"""Prints every function's size as built, unzipped and zipped, and fails when one is too large.

A function's cold start pays for every megabyte that Lambda must fetch and unpack.

    sizes.py [--limit-mb 4]
"""

import argparse
import sys
import zlib
from pathlib import Path

BUILT = Path(__file__).resolve().parents[1] / ".aws-sam" / "build"
MB = 1_000_000


def zipped_size(file: Path) -> int:
    """The size of the file in a zip, by the SAM CLI's compression."""
    compressor = zlib.compressobj()
    with file.open("rb") as source:
        size = sum(len(compressor.compress(chunk)) for chunk in iter(lambda: source.read(MB), b""))
    return size + len(compressor.flush())


def main() -> None:
    parser = argparse.ArgumentParser(description="The functions' sizes.")
    parser.add_argument("--limit-mb", type=float, default=4, help="the most a function may weigh, zipped")
    limit = parser.parse_args().limit_mb

    binaries = sorted(BUILT.glob("*/bootstrap"))
    if not binaries:
        sys.exit("No function is built; run `make build` first.")
    rows = [(file.parent.name, file.stat().st_size / MB, zipped_size(file) / MB) for file in binaries]

    width = max(len(name) for name, _, _ in rows)
    print(f"{'function':<{width}}  unzipped MB  zipped MB")
    for name, unzipped, zipped in rows:
        print(f"{name:<{width}}  {unzipped:>11.2f}  {zipped:>9.2f}{'  TOO LARGE' if zipped > limit else ''}")
    print(f"{f'{len(rows)} functions':<{width}}  {sum(row[1] for row in rows):>11.2f}  {sum(row[2] for row in rows):>9.2f}")

    too_large = [name for name, _, zipped in rows if zipped > limit]
    if too_large:
        sys.exit(f"Over {limit:g} MB zipped: {', '.join(too_large)}")


if __name__ == "__main__":
    main()
