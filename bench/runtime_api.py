"""A Lambda Runtime API that times what it serves (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).

It starts a function's process as Lambda would, waits for its first poll, and then gives it one event after the other, each when the answer to the one before
is there. Nothing of an emulator is between the two.
"""

import json
import queue
import socket
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

POLL_SECONDS = 20
SUCCEEDED = "200"


class DidNotStart(Exception):
    """The process never asked for work."""


@dataclass
class Measured:
    """One process, from its start to its end. Times in milliseconds, memory in KiB."""

    init: float
    init_memory: int
    first: float = 0.0
    warm: list[float] = field(default_factory=list)
    warm_cpu: float = 0.0  # of one warm invocation
    peak_memory: int = 0
    answers: Counter[str] = field(default_factory=Counter)  # HTTP statuses; `done` or `failed` for a function that is not called by the API


class Connection:
    """One HTTP/1.1 connection of the function. Written by hand: a web framework's own time would be measured with the function's."""

    def __init__(self, stream: socket.socket) -> None:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = stream
        self.buffer = b""

    def request(self) -> tuple[bytes, bytes, bytes] | None:
        """The next request: its method, its path and its body."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                return None
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        method, path, _ = lines[0].split(b" ")
        headers = dict(line.lower().split(b": ", 1) for line in lines[1:] if b": " in line)
        if headers.get(b"transfer-encoding") == b"chunked":
            return method, path, self.chunks()
        return method, path, self.take(int(headers.get(b"content-length", b"0")))

    def take(self, length: int) -> bytes:
        while len(self.buffer) < length and self.fill():
            pass
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return body

    def chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                if not self.fill():
                    return body
            size, _, self.buffer = self.buffer.partition(b"\r\n")
            chunk = self.take(int(size.split(b";")[0], 16) + 2)[:-2]
            if not chunk:
                return body
            body += chunk

    def fill(self) -> bool:
        try:
            received = self.stream.recv(65536)
        except OSError:
            return False
        self.buffer += received
        return bool(received)

    def answer(self, status: bytes, headers: dict[str, str], body: bytes) -> None:
        lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
        self.stream.sendall(b"HTTP/1.1 " + status + b"\r\n" + lines + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


class RuntimeApi:
    """The Runtime API of one process."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.polls: queue.Queue[tuple[float, Connection]] = queue.Queue()
        self.answers: queue.Queue[tuple[float, bool, bytes]] = queue.Queue()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(Connection(stream),), daemon=True).start()

    def serve(self, connection: Connection) -> None:
        while request := connection.request():
            now = time.perf_counter()
            _, path, body = request
            if path.endswith(b"/invocation/next"):
                self.polls.put((now, connection))
            elif path.endswith((b"/response", b"/error")):
                connection.answer(b"202 Accepted", {"Content-Type": "application/json"}, b"{}")
                self.answers.put((now, path.endswith(b"/response"), body))
            else:
                connection.answer(b"202 Accepted", {}, b"")

    def close(self) -> None:
        self.listener.close()


def measure(command: list[str], environment: dict[str, str], events: list[dict], only: str | None = SUCCEEDED) -> Measured:
    """Runs a process through these events: the first is its first invocation, the others are warm ones. Every answer must be the `only` one, if there is one."""
    api = RuntimeApi()
    variables = environment | {"AWS_LAMBDA_RUNTIME_API": api.address}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        try:
            polled, connection = api.polls.get(timeout=POLL_SECONDS)
        except queue.Empty:
            process.kill()
            raise DidNotStart(f"{command[-1]}: {process.stderr.read().decode(errors='replace')[-500:]}") from None
        measured = Measured(init=(polled - started) * 1000, init_memory=peak_memory(process.pid))
        cpu_before = 0.0
        for number, event in enumerate(events):
            if number == 1:
                cpu_before = cpu_seconds(process.pid)
            sent = time.perf_counter()
            connection.answer(b"200 OK", {
                "Content-Type": "application/json", "Lambda-Runtime-Aws-Request-Id": f"8476a536-e9f4-11e8-9739-{number:012}",
                "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 30_000), "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:bench",
            }, json.dumps(event).encode())
            answered, succeeded, body = api.answers.get(timeout=POLL_SECONDS)
            answer = kind_of(succeeded, body)
            if only and answer != only:
                raise DidNotStart(f"{command[-1]} answered {body[:500]!r}")
            measured.answers[answer] += 1
            elapsed = (answered - sent) * 1000
            if number == 0:
                measured.first = elapsed
            else:
                measured.warm.append(elapsed)
            _, connection = api.polls.get(timeout=POLL_SECONDS)
        if measured.warm:
            measured.warm_cpu = (cpu_seconds(process.pid) - cpu_before) * 1000 / len(measured.warm)
        measured.peak_memory = peak_memory(process.pid)
        return measured
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        api.close()


def peak_memory(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def kind_of(succeeded: bool, body: bytes) -> str:
    """The HTTP status of an answer, or whether there was one."""
    if not succeeded:
        return "failed"
    answer = json.loads(body or b"null")
    return str(answer["statusCode"]) if isinstance(answer, dict) and "statusCode" in answer else "done"


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads of a process, to the nanosecond (`/proc/…/stat` counts ticks of ten milliseconds)."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9
