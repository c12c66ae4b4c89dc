"""The local payment provider: Stripe's API as far as a ticket office meets it, as strict as Stripe documents it.

`stripe_account.py` keeps the account (payment intents, charges, refunds, disputes), `webhooks.py` delivers its signed events. This file puts
them behind HTTP and

* honours `Idempotency-Key`: the first answer again for the same request, a refusal too, an error for another request under the same
  key, 409 while the first one is still running;
* limits each key's requests a second, once told to, and refuses keys that were rolled;
* shows the page on which a buyer authenticates, and sends them back to the `return_url`, for which `/_return` will do;
* stands in for a hosted page that takes a card: `/_cards?return_url=` offers test cards, and comes back with `card=` the chosen one's token;
* injects faults and keeps a journal, both driven by tests through `/_control/...`, never by the product.

    python payment_server.py --port 4567 [--webhook-url URL --webhook-secret SECRET]

    POST   /_control/faults            {"match": {"method", "pathRegex", "bodyContains"}, "fault", "delayMs", "times", "every"}
    GET    /_control/faults            the faults still armed
    DELETE /_control/faults[/{id}]     all of them, or one
    GET    /_control/requests?contains=   the journal, oldest first
    DELETE /_control/requests          forget the journal
    GET    /_control/ledger?contains=  each payment intent with the money really charged and refunded
    GET    /_control/intents?contains= the payment intents themselves
    POST   /_control/intents/{id}/settle        {"succeeded": true}: what is processing ends
    POST   /_control/intents/{id}/authenticate  {"succeeded": true}: the buyer is through with their bank's page
    POST   /_control/intents/{id}/dispute       the buyer disputes the charge
    POST   /_control/disputes/{id}/close        {"status": "won"}
    POST   /_control/refunds/{id}/settle        {"status": "failed"}
    POST   /_control/account           {"activated": [...], "requestsPerSecond": 25, "rejectedKeys": [...]}
    POST   /_control/webhook           {"url", "secrets": [...]}: where events are posted, nowhere while it is null
    GET    /_control/webhook/deliveries?contains=
    POST   /_control/webhook/mischief  {"act", "type", "bodyContains", "delayMs", "times"}
    DELETE /_control/webhook/mischief  no more of it
    POST   /_control/webhook/release   {"reversed": true}: deliver what was held
    POST   /_control/webhook/sign      {"body", "secret", "at"}: the header of a delivery
    POST   /_control/webhook/forge     {"type", "object", "secret", "account", "at"}: post what the account never said
    POST   /_control/reset             everything but where events are posted

Faults: `error500` and `timeout` happen instead of the request; `error500_kept` too, and Stripe keeps that answer under the request's key;
`error500_after` and `answer_lost` after it was carried out; `delay` while it holds its key; `rate_limit` is a 429; `undecided` leaves a
confirmation `processing` until a test settles it. A matched `bodyContains` also covers every later call about a payment intent whose
creation matched, so a ticket's id selects all of that ticket's traffic and leaves parallel tests alone.

Mischief with events: `lose`, `double`, `delay` and `hold`, until they are released in either order.
"""

import argparse
import asyncio
import html
import itertools
import re
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote_plus, urlencode

from aiohttp import web
from stripe_account import Account, Refusal, event_about
from webhooks import Webhooks, signature

# Answers that Stripe does not keep under an idempotency key: the request was refused before its endpoint ran.
NOT_REMEMBERED = {401, 409, 429}
NOT_REMEMBERED_CODES = {"parameter_unknown", "parameter_missing", "parameter_invalid_integer"}
FAULTS = {"error500", "error500_kept", "error500_after", "timeout", "answer_lost", "delay", "rate_limit", "undecided"}
CONTROL_PREFIX = "/_control/"
# A request holds its idempotency key for as long as it works: a moment, but not none.
WORKING_SECONDS = 0.005


@dataclass
class Answer:
    status: int
    body: dict


@dataclass
class Call:
    """One request as the server works on it; `subject` is what fault and journal filters search."""

    method: str
    path: str
    form: dict
    authorization: str
    idempotency_key: str | None
    subject: str
    # The payment intent this call is about, if it exists already.
    intent: str | None = None


