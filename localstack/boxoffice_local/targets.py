"""The servers of a local stack: AWS (one of two targets), payments, and the tests' second DynamoDB."""

import json
import os
import platform
import subprocess
from functools import cache
from pathlib import Path

from . import processes, settings
from .console import StepFailed, run_logged, step
from .processes import Server, answers
from .settings import HERE, PLACE, PLACES, Place, python

# The state machine's pauses between retries pass ten times faster: an undo that is retried for minutes on AWS is done in seconds here. Time limits, the
# hold's among them, are not scaled.
WAIT_SCALE = "0.1"
COMPOSE = ["docker", "compose", "--file", str(HERE / "docker-compose.yml")]


def clean_environment(place: Place = PLACE, **more: str) -> dict[str, str]:
    """A server's whole environment. Functions inherit the emulator's, so nothing of the developer's is in it."""
    scratch = place.run / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return {"PATH": os.defpath, "HOME": str(place.run), "TMPDIR": str(scratch), "LANG": "C.UTF-8", **more}


class Process:
    """An emulator that is a process of this machine, with functions as its child processes."""

    payments_hosts = ["127.0.0.1"]
    # Linked with this machine's own linker; else for an older C library, with zig.
    runs_functions_here = True
    version = ""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.payments_url = server.place.payments_url

    def ensure(self) -> bool:
        return self.server.ensure()

    def restart(self) -> None:
        # A new process rather than the emulator's reset call: no timer or function of the old state survives.
        self.server.stop()
        self.server.start()

    def stop(self) -> bool:
        return self.server.stop()

    def status(self) -> str:
        return server_status(self.server)

    def log_files(self) -> list[Path]:
        return [self.server.log]


class Embedded(Process):
    """ministack: AWS in one process."""

    # Whether a deployment can go over an earlier one. If not, each begins on an empty stack.
    updates_stacks = True

    def __init__(self) -> None:
        place = PLACES["embedded"]
        super().__init__(Server(
            name="emulator",
            command=[python("emulator"), str(HERE / "emulator.py")],
            port=place.aws_port,
            port_setting="BOXOFFICE_PORT",
            is_ready=lambda: answers(f"{place.aws_endpoint}/_ministack/ready"),
            depends_on=[HERE / "requirements" / "emulator.txt", HERE / "emulator.py"],
            environment=clean_environment(
                place,
                # Its own address, or functions would call the real AWS; loopback only; and none of the
                # servers it would open beside its port.
                AWS_ENDPOINT_URL=place.aws_endpoint,
                BIND_HOST="127.0.0.1",
                GATEWAY_PORT=str(place.aws_port),
                MINISTACK_HOST="127.0.0.1",
                MINISTACK_REGION=settings.REGION,
                S3_DATA_DIR=str(place.run / "tmp" / "s3"),
                IOT_MTLS_ENABLED="0",
                SFN_WAIT_SCALE=WAIT_SCALE,
                SFTP_ENABLED="0",
                AWS_ACCESS_KEY_ID="test",
                AWS_SECRET_ACCESS_KEY="test",
            ),
            place=place,
        ))


class HostLocalStack(Process):
    """LocalStack without Docker: its own code, with what it would take from its image replaced (`host/README.md`)."""

    updates_stacks = False

    def __init__(self, release: "Release") -> None:
        place = PLACES["localstack"]
        self.version = release.version
        package = HERE / "host" / "lshost"
        super().__init__(Server(
            name="localstack",
            command=[python("localstack"), "-m", "lshost"],
            port=place.aws_port,
            port_setting="BOXOFFICE_LOCALSTACK_PORT",
            is_ready=lambda: answers(f"{place.aws_endpoint}/_localstack/health"),
            depends_on=[*sorted(package.glob("*.py")), release.requirements, HERE / "requirements" / "emulator.txt"],
            environment=clean_environment(
                place,
                PYTHONPATH=str(package.parent),
                GATEWAY_LISTEN=f"127.0.0.1:{place.aws_port}",
                SFN_WAIT_SCALE=WAIT_SCALE,
                LSHOST_HOME=str(place.run / "localstack"),
                LSHOST_MINISTACK=str(settings.VENVS / "emulator" / "bin" / "ministack"),
            ) | passed_on("DYNAMODB_LOCAL_PORT", "BOXOFFICE_LOCALSTACK_DYNAMODB_PORT"),
            # Half a minute of imports on an idle machine.
            start_seconds=300,
            place=place,
        ))

    def status(self) -> str:
        return f"LocalStack {self.version} on the host, {super().status()}"


