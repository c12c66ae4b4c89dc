"""Tables like the stack's, without their streams: what is booked in them is seen by nobody."""

from collections.abc import Iterator
from contextlib import contextmanager

from recorder import Emulator

PREFIX = "bench-copy-"
TARGET = "DynamoDB_20120810."


@contextmanager
def of_tables(aws: Emulator, names: dict[str, str], event: str) -> Iterator[dict[str, str]]:
    """Copies of these tables, given by the variable that names each; with this event on sale, and empty otherwise. Gives the variables that name the copies."""
    copies = {variable: f"{PREFIX}{name}"[:255] for variable, name in names.items()}
    known = set(aws.ask(f"{TARGET}ListTables", {})["TableNames"])
    for variable, name in names.items():
        if copies[variable] in known:
            aws.ask(f"{TARGET}DeleteTable", {"TableName": copies[variable]})
        aws.ask(f"{TARGET}CreateTable", {"TableName": copies[variable], "BillingMode": "PAY_PER_REQUEST"} | shape(aws, name))
    try:
        put_on_sale(aws, names["INVENTORY_TABLE"], copies["INVENTORY_TABLE"], event)
        yield copies
    finally:
        for copy in copies.values():
            aws.ask(f"{TARGET}DeleteTable", {"TableName": copy})


def shape(aws: Emulator, name: str) -> dict:
    described = aws.ask(f"{TARGET}DescribeTable", {"TableName": name})["Table"]
    indexes = [{key: index[key] for key in ("IndexName", "KeySchema", "Projection")} for index in described.get("GlobalSecondaryIndexes", [])]
    return {key: described[key] for key in ("KeySchema", "AttributeDefinitions")} | ({"GlobalSecondaryIndexes": indexes} if indexes else {})


def put_on_sale(aws: Emulator, table: str, copy: str, event: str) -> None:
    def partition(name: str) -> list[dict]:
        query = {"TableName": table, "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": name}}, "ConsistentRead": True}
        return aws.ask(f"{TARGET}Query", query)["Items"]

    items, number = partition(f"INV#{event}"), 1
    while more := partition(f"INV#{event}#{number:02}"):
        items, number = items + more, number + 1
    for item in items:
        aws.ask(f"{TARGET}PutItem", {"TableName": copy, "Item": item})
