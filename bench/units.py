"""Computes the cost of a request to DynamoDB, by DynamoDB's own rules.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html (sizes),
…/read-write-operations.html (units), …/GSI.html#GSI.ThroughputConsiderations (indexes), …/transaction-apis.html (transactions).

Computed here because an emulator's own answer (`ReturnConsumedCapacity`) is a guess.
"""

from dataclasses import dataclass
from math import ceil

Item = dict[str, dict]

WRITE_BYTES, READ_BYTES = 1024, 4096


def value_size(value: dict) -> int:
    """The size of an attribute's value, without its name, in bytes."""
    (kind, inside), = value.items()
    match kind:
        case "S":
            return len(inside.encode())
        case "N":
            # Two digits a byte, and one for the exponent; leading and trailing zeros count for nothing.
            digits = inside.lstrip("-").replace(".", "").strip("0")
            return ceil(max(len(digits), 1) / 2) + 1 + inside.startswith("-")
        case "B":
            return len(inside) * 3 // 4
        case "BOOL" | "NULL":
            return 1
        case "M":
            return 3 + sum(1 + len(name.encode()) + value_size(part) for name, part in inside.items())
        case "L":
            return 3 + sum(1 + value_size(part) for part in inside)
        case "SS" | "NS" | "BS":
            return sum(value_size({kind[0]: part}) for part in inside)
    raise ValueError(f"an attribute of type {kind}")


def item_size(item: Item | None) -> int:
    return sum(len(name.encode()) + value_size(value) for name, value in (item or {}).items())


def writes_of(size: int) -> int:
    return max(1, ceil(size / WRITE_BYTES))


def reads_of(size: int, consistent: bool) -> float:
    return max(1, ceil(size / READ_BYTES)) * (1.0 if consistent else 0.5)


@dataclass(frozen=True)
class Index:
    """A global secondary index, and the attributes that it projects."""

    name: str
    keys: tuple[str, ...]
    projects: str  # ALL, KEYS_ONLY

    def entry(self, item: Item | None, table_keys: tuple[str, ...]) -> Item | None:
        if not item or any(key not in item for key in self.keys):
            return None
        return dict(item) if self.projects == "ALL" else {name: item[name] for name in (*table_keys, *self.keys)}


@dataclass(frozen=True)
class Table:
    name: str
    keys: tuple[str, ...]
    indexes: tuple[Index, ...]

    @staticmethod
    def described(description: dict) -> "Table":
        def keys(schema: dict) -> tuple[str, ...]:
            return tuple(part["AttributeName"] for part in schema["KeySchema"])

        indexes = tuple(
            Index(index["IndexName"], keys(index), index["Projection"]["ProjectionType"])
            for index in description.get("GlobalSecondaryIndexes", [])
        )
        return Table(description["TableName"], keys(description), indexes)

    def index_writes(self, before: Item | None, after: Item | None) -> int:
        """An entry that comes, goes or changes is one write; one whose key changes is two, for it goes and comes."""
        units = 0
        for index in self.indexes:
            old, new = index.entry(before, self.keys), index.entry(after, self.keys)
            if old == new:
                continue
            moved = old and new and any(old[key] != new[key] for key in index.keys)
            units += writes_of(item_size(old)) + writes_of(item_size(new)) if moved else writes_of(max(item_size(old), item_size(new)))
        return units

    def write(self, before: Item | None, after: Item | None, transaction: bool) -> int:
        """A put, an update or a delete: by the larger of the item before and after, twice in a transaction. A condition that fails is paid too."""
        base = writes_of(max(item_size(before), item_size(after))) * (2 if transaction else 1)
        return base + self.index_writes(before, after)
