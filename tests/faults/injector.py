"""A Lambda function that stands in front of one state of the booking saga, and injects the faults that a test has planned.

`localstack/fault_injection.py` deploys one for each task of the machine, and the machine calls it in place of the step. It is a small Lambda of its own: it gives
the step's real program the event, and relays the program's calls of AWS and of the payment provider, so that it can kill, freeze or cut off that
program at exactly one of its writes. The program is the deployed one and knows nothing of this.

The plan for a booking is in `<folder>/<client correlation id>.json`, a list of faults by state; the journal is `<folder>/<client correlation id>.jsonl`, a line
an attempt. Only the standard library: it runs wherever the emulator starts a process.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

RUNTIME = os.environ["AWS_LAMBDA_RUNTIME_API"]
AWS = os.environ["AWS_ENDPOINT_URL"]
FOLDER = Path(os.environ["FAULTS_FOLDER"])
STATE = os.environ["FAULTS_STATE"]
PROGRAM = os.environ.get("FAULTS_PROGRAM")  # absent where the state calls a service and no function
PROVIDER = os.environ.get("STRIPE_API_BASE")

# Longer than a state waits for its function (30 s): a program that is thawed then does its work when nobody waits for it any more.
FREEZE_SECONDS = 33
STEP_SECONDS = 60  # then a step is given up; its own clients give up after 12
DYNAMODB_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}
OTHER_WRITES = {"SendMessage", "SendTaskSuccess", "SendTaskFailure", "PutEvents"}

CRASHED = {"errorType": "Runtime.ExitError", "errorMessage": "the process was killed"}


def main() -> None:
    while True:
        event, request_id = next_invocation()
        kind, answer = Attempt(event).run()
        post_answer(request_id, kind, answer)


def next_invocation() -> tuple[dict, str]:
    connection = http.client.HTTPConnection(RUNTIME)
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    response = connection.getresponse()
    event = json.loads(response.read())
    return event, response.headers["lambda-runtime-aws-request-id"]


def post_answer(request_id: str, kind: str, answer: object) -> None:
    connection = http.client.HTTPConnection(RUNTIME)
    body = json.dumps(answer)
    connection.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/{kind}", body, {"Content-Type": "application/json"})
    connection.getresponse().read()


def correlation_of(event: dict) -> str:
    """The client correlation id of the event's booking. Every state's input has it in one of these places."""
    message = json.loads(event["MessageBody"]) if "MessageBody" in event else {}
    found = event.get("clientCorrelationId") or event.get("trace", {}).get("clientCorrelationId") or message.get("clientCorrelationId")
    return str(found)


class Attempt:
    """One call of the state's function, and what goes wrong with it."""

    def __init__(self, event: dict) -> None:
        self.event = event
        self.correlation_id = correlation_of(event)
        self.journal = FOLDER / f"{self.correlation_id}.jsonl"
        self.fault = self.planned()
        self.writes: list[str] = []
        self.happened = 0
        self.lock = threading.Lock()

    def planned(self) -> dict:
        try:
            plan = json.loads((FOLDER / f"{self.correlation_id}.json").read_text())
        except FileNotFoundError:
            return {}
        done = [line for line in self.earlier() if line["state"] == STATE]
        for fault in plan.get(STATE, []):
            hits = sum(1 for line in done if line["fault"] == fault["kind"] and line["happened"])
            if fault.get("times") is None or hits < fault["times"]:
                return fault
        return {}

    def earlier(self) -> list[dict]:
        try:
            return [json.loads(line) for line in self.journal.read_text().splitlines()]
        except FileNotFoundError:
            return []

    def run(self) -> tuple[str, object]:
        kind, answer = self.outcome()
        line = {
            "state": STATE, "fault": self.fault.get("kind"), "happened": bool(self.happened), "writes": self.writes,
            "outcome": answer.get("errorType", "?") if kind == "error" else "ok",
            "executionArn": self.event.get("executionArn"), "at": time.time(),
        }
        # One write of less than a page: lines of two attempts at once do not mix.
        with self.journal.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return kind, answer

    def outcome(self) -> tuple[str, object]:
        match self.fault.get("kind"):
            case "refusal":
                self.happened += 1
                return "error", {"errorType": self.fault["error"], "errorMessage": "a refusal that a test has planned"}
            case "unheard":
                # Done, as far as the machine can tell, and a task token goes nowhere. A call that failed would not do: AWS then fails the task, and some emulators wait on.
                self.happened += 1
                return "response", {}
            case "duplicate" if self.earlier_attempts() == 0:
                return self.twice_at_once()
            case "duplicate":
                self.happened += 1
                self.step()
                return self.step()
            case _:
                return self.step()

    def earlier_attempts(self) -> int:
        return sum(1 for line in self.earlier() if line["state"] == STATE)

    def twice_at_once(self) -> tuple[str, object]:
        self.happened += 1
        answers: list[tuple[str, object]] = []
        twins = [threading.Thread(target=lambda: answers.append(self.step())) for _ in range(2)]
        for twin in twins:
            twin.start()
        for twin in twins:
            twin.join()
        return answers[-1]

    def step(self) -> tuple[str, object]:
        return Step(self).run() if PROGRAM else self.service()

    def service(self) -> tuple[str, object]:
        """The state's call of SQS, made in its place."""
        def call() -> tuple[str, object]:
            body = json.dumps(self.event).encode()
            headers = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
            status, _, answer = forward(AWS, "POST", "/", headers | AUTHORIZATION, body)
            failed = {"errorType": "SQS.SqsException", "errorMessage": answer.decode(errors="replace")}
            return ("response", json.loads(answer)) if status == 200 else ("error", failed)

        match self.before_write("SendMessage"):
            case "outage":
                return "error", {"errorType": "SQS.SqsException", "errorMessage": "the service is out, as planned"}
            case "kill":
                return "error", CRASHED
            case "freeze":
                time.sleep(FREEZE_SECONDS)
        answer = call()
        return ("error", CRASHED) if self.after_write() == "kill" else answer

    # Called by the relay at each write.

    def before_write(self, name: str) -> str | None:
        with self.lock:
            self.writes.append(name)
            number = len(self.writes)
            match self.fault.get("kind"):
                case "outage":
                    self.happened += 1
                    return "outage"
                case "crash-before" if number == self.fault["write"]:
                    self.happened += 1
                    return "kill"
                case "freeze" if number == 1:
                    self.happened += 1
                    return "freeze"
        return None

    def after_write(self) -> str | None:
        with self.lock:
            if self.fault.get("kind") == "crash-after" and len(self.writes) == self.fault["write"]:
                self.happened += 1
                return "kill"
        return None

    def is_out(self) -> bool:
        """An outage takes reads too."""
        if self.fault.get("kind") == "outage":
            self.happened += 1
            return True
        return False