@dataclass
class Fault:
    id: str
    match: dict
    fault: str
    delayMs: int = 0
    times: int = 1
    # It happens to each second call that fits, with 2.
    every: int = 1
    met: int = 0
    hits: int = 0

    def covers(self, call: Call) -> bool:
        if not self.fits(call):
            return False
        self.met += 1
        return self.met % self.every == 0

    def fits(self, call: Call) -> bool:
        return (
            self.times != 0
            and self.match.get("method", call.method) == call.method
            and re.search(self.match.get("pathRegex", ""), call.path) is not None
            and self.match.get("bodyContains", "") in call.subject
        )

    def spend(self) -> None:
        self.hits += 1
        if self.times > 0:
            self.times -= 1


@dataclass
class Remembered:
    """The request under an idempotency key and its answer, which is None while the first request runs."""

    request: tuple
    answer: Answer | None = None


def error(status: int, kind: str, message: str, **more) -> Answer:
    return Answer(status, {"error": {"type": kind, "message": message, **more}})


def injected_error() -> Answer:
    return error(500, "api_error", "Injected by the test's fault.")


class Limit:
    """So many requests a second for each key, and as many at once."""

    def __init__(self) -> None:
        self.per_second: float | None = None
        self.buckets: dict[str, tuple[float, float]] = {}

    def admits(self, key: str) -> bool:
        if self.per_second is None:
            return True
        now = time.monotonic()
        tokens, since = self.buckets.get(key, (self.per_second, now))
        tokens = min(self.per_second, tokens + (now - since) * self.per_second)
        admitted = tokens >= 1
        self.buckets[key] = (tokens - admitted, now)
        return admitted


