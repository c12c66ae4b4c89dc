"""The servers of a local stack: AWS (one of two targets), payments, and the tests' second DynamoDB."""

import json
import os
import platform
import subprocess
from pathlib import Path

from . import processes, settings
from .console import StepFailed, run_logged, step
from .processes import Server, answers
from .settings import HERE, RUN, python

COMPOSE = ["docker", "compose", "--file", str(HERE / "docker-compose.yml")]


def clean_environment(**more: str) -> dict[str, str]:
    """A server's whole environment. Functions inherit the emulator's, so nothing of the developer's is in it."""
    scratch = RUN / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return {"PATH": os.defpath, "HOME": str(RUN), "TMPDIR": str(scratch), "LANG": "C.UTF-8", **more}


class Embedded:
    """ministack: AWS in one process, functions as its child processes."""

    payments_url = settings.PAYMENTS_URL
    payments_hosts = ["127.0.0.1"]

    def __init__(self) -> None:
        self.server = Server(
            name="emulator",
            command=[str(settings.VENVS / "emulator" / "bin" / "ministack")],
            port=settings.AWS_PORT,
            port_setting="BOXOFFICE_PORT",
            is_ready=lambda: answers(f"{settings.AWS_ENDPOINT}/_ministack/ready"),
            depends_on=[HERE / "requirements" / "emulator.txt"],
            environment=clean_environment(
                # Its own address, or functions would call the real AWS; loopback only; and none of the
                # servers it would open beside its port.
                AWS_ENDPOINT_URL=settings.AWS_ENDPOINT,
                BIND_HOST="127.0.0.1",
                GATEWAY_PORT=str(settings.AWS_PORT),
                MINISTACK_HOST="127.0.0.1",
                MINISTACK_REGION=settings.REGION,
                S3_DATA_DIR=str(RUN / "tmp" / "s3"),
                IOT_MTLS_ENABLED="0",
                # The state machine's pauses between retries pass ten times faster: an undo that is retried for minutes on AWS
                # is done in seconds here. Time limits, the hold's among them, are not scaled.
                SFN_WAIT_SCALE="0.1",
                SFTP_ENABLED="0",
                AWS_ACCESS_KEY_ID="test",
                AWS_SECRET_ACCESS_KEY="test",
            ),
        )

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


class LocalStack:
    """LocalStack's Docker image. The payment server stays on the host, reached from the containers."""

    payments_url = f"http://host.docker.internal:{settings.PAYMENTS_PORT}"

    @property
    def payments_hosts(self) -> list[str]:
        # On Linux, host.docker.internal is the bridge's own address; elsewhere Docker forwards it to loopback.
        return ["127.0.0.1"] + ([docker_bridge_address()] if platform.system() == "Linux" else [])

    def ensure(self) -> bool:
        if answers(f"{settings.AWS_ENDPOINT}/_localstack/health") and self.is_running():
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
        log = settings.LOGS / "localstack.log"
        log.write_text(self.compose_output("logs", "--no-color", "--tail", "500"))
        return [log]

    def compose_output(self, *arguments: str) -> str:
        command = [*COMPOSE, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment()).stdout.strip()

    @staticmethod
    def environment() -> dict[str, str]:
        return os.environ | {"BOXOFFICE_PORT": str(settings.AWS_PORT)}


def docker_bridge_address() -> str:
    found = subprocess.run(["docker", "network", "inspect", "bridge"], capture_output=True, text=True)
    if found.returncode != 0:
        raise StepFailed("Docker does not answer: " + found.stderr.strip())
    return json.loads(found.stdout)[0]["IPAM"]["Config"][0]["Gateway"]


def aws() -> Embedded | LocalStack:
    return LocalStack() if settings.TARGET == "localstack" else Embedded()


def payments() -> Server:
    folder = HERE / "payments"
    hosts = [argument for host in aws().payments_hosts for argument in ("--host", host)]
    return Server(
        name="payments",
        command=[
            python("payments"), str(folder / "payment_server.py"), *hosts,
            "--port", str(settings.PAYMENTS_PORT), "--localstripe-port", str(settings.LOCALSTRIPE_PORT),
        ],
        port=settings.PAYMENTS_PORT,
        port_setting="BOXOFFICE_PAYMENTS_PORT",
        is_ready=lambda: answers(f"{settings.PAYMENTS_URL}/_control/health"),
        depends_on=[folder / "payment_server.py", folder / "localstripe_server.py", HERE / "requirements" / "payments.txt"],
        environment=clean_environment(),
    )


def moto() -> Server:
    return Server(
        name="moto",
        command=[str(settings.VENVS / "moto" / "bin" / "moto_server"), "--host", "127.0.0.1", "--port", str(settings.MOTO_PORT)],
        port=settings.MOTO_PORT,
        port_setting="BOXOFFICE_MOTO_PORT",
        is_ready=lambda: answers(f"{settings.MOTO_ENDPOINT}/moto-api/data.json"),
        depends_on=[HERE / "requirements" / "moto.txt"],
        environment=clean_environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"),
    )


def server_status(server: Server) -> str:
    if not server.is_running():
        return "stopped"
    return f"running on 127.0.0.1:{server.port}" if server.is_ready() else "running, but not answering"


def reset_payments() -> None:
    with step("payment server emptied"):
        processes.post(f"{settings.PAYMENTS_URL}/_control/reset")
