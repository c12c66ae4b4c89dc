"""The local payment provider: localstripe behind a proxy that closes the gaps tests depend on.

localstripe keeps payment intents, charges and refunds as Stripe does, but it ignores `Idempotency-Key`
and never fails. Proving "charged once" needs both, so this proxy stands in front of it and

* honours `Idempotency-Key` as Stripe documents it: the first answer again for the same request, an error
  for another request under the same key, 409 while the first one is still running;
* knows Stripe's test payment methods (`pm_card_visa`, `pm_card_chargeDeclined`, ...) by name;
* accepts documented parameters and gives documented error codes that localstripe lacks;
* injects faults and keeps a journal, both driven by tests through `/_control/...`, never by the product.

    python payment_server.py --port 4567 --localstripe-port 4568

    POST   /_control/faults            {"match": {"method", "pathRegex", "bodyContains"}, "fault", "delayMs", "times"}
    GET    /_control/faults            the faults still armed
    DELETE /_control/faults[/{id}]     all of them, or one
    GET    /_control/requests?contains=   the journal, oldest first
    DELETE /_control/requests          forget the journal
    GET    /_control/ledger?contains=  each payment intent with the money really charged and refunded
    POST   /_control/reset             faults, journal, idempotency keys and localstripe's own state

Faults: `error500` and `timeout` happen instead of the request; `error500_after` and `answer_lost` after it was
carried out; `delay` before it. A matched `bodyContains` also covers every later call about a payment intent whose
creation matched, so a ticket's id selects all of that ticket's traffic and leaves parallel tests alone.
"""

import argparse
import asyncio
import itertools
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote_plus, urlencode

import aiohttp
from aiohttp import web