@dataclass
class PaymentServer:
    webhooks: Webhooks = field(default_factory=Webhooks)
    faults: dict[str, Fault] = field(default_factory=dict)
    journal: list[dict] = field(default_factory=list)
    remembered: dict[str, Remembered] = field(default_factory=dict)
    # Payment intent id -> the text of the request that created it.
    subjects: dict[str, str] = field(default_factory=dict)
    rejected_keys: set[str] = field(default_factory=set)
    limit: Limit = field(default_factory=Limit)
    fault_ids: itertools.count = field(default_factory=lambda: itertools.count(1))
    account: Account = field(init=False)

    def __post_init__(self) -> None:
        self.account = Account(emit=self.webhooks.send, later=lambda after, act: asyncio.get_running_loop().call_later(after, act))
        self.webhooks.subject = lambda event: self.subjects.get(about(event), "")

    # -- one product request -----------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.Response:
        call = await self.read(request)
        entry = {
            "at": datetime.now(UTC).isoformat(), "method": call.method, "path": call.path, "form": call.form,
            "idempotencyKey": call.idempotency_key, "paymentIntent": call.intent,
            "status": None, "outcome": None, "replayed": False, "fault": None,
        }
        self.journal.append(entry)
        entry["_subject"] = call.subject

        fault = next((fault for fault in self.faults.values() if fault.covers(call)), None)
        if fault:
            fault.spend()
            entry["fault"] = fault.fault
        kind = fault.fault if fault else None
        if kind == "timeout":
            await self.linger(request, fault.delayMs or 60_000)
            return self.hang_up(request)

        self.account.pages = f"{request.scheme}://{request.host}"
        if kind == "error500":
            answer, replayed = injected_error(), False
        elif kind == "rate_limit":
            answer, replayed = too_many_requests(), False
        else:
            answer, replayed = await self.answer_once(call, request, fault)
        intent = answer.body if answer.body.get("object") == "payment_intent" else {}
        entry.update(
            status=answer.status, replayed=replayed, paymentIntent=intent.get("id") or call.intent,
            outcome=answer.body.get("status") or answer.body.get("error", {}).get("code"),
        )
        entry["_subject"] = call.subject + self.subjects.get(entry["paymentIntent"], "")
        if kind == "answer_lost":
            return self.hang_up(request)
        if kind == "error500_after":
            answer = injected_error()
        headers = {"Idempotent-Replayed": "true"} if replayed else {}
        if call.idempotency_key:
            headers["Idempotency-Key"] = call.idempotency_key
        return web.json_response(answer.body, status=answer.status, headers=headers)

    async def read(self, request: web.Request) -> Call:
        text = (await request.read()).decode(errors="replace")
        call = Call(
            method=request.method, path=request.path, form=dict(parse_qsl(text, keep_blank_values=True)),
            authorization=request.headers.get("Authorization", ""),
            idempotency_key=request.headers.get("Idempotency-Key"), subject=unquote_plus(text),
        )
        if request.query_string:
            call.form.update(parse_qsl(request.query_string, keep_blank_values=True))
        call.intent = self.intent_of(call)
        call.subject += self.subjects.get(call.intent, "")
        return call

    def intent_of(self, call: Call) -> str | None:
        if in_path := re.search(r"/payment_intents/(pi_\w+)", call.path):
            return in_path[1]
        if refund := re.search(r"/refunds/(re_\w+)", call.path):
            return self.account.refunds.get(refund[1], {}).get("payment_intent")
        return call.form.get("payment_intent")

    @staticmethod
    async def linger(request: web.Request, milliseconds: int) -> None:
        """Waits, but not for a client that has gone."""
        deadline = time.monotonic() + milliseconds / 1000
        while (left := deadline - time.monotonic()) > 0 and request.transport and not request.transport.is_closing():
            await asyncio.sleep(min(left, 0.1))

    @staticmethod
    def hang_up(request: web.Request) -> web.Response:
        if request.transport:
            request.transport.abort()
        return web.Response()

    # -- idempotency ---------------------------------------------------------------------------------------

    async def answer_once(self, call: Call, request: web.Request, fault: Fault | None) -> tuple[Answer, bool]:
        """The answer to a call, and whether it is an earlier one repeated."""
        api_key = call.authorization.removeprefix("Bearer ")
        if not api_key.startswith(("sk_", "rk_")) or api_key in self.rejected_keys:
            return error(401, "invalid_request_error", f"Invalid API Key provided: {api_key[:8]}********"), False
        if not self.limit.admits(api_key):
            return too_many_requests(), False
        key = call.idempotency_key
        if call.method != "POST" or not key:
            return await self.carry_out(call, request, fault), False
        this_request = (call.path, tuple(sorted(call.form.items())))
        first = self.remembered.get(key)
        if first and first.request != this_request:
            return error(
                400, "idempotency_error",
                f"Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
            ), False
        if first and first.answer is None:
            return error(
                409, "idempotency_error", "There is currently another in-progress request using this Idempotent Key.",
                code="idempotency_key_in_use",
            ), False
        if first:
            return first.answer, True
        mine = self.remembered[key] = Remembered(this_request)
        try:
            mine.answer = await self.carry_out(call, request, fault)
        finally:
            if mine.answer is None or not is_kept(mine.answer):
                self.remembered.pop(key, None)
        return mine.answer, False

    async def carry_out(self, call: Call, request: web.Request, fault: Fault | None) -> Answer:
        kind = fault.fault if fault else None
        if kind == "delay":
            await self.linger(request, fault.delayMs or 60_000)
        await asyncio.sleep(WORKING_SECONDS)
        if kind == "error500_kept":
            return injected_error()
        if kind == "undecided" and call.intent:
            self.account.undecided.add(call.intent)
        known = len(self.account.intents)
        try:
            answer = Answer(200, self.account.answer(call.method, call.path, call.form))
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body)
        if len(self.account.intents) > known:
            self.subjects[next(reversed(self.account.intents))] = call.subject
        return answer

    # -- the page on which a buyer authenticates ---------------------------------------------------------------

    async def authentication_page(self, request: web.Request) -> web.Response:
        intent = self.account.intents.get(request.match_info["intent"])
        if intent is None or request.query.get("client_secret") != intent["client_secret"]:
            return web.Response(status=404, text="There is no such payment.")
        if request.method == "GET" and intent["status"] == "requires_action":
            return web.Response(content_type="text/html", text=PAGE.format(
                style=STYLE, action=html.escape(request.path_qs), amount=html.escape(f"{intent['amount'] / 100:.2f} {intent['currency'].upper()}"),
            ))
        if request.method == "POST" and intent["status"] == "requires_action":
            form = await request.post()
            self.account.authenticate(intent, form.get("outcome") == "complete")
        if not intent["_return_url"]:
            return web.Response(text=f"The payment is {intent['status']}.")
        outcome = {
            "payment_intent": intent["id"], "payment_intent_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if intent["status"] == "succeeded" else "failed",
        }
        separator = "&" if "?" in intent["_return_url"] else "?"
        raise web.HTTPSeeOther(intent["_return_url"] + separator + urlencode(outcome))

    # -- the page on which a buyer gives a card ----------------------------------------------------------------

    async def card_page(self, request: web.Request) -> web.Response:
        back = request.query.get("return_url", "")
        if not back.startswith(("http://", "https://")):
            return web.Response(status=400, text="There is no return_url to come back to.")
        separator = "&" if "?" in back else "?"
        cards = "".join(
            CARD.format(link=html.escape(back + separator + urlencode({"card": token})), token=token, number=number, what=what)
            for token, number, what in CARDS
        )
        return web.Response(content_type="text/html", text=CARD_PAGE.format(style=STYLE, cards=cards))

    # -- what tests control and read -------------------------------------------------------------------------

    async def control(self, request: web.Request) -> web.Response:
        method, path = request.method, request.path.removeprefix(CONTROL_PREFIX)
        contains = request.query.get("contains", "")
        body = await request.json() if method == "POST" and request.can_read_body else {}
        try:
            answer = await self.obey(method, path.split("/"), contains, body)
        except (KeyError, TypeError, ValueError, re.error) as problem:
            return web.json_response({"error": f"{type(problem).__name__}: {problem}"}, status=400)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        if answer is None:
            return web.Response(status=204)
        return web.json_response(answer, status=201 if method == "POST" and path in ("faults", "webhook/mischief") else 200)

    async def obey(self, method: str, path: list[str], contains: str, body: dict) -> object:
        match (method, path):
            case ("GET", ["health"]):
                return {"status": "UP"}
            case ("POST", ["faults"]):
                return self.arm(body)
            case ("GET", ["faults"]):
                return [asdict(fault) for fault in self.faults.values()]
            case ("DELETE", ["faults"]):
                self.faults.clear()
            case ("DELETE", ["faults", identifier]):
                self.faults.pop(identifier, None)
            case ("GET", ["requests"]):
                shown = [entry for entry in self.journal if contains in entry["_subject"] + entry["path"]]
                return [{k: v for k, v in e.items() if not k.startswith("_")} for e in shown]
            case ("DELETE", ["requests"]):
                self.journal.clear()
            case ("GET", ["ledger"]):
                return [self.account.ledger_line(intent) for intent in self.about(contains)]
            case ("GET", ["intents"]):
                return [self.account.shown(intent, {}) for intent in self.about(contains)]
            case ("POST", ["intents", identifier, "settle"]):
                self.account.settle(self.account.intent(identifier), bool(body["succeeded"]))
            case ("POST", ["intents", identifier, "authenticate"]):
                self.account.authenticate(self.account.intent(identifier), bool(body["succeeded"]))
            case ("POST", ["intents", identifier, "dispute"]):
                return self.account.dispute(self.account.intent(identifier))
            case ("POST", ["disputes", identifier, "close"]):
                self.account.close_dispute(self.account.disputes[identifier], body["status"])
            case ("POST", ["refunds", identifier, "settle"]):
                self.account.settle_refund(self.account.refunds[identifier], body["status"])
            case ("POST", ["account"]):
                self.configure(body)
            case _:
                return await self.obey_about_webhooks(method, path, contains, body)
        return None

    async def obey_about_webhooks(self, method: str, path: list[str], contains: str, body: dict) -> object:
        match (method, path):
            case ("POST", ["webhook"]):
                self.webhooks.url = body["url"]
                self.webhooks.secrets = body.get("secrets", self.webhooks.secrets)
            case ("GET", ["webhook", "deliveries"]):
                return self.webhooks.shown(contains)
            case ("GET", ["webhook", "mischief"]):
                return self.webhooks.orders()
            case ("POST", ["webhook", "mischief"]):
                return {"id": self.webhooks.order(body).id}
            case ("DELETE", ["webhook", "mischief"]):
                self.webhooks.mischief.clear()
            case ("POST", ["webhook", "release"]):
                return {"released": self.webhooks.release(body.get("reversed", False))}
            case ("POST", ["webhook", "sign"]):
                return {"signature": signature([body.get("secret", self.webhooks.secrets[0])], body["body"].encode(), body.get("at"))}
            case ("POST", ["webhook", "forge"]):
                event = event_about(body["type"], body["object"])
                if body.get("account"):
                    event["account"] = body["account"]
                return {"status": await self.webhooks.forge(event, body.get("secret"), body.get("at"))}
            case ("POST", ["reset"]):
                self.webhooks.forget()
                self.account.forget()
                for memory in (self.faults, self.journal, self.remembered, self.subjects, self.rejected_keys):
                    memory.clear()
                self.limit.per_second = None
            case _:
                raise Refusal(404, "invalid_request_error", f"no such control: {method} {'/'.join(path)}")
        return None

    def about(self, contains: str) -> list[dict]:
        fitting = [intent for intent, subject in self.subjects.items() if contains in subject + intent]
        return [self.account.intents[intent] for intent in fitting]

    def configure(self, wanted: dict) -> None:
        if "activated" in wanted:
            self.account.activated = set(wanted["activated"])
        if "requestsPerSecond" in wanted:
            self.limit.per_second = wanted["requestsPerSecond"]
            self.limit.buckets.clear()
        if "rejectedKeys" in wanted:
            self.rejected_keys = set(wanted["rejectedKeys"])

    def arm(self, wanted: dict) -> dict:
        fault = Fault(id=f"fault-{next(self.fault_ids)}", match=wanted.pop("match", {}), **wanted)
        re.compile(fault.match.get("pathRegex", ""))
        if fault.fault not in FAULTS or not set(fault.match) <= {"method", "pathRegex", "bodyContains"}:
            raise ValueError(f"fault is one of {sorted(FAULTS)}")
        self.faults[fault.id] = fault
        return {"id": fault.id}

    # -- life ------------------------------------------------------------------------------------------------

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", CONTROL_PREFIX + "{rest:.*}", self.control)
        app.router.add_route("*", "/_3ds/{intent}", self.authentication_page)
        app.router.add_get("/_cards", self.card_page)
        app.router.add_get("/_return", lambda _: web.Response(text="You are back in the shop."))
        app.router.add_route("*", "/{rest:.*}", self.serve)
        return app


