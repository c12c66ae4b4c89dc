"""Hooks that tell schemathesis what the API's document cannot."""

import ast
import os
import re
import threading
from urllib.parse import quote

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import (
    EnsureResourceAvailability, JsonSchemaError, MalformedMediaType, MissingContentType, MissingHeaders, RejectedPositiveData, UndefinedContentType, UnsupportedMethodResponse,
    UseAfterFree,
)

# CPython 3.11 counts how deep a syntax tree is for all threads in one place, and now and then takes two that grow at once for a fault of its own
# (https://github.com/python/cpython/issues/106905). Hypothesis reads its own sources so; our workers are threads.
parse, one_at_a_time = ast.parse, threading.RLock()


def parse_alone(*arguments, **options):
    with one_at_a_time:
        return parse(*arguments, **options)


ast.parse = parse_alone

# Rules that no schema can say. A request that keeps to the document may be refused with these codes, and with no other 400.
BEYOND_SCHEMAS = {
    "INVALID_CURSOR": "a cursor is what a list gave out, and only for that list",
    "INVALID_EVENT_DATE": "a date must be in the future, and a range must not end before it begins",
    "INVALID_AMOUNT": "an amount must be the payment's",
    "INVALID_SELECTOR": "a replay must say which events it means, by at least one of four fields",
    "WEAK_PASSWORD": "a password must not be among the commonest, nor hardly more than its owner's names",
    "PUSH_ENDPOINT_UNKNOWN": "a device must be one of the application that is configured",
    "PROOF_INVALID": "a token must be one that was mailed",
    "ENROLMENT_INVALID": "a device's one-time token must be one that was given out",
    "INVALID_PRICE": "an amount has two decimals at most: `multipleOf` divides binary fractions, and would refuse some that have",
}

# The same for a single field of a call, where the code is the general one.
FIELDS_BEYOND_SCHEMAS = {
    ("POST /payments/stripe/events", "Stripe-Signature"): "a signature is made with the webhook's secret",
    ("GET /admissions/{id}", "id"): "the last six digits of an admission's id count from 1",
    ("GET /admissions/{id}/code.svg", "id"): "the last six digits of an admission's id count from 1",
    ("GET /admissions/{id}/code.png", "id"): "the last six digits of an admission's id count from 1",
    ("POST /check-in-lists/{id}/devices", "gates"): "a device scans at gates of its list",
    ("POST /inventory/{id}/check-in-lists", "closesAt"): "a list closes after it opens",
    ("POST /payments/{id}/refund", "Idempotency-Key"): "the refund of a part needs an Idempotency-Key, that of the whole does not",
    ("POST /users/me/second-factor/confirm", "code"): "a code must be the authenticator app's at this time",
    **{
        (call, name): "a name of a person must not read as a link or an address"
        for call in ("POST /users", "POST /users/register", "PUT /users/{id}")
        for name in ("firstName", "lastName")
    },
    ("POST /tickets", "currency"): "expectedTotal and currency go together",
    ("POST /tickets", "expectedTotal"): "expectedTotal and currency go together",
}

# The form of an answer, as apart from its status. An answer that a platform's gateway gives by itself, in a form that the template does not set there, is not
# checked against the document in these.
FORM = (JsonSchemaError, MalformedMediaType, MissingContentType, MissingHeaders, UndefinedContentType)
# The file that counts such findings. Not set where the gateway answers as the template says.
FOREIGN = os.environ.get("BOXOFFICE_CONTRACT_FOREIGN")

# The file that counts findings about bodies that a platform's gateway fails on by itself. Not set where such a body reaches a function.
UNREAD = os.environ.get("BOXOFFICE_CONTRACT_UNREAD")

ID = re.compile(r"[a-z]{3}_[0-9a-f]{32}")

# The refusals of a call that was meant for a path's word and reached the variable beside it.
SIBLINGS_REFUSALS = {400: [b'"INVALID_ID"'], 403: [b'"FORBIDDEN"']}

READ_MODELS = {"/inventory/{id}/sales", "/reports/ledger", "/reports/settlement", "/users/{id}/bookings"}