# An emulator wants to see credentials and does not look at them.
AUTHORIZATION = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20300101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
}


class Step:
    """The state's real program, run once."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.asked = False
        self.answer: tuple[str, object] | None = None
        self.answered = threading.Event()
        self.process: subprocess.Popen | None = None

    def run(self) -> tuple[str, object]:
        servers = {name: serve(handler, self) for name, handler in HANDLERS.items()}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FAULTS_")}
        environment |= {
            "AWS_LAMBDA_RUNTIME_API": address(servers["runtime"]),
            "AWS_ENDPOINT_URL": f"http://{address(servers['aws'])}",
        }
        if PROVIDER:
            environment["STRIPE_API_BASE"] = f"http://{address(servers['provider'])}"
        self.process = subprocess.Popen([PROGRAM], env=environment, stdin=subprocess.DEVNULL)
        threading.Thread(target=self.wait_for_death, daemon=True).start()
        self.answered.wait(STEP_SECONDS + (FREEZE_SECONDS if self.attempt.fault.get("kind") == "freeze" else 0))
        self.kill()
        for server in servers.values():
            threading.Thread(target=server.shutdown, daemon=True).start()
            server.server_close()
        return self.answer or ("error", CRASHED)

    def wait_for_death(self) -> None:
        self.process.wait()
        self.answered.set()

    def settle(self, kind: str, answer: object) -> None:
        self.answer = (kind, answer)
        self.answered.set()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        try:
            self.process.send_signal(number)
        except ProcessLookupError:
            pass


def serve(handler: type[BaseHTTPRequestHandler], step: Step) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.step = step
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def address(server: ThreadingHTTPServer) -> str:
    return f"127.0.0.1:{server.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    @property
    def step(self) -> Step:
        return self.server.step

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # the program that asked is dead by now


class RuntimeApi(Handler):
    """Lambda's Runtime API, with one invocation."""

    def do_GET(self) -> None:
        if self.step.asked:
            # There is no second invocation: the program waits for it until it is killed.
            self.step.answered.wait()
            return
        self.step.asked = True
        deadline = int((time.time() + STEP_SECONDS) * 1000)
        self.reply(200, json.dumps(self.step.attempt.event).encode(), {
            "Content-Type": "application/json", "Lambda-Runtime-Aws-Request-Id": "planned",
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:planned",
            "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
        })

    def do_POST(self) -> None:
        body = self.body()
        self.reply(202, b"", {})
        kind = "response" if self.path.endswith("/response") else "error"
        self.step.settle(kind, json.loads(body or b"null"))


