#!/usr/bin/env python3
"""Tries the running stack against its own document with schemathesis: every call, every check, in bounded time.

Once as an ADMIN, who is let in everywhere, and once as two USERs who must not see what is each other's. It fails on an answer of 5xx, an
undocumented status, header or content type, a body that is not what its schema says, bad data that is accepted, good data that is
refused, and a call that needs a token and is served without one.

Where the platform's gateway refuses in its own form instead of the template's, only the status of those answers is checked, and they are counted in the
platform's report. An answer of a function is checked in full on every platform.

    contract.py [--seconds 150] [--seed N]     --seconds: for both runs together
"""

import argparse
import json
import secrets
import sys
import urllib.error
import urllib.request
from collections import Counter
from functools import cached_property

import platform_report
from checkout import ROOT, heading, run
from boxoffice_local import deployment, toolchain
from boxoffice_local.console import StepFailed
from boxoffice_local.processes import LOOPBACK
from boxoffice_local.settings import ADMIN, ADMIN_PASSWORD, LOCAL, VENVS

WORK = LOCAL / "contract"
REPORTS = LOCAL / "artifacts"
BASE = ROOT / "tests" / "contract" / "schemathesis.toml"
ADMINS_SHARE = 0.7  # an ADMIN gets further than a USER, so the run takes longer
SPARE_SESSIONS = 8
# Where tests/contract/hooks.py notes what a gateway answered in its own form, and bodies that it failed on.
FOREIGN = WORK / "foreign-answers"
UNREAD = WORK / "unread-bodies"


class Api:
    """The few calls that set the scene."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: dict, token: str | None = None) -> dict:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with LOOPBACK.open(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as refusal:
            raise StepFailed(f"{method} {path} was refused with {refusal.code}: {refusal.read().decode()}") from None

    @cached_property
    def admin(self) -> str:
        """The id of the ADMIN that the set-up made, whom other tests need as they are."""
        return self.call("POST", "/users/login", {"username": ADMIN["username"], "password": ADMIN_PASSWORD})["user"]["id"]

    def token(self, username: str, password: str) -> str:
        return self.call("POST", "/users/login", {"username": username, "password": password})["accessToken"]


class Person:
    """A user that only this run uses, so that it may change or delete them."""

    def __init__(self, api: Api, name: str) -> None:
        self.name = f"{name}-{secrets.token_hex(6)}"
        self.password = secrets.token_urlsafe(18)
        self.api = api
        self.id = api.call("POST", "/users", {
            "username": self.name, "email": f"{self.name}@contract.example", "password": self.password,
            "firstName": name.capitalize(), "lastName": "Contract",
        })["id"]

    def token(self) -> str:
        return self.api.token(self.name, self.password)


def run_as(title: str, api: Api, people: list[Person], seconds: int, seed: int | None) -> bool:
    """One run of schemathesis, as these people; says whether it found nothing."""
    name = people[0].name.split("-")[0]
    identities = WORK / f"{name}.identities.json"
    tokens = {person.name: person.token() for person in people}
    identities.write_text(json.dumps({"auth": [
        {"name": person, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]} for person, token in tokens.items()
    ]}))
    auth = f'\n[auth.wfc]\npath = "{identities}"\nuser = "{people[0].name}"\n'
    if len(people) > 1:
        auth += f"peers = {json.dumps([person.name for person in people])}\n"
    config = WORK / f"{name}.toml"
    config.write_text(BASE.read_text() + auth)
    command = [
        str(VENVS / "contract" / "bin" / "schemathesis"), "--config-file", str(config), "run", f"{api.url}/openapi.json",
        "--url", api.url, "--max-time", str(seconds), "--report", "junit", "--report-junit-path", str(REPORTS / f"contract-{name}.xml"),
    ]
    if seed is not None:
        command += ["--seed", str(seed)]
    return run(
        title, *command,
        HYPOTHESIS_STORAGE_DIRECTORY=str(WORK / "hypothesis"),
        BOXOFFICE_CONTRACT_USERS=",".join([api.admin, *(person.id for person in people)]),
        BOXOFFICE_CONTRACT_TOKENS=",".join(tokens.values()),
        BOXOFFICE_CONTRACT_SPARE_TOKENS=",".join(people[0].token() for _ in range(SPARE_SESSIONS)),
        **({} if platform_report.can(platform_report.SHAPES_REFUSALS) else {"BOXOFFICE_CONTRACT_FOREIGN": str(FOREIGN)}),
        **({} if platform_report.can(platform_report.HANDS_ON_ANY_BYTES) else {"BOXOFFICE_CONTRACT_UNREAD": str(UNREAD)}),
    )


def foreign_answers() -> list[str]:
    """The checks that were skipped for the gateway's own answers, by status: never more than their form."""
    statuses = Counter(FOREIGN.read_text().split()) if FOREIGN.exists() else Counter()
    return [
        f"the API's contract: headers, content type and body of {count} findings about the gateway's own {status}; its status was checked"
        for status, count in sorted(statuses.items())
    ]


def contract_tests(seconds: int = 150, seed: int | None = None) -> None:
    """Both runs against the deployed stack."""
    toolchain.set_up()
    url = deployment.read_stack().get("apiUrl")
    if not url:
        raise StepFailed("There is no deployed stack; run `make up` first.")
    WORK.mkdir(parents=True, exist_ok=True)
    REPORTS.mkdir(parents=True, exist_ok=True)
    heading("API document against the stack")
    api = Api(url)
    root = Person(api, "root")
    # A token says the role of its log-in, so the promotion comes first.
    api.call("PUT", f"/users/{root.id}", {"role": "ADMIN"}, api.token(ADMIN["username"], ADMIN_PASSWORD))
    admins = int(seconds * ADMINS_SHARE)
    FOREIGN.unlink(missing_ok=True)
    UNREAD.unlink(missing_ok=True)
    found_nothing = [run_as("API document, as an ADMIN", api, [root], admins, seed)]
    # Not before: an ADMIN may delete anybody.
    users = [Person(api, "ada"), Person(api, "ben")]
    found_nothing.append(run_as("API document, as two USERs", api, users, seconds - admins, seed))
    for left_out in foreign_answers():
        platform_report.leave_out(platform_report.SHAPES_REFUSALS, left_out)
    if UNREAD.exists():
        count = len(UNREAD.read_text().split())
        platform_report.leave_out(platform_report.HANDS_ON_ANY_BYTES, f"the API's contract: {count} findings about bodies on which the gateway itself failed")
    if not all(found_nothing):
        raise StepFailed("The stack is not what its document says.")


def main() -> None:
    parser = argparse.ArgumentParser(description="The API's document against the running stack.")
    parser.add_argument("--seconds", type=int, default=150, help="the most that both runs may take together")
    parser.add_argument("--seed", type=int, help="the seed of a run to repeat")
    options = parser.parse_args()
    try:
        contract_tests(options.seconds, options.seed)
    except StepFailed as failure:
        sys.exit(f"\n{failure}")
    print("\nThe stack is what its document says.")


if __name__ == "__main__":
    main()