def is_kept(answer: Answer) -> bool:
    """Whether Stripe keeps the answer under the request's idempotency key."""
    details = answer.body.get("error", {})
    return not (
        answer.status in NOT_REMEMBERED or details.get("code") in NOT_REMEMBERED_CODES or details.get("type") == "idempotency_error"
    )


def too_many_requests() -> Answer:
    return error(429, "invalid_request_error", "Request rate limit exceeded.", code="rate_limit")


def about(event: dict) -> str:
    """The payment intent that an event is about."""
    subject = event["data"]["object"]
    return subject["id"] if subject.get("object") == "payment_intent" else subject.get("payment_intent", "")


STYLE = """<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>
:root { color-scheme: light dark }
body { font: 1.0625rem/1.6 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; line-height: 1.25 }
ul { list-style: none; padding: 0; display: grid; gap: .75rem }
a.card { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; padding: .9rem 1.2rem; border: 1px solid; border-radius: 12px; color: inherit; text-decoration: none }
a.card:hover, a.card:focus-visible { outline: 3px solid #4f46e5; outline-offset: 1px }
code { font-size: 1rem }
button { font: inherit; padding: .7rem 1.2rem; margin: 0 .5rem .5rem 0; border-radius: 12px; border: 1px solid; background: none; color: inherit; cursor: pointer }
</style>"""

