#!/usr/bin/env python3
"""Reports what the running stack's platform cannot show, found out by trying: `.local/reports/platform-<target>.md`.

End-to-end tests note by themselves what they left out for that reason (`tests/src/platform.rs`). Abilities that no test of ours can observe are tried here, on
the stack's API, and on an API and an archive of this script's own, which it deletes again. It tests what the platform does, never which one it is.

    platform_report.py [--forget]     --forget: begins a run, so that the report has what this run left out
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from checkout import ROOT
from boxoffice_local import deployment, settings
from boxoffice_local.console import StepFailed
from boxoffice_local.processes import LOOPBACK
from boxoffice_local.settings import PLACE, environment, python

LEFT_OUT = PLACE.run / "left-out.jsonl"
# How long a line of a log is waited for. AWS takes some seconds, an emulator none.
LOG_SECONDS = 5
REPORT = settings.LOCAL / "reports" / f"platform-{PLACE.target}.md"


@dataclass(frozen=True)
class Probe:
    """An ability of the platform that the stack relies on and no test can observe."""

    ability: str
    otherwise: str
    try_it: Callable[[], bool]


def throttles() -> bool:
    """A stage of one request a second, and ten at once."""
    with api() as (gateway, identity):
        patch = [{"op": "replace", "path": f"/*/*/throttling/{limit}", "value": "1"} for limit in ("rateLimit", "burstLimit")]
        gateway.update_stage(restApiId=identity, stageName="probe", patchOperations=patch)
        return 429 in [answer(identity, "/") for _ in range(10)]


def refusal(path: str, body: bytes) -> urllib.error.HTTPError | None:
    """The answer of the stack's API to a body that nobody should take."""
    request = urllib.request.Request(deployment.read_stack()["apiUrl"] + path, body, {"Content-Type": "application/json"})
    try:
        LOOPBACK.open(request, timeout=30).close()
    except urllib.error.HTTPError as refused:
        return refused
    return None


def shapes_refusals() -> bool:
    """A body that the stack's gateway refuses where it looks at bodies, and else a function does, for want of a token."""
    refused = refusal("/tickets", b"[]")
    return refused is not None and refused.headers.get("Content-Type", "").startswith("application/problem+json")


def hands_on_any_bytes() -> bool:
    """A body that is no UTF-8, which a function refuses."""
    refused = refusal("/users/login", b"\xff")
    return refused is not None and refused.code == 400


def archives() -> bool:
    import boto3

    events, name = boto3.client("events"), f"probe-{uuid.uuid4().hex[:8]}"
    bus = events.describe_event_bus(Name="default")["Arn"]
    events.create_archive(ArchiveName=name, EventSourceArn=bus, EventPattern=json.dumps({"source": [name]}))
    try:
        events.put_events(Entries=[{"Source": name, "DetailType": "Probe", "Detail": "{}"}])
        return events.describe_archive(ArchiveName=name).get("EventCount", 0) > 0
    finally:
        events.delete_archive(ArchiveName=name)


def dashboards() -> bool:
    """The stack's own dashboard, which CloudFormation says it has made."""
    import boto3

    name = deployment.read_stack()["stackName"]
    return any(it["DashboardName"] == name for it in boto3.client("cloudwatch").list_dashboards().get("DashboardEntries", []))


def logs_requests() -> bool:
    """A stage with an access log, and a request."""
    import boto3

    logs, group = boto3.client("logs"), f"/probe/{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    try:
        arn = next(it["arn"] for it in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]).removesuffix(":*")
        with api() as (gateway, identity):
            setting = {"destinationArn": arn, "format": '{"requestId":"$context.requestId","status":"$context.status"}'}
            patch = [{"op": "replace", "path": f"/accessLogSettings/{name}", "value": value} for name, value in setting.items()]
            gateway.update_stage(restApiId=identity, stageName="probe", patchOperations=patch)
            answer(identity, "/")
            deadline = time.monotonic() + LOG_SECONDS
            while not (found := logs.filter_log_events(logGroupName=group)["events"]) and time.monotonic() < deadline:
                time.sleep(0.5)
            return bool(found)
    finally:
        logs.delete_log_group(logGroupName=group)


