"""Checks the payment server over HTTP, as the product and the tests use it.

    python -m unittest discover -s localstack/payments        (with the payments virtual environment's Python)
"""

import hashlib
import hmac
import http.client
import http.server
import json
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

# Ports of their own, so that they can run beside a developer's stack.
PORT, LISTENER_PORT = 4597, 4598
SECRET = "whsec_test"


def call(method, path, form=None, key=None, document=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    headers = {"Authorization": "Bearer sk_test_boxoffice_local"}
    if key:
        headers["Idempotency-Key"] = key
    body = None
    if document is not None:
        body = json.dumps(document)
    elif form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode(form)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None, response.headers
    finally:
        connection.close()


def create(ticket, method="pm_card_visa", key=None, **more):
    form = {"amount": "5000", "currency": "eur", "metadata[ticketId]": ticket, "payment_method": method} | more
    return call("POST", "/v1/payment_intents", form, key)


def confirm(intent, key=None, **form):
    return call("POST", f"/v1/payment_intents/{intent['id']}/confirm", form, key)


def read(intent):
    return call("GET", f"/v1/payment_intents/{intent['id']}")[1]


def refund(intent, key=None, **form):
    return call("POST", "/v1/refunds", {"payment_intent": intent["id"], **form}, key)


def control(path, method="POST", **document):
    status, answer, _ = call(method, f"/_control/{path}", document=document if method == "POST" else None)
    assert status in (200, 201, 204), (status, answer)
    return answer


def until(condition, message):
    deadline = time.monotonic() + 5
    while not (found := condition()):
        assert time.monotonic() < deadline, message
        time.sleep(0.02)
    return found


def arm(ticket, fault, **more):
    status, answer, _ = call(
        "POST", "/_control/faults", document={"match": {"bodyContains": ticket}, "fault": fault} | more
    )
    assert status == 201, answer
    return answer["id"]


def journal(ticket):
    return call("GET", f"/_control/requests?contains={ticket}")[1]


def ledger(ticket):
    return [(line["charged"], line["refunded"]) for line in call("GET", f"/_control/ledger?contains={ticket}")[1]]


class PaymentServerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program = Path(__file__).with_name("payment_server.py")
        cls.server = subprocess.Popen([sys.executable, str(program), "--port", str(PORT)], stdout=subprocess.DEVNULL)
        cls.addClassCleanup(cls.stop)  # also when starting fails
        for _ in range(300):
            try:
                call("GET", "/_control/health")
                return
            except ConnectionError:
                time.sleep(0.1)
        raise AssertionError("the payment server did not start")

    @classmethod
    def stop(cls):
        cls.server.terminate()
        cls.server.wait()

    def setUp(self):
        self.ticket = f"tkt_{self._testMethodName}"

    def test_an_intent_is_charged_and_refunded_once(self):
        _, intent, _ = create(self.ticket, description="Two seats")
        self.assertEqual("requires_confirmation", intent["status"])
        status, confirmed, _ = call("POST", f"/v1/payment_intents/{intent['id']}/confirm", {})
        self.assertEqual((200, "succeeded"), (status, confirmed["status"]))
        refund = {"payment_intent": intent["id"], "reason": "requested_by_customer"}
        self.assertEqual("succeeded", call("POST", "/v1/refunds", refund)[1]["status"])
        status, answer, _ = call("POST", "/v1/refunds", refund)
        self.assertEqual((400, "charge_already_refunded"), (status, answer["error"]["code"]))
        self.assertEqual([(5000, 5000)], ledger(self.ticket))

    def test_a_declined_card_says_why_and_another_card_can_follow(self):
        _, intent, _ = create(self.ticket, "pm_card_chargeDeclinedInsufficientFunds")
        path = f"/v1/payment_intents/{intent['id']}/confirm"
        status, answer, _ = call("POST", path, {})
        self.assertEqual(402, status)
        self.assertEqual(
            ("card_error", "card_declined", "insufficient_funds"),
            tuple(answer["error"][name] for name in ("type", "code", "decline_code")),
        )
        self.assertEqual("requires_payment_method", answer["error"]["payment_intent"]["status"])
        status, confirmed, _ = call("POST", path, {"payment_method": "pm_card_visa"})
        self.assertEqual((200, "succeeded"), (status, confirmed["status"]))

    def test_a_paid_intent_cannot_be_cancelled_and_an_unpaid_one_not_refunded(self):
        _, intent, _ = create(self.ticket)
        status, answer, _ = call("POST", "/v1/refunds", {"payment_intent": intent["id"]})
        self.assertEqual((400, "invalid_request_error"), (status, answer["error"]["type"]))
        call("POST", f"/v1/payment_intents/{intent['id']}/confirm", {})
        status, answer, _ = call("POST", f"/v1/payment_intents/{intent['id']}/cancel", {})
        self.assertEqual((400, "payment_intent_unexpected_state"), (status, answer["error"]["code"]))
        self.assertEqual("succeeded", answer["error"]["payment_intent"]["status"])

    def test_strong_authentication_asks_for_an_action(self):
        _, intent, _ = create(self.ticket, "pm_card_authenticationRequired")
        status, answer, _ = call("POST", f"/v1/payment_intents/{intent['id']}/confirm", {})
        self.assertEqual((200, "requires_action"), (status, answer["status"]))

    def test_the_same_key_answers_again_without_charging_again(self):
        first = create(self.ticket, key=self.ticket, confirm="true")
        again = create(self.ticket, key=self.ticket, confirm="true")
        self.assertEqual(first[:2], again[:2])
        self.assertEqual((None, "true"), tuple(a[2].get("Idempotent-Replayed") for a in (first, again)))
        self.assertEqual([(5000, 0)], ledger(self.ticket))
        self.assertEqual([False, True], [entry["replayed"] for entry in journal(self.ticket)])

    def test_the_same_key_for_another_request_is_an_error(self):
        create(self.ticket, key=self.ticket)
        status, answer, _ = create(self.ticket, key=self.ticket, amount="1")
        self.assertEqual((400, "idempotency_error"), (status, answer["error"]["type"]))

    def test_the_same_key_at_the_same_time_is_a_conflict(self):
        statuses = []
        threads = [
            threading.Thread(target=lambda: statuses.append(create(self.ticket, key=self.ticket)[0])) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(set(statuses), {200, 409})
        self.assertEqual(1, len(ledger(self.ticket)))

    def test_an_injected_error_is_not_remembered_and_leaves_others_alone(self):
        arm(self.ticket, "error500")
        self.assertEqual(200, create("tkt_somebody_else")[0])
        self.assertEqual(500, create(self.ticket, key=self.ticket)[0])
        self.assertEqual(200, create(self.ticket, key=self.ticket)[0])

    def test_an_answer_lost_after_the_charge_is_found_again_under_its_key(self):
        _, intent, _ = create(self.ticket)
        arm(self.ticket, "answer_lost")  # matches the confirmation by the ticket its creation named
        path = f"/v1/payment_intents/{intent['id']}/confirm"
        with self.assertRaises((ConnectionError, http.client.HTTPException)):
            call("POST", path, {}, key=self.ticket)
        status, answer, headers = call("POST", path, {}, key=self.ticket)
        self.assertEqual((200, "succeeded", "true"), (status, answer["status"], headers["Idempotent-Replayed"]))
        self.assertEqual([(5000, 0)], ledger(self.ticket))

    def test_a_timeout_never_answers_and_never_charges(self):
        arm(self.ticket, "timeout", delayMs=50)
        with self.assertRaises((ConnectionError, http.client.HTTPException)):
            create(self.ticket, confirm="true")
        self.assertEqual([], ledger(self.ticket))

    def test_a_fault_is_checked_and_can_be_taken_back(self):
        self.assertEqual(400, call("POST", "/_control/faults", document={"fault": "earthquake"})[0])
        fault = arm(self.ticket, "error500", times=-1)
        self.assertEqual(500, create(self.ticket)[0])
        self.assertEqual(204, call("DELETE", f"/_control/faults/{fault}")[0])
        self.assertEqual(200, create(self.ticket)[0])

    # -- as strict as Stripe -------------------------------------------------------------------------------

    def test_a_refusal_is_kept_under_its_key_and_another_key_asks_anew(self):
        _, intent, _ = create(self.ticket, "pm_card_chargeDeclined")
        first, again = confirm(intent, key="a"), confirm(intent, key="a")
        self.assertEqual((402, 402, "true"), (first[0], again[0], again[2].get("Idempotent-Replayed")))
        wrong = call("POST", "/v1/refunds", {"payment_intent": intent["id"]}, key="b")
        self.assertEqual(400, wrong[0])
        confirm(intent, key="c", payment_method="pm_card_visa")
        self.assertEqual(400, refund(intent, key="b")[0])
        self.assertEqual(200, refund(intent, key="d")[0])

    def test_a_server_error_can_be_kept_too(self):
        arm(self.ticket, "error500_kept")
        self.assertEqual([500, 500], [create(self.ticket, key=self.ticket)[0] for _ in range(2)])
        self.assertEqual([], ledger(self.ticket))

    def test_amounts_have_bounds_for_each_currency(self):
        for amount, currency, code in [
            ("49", "eur", "amount_too_small"), ("29", "gbp", "amount_too_small"), ("100000000", "eur", "amount_too_large"),
        ]:
            status, answer, _ = create(self.ticket, amount=amount, currency=currency)
            self.assertEqual((400, code), (status, answer["error"]["code"]))
        for amount, currency in [("50", "eur"), ("30", "gbp"), ("99999999", "usd")]:
            self.assertEqual(200, create(self.ticket, amount=amount, currency=currency)[0])
        self.assertEqual("currency", create(self.ticket, currency="xxx")[1]["error"]["param"])

    def test_a_method_must_exist_be_activated_and_fit(self):
        status, answer, _ = create(self.ticket, "pm_nobodys")
        self.assertEqual((400, "resource_missing", "payment_method"), (status, answer["error"]["code"], answer["error"]["param"]))
        status, answer, _ = create(self.ticket, **{"payment_method_types[]": "paypal"})
        self.assertEqual((400, "payment_method_types"), (status, answer["error"]["param"]))
        status, answer, _ = create(self.ticket, "pm_success_de")
        self.assertEqual((400, "payment_intent_incompatible_payment_method"), (status, answer["error"]["code"]))
        status, answer, _ = create(self.ticket, surprise="1")
        self.assertEqual((400, "parameter_unknown"), (status, answer["error"]["code"]))

    def test_a_declined_intent_stays_open_until_it_is_cancelled(self):
        _, intent, _ = create(self.ticket, "pm_card_chargeDeclined")
        confirm(intent)
        declined = read(intent)
        self.assertEqual(("requires_payment_method", None), (declined["status"], declined["payment_method"]))
        self.assertEqual(400, confirm(intent)[0])
        self.assertEqual("canceled", call("POST", f"/v1/payment_intents/{intent['id']}/cancel", {})[1]["status"])
        self.assertEqual(400, confirm(intent, payment_method="pm_card_visa")[0])

    def test_a_processing_payment_settles_later_either_way_and_a_repeated_confirmation_still_says_processing(self):
        for succeeds, status, charged in [(True, "succeeded", 5000), (False, "requires_payment_method", 0)]:
            ticket = f"{self.ticket}_{succeeds}"
            _, intent, _ = create(ticket)
            arm(ticket, "undecided")
            self.assertEqual("processing", confirm(intent, key=ticket)[1]["status"])
            self.assertEqual(400, call("POST", f"/v1/payment_intents/{intent['id']}/cancel", {})[0])
            control(f"intents/{intent['id']}/settle", succeeded=succeeds)
            self.assertEqual("processing", confirm(intent, key=ticket)[1]["status"])
            self.assertEqual(status, read(intent)["status"])
            self.assertEqual([(charged, 0)], ledger(ticket))

    def test_a_debit_settles_by_itself(self):
        for method, status in [("pm_success_de", "succeeded"), ("pm_failed_de", "requires_payment_method")]:
            _, intent, _ = create(self.ticket, method, **{"payment_method_types[]": "sepa_debit"})
            self.assertEqual("processing", confirm(intent)[1]["status"])
            until(lambda: read(intent)["status"] == status, status)

    def test_a_buyer_authenticates_on_a_page_and_is_sent_back(self):
        for outcome, status, redirect in [("complete", "succeeded", "succeeded"), ("fail", "requires_payment_method", "failed")]:
            _, intent, _ = create(self.ticket, "pm_card_threeDSecure2Required")
            action = confirm(intent, return_url="http://shop.example/return?a=b")[1]["next_action"]
            self.assertEqual("redirect_to_url", action["type"])
            page = urlsplit(action["redirect_to_url"]["url"])
            path = f"{page.path}?{page.query}"
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
            connection.request("GET", path)
            self.assertIn("50.00 EUR", connection.getresponse().read().decode())
            connection.request("POST", path, urlencode({"outcome": outcome}), {"Content-Type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            answer.read()
            back = urlsplit(answer.headers["Location"])
            self.assertEqual((303, "shop.example"), (answer.status, back.netloc))
            self.assertEqual([redirect], parse_qs(back.query)["redirect_status"])
            connection.close()
            self.assertEqual(status, read(intent)["status"])

    def test_without_a_return_url_the_action_is_for_the_sdk_and_can_be_cancelled(self):
        _, intent, _ = create(self.ticket, "pm_card_authenticationRequired")
        self.assertEqual("use_stripe_sdk", confirm(intent)[1]["next_action"]["type"])
        self.assertEqual("canceled", call("POST", f"/v1/payment_intents/{intent['id']}/cancel", {})[1]["status"])
        self.assertEqual([(0, 0)], ledger(self.ticket))

    def test_refunds_by_amount_never_exceed_the_charge(self):
        _, intent, _ = create(self.ticket, confirm="true")
        self.assertEqual([200, 200, 400], [refund(intent, amount="2000")[0] for _ in range(3)])
        self.assertEqual(200, refund(intent)[0])
        self.assertEqual("charge_already_refunded", refund(intent)[1]["error"]["code"])
        self.assertEqual([(5000, 5000)], ledger(self.ticket))

    def test_a_refund_can_be_pending_fail_later_or_be_canceled(self):
        _, intent, _ = create(self.ticket, "pm_card_pendingRefund", confirm="true")
        pending = refund(intent)[1]
        self.assertEqual("pending", pending["status"])
        until(lambda: call("GET", f"/v1/refunds/{pending['id']}")[1]["status"] == "succeeded", "the refund succeeds")
        for status in ("failed", "canceled"):
            ticket = f"{self.ticket}_{status}"
            _, intent, _ = create(ticket, confirm="true")
            control(f"refunds/{refund(intent)[1]['id']}/settle", status=status)
            self.assertEqual([(5000, 0)], ledger(ticket))
        _, intent, _ = create(f"{self.ticket}_by_card", "pm_card_refundFail", confirm="true")
        self.assertEqual("succeeded", refund(intent)[1]["status"])
        until(lambda: ledger(f"{self.ticket}_by_card") == [(5000, 0)], "the refund comes back")

    def test_a_disputed_charge_is_not_refunded_until_it_is_won(self):
        _, intent, _ = create(self.ticket, confirm="true")
        dispute = control(f"intents/{intent['id']}/dispute")
        self.assertEqual("charge_disputed", refund(intent)[1]["error"]["code"])
        control(f"disputes/{dispute['id']}/close", status="won")
        self.assertEqual(200, refund(intent)[0])

    def test_the_balance_has_every_movement_and_sums_to_what_is_there(self):
        _, intent, _ = create(self.ticket, confirm="true")
        failing = refund(intent, amount="2000")[1]
        control(f"refunds/{failing['id']}/settle", status="failed")
        refund(intent, amount="1000")
        dispute = control(f"intents/{intent['id']}/dispute")
        control(f"disputes/{dispute['id']}/close", status="won")

        def about(entry):
            return entry["source"].get("payment_intent") == intent["id"]

        moved, after = [], {}
        while True:
            page = call("GET", "/v1/balance_transactions", {"limit": "2", "expand[]": "data.source"} | after)[1]
            moved += [(entry["type"], entry["amount"]) for entry in page["data"] if about(entry)]
            if not page["has_more"]:
                break
            after = {"starting_after": page["data"][-1]["id"]}
        moved.reverse()
        expected = [("charge", 5000), ("refund", -2000), ("refund_failure", 2000), ("refund", -1000), ("adjustment", -5000), ("adjustment", 5000)]
        self.assertEqual(expected, moved)

    def test_a_key_has_a_rate_and_can_be_rolled(self):
        control("account", requestsPerSecond=3)
        try:
            statuses = [call("GET", "/v1/account")[0] for _ in range(6)]
            self.assertEqual(({200, 429}, 200), (set(statuses), statuses[0]))
            control("account", requestsPerSecond=None, rejectedKeys=["sk_test_boxoffice_local"])
            self.assertEqual(401, call("GET", "/v1/account")[0])
        finally:
            control("account", requestsPerSecond=None, rejectedKeys=[])
        self.assertEqual(200, call("GET", "/v1/account")[0])


class Listener(http.server.BaseHTTPRequestHandler):
    heard = []
    refusals = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Listener.heard.append((self.headers.get("Stripe-Signature"), body))
        refuse = Listener.refusals > 0
        Listener.refusals -= refuse
        self.send_response(500 if refuse else 200)
        self.end_headers()

    def log_message(self, *_):
        pass


class WebhooksTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        PaymentServerTest.setUpClass.__func__(cls)
        listener = http.server.ThreadingHTTPServer(("127.0.0.1", LISTENER_PORT), Listener)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        cls.addClassCleanup(listener.server_close)
        cls.addClassCleanup(listener.shutdown)

    stop = PaymentServerTest.__dict__["stop"]

    def setUp(self):
        self.ticket = f"tkt_{self._testMethodName}"
        control("reset")
        control("webhook", url=f"http://127.0.0.1:{LISTENER_PORT}/", secrets=["whsec_old", SECRET])
        Listener.heard.clear()

    def heard(self, kind="payment_intent.succeeded"):
        events = [(signature, body, json.loads(body)) for signature, body in list(Listener.heard)]
        return [(signature, body) for signature, body, event in events if event["type"] == kind]

    def test_an_event_is_signed_with_each_secret(self):
        create(self.ticket, confirm="true")
        until(self.heard, "the event")
        signature, body = self.heard()[0]
        parts = [part.split("=", 1) for part in signature.split(",")]
        at = dict(parts)["t"]
        self.assertLess(abs(time.time() - int(at)), 5)
        expected = [
            hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest() for secret in ("whsec_old", SECRET)
        ]
        self.assertEqual(expected, [value for name, value in parts if name == "v1"])
        self.assertEqual(self.ticket, json.loads(body)["data"]["object"]["metadata"]["ticketId"])

    def test_an_event_that_is_not_accepted_is_posted_again(self):
        Listener.refusals = 3
        create(self.ticket)
        until(lambda: len(self.heard("payment_intent.created")) == 4, "four attempts")

    def test_events_are_lost_doubled_delayed_and_reordered_on_order(self):
        for act, times in [("lose", 0), ("double", 2), ("delay", 1)]:
            ticket = f"{self.ticket}_{act}"
            control("webhook/mischief", act=act, type="payment_intent.succeeded", bodyContains=ticket, delayMs=200)
            create(ticket, confirm="true")
            if act == "lose":
                until(lambda: call("GET", f"/_control/webhook/deliveries?contains={ticket}")[1], "the deliveries")
            mine = lambda: [body for _, body in self.heard() if ticket in body.decode()]
            until(lambda: len(mine()) == times, act)
        control("webhook/mischief", act="hold", bodyContains=f"{self.ticket}_held", times=-1)
        create(f"{self.ticket}_held", confirm="true")
        self.assertEqual({"released": 3}, control("webhook/release", reversed=True))
        held = lambda: [json.loads(body)["type"] for _, body in list(Listener.heard) if f"{self.ticket}_held" in body.decode()]
        until(lambda: len(held()) == 3, "what was held")

    def test_a_forged_event_is_signed_as_the_test_says(self):
        lie = {"object": "payment_intent", "id": "pi_lie", "status": "succeeded"}
        for secret in (None, "whsec_forged"):
            self.assertEqual({"status": 200}, control("webhook/forge", type="payment_intent.succeeded", object=lie, secret=secret))
        self.assertEqual([True, False], [signature is None for signature, _ in self.heard()])


if __name__ == "__main__":
    unittest.main()