class Relay(Handler):
    """Passes the program's calls on, unless a fault is planned."""

    target = AWS

    def write_name(self, body: bytes) -> str | None:
        raise NotImplementedError

    def relay(self) -> None:
        attempt, body = self.step.attempt, self.body()
        name = self.write_name(body)
        order = attempt.before_write(name) if name else ("outage" if attempt.is_out() else None)
        if order == "outage":
            # The form in which DynamoDB and SSM say that it is their fault; to the provider's client any 500 says so.
            self.reply(500, b'{"__type":"InternalServerError","message":"out, as planned"}', {"Content-Type": "application/x-amz-json-1.0"})
            return
        if order == "kill":
            self.end()
            return
        if order == "freeze":
            self.step.signal(signal.SIGSTOP)
            time.sleep(FREEZE_SECONDS)
            self.step.signal(signal.SIGCONT)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length", "connection")}
        status, answer_headers, answer = forward(self.target, self.command, self.path, headers, body)
        if name and attempt.after_write() == "kill":
            self.end()
            return
        self.reply(status, answer, answer_headers)

    def end(self) -> None:
        self.step.settle("error", CRASHED)
        self.step.kill()
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = relay


class AwsRelay(Relay):
    def write_name(self, body: bytes) -> str | None:
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        # The circuit breaker's counters are everybody's: how often they are written depends on other bookings.
        if operation in DYNAMODB_WRITES and b'"BREAKER"' in body:
            return None
        return operation if operation in DYNAMODB_WRITES | OTHER_WRITES else None


class ProviderRelay(Relay):
    target = PROVIDER

    def write_name(self, body: bytes) -> str | None:
        return f"{self.command} {self.path.split('/pi_')[0]}" if self.command != "GET" else None


HANDLERS: dict[str, type[Handler]] = {"runtime": RuntimeApi, "aws": AwsRelay, "provider": ProviderRelay}


def forward(target: str, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(target).netloc, timeout=STEP_SECONDS)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        kept = {name: value for name, value in response.getheaders() if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server")}
        return response.status, kept, answer
    except OSError as problem:
        return 503, {}, str(problem).encode()
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, ConnectionError, http.client.HTTPException):
        sys.exit(0)  # the emulator has ended this environment