def passed_on(name: str, variable: str) -> dict[str, str]:
    value = os.environ.get(variable)
    return {name: value} if value else {}


class DockerLocalStack:
    """LocalStack's Docker image. The payment server stays on the host, reached from the containers."""

    payments_url = f"http://host.docker.internal:{PLACES['localstack'].payments_port}"
    runs_functions_here = False
    updates_stacks = False
    version = "4.14.0"

    @property
    def payments_hosts(self) -> list[str]:
        # On Linux, host.docker.internal is the bridge's own address; elsewhere Docker forwards it to loopback.
        return ["127.0.0.1"] + ([docker_bridge_address()] if platform.system() == "Linux" else [])

    def ensure(self) -> bool:
        if answers(f"{PLACES['localstack'].aws_endpoint}/_localstack/health") and self.is_running():
            return False
        run_logged("LocalStack in Docker", [*COMPOSE, "up", "--detach", "--wait"], "localstack-up", env=self.environment())
        return True

    def restart(self) -> None:
        self.stop()
        self.ensure()

    def stop(self) -> bool:
        was_running = self.is_running()
        if was_running:
            run_logged("LocalStack stopped", [*COMPOSE, "down", "--volumes"], "localstack-down", env=self.environment())
        return was_running

    def is_running(self) -> bool:
        return bool(self.compose_output("ps", "--quiet", "--status", "running"))

    def status(self) -> str:
        return "running in Docker" if self.is_running() else "stopped"

    def log_files(self) -> list[Path]:
        log = PLACES["localstack"].logs / "localstack.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(self.compose_output("logs", "--no-color", "--tail", "500"))
        return [log]

    def compose_output(self, *arguments: str) -> str:
        command = [*COMPOSE, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment()).stdout.strip()

    @staticmethod
    def environment() -> dict[str, str]:
        return os.environ | {"BOXOFFICE_LOCALSTACK_PORT": str(PLACES["localstack"].aws_port)}


class OthersLocalStack:
    """A LocalStack that somebody else started: nothing here starts, stops or empties it, but for the stack of ours in it."""

    updates_stacks = False
    version = ""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        # Where Docker answers, its functions run in containers; else they are taken for processes of this machine.
        self.runs_functions_here = not docker_answers()
        docker = DockerLocalStack()
        own = PLACES["localstack"].payments_url if self.runs_functions_here else docker.payments_url
        self.payments_url = os.environ.get("BOXOFFICE_LOCALSTACK_PAYMENTS_URL") or own
        self.payments_hosts = ["127.0.0.1"] if self.runs_functions_here else docker.payments_hosts

    def ensure(self) -> bool:
        if not answers(f"{self.endpoint}/_localstack/health"):
            raise StepFailed(f"BOXOFFICE_LOCALSTACK={self.endpoint} names no LocalStack that answers.")
        return False

    def restart(self) -> None:
        self.ensure()

    def stop(self) -> bool:
        return False

    def status(self) -> str:
        state = "answering" if answers(f"{self.endpoint}/_localstack/health") else "not answering"
        return f"LocalStack at {self.endpoint}, {state}, not ours to start or stop"

    def log_files(self) -> list[Path]:
        return []


class Release:
    """A version of LocalStack for the host, and the Python it runs on."""

    def __init__(self, version: str, python: str) -> None:
        self.version = version
        self.python = python
        self.requirements = HERE / "requirements" / f"localstack-{version}.txt"


# 4.14.0 is the last with a community image, and uses syntax of Python 3.13; 4.12.0 is the last without.
NEWEST, OLDER = "4.14.0", "4.12.0"


