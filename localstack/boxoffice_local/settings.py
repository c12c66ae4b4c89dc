"""Where things are, which ports they use, and the environment commands run in."""

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "localstack"
LOCAL = ROOT / ".local"
LOGS = LOCAL / "logs"
RUN = LOCAL / "run"
VENVS = LOCAL / "venv"
NODE = LOCAL / "node"
API_URL_FILE = LOCAL / "api-url"
STACK_FILE = LOCAL / "stack.json"

REGION = "us-east-1"
STACK_NAME = "boxoffice-local"
STRIPE_KEY_PARAMETER = "/boxoffice/local/stripe-secret-key"
STRIPE_KEY = "sk_test_boxoffice_local"  # any sk_test_ key will do for the local payment server
NOTIFICATION_SENDER = "no-reply@boxoffice.example"
# Of this laptop's stack, which nobody else reaches: no secret. On AWS, `boxoffice admin create` asks for one.
ADMIN = {"username": "admin", "email": "admin@boxoffice.example", "first-name": "Ada", "last-name": "Admin"}
ADMIN_PASSWORD = "boxoffice-local-admin"

# "embedded" is ministack, a process beside us; "localstack" is LocalStack in Docker.
TARGET = os.environ.get("TARGET") or "embedded"

AWS_PORT = int(os.environ.get("BOXOFFICE_PORT") or 4566)
PAYMENTS_PORT = int(os.environ.get("BOXOFFICE_PAYMENTS_PORT") or 4567)
LOCALSTRIPE_PORT = int(os.environ.get("BOXOFFICE_LOCALSTRIPE_PORT") or 4568)
MOTO_PORT = int(os.environ.get("BOXOFFICE_MOTO_PORT") or 5005)

# Addresses, not names: S3 clients turn http://localhost into http://BUCKET.localhost.
AWS_ENDPOINT = f"http://127.0.0.1:{AWS_PORT}"
PAYMENTS_URL = f"http://127.0.0.1:{PAYMENTS_PORT}"
MOTO_ENDPOINT = f"http://127.0.0.1:{MOTO_PORT}"


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
    """What points every AWS client at the local endpoint, and nowhere else."""
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
    """What makes cargo, cargo-lambda and SAM share one target/.

    cargo-lambda always names the target and adds `-C target-cpu=haswell` through a configuration that an
    environment's RUSTFLAGS, even empty, overrides. With both set here, `cargo test` and `cargo clippy` share what they
    compile for themselves, and the binaries run on any x86-64 machine.
    """
    environment = {"RUSTFLAGS": os.environ.get("RUSTFLAGS", ""), "CARGO_BUILD_TARGET": host_triple()}
    if TARGET == "embedded":
        # Functions run as processes of this machine: its own linker will do. For Docker's images and for
        # AWS, cargo-lambda links with zig against their older C library.
        environment["CARGO_LAMBDA_COMPILER"] = "cargo"
    return environment


def function_flags() -> str:
    """How rustc is to compile functions, beyond their profile: without the tables that unwinding needs, which nothing reads in a program that aborts. As the
    README and docs/deploying.md have it for AWS; docs/adr/0007-one-release-profile.md has the figures."""
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