SHAPES_REFUSALS = "The gateway's own refusals have the form that the template gives them"
HANDS_ON_ANY_BYTES = "A body that is no UTF-8 reaches a function"
PROBES = [
    Probe(SHAPES_REFUSALS, "no test of the gateway's own refusals means anything", shapes_refusals),
    Probe(HANDS_ON_ANY_BYTES, "that a function refuses such a body, where the gateway fails on it", hands_on_any_bytes),
    Probe("The gateway throttles", "that a caller who comes too often is answered 429 by the gateway", throttles),
    Probe(
        "The gateway writes its access log",
        "a line of the access log (its setting is deployed with AccessLogs=true, and infra/tests has rules for its format, group and retention)", logs_requests,
    ),
    Probe("An archive of the bus keeps events", "that events can be replayed from the bus's archive (the event store's replay is tested)", archives),
    Probe("A dashboard is made", "that CloudWatch takes the dashboard (its JSON and its metrics are held by infra/tests)", dashboards),
]


@contextlib.contextmanager
def api():
    """An API of one path without a function behind it, deployed as the stage `probe`. Gives the client and the API's id."""
    import boto3

    gateway = boto3.client("apigateway")
    identity = gateway.create_rest_api(name=f"probe-{uuid.uuid4().hex[:8]}")["id"]
    try:
        root = gateway.get_resources(restApiId=identity)["items"][0]["id"]
        method = {"restApiId": identity, "resourceId": root, "httpMethod": "GET"}
        gateway.put_method(**method, authorizationType="NONE")
        gateway.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
        gateway.put_method_response(**method, statusCode="200")
        gateway.put_integration_response(**method, statusCode="200", responseTemplates={"application/json": "{}"})
        gateway.create_deployment(restApiId=identity, stageName="probe")
        yield gateway, identity
    finally:
        gateway.delete_rest_api(restApiId=identity)


def answer(identity: str, path: str) -> int:
    try:
        with LOOPBACK.open(f"{settings.AWS_ENDPOINT}/_aws/execute-api/{identity}/probe{path}", timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def probed() -> list[tuple[str, bool | None, str]]:
    """Each ability, whether it is there (None: the probe itself failed, with why), and what is not shown without it."""
    found = []
    for probe in PROBES:
        try:
            found.append((probe.ability, probe.try_it(), probe.otherwise))
        except Exception as problem:  # noqa: BLE001, whatever a platform raises is its answer
            found.append((probe.ability, None, f"{probe.otherwise} ({type(problem).__name__}: {problem})"))
    return found


def report(found: list[tuple[str, bool | None, str]], left_out: list[dict]) -> str:
    lines = [f"# Not shown on {PLACE.target}", "", "Asked in this run, by trying.", "", "| Ability | Is there | Not shown without it |", "|---|---|---|"]
    for ability, there, otherwise in found:
        said = {True: "yes", False: "no", None: "could not be tried"}[there]
        lines.append(f"| {ability} | {said} | {'' if there else otherwise.replace('|', '/')} |")
    lines += ["", "## Left out by tests", ""]
    by_ability: dict[str, list[str]] = {}
    for note in left_out:
        by_ability.setdefault(note["ability"], []).append(note["leftOut"])
    lines += ["Nothing."] if not by_ability else []
    for ability, parts in sorted(by_ability.items()):
        lines += [f"- Not there: {ability}", *(f"  - {part}" for part in sorted(set(parts)))]
    return "\n".join(lines) + "\n"


def forget() -> None:
    LEFT_OUT.unlink(missing_ok=True)


def leave_out(ability: str, part: str) -> None:
    """Notes a part that a test left out, as `tests/src/platform.rs` does."""
    LEFT_OUT.parent.mkdir(parents=True, exist_ok=True)
    with LEFT_OUT.open("a") as notes:
        notes.write(json.dumps({"ability": ability, "leftOut": part}) + "\n")


@cache
def ask() -> list[tuple[str, bool | None, str]]:
    """Runs `probed` in the environment that has boto3, once a run."""
    tried = subprocess.run([python("tools"), __file__, "--probe"], cwd=ROOT, env=environment(), capture_output=True, text=True)
    if tried.returncode != 0:
        raise StepFailed(f"The platform cannot be asked: {tried.stderr.strip()}")
    return [tuple(found) for found in json.loads(tried.stdout)]


def can(ability: str) -> bool:
    return any(there for named, there, _ in ask() if named == ability)


def write() -> Path:
    notes = [json.loads(line) for line in LEFT_OUT.read_text().splitlines()] if LEFT_OUT.exists() else []
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(report(ask(), notes))
    return REPORT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--forget", action="store_true", help="begin a run")
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)  # in the environment that has boto3
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(probed()))
    elif options.forget:
        forget()
    else:
        print(write().read_text())


if __name__ == "__main__":
    try:
        main()
    except StepFailed as failure:
        sys.exit(f"\n{failure}")