@cache
def host_release() -> Release | None:
    """The newest release that this machine can run: one whose Python is found by name or by pyenv."""
    if chosen := os.environ.get("BOXOFFICE_LOCALSTACK_PYTHON"):
        return release_for(chosen)
    candidates = ["python3.13", *pyenv("3.13"), "python3", "python3.12", "python3.11", *pyenv("3.12"), *pyenv("3.11")]
    releases = [found for candidate in candidates if (found := release_for(candidate))]
    return min(releases, key=lambda release: release.version != NEWEST, default=None)


@cache
def release_for(program: str) -> Release | None:
    """The release that this Python can run, if it is one and can make virtual environments."""
    script = "import ensurepip, sys; print(sys.executable, *sys.version_info[:2])"
    try:
        # A shim of pyenv is there and fails, where its version is not selected.
        answer = subprocess.run([program, "-c", script], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0:
        return None
    path, major, minor = answer.stdout.rsplit(maxsplit=2)
    version = (int(major), int(minor))
    if version < (3, 11):
        return None
    return Release(NEWEST if version >= (3, 13) else OLDER, path)


def pyenv(series: str) -> list[str]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return [str(path) for path in sorted(root.glob(f"versions/{series}.*/bin/python"), reverse=True)]


@cache
def docker_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def docker_bridge_address() -> str:
    found = subprocess.run(["docker", "network", "inspect", "bridge"], capture_output=True, text=True)
    if found.returncode != 0:
        raise StepFailed("Docker does not answer: " + found.stderr.strip())
    return json.loads(found.stdout)[0]["IPAM"]["Config"][0]["Gateway"]


Aws = Embedded | HostLocalStack | DockerLocalStack | OthersLocalStack


@cache
def aws(target: str = settings.TARGET) -> Aws:
    if target != "localstack":
        return Embedded()
    way = settings.LOCALSTACK
    if way.startswith("http"):
        return OthersLocalStack(way)
    if way == "docker" or (not way and docker_answers()):
        return DockerLocalStack()
    release = host_release()
    if release is None or platform.system() != "Linux":
        raise StepFailed("LocalStack needs Docker, or on Linux Python 3.13, 3.12 or 3.11 with its venv module. Leave TARGET out for the embedded emulator.")
    return HostLocalStack(release)


def payments(target: str = settings.TARGET) -> Server:
    folder = HERE / "payments"
    place = PLACES[target]
    hosts = [argument for host in aws(target).payments_hosts for argument in ("--host", host)]
    return Server(
        name="payments",
        command=[
            python("payments"), str(folder / "payment_server.py"), *hosts,
            "--port", str(place.payments_port),
        ],
        port=place.payments_port,
        port_setting="BOXOFFICE_PAYMENTS_PORT" if target == "embedded" else "BOXOFFICE_LOCALSTACK_PAYMENTS_PORT",
        is_ready=lambda: answers(f"{place.payments_url}/_control/health"),
        depends_on=[*sorted(folder.glob("*.py")), HERE / "requirements" / "payments.txt"],
        environment=clean_environment(place),
        place=place,
    )


def moto() -> Server:
    return Server(
        name="moto",
        command=[str(settings.VENVS / "moto" / "bin" / "moto_server"), "--host", "127.0.0.1", "--port", str(settings.MOTO_PORT)],
        port=settings.MOTO_PORT,
        port_setting="BOXOFFICE_MOTO_PORT",
        is_ready=lambda: answers(f"{settings.MOTO_ENDPOINT}/moto-api/data.json"),
        depends_on=[HERE / "requirements" / "moto.txt"],
        environment=clean_environment(PLACES["embedded"], AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"),
        place=PLACES["embedded"],
    )


def server_status(server: Server) -> str:
    if not server.is_running():
        return "stopped"
    return f"running on 127.0.0.1:{server.port}" if server.is_ready() else "running, but not answering"


def announce_webhook(api_url: str) -> None:
    """Tells the payment server where its events go: to the stack that is deployed."""
    webhook = {"url": f"{api_url}/payments/stripe/events", "secrets": [settings.STRIPE_WEBHOOK_SECRET]}
    processes.post(f"{settings.PAYMENTS_URL}/_control/webhook", webhook)


def reset_payments() -> None:
    with step("payment server emptied"):
        processes.post(f"{settings.PAYMENTS_URL}/_control/reset")
