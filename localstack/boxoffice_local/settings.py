"""Paths, ports, and the environment in which commands run."""

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "localstack"
LOCAL = ROOT / ".local"
VENVS = LOCAL / "venv"
NODE = LOCAL / "node"

REGION = "us-east-1"
STACK_NAME = "boxoffice-local"
STRIPE_KEY_PARAMETER = "/boxoffice/local/stripe-secret-key"
STRIPE_KEY = "sk_test_boxoffice_local"  # any sk_test_ key will do for the local payment server
STRIPE_WEBHOOK_SECRETS_PARAMETER = "/boxoffice/local/stripe-webhook-secrets"
STRIPE_WEBHOOK_SECRET = "whsec_boxoffice_local"  # the local payment server signs its events with it
NOTIFICATION_SENDER = "no-reply@boxoffice.example"
# Not a secret: nobody else reaches this machine's stack. On AWS, `boxoffice admin create` asks for a password.
ADMIN = {"username": "admin", "email": "admin@boxoffice.example", "first-name": "Ada", "last-name": "Admin"}
ADMIN_PASSWORD = "boxoffice-local-admin"



def port(variable: str, default: int) -> int:
    return int(os.environ.get(variable) or default)


@dataclass(frozen=True)
class Place:
    """The ports and files of one target. No two targets share any, so that both can run at once."""

    target: str
    state: Path
    aws_endpoint: str
    aws_port: int
    payments_port: int
    # Parameters of the template that differ there from samconfig.toml's.
    parameters: tuple[str, ...] = ()

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def stack_file(self) -> Path:
        return self.state / "stack.json"

    @property
    def api_url_file(self) -> Path:
        return self.state / "api-url"

    @property
    def payments_url(self) -> str:
        return f"http://127.0.0.1:{self.payments_port}"


def place(target: str, state: Path, prefix: str, first_port: int, endpoint: str = "", parameters: tuple[str, ...] = ()) -> Place:
    aws_port = port(f"{prefix}_PORT", first_port)
    return Place(
        target, state, endpoint or f"http://127.0.0.1:{aws_port}", aws_port,
        port(f"{prefix}_PAYMENTS_PORT", first_port + 1), parameters,
    )


# "embedded" is ministack, a process beside us; "localstack" is LocalStack, in Docker or as a process (targets.py).
TARGET = os.environ.get("TARGET") or "embedded"
# How LocalStack runs: "docker", "host", or the address of one that somebody else started. Unset: in Docker where an engine answers, else on the host.
LOCALSTACK = (os.environ.get("BOXOFFICE_LOCALSTACK") or "").rstrip("/")

# Addresses, not names: S3 clients turn http://localhost into http://BUCKET.localhost.
PLACES = {
    "embedded": place("embedded", LOCAL, "BOXOFFICE", 4566),
    "localstack": place(
        "localstack", LOCAL / "localstack", "BOXOFFICE_LOCALSTACK", 4666, LOCALSTACK if LOCALSTACK.startswith("http") else "",
        # It takes seconds to start a function on a busy machine: a test's buyer must not lose the seats meanwhile.
        ("HoldSeconds=45",),
    ),
}
PLACE = PLACES.get(TARGET, PLACES["embedded"])

LOGS = PLACE.logs
RUN = PLACE.run
API_URL_FILE = PLACE.api_url_file
STACK_FILE = PLACE.stack_file
AWS_ENDPOINT = PLACE.aws_endpoint
PAYMENTS_URL = PLACE.payments_url
MOTO_PORT = port("BOXOFFICE_MOTO_PORT", 5005)
MOTO_ENDPOINT = f"http://127.0.0.1:{MOTO_PORT}"
# Parameters of the template that are to differ from samconfig.toml's, separated by spaces: BOXOFFICE_PARAMETERS="AccessLogs=true LogRetentionDays=1".
PARAMETERS = [*PLACE.parameters, *(os.environ.get("BOXOFFICE_PARAMETERS") or "").split()]
# How long a deployment may take. CloudFormation here makes about 200 resources, on LocalStack at one or two a second.
DEPLOY_MINUTES = port("BOXOFFICE_DEPLOY_MINUTES", 15)


def python(venv: str) -> str:
    """The Python of one of our virtual environments."""
    return str(VENVS / venv / "bin" / "python")


def tool(name: str) -> str:
    """A program of the tools' virtual environment."""
    return str(VENVS / "tools" / "bin" / name)


def architecture() -> str:
    """This machine's processor, as Lambda names it."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def aws_environment() -> dict[str, str]:
    """The variables that point every AWS client at the local endpoint, and nowhere else."""
    return {
        "AWS_ENDPOINT_URL": AWS_ENDPOINT,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # A developer's own profile, configuration file or proxy must not leak into the local stack.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def cargo_environment() -> dict[str, str]:
    """The variables by which cargo, cargo-lambda and SAM share one target/.

    cargo-lambda always names the target and adds `-C target-cpu=haswell` through a configuration that an
    environment's RUSTFLAGS, even empty, overrides. With both set here, `cargo test` and `cargo clippy` share what they
    compile for themselves, and the binaries run on any x86-64 machine.
    """
    # This machine's own linker, since functions run as its processes. Where they run in Docker's images, `deployment.build` takes the last one out.
    return {"RUSTFLAGS": os.environ.get("RUSTFLAGS", ""), "CARGO_BUILD_TARGET": host_triple(), "CARGO_LAMBDA_COMPILER": "cargo"}


def function_flags() -> str:
    """The rustc flags for functions, beyond their profile: no unwind tables, which nothing reads in a program that aborts. The same flags are in README and
    docs/deploying.md for AWS; docs/adr/0007-one-release-profile.md has the figures."""
    return f"{os.environ.get('RUSTFLAGS', '')} -Cforce-unwind-tables=no".strip()


def environment() -> dict[str, str]:
    """The whole environment of a command that builds, deploys or tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = os.pathsep.join([str(VENVS / "tools" / "bin"), inherited.get("PATH", os.defpath)])
    return inherited | aws_environment() | cargo_environment() | {
        "PATH": path,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.5",  # SAM asks for stack events every 5 s, CloudFormation's rate limit in mind
        "BOXOFFICE_STACK": str(STACK_FILE),
    }


@cache
def host_triple() -> str:
    """rustc's name for this machine, such as x86_64-unknown-linux-gnu."""
    try:
        text = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return f"{platform.machine()}-unknown-linux-gnu"  # set-up says that Rust is missing
    return next(line.split()[1] for line in text.splitlines() if line.startswith("host:"))
