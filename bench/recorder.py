"""Stands between the functions and the emulator, and writes down what they ask of AWS.

A function gets its endpoints by variables (`AWS_ENDPOINT_URL_<SERVICE>`), each with the function's name as its path, so that a request names its function.
Items are read before and after each write, because the cost of a write depends on both (`units.py`).
"""

import http.client
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from units import Item, Table, item_size, reads_of, writes_of


@dataclass
class Call:
    """One request of a function."""

    function: str
    operation: str  # DynamoDB.TransactWriteItems, AWSEvents.PutEvents, …
    writes: int = 0
    reads: float = 0
    events: int = 0
    failed: bool = False


class Emulator:
    """AWS itself, asked by the bench."""

    def __init__(self, url: str) -> None:
        self.address = urlsplit(url).netloc

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def ask(self, target: str, body: dict) -> dict:
        version = "1.0" if target.startswith("DynamoDB") or target.startswith("AWSStepFunctions") else "1.1"
        headers = {
            "Content-Type": f"application/x-amz-json-{version}", "X-Amz-Target": target,
            # No emulator verifies the signature; its scope names the service and the region.
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/any/aws4_request, SignedHeaders=host, Signature=0",
        }
        status, _, answer = self.send("POST", "/", json.dumps(body).encode(), headers)
        if status != 200:
            raise RuntimeError(f"{target} answered {status}: {answer[:500]!r}")
        return json.loads(answer or b"{}")

    def item(self, table: str, key: Item) -> Item | None:
        return self.ask("DynamoDB_20120810.GetItem", {"TableName": table, "Key": key, "ConsistentRead": True}).get("Item")


@dataclass
class Recorder:
    """Listens on a port of its own until it is closed."""

    emulator: Emulator
    calls: list[Call] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Recorder":
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # noqa: N802
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, answer = recorder.pass_on(self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def url(self, function: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{function}"

    def taken(self) -> list[Call]:
        """The calls recorded since the last `taken`."""
        with self.lock:
            calls, self.calls = self.calls, []
        return calls

    def table(self, name: str) -> Table:
        if name not in self.tables:
            self.tables[name] = Table.described(self.emulator.ask("DynamoDB_20120810.DescribeTable", {"TableName": name})["Table"])
        return self.tables[name]

    def pass_on(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        _, function, *rest = path.split("/", 2)
        target = next((value for name, value in headers.items() if name.lower() == "x-amz-target"), "")
        call = Call(function, target.replace("_20120810", "") or self.query_action(body))
        request = json.loads(body) if target else {}
        written = self.written(call.operation, request)
        before = [self.emulator.item(table.name, key) for table, key in written]
        status, answer_headers, answer = self.emulator.send("POST", "/" + "".join(rest), body, headers)
        call.failed = status != 200
        after = [self.emulator.item(table.name, key) for table, key in written]
        transaction = call.operation.endswith("TransactWriteItems")
        call.writes = sum(table.write(old, new, transaction) for (table, _), old, new in zip(written, before, after))
        call.writes += sum(2 * writes_of(item_size(self.emulator.item(check["TableName"], check["Key"]))) for check in self.checks(call.operation, request))
        if status == 200 and target:
            call.reads = self.read(call.operation, request, json.loads(answer or b"{}"))
        call.events = len(request.get("Entries", [])) if call.operation.endswith("PutEvents") else 0
        with self.lock:
            self.calls.append(call)
        return status, answer_headers, answer

    @staticmethod
    def query_action(body: bytes) -> str:
        return next((f"Query.{part[7:]}" for part in body.decode(errors="replace").split("&") if part.startswith("Action=")), "unknown")

    @staticmethod
    def checks(operation: str, request: dict) -> list[dict]:
        return [item["ConditionCheck"] for item in request.get("TransactItems", []) if "ConditionCheck" in item] if operation.endswith("TransactWriteItems") else []

    def written(self, operation: str, request: dict) -> list[tuple[Table, Item]]:
        """The keys that a request writes."""
        match operation:
            case "DynamoDB.PutItem":
                return [self.keyed(request["TableName"], request["Item"])]
            case "DynamoDB.UpdateItem" | "DynamoDB.DeleteItem":
                return [self.keyed(request["TableName"], request["Key"])]
            case "DynamoDB.TransactWriteItems":
                writes = [(name, write) for item in request["TransactItems"] for name, write in item.items() if name != "ConditionCheck"]
                return [self.keyed(write["TableName"], write["Item"] if name == "Put" else write["Key"]) for name, write in writes]
            case "DynamoDB.BatchWriteItem":
                raise NotImplementedError("nobody wrote in batches when this was written: say here how it is counted")
        return []

    def keyed(self, table: str, item: Item) -> tuple[Table, Item]:
        described = self.table(table)
        return described, {key: item[key] for key in described.keys}

    def read(self, operation: str, request: dict, answer: dict) -> float:
        consistent = request.get("ConsistentRead", False)
        match operation:
            case "DynamoDB.GetItem":
                # Attributes that a projection leaves out are billed, too.
                return reads_of(item_size(self.emulator.item(request["TableName"], request["Key"])), consistent)
            case "DynamoDB.Query":
                return reads_of(sum(item_size(item) for item in answer.get("Items", [])), consistent)
            case "DynamoDB.BatchGetItem":
                return sum(
                    reads_of(item_size(item), request["RequestItems"][table].get("ConsistentRead", False))
                    for table, items in answer.get("Responses", {}).items()
                    for item in items
                )
            case "DynamoDB.TransactGetItems" | "DynamoDB.Scan":
                raise NotImplementedError(f"nobody made a {operation} when this was written: say here how it is counted")
        return 0
