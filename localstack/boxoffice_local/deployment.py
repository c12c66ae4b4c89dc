"""Builds the application and deploys the unmodified template with the SAM CLI."""

import json
import subprocess
import time
import tomllib
from pathlib import Path

from . import fingerprint, settings, targets
from .console import StepFailed, last_line, run_logged, say, step
from .processes import LOOPBACK
from .settings import ADMIN, ADMIN_PASSWORD, HERE, PLACE, ROOT, STACK_NAME, Place, environment, python, tool

HEALTH_SECONDS = 60
# How often a deployment that is under way is asked whether it has failed without the SAM CLI's noticing.
LOOK_SECONDS = 20
BUILT = "built"


def build(force: bool = False) -> str:
    """Makes `.aws-sam/build` what the sources say; the sources' fingerprint names the result."""
    if not (ROOT / "template.yaml").exists():
        raise StepFailed("There is no template.yaml to build.")
    variables = environment() | {"RUSTFLAGS": settings.function_flags()}
    if not targets.aws().runs_functions_here:
        del variables["CARGO_LAMBDA_COMPILER"]
    cargo = {name: value for name, value in variables.items() if "CARGO" in name or name == "RUSTFLAGS"}
    # Not the target: one build serves all whose functions are processes of this machine.
    wanted = fingerprint.of_sources(json.dumps(cargo, sort_keys=True))
    if not force and fingerprint.is_current(BUILT, wanted) and (ROOT / ".aws-sam/build/template.yaml").exists():
        return wanted
    fingerprint.forget(BUILT)
    # One build of every function first: SAM then calls cargo once a function and finds each one done.
    run_logged("functions compiled", [tool("cargo-lambda"), "lambda", "build", "--release", "--bins"], "cargo-build", env=variables)
    # The operator's command, with which the set-up makes keys and the first ADMIN as anybody would on AWS.
    run_logged("command compiled", ["cargo", "build", "--release", "--package", "boxoffice-cli"], "cli-build", env=variables)
    run_logged("functions packaged", [tool("sam"), "build", "--config-env", "local", *parameter_overrides()], "sam-build", env=variables)
    fingerprint.record(BUILT, wanted)
    return wanted


def deployed(place: Place = PLACE) -> str:
    """The name of the stamp that says what this target runs."""
    return f"deployed-{place.target}"


def deploy(build_fingerprint: str) -> None:
    """Deploys the build, unless this very build is deployed already and healthy, and tells the payment server where its events go."""
    wanted = fingerprint.of([], build_fingerprint, settings.AWS_ENDPOINT, settings.PAYMENTS_URL, targets.aws().version, *settings.PARAMETERS)
    if not (fingerprint.is_current(deployed(), wanted) and is_healthy(read_stack().get("apiUrl"))):
        deploy_afresh(wanted)
    targets.announce_webhook(read_stack()["apiUrl"])


def deploy_afresh(wanted: str) -> None:
    if not targets.aws().updates_stacks and PLACE.stack_file.exists():
        # An update there ends in UPDATE_FAILED when the API has changed.
        targets.aws().restart()
    forget()
    prepare = ["prepare"] if targets.aws().updates_stacks else ["prepare", "--fresh"]
    aws_call("AWS prepared (payment key, leftovers of a failed deployment)", *prepare)
    boxoffice("keys for access tokens and ticket codes", "keys", "create", "--environment", "local")
    run_logged("stack deployed", deploy_command(), "sam-deploy", give_up=Patience().reason_to_give_up, progress=resources_created)
    stack = describe_stack()
    with step("API healthy"):
        wait_until_healthy(stack["apiUrl"])
    admin = [word for name, value in ADMIN.items() for word in (f"--{name}", value)]
    boxoffice("first ADMIN", "admin", "create", "--stack", STACK_NAME, "--as", "local-stack", "--password-stdin", *admin, given=ADMIN_PASSWORD)
    PLACE.stack_file.write_text(json.dumps(stack, indent=2) + "\n")
    PLACE.api_url_file.write_text(stack["apiUrl"] + "\n")
    fingerprint.record(deployed(), wanted)


def resources_created(log: Path) -> str:
    """Progress of a deployment. The SAM CLI wraps the rows of its table of events, so the last line of its log says nothing."""
    created = sum(line.startswith("CREATE_COMPLETE") for line in log.read_text(errors="replace").splitlines())
    return f"{created} resources created" if created else last_line(log)