# Stripe's test payment methods: the localstripe card that behaves so when it is charged, and the decline
# code Stripe reports. localstripe declines only this one card on a charge, whatever the reason should be.
DECLINING_CARD = "4000000000000341"
TEST_PAYMENT_METHODS = {
    "pm_card_visa": ("4242424242424242", None),
    "pm_card_mastercard": ("5555555555554444", None),
    "pm_card_authenticationRequired": ("4000002500003155", None),
    "pm_card_chargeDeclined": (DECLINING_CARD, "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": (DECLINING_CARD, "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": (DECLINING_CARD, "expired_card"),
    "pm_card_chargeCustomerFail": (DECLINING_CARD, "generic_decline"),
}
# Documented by Stripe, refused by localstripe as unexpected, and of no effect on what we test.
IGNORED_PARAMETERS = re.compile(
    r"^(automatic_payment_methods|cancellation_reason|confirmation_method|description|error_on_requires_action"
    r"|reason|receipt_email|return_url|setup_future_usage|statement_descriptor|statement_descriptor_suffix"
    r"|transfer_group)(\[|$)"
)
# Answers that Stripe does not keep under an idempotency key: the request was refused before it ran.
NOT_REMEMBERED = {400, 401, 403, 404, 409, 429}
FAULTS = {"error500", "error500_after", "timeout", "answer_lost", "delay"}
CONTROL_PREFIX = "/_control/"


@dataclass
class Answer:
    status: int
    body: dict


@dataclass
class Call:
    """One request as the proxy works on it; `subject` is what fault and journal filters search."""

    method: str
    path: str
    form: dict
    authorization: str
    idempotency_key: str | None
    subject: str

    @property
    def intent(self) -> str | None:
        """The payment intent this call is about, if it exists already."""
        in_path = re.search(r"/payment_intents/(pi_\w+)", self.path)
        return in_path[1] if in_path else self.form.get("payment_intent")


@dataclass
class Fault:
    id: str
    match: dict
    fault: str
    delayMs: int = 0
    times: int = 1
    hits: int = 0

    def covers(self, call: Call) -> bool:
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
    """What one idempotency key stands for; `answer` is None while the first request runs."""

    request: tuple
    answer: Answer | None = None


def error(status: int, kind: str, message: str, **more) -> Answer:
    return Answer(status, {"error": {"type": kind, "message": message, **more}})


def injected_error() -> Answer:
    return error(500, "api_error", "Injected by the test's fault.")


@dataclass
class PaymentServer:
    localstripe: str
    faults: dict[str, Fault] = field(default_factory=dict)
    journal: list[dict] = field(default_factory=list)
    remembered: dict[str, Remembered] = field(default_factory=dict)
    # Payment intent id -> the text of the request that created it.
    subjects: dict[str, str] = field(default_factory=dict)
    # localstripe's payment method id -> the decline code of the Stripe name it stands for.
    decline_codes: dict[str, str] = field(default_factory=dict)
    fault_ids: itertools.count = field(default_factory=lambda: itertools.count(1))
    http: aiohttp.ClientSession = field(init=False)

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
        if kind in ("delay", "timeout"):
            await self.linger(request, fault.delayMs or 60_000)
        if kind == "timeout":
            return self.hang_up(request)

        answer, replayed = (injected_error(), False) if kind == "error500" else await self.answer_once(call)
        if not replayed:
            self.learn(call, answer)
        about = answer.body if answer.body.get("object") == "payment_intent" else {}
        entry.update(
            status=answer.status, replayed=replayed, paymentIntent=about.get("id") or call.intent,
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
        call.subject += self.subjects.get(call.intent, "")
        return call

    def learn(self, call: Call, answer: Answer) -> None:
        if call.path == "/v1/payment_intents":
            created = answer.body if answer.status == 200 else answer.body.get("error", {}).get("payment_intent", {})
            if "id" in created:
                self.subjects[created["id"]] = call.subject

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

    async def answer_once(self, call: Call) -> tuple[Answer, bool]:
        """The answer to a call, and whether it is an earlier one repeated."""
        key = call.idempotency_key
        if call.method != "POST" or not key:
            return await self.carry_out(call), False
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
            mine.answer = await self.carry_out(call)
        finally:
            if mine.answer is None or mine.answer.status in NOT_REMEMBERED:
                self.remembered.pop(key, None)
        return mine.answer, False

    # -- what Stripe does and localstripe does not -----------------------------------------------------------

    async def carry_out(self, call: Call) -> Answer:
        form = {name: value for name, value in call.form.items() if not IGNORED_PARAMETERS.match(name)}
        if form.get("payment_method") in TEST_PAYMENT_METHODS:
            form["payment_method"] = await self.create_test_method(form["payment_method"], call.authorization)
        if call.method == "POST" and call.path == "/v1/refunds" and call.intent:
            refusal = await self.refuse_refund(call, form)
            if refusal:
                return refusal
        if call.path.endswith("/confirm") and "payment_method" in form:
            # localstripe confirms only with the method given at creation, and never after a decline.
            update = {"payment_method": form.pop("payment_method"), "latest_charge": None}
            answer = await self.ask("POST", f"/v1/payment_intents/{call.intent}", call.authorization, document=update)
            if answer.status != 200:
                return answer
        answer = await self.ask(call.method, call.path, call.authorization, form)
        if answer.status == 402:
            await self.describe_decline(call, answer)
        if answer.status == 400 and re.search(r"/payment_intents/pi_\w+/(confirm|cancel|capture)$", call.path):
            await self.describe_wrong_state(call, answer)
        return answer

    async def create_test_method(self, name: str, authorization: str) -> str:
        number, decline_code = TEST_PAYMENT_METHODS[name]
        card = {"number": number, "exp_month": "12", "exp_year": "2050", "cvc": "123"}
        form = {"type": "card"} | {f"card[{name}]": value for name, value in card.items()}
        created = await self.ask("POST", "/v1/payment_methods", authorization, form)
        identifier = created.body.get("id", name)
        if decline_code:
            self.decline_codes[identifier] = decline_code
        return identifier

    async def get_intent(self, intent: str, authorization: str) -> dict:
        answer = await self.ask("GET", f"/v1/payment_intents/{intent}", authorization)
        return answer.body if answer.status == 200 else {}

    async def refuse_refund(self, call: Call, form: dict) -> Answer | None:
        """localstripe refunds the same charge for ever, and fails with a 500 when there is none."""
        intent = await self.get_intent(call.intent, call.authorization)
        charge = intent.get("latest_charge")
        if not intent:
            return None
        if not charge or charge["status"] != "succeeded":
            return error(400, "invalid_request_error",
                         f"This PaymentIntent ({call.intent}) does not have a successful charge to refund.")
        left = charge["amount"] - charge["amount_refunded"]
        if left <= 0:
            return error(400, "invalid_request_error", f"Charge {charge['id']} has already been refunded.",
                         code="charge_already_refunded")
        wanted = form.setdefault("amount", str(left))
        if wanted.isdigit() and int(wanted) > left:
            return error(400, "invalid_request_error",
                         f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left}).",
                         param="amount")
        return None

    async def describe_decline(self, call: Call, answer: Answer) -> None:
        details = answer.body["error"]
        details["type"] = "card_error"
        charge = await self.ask("GET", f"/v1/charges/{details.get('charge')}", call.authorization)
        details["decline_code"] = self.decline_codes.get(charge.body.get("payment_method"), "generic_decline")
        intent = call.intent or charge.body.get("payment_intent")
        if intent:
            details["payment_intent"] = await self.get_intent(intent, call.authorization)

    async def describe_wrong_state(self, call: Call, answer: Answer) -> None:
        intent = await self.get_intent(call.intent, call.authorization)
        action = call.path.rsplit("/", 1)[1]
        answer.body["error"].update(
            code="payment_intent_unexpected_state", payment_intent=intent,
            message=f"You cannot {action} this PaymentIntent because it has a status of {intent.get('status')}.",
        )

    async def ask(
        self, method: str, path: str, authorization: str, form: dict | None = None, document: dict | None = None
    ) -> Answer:
        """One request to localstripe, with a form or (where a value must be null) a JSON document."""
        parameters = {"params": form} if method in ("GET", "DELETE") else {"json": document, "data": form}
        headers = {"Authorization": authorization}
        async with self.http.request(method, self.localstripe + path, headers=headers, **parameters) as response:
            text = await response.text()
            try:
                return Answer(response.status, json.loads(text) if text else {})
            except ValueError:
                return error(502, "api_error", f"localstripe answered {response.status}: {text[:200]}")

    # -- what tests control and read -------------------------------------------------------------------------

    async def control(self, request: web.Request) -> web.Response:
        method, path = request.method, request.path.removeprefix(CONTROL_PREFIX)
        contains = request.query.get("contains", "")
        match (method, path.split("/")):
            case ("GET", ["health"]):
                return web.json_response({"status": "UP"})
            case ("POST", ["faults"]):
                return self.arm(await request.json())
            case ("GET", ["faults"]):
                return web.json_response([asdict(fault) for fault in self.faults.values()])
            case ("DELETE", ["faults"]):
                self.faults.clear()
            case ("DELETE", ["faults", identifier]):
                self.faults.pop(identifier, None)
            case ("GET", ["requests"]):
                shown = [entry for entry in self.journal if contains in entry["_subject"] + entry["path"]]
                return web.json_response([{k: v for k, v in e.items() if not k.startswith("_")} for e in shown])
            case ("DELETE", ["requests"]):
                self.journal.clear()
            case ("GET", ["ledger"]):
                matching = [intent for intent, subject in self.subjects.items() if contains in subject + intent]
                return web.json_response([await self.ledger_line(intent) for intent in matching])
            case ("POST", ["reset"]):
                for memory in (self.faults, self.journal, self.remembered, self.subjects, self.decline_codes):
                    memory.clear()
                await self.ask("DELETE", "/_config/data", "")
            case _:
                return web.json_response({"error": f"no such control: {method} {request.path}"}, status=404)
        return web.Response(status=204)

    def arm(self, wanted: dict) -> web.Response:
        try:
            fault = Fault(id=f"fault-{next(self.fault_ids)}", match=wanted.pop("match", {}), **wanted)
            re.compile(fault.match.get("pathRegex", ""))
        except (TypeError, re.error) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        if fault.fault not in FAULTS or not set(fault.match) <= {"method", "pathRegex", "bodyContains"}:
            return web.json_response({"error": f"fault is one of {sorted(FAULTS)}"}, status=400)
        self.faults[fault.id] = fault
        return web.json_response({"id": fault.id}, status=201)

    async def ledger_line(self, intent_id: str) -> dict:
        intent = await self.get_intent(intent_id, "Bearer sk_test_control")
        charge = intent.get("latest_charge") or {}
        paid = charge.get("status") == "succeeded"
        return {
            "paymentIntent": intent_id, "status": intent.get("status"), "metadata": intent.get("metadata"),
            "currency": intent.get("currency"), "amount": intent.get("amount"),
            "charged": charge["amount"] if paid else 0, "refunded": charge["amount_refunded"] if paid else 0,
        }

    # -- life ------------------------------------------------------------------------------------------------

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", CONTROL_PREFIX + "{rest:.*}", self.control)
        app.router.add_route("*", "/{rest:.*}", self.serve)
        app.cleanup_ctx.append(self.connect)
        return app

    async def connect(self, _app: web.Application):
        """Starts localstripe before the first request and stops it after the last."""
        program = Path(__file__).with_name("localstripe_server.py")
        port = self.localstripe.rsplit(":", 1)[1]
        child = await asyncio.create_subprocess_exec(sys.executable, str(program), port)
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as self.http:
                await self.wait_for_localstripe(child)
                yield
        finally:
            if child.returncode is None:
                child.terminate()
                await child.wait()

    async def wait_for_localstripe(self, child: asyncio.subprocess.Process) -> None:
        for _ in range(100):
            try:
                await self.ask("GET", "/v1/charges", "Bearer sk_test_start")
                return
            except aiohttp.ClientConnectionError:
                if child.returncode is not None:
                    raise SystemExit("localstripe did not start; is its port taken?") from None
                await asyncio.sleep(0.1)
        raise SystemExit("localstripe did not answer in time.")


def main() -> None:
    parser = argparse.ArgumentParser(description="The local payment provider.")
    parser.add_argument("--host", action="append", help="address to listen on, repeatable (default: loopback)")
    parser.add_argument("--port", type=int, default=4567)
    parser.add_argument("--localstripe-port", type=int, default=4568)
    options = parser.parse_args()
    server = PaymentServer(localstripe=f"http://127.0.0.1:{options.localstripe_port}")
    web.run_app(
        server.application(), host=options.host or ["127.0.0.1"], port=options.port,
        access_log=None, shutdown_timeout=1,
    )


if __name__ == "__main__":
    main()
