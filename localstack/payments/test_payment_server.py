"""Checks the payment server over HTTP, as the product and the tests use it.

    python -m unittest discover -s localstack/payments        (with the payments virtual environment's Python)
"""

import http.client
import json
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import urlencode

# Ports of its own, so that it can run beside a developer's stack.
PORT, LOCALSTRIPE_PORT = 4597, 4598


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
        ports = ["--port", str(PORT), "--localstripe-port", str(LOCALSTRIPE_PORT)]
        cls.server = subprocess.Popen([sys.executable, str(program), *ports], stdout=subprocess.DEVNULL)
        cls.addClassCleanup(cls.stop)  # also when starting fails
        for _ in range(100):
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


if __name__ == "__main__":
    unittest.main()
