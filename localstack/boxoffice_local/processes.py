"""Servers that outlive the command that started them: pid files, process groups, ports."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import fingerprint
from .console import StepFailed, say, step, tail
from .settings import PLACE, ROOT, Place

STOP_SECONDS = 2  # then killed: nothing here keeps state worth a slow goodbye


@dataclass
class Server:
    """One background process, with all the processes it starts."""

    name: str
    command: list[str]
    port: int
    port_setting: str  # the environment variable that moves it to another port
    is_ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    depends_on: list[Path] = field(default_factory=list)  # files whose change asks for a restart
    start_seconds: int = 60
    place: Place = PLACE

    @property
    def pid_file(self) -> Path:
        return self.place.run / f"{self.name}.json"

    @property
    def log(self) -> Path:
        return self.place.logs / f"{self.name}.log"

    def identity(self) -> str:
        """A hash of the server's files, command and environment; a running server with another one is out of date."""
        return fingerprint.of(self.depends_on, *self.command, json.dumps(self.environment, sort_keys=True))

    def recorded(self) -> dict | None:
        """The pid file, unless its process is gone (or its number has been given to another)."""
        try:
            record = json.loads(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        return record if birth(record["pid"]) == record["birth"] else None

    def is_running(self) -> bool:
        return self.recorded() is not None

    def ensure(self) -> bool:
        """Starts the server unless it runs already; says whether it did."""
        record = self.recorded()
        if record and record["identity"] == self.identity() and self.is_ready():
            return False
        self.stop()
        self.start()
        return True

    def start(self) -> None:
        refuse_taken_port(self)
        for folder in (self.place.run, self.place.logs):
            folder.mkdir(parents=True, exist_ok=True)
        with step(f"{self.name} on 127.0.0.1:{self.port}"), self.log.open("w") as output:
            process = subprocess.Popen(
                self.command, cwd=self.place.run, env=self.environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )
            self.pid_file.write_text(
                json.dumps({"pid": process.pid, "birth": birth(process.pid), "identity": self.identity()})
            )
            self.wait_until_ready(process)

    def wait_until_ready(self, process: subprocess.Popen) -> None:
        deadline = time.monotonic() + self.start_seconds
        while not self.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                say("\n".join("    " + line for line in tail(self.log, 20)))
                raise StepFailed(f"{self.name} did not start. Its log: {self.log.relative_to(ROOT)}")
            time.sleep(0.1)

    def stop(self) -> bool:
        """Ends the whole process group, Lambda functions included; says whether it ran."""
        record = self.recorded()
        self.pid_file.unlink(missing_ok=True)
        if not record:
            return False
        group = record["pid"]  # it leads its own session, so its pid is also its group's id
        # After SIGKILL too: until the last thread is gone the port is taken, and a restart would refuse it as somebody else's.
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal_group(group, number)
            deadline = time.monotonic() + STOP_SECONDS
            while group_exists(group) and time.monotonic() < deadline:
                time.sleep(0.05)
        return True


def stop_all(place: Place) -> bool:
    """Ends every server of this place that left a pid file; says whether there was one."""
    servers = [Server(file.stem, [], 0, "", lambda: False, place=place) for file in place.run.glob("*.json")]
    return any([server.stop() for server in servers])


def birth(pid: int) -> str | None:
    """The start time of a process, which together with its pid identifies it; None when there is no such process."""
    try:
        # The 22nd field, counted after the name, which may itself hold spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except OSError:
        pass
    if os.path.isdir("/proc/self"):
        return None
    listing = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
    return listing.stdout.strip() or None


def signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def group_exists(group: int) -> bool:
    """Whether a process of the group still runs; the dead that nobody has collected yet do not count."""
    if os.path.isdir("/proc/self"):
        return any(is_alive_in(group, Path(entry.path)) for entry in os.scandir("/proc") if entry.name.isdigit())
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False


def is_alive_in(group: int, process: Path) -> bool:
    try:
        state, _parent, its_group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return False
    return int(its_group) == group and state != "Z"


def refuse_taken_port(server: Server) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", server.port)) == 0:
            raise StepFailed(
                f"Port {server.port} ({server.name}) is taken by a process that is not ours. "
                f"Stop it, or choose another port: {server.port_setting}={server.port + 1000} make up"
            )


def answers(url: str) -> bool:
    """Whether a GET of this loopback address succeeds."""
    try:
        with LOOPBACK.open(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


def post(url: str, document: dict | None = None) -> None:
    body = None if document is None else json.dumps(document).encode()
    headers = {"Content-Type": "application/json"} if body else {}
    LOOPBACK.open(urllib.request.Request(url, body, headers, method="POST"), timeout=30).close()


# Never through a proxy: everything we talk to is on this machine.
LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))