class Patience:
    """Decides when to give up on a deployment. The SAM CLI waits for ever when a stack ends in a state that it does not know."""

    # After these nothing more happens to a stack, and no stack is in one of them when a deployment begins: aws_calls.py has removed it. The SAM CLI may end by
    # itself when it sees one, so it gets until the next look.
    FAILED = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED"}

    def __init__(self, minutes: float = settings.DEPLOY_MINUTES, status=None) -> None:
        self.seconds = minutes * 60
        self.status = status or stack_status
        self.next_look = LOOK_SECONDS
        self.seen_failed = False

    def reason_to_give_up(self, elapsed: float) -> str | None:
        again = "`make reset` deploys on a fresh stack."
        if elapsed > self.seconds:
            return (
                f"A deployment may take {self.seconds / 60:g} minutes, and the stack is {self.status()}. {again} "
                "On a slow machine, BOXOFFICE_DEPLOY_MINUTES gives it more."
            )
        if elapsed < self.next_look:
            return None
        self.next_look = elapsed + LOOK_SECONDS
        failed = (status := self.status()) in self.FAILED
        if failed and self.seen_failed:
            return f"The stack is {status}, and the SAM CLI still waits. {again}"
        self.seen_failed = failed
        return None


def stack_status() -> str:
    found = subprocess.run([python("tools"), str(HERE / "aws_calls.py"), "status"], env=environment(), capture_output=True, text=True)
    return found.stdout.strip() or "not there"


def forget(place: Place = PLACE) -> None:
    """Removes the record of the deployment, so that this target counts as not deployed."""
    fingerprint.forget(deployed(place))
    for file in (place.stack_file, place.api_url_file):
        file.unlink(missing_ok=True)


def deploy_command() -> list[str]:
    return [
        tool("sam"), "deploy", "--config-env", "local", "--no-progressbar", "--no-confirm-changeset",
        "--no-fail-on-empty-changeset", *parameter_overrides(),
    ]


def parameter_overrides() -> list[str]:
    """samconfig.toml's parameters, with the payment server where it really is and functions for this machine.

    SAM replaces the file's whole list by the command line's, so all of them are repeated here.
    """
    local = tomllib.loads((ROOT / "samconfig.toml").read_text())["local"]
    configured = dict(parameter.split("=", 1) for parameter in local["deploy"]["parameters"]["parameter_overrides"])
    configured |= {"StripeApiBase": targets.aws().payments_url, "Architecture": settings.architecture()}
    # Not functions go there but the buyer's browser, which is on this machine.
    configured["CardEntryUrl"] = f"{settings.PAYMENTS_URL}/_cards"
    configured |= dict(parameter.split("=", 1) for parameter in settings.PARAMETERS)
    return ["--parameter-overrides", *(f"{name}={value}" for name, value in configured.items())]


def describe_stack() -> dict:
    """The contents of `stack.json`, by which tests, the demo and people find the stack."""
    command = [python("tools"), str(HERE / "aws_calls.py"), "outputs"]
    found = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if found.returncode != 0:
        raise StepFailed("The stack's outputs cannot be read: " + found.stderr.strip())
    outputs = json.loads(found.stdout)
    return {
        # Both emulators know this form of address; the template's own output has AWS's form.
        "apiUrl": f"{settings.AWS_ENDPOINT}/_aws/execute-api/{outputs['ApiId']}/{outputs['ApiStage']}",
        "awsEndpoint": settings.AWS_ENDPOINT,
        "region": settings.REGION,
        "paymentsUrl": settings.PAYMENTS_URL,
        "stackName": settings.STACK_NAME,
        "target": settings.TARGET,
        "outputs": outputs,
    }


def read_stack() -> dict:
    try:
        return json.loads(PLACE.stack_file.read_text())
    except (OSError, ValueError):
        return {}


def boxoffice(title: str, *arguments: str, given: str | None = None) -> None:
    """The operator's command, as it was built."""
    command = ROOT / "target" / environment()["CARGO_BUILD_TARGET"] / "release" / "boxoffice"
    run_logged(title, [str(command), *arguments], f"boxoffice-{arguments[0]}", given=given)


def aws_call(title: str, *arguments: str) -> None:
    run_logged(title, [python("tools"), str(HERE / "aws_calls.py"), *arguments], f"aws-{arguments[0]}")


def is_healthy(api_url: str | None) -> bool:
    return api_url is not None and health(api_url)[0]


def health(api_url: str) -> tuple[bool, str]:
    """Whether GET /health says that the stack works, and what it said. DEGRADED works: somebody left a message in a queue of cases."""
    try:
        # On an emulator's first call the function starts, on a busy machine for longer than AWS would wait.
        with LOOPBACK.open(f"{api_url}/health", timeout=30) as response:
            text = response.read().decode()
            return json.loads(text).get("status") in ("UP", "DEGRADED"), text
    except (OSError, ValueError, AttributeError) as problem:
        return False, str(problem)


def wait_until_healthy(api_url: str) -> None:
    deadline = time.monotonic() + HEALTH_SECONDS
    while True:
        healthy, answer = health(api_url)
        if healthy:
            return
        if time.monotonic() > deadline:
            say(f"    GET {api_url}/health: {answer}")
            raise StepFailed("The stack is deployed but not healthy; see: make logs FUNCTION=health")
        time.sleep(0.3)