# The users that the run calls as. Calls that act on a user get another id in place of theirs: without these users, every call would be refused.
SPARED_USERS = set(os.environ["BOXOFFICE_CONTRACT_USERS"].split(","))
NOBODY = "usr_00000000000000000000000000000000"
# The tokens that the run calls with, and those of sessions that may end in their place. A token that schemathesis made up is sent as it is.
TOKENS = {f"Bearer {token}" for token in os.environ["BOXOFFICE_CONTRACT_TOKENS"].split(",")}
SPARE_TOKENS = os.environ["BOXOFFICE_CONTRACT_SPARE_TOKENS"].split(",")

ACTS_ON_A_USER = {
    "PUT /users/{id}",
    "DELETE /users/{id}",
    "POST /users/{id}/suspend",
    "POST /users/{id}/second-factor/reset",
    "DELETE /users/{id}/sessions",
    "DELETE /users/{id}/sessions/{sessionId}",
}

# API Gateway takes a request line with its headers of at most 10,240 bytes (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html): a longer one is no
# request to ours, and not every server answers it.
LONGEST_PARAMETER = 6_000

FAR_AHEAD = "2035-06-01T20:00:00.000Z"


def is_positive(case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


@schemathesis.hook
def before_call(context, case, kwargs):
    label = case.operation.label
    if label in ACTS_ON_A_USER and (case.path_parameters or {}).get("id") in SPARED_USERS:
        case.path_parameters["id"] = NOBODY
    if label in ("POST /users/logout", "POST /users/me/password") and (case.headers or {}).get("Authorization") in TOKENS:
        case.headers["Authorization"] = f"Bearer {SPARE_TOKENS.pop() if len(SPARE_TOKENS) > 1 else SPARE_TOKENS[0]}"
    for name, value in (case.query or {}).items():
        if isinstance(value, str) and len(quote(value)) > LONGEST_PARAMETER:
            # A character is 12 bytes in a URL at most.
            case.query[name] = value[: LONGEST_PARAMETER // 12]
    # Nine of ten dates that a generator thinks of are past: what comes after that refusal would hardly be tried.
    if is_positive(case) and isinstance(case.body, dict) and "eventDate" in case.body:
        case.body["eventDate"] = FAR_AHEAD


def is_a_functions(response) -> bool:
    """Whether a function answered: every answer of one has a correlation id."""
    return any(name.lower() == "x-correlation-id" for name in response.headers)


def is_foreign(failure: Failure, response) -> bool:
    """Whether this is about the form of an answer of the gateway's own."""
    return FOREIGN is not None and isinstance(failure, FORM) and not is_a_functions(response)


def is_unread(response) -> bool:
    """Whether the gateway failed on a body that is no UTF-8, before any function had it."""
    body = getattr(response.request, "body", None)
    if UNREAD is None or response.status_code != 500 or is_a_functions(response) or not isinstance(body, bytes):
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return True
    return False


def left_out(file: str, response) -> bool:
    """Counts a finding that is not checked on this platform: it does not count as a failure."""
    with open(file, "a") as notes:
        notes.write(f"{response.status_code}\n")
    return False


@schemathesis.hook
def filter_failure(context, failure, case, response) -> bool:
    """Whether this failure counts."""
    if is_foreign(failure, response):
        return left_out(FOREIGN, response)
    if is_unread(response):
        return left_out(UNREAD, response)
    # Read models follow within moments, as their document says: what was made a moment ago may not be in them yet. And they outlive what they are
    # about: what was sold and booked stays known when the event is off sale and the user gone.
    if isinstance(failure, (EnsureResourceAvailability, UseAfterFree)) and case.operation.path in READ_MODELS:
        return False
    # Where a path's word does not take the method, AWS and LocalStack ask its sibling with a variable (docs/adr/0010-rest-api-and-refuse-route.md), which refuses the
    # caller, or the word as an id.
    if isinstance(failure, UnsupportedMethodResponse) and any(code in response.content for code in SIBLINGS_REFUSALS.get(response.status_code, [])):
        return False
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return True
    try:
        problem = response.json()
    except ValueError:
        return True
    # A link that the tool inferred from names alone may put another call's answer where an id must be.
    if problem.get("code") == "INVALID_ID" and not ID.match(str((case.path_parameters or {}).get(problem.get("field"), ""))):
        return False
    return problem.get("code") not in BEYOND_SCHEMAS and (case.operation.label, problem.get("field")) not in FIELDS_BEYOND_SCHEMAS