# The cards that the stand-in for a hosted page offers: token, number as Stripe documents it, and how it ends.
CARDS = [
    ("pm_card_visa", "4242 4242 4242 4242", "is charged"),
    ("pm_card_authenticationRequired", "4000 0025 0000 3155", "asks for 3-D Secure first"),
    ("pm_card_chargeDeclined", "4000 0000 0000 0002", "is declined"),
]
CARD = """<li><a class="card" id="{token}" href="{link}"><code>{number}</code><span>{what}</span></a></li>
"""
CARD_PAGE = """<!doctype html>
<html lang="en">
<head><title>Your card</title>{style}</head>
<body><main>
<h1>Choose a test card</h1>
<p>This page stands in for the payment provider's. No card is real, and no money moves.</p>
<ul>
{cards}</ul>
</main></body>
</html>
"""
PAGE = """<!doctype html>
<html lang="en">
<head><title>Your bank</title>{style}</head>
<body><main>
<h1>Your bank asks: is it you who pays {amount}?</h1>
<form method="post" action="{action}">
<button name="outcome" value="complete" id="complete">Complete authentication</button>
<button name="outcome" value="fail" id="fail">Fail authentication</button>
</form>
</main></body>
</html>
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="The local payment provider.")
    parser.add_argument("--host", action="append", help="address to listen on, repeatable (default: loopback)")
    parser.add_argument("--port", type=int, default=4567)
    parser.add_argument("--webhook-url", help="where to post events (default: nowhere)")
    parser.add_argument("--webhook-secret", action="append", help="secret to sign them with, repeatable")
    options = parser.parse_args()
    webhooks = Webhooks(url=options.webhook_url)
    if options.webhook_secret:
        webhooks.secrets = options.webhook_secret
    web.run_app(
        PaymentServer(webhooks).application(), host=options.host or ["127.0.0.1"], port=options.port,
        access_log=None, shutdown_timeout=1,
    )


if __name__ == "__main__":
    main()
