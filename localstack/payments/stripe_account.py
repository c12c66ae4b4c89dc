"""A Stripe account in memory: payment intents, charges, refunds, disputes and the events about them. No I/O.

It answers as Stripe documents (https://docs.stripe.com/api), as far as a ticket office meets it: smallest and largest amounts for each
currency, methods that are not activated, declines that leave the intent open for another method, authentication that the buyer
completes elsewhere, payments and refunds that settle later, either way, and disputes. A refusal is raised as `Refusal`.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, in minor units.
MINIMUM = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400,
    "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50,
    "thb": 1000,
}
# "The amount value supports up to eight digits."
MAXIMUM = 99_999_999
ACCOUNT = "acct_boxoffice_local"


@dataclass(frozen=True)
class Behaviour:
    """The outcome of a payment by one of Stripe's test payment methods."""

    kind: str = "card"
    # The error's code and decline code when it is charged.
    decline: tuple[str, str] | None = None
    # The buyer has to authenticate first.
    authenticates: bool = False
    # The charge is `processing`, and settles by itself after so many seconds (never, without a number).
    settles: tuple[str, float | None] | None = None
    # A refund's status at first, and in the end.
    refund: tuple[str, str] = ("succeeded", "succeeded")
    disputed: bool = False


def declined(decline_code: str, code: str = "card_declined") -> Behaviour:
    return Behaviour(decline=(code, decline_code))


# By their documented names (https://docs.stripe.com/testing, https://docs.stripe.com/payments/sepa-debit).
TEST_PAYMENT_METHODS = {
    "pm_card_visa": Behaviour(),
    "pm_card_mastercard": Behaviour(),
    "pm_card_authenticationRequired": Behaviour(authenticates=True),
    "pm_card_threeDSecure2Required": Behaviour(authenticates=True),
    "pm_card_threeDSecureRequiredChargeDeclined": Behaviour(authenticates=True, decline=("card_declined", "generic_decline")),
    "pm_card_chargeDeclined": declined("generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": declined("insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": declined("expired_card", "expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": declined("incorrect_cvc", "incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": declined("processing_error", "processing_error"),
    "pm_card_chargeCustomerFail": declined("generic_decline"),
    "pm_card_pendingRefund": Behaviour(refund=("pending", "succeeded")),
    "pm_card_refundFail": Behaviour(refund=("succeeded", "failed")),
    "pm_card_createDispute": Behaviour(disputed=True),
    "pm_success_de": Behaviour("sepa_debit", settles=("succeeded", 0.3)),
    "pm_failed_de": Behaviour("sepa_debit", settles=("failed", 0.3)),
    "pm_successDelayed_de": Behaviour("sepa_debit", settles=("succeeded", 180.0)),
    "pm_failedDelayed_de": Behaviour("sepa_debit", settles=("failed", 180.0)),
    "pm_paypal": Behaviour("paypal", authenticates=True),
}
# The kinds of payment method that Stripe knows, and those that this account has activated at first.
KINDS = {"card", "sepa_debit", "paypal", "link", "klarna", "ideal", "bancontact"}
ACTIVATED = {"card", "sepa_debit"}
INTENT_PARAMETERS = {
    "amount", "currency", "payment_method", "payment_method_types", "metadata", "confirm", "automatic_payment_methods", "description",
    "return_url", "receipt_email", "statement_descriptor", "statement_descriptor_suffix", "setup_future_usage", "use_stripe_sdk",
    "transfer_group", "capture_method", "confirmation_method", "error_on_requires_action", "expand", "off_session", "mandate_data",
}


class Refusal(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, kind: str, message: str, **more):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message, **more}}


def invalid(message: str, **more) -> Refusal:
    return Refusal(400, "invalid_request_error", message, **more)


def missing(what: str, identifier: str, status: int = 404, param: str = "intent") -> Refusal:
    return Refusal(status, "invalid_request_error", f"No such {what}: '{identifier}'", code="resource_missing", param=param)


def fresh(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def root(name: str) -> str:
    return name.split("[", 1)[0]


def nested(form: dict, name: str) -> dict:
    """`metadata[a]=b` as {"a": "b"}."""
    start = name + "["
    return {key[len(start):-1]: value for key, value in form.items() if key.startswith(start) and key.endswith("]")}


@dataclass
class Account:
    """The account's whole state. Each event is passed to `emit`; `later` calls back after so many seconds."""

    emit: Callable[[dict], None]
    later: Callable[[float, Callable[[], None]], None]
    pages: str = "http://127.0.0.1"
    activated: set[str] = field(default_factory=lambda: set(ACTIVATED))
    intents: dict[str, dict] = field(default_factory=dict)
    charges: dict[str, dict] = field(default_factory=dict)
    refunds: dict[str, dict] = field(default_factory=dict)
    disputes: dict[str, dict] = field(default_factory=dict)
    events: dict[str, dict] = field(default_factory=dict)
    # Every movement of the account's balance, the oldest first.
    balance: list[dict] = field(default_factory=list)
    # Payment intents whose next confirmation is to stay `processing` until a test settles it.
    undecided: set[str] = field(default_factory=set)

    def forget(self) -> None:
        for memory in (self.intents, self.charges, self.refunds, self.disputes, self.events, self.undecided, self.balance):
            memory.clear()
        self.activated = set(ACTIVATED)

    # -- what the API serves -------------------------------------------------------------------------------

    def answer(self, method: str, path: str, form: dict) -> dict:
        match (method, path.strip("/").split("/")[1:]):
            case ("POST", ["payment_intents"]):
                return self.shown(self.create(form), form)
            case ("GET", ["payment_intents"]):
                return {"object": "list", "data": list(reversed(self.intents.values())), "has_more": False}
            case ("GET", ["payment_intents", identifier]):
                return self.shown(self.intent(identifier), form)
            case ("POST", ["payment_intents", identifier, "confirm"]):
                return self.shown(self.confirm(self.intent(identifier), form), form)
            case ("POST", ["payment_intents", identifier, "cancel"]):
                return self.shown(self.cancel(self.intent(identifier), form), form)
            case ("GET", ["charges", identifier]):
                return dict(self.found(self.charges, "charge", identifier, "id"))
            case ("POST", ["refunds"]):
                return dict(self.refund(form))
            case ("GET", ["refunds"]):
                about = form.get("payment_intent")
                listed = [dict(refund) for refund in reversed(self.refunds.values()) if about in (None, refund["payment_intent"])]
                return {"object": "list", "data": listed, "has_more": False}
            case ("GET", ["refunds", identifier]):
                return dict(self.found(self.refunds, "refund", identifier, "id"))
            case ("GET", ["disputes"]):
                about = form.get("payment_intent")
                listed = [dict(dispute) for dispute in reversed(self.disputes.values()) if about in (None, dispute["payment_intent"])]
                return {"object": "list", "data": listed, "has_more": False}
            case ("GET", ["disputes", identifier]):
                return dict(self.found(self.disputes, "dispute", identifier, "dispute"))
            case ("GET", ["events"]):
                return self.events_page(form)
            case ("GET", ["events", identifier]):
                return self.found(self.events, "event", identifier, "id")
            case ("GET", ["balance_transactions"]):
                return self.balance_page(form)
            case ("GET", ["account"]):
                return {"object": "account", "id": ACCOUNT}
        raise Refusal(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}).")

    @staticmethod
    def found(where: dict, what: str, identifier: str, param: str) -> dict:
        if identifier not in where:
            raise missing(what, identifier, param=param)
        return where[identifier]

    def intent(self, identifier: str) -> dict:
        return self.found(self.intents, "payment_intent", identifier, "intent")

    def shown(self, intent: dict, form: dict) -> dict:
        shown = {name: value for name, value in intent.items() if not name.startswith("_")}
        if intent["latest_charge"] and "latest_charge" in [value for name, value in form.items() if root(name) == "expand"]:
            shown["latest_charge"] = dict(self.charges[intent["latest_charge"]])
        return shown

    # -- payment intents -----------------------------------------------------------------------------------

    def create(self, form: dict) -> dict:
        self.check_parameters(form)
        currency = form.get("currency", "")
        amount = self.checked_amount(form.get("amount", ""), currency)
        kinds = [value for name, value in form.items() if root(name) == "payment_method_types"] or ["card"]
        for kind in kinds:
            if kind not in self.activated:
                raise invalid(
                    f'The payment method type "{kind}" is invalid. Please ensure the provided type is activated in your dashboard.',
                    code="payment_intent_invalid_parameter", param="payment_method_types",
                )
            if kind == "sepa_debit" and currency != "eur":
                raise invalid(
                    f"The currency provided ({currency}) is invalid for one of the payment method types accepted by this PaymentIntent.",
                    code="payment_intent_invalid_parameter", param="currency",
                )
        identifier = fresh("pi")
        intent = {
            "object": "payment_intent", "id": identifier, "amount": amount, "amount_received": 0, "currency": currency,
            "client_secret": f"{identifier}_secret_{secrets.token_hex(8)}", "status": "requires_payment_method", "payment_method": None,
            "payment_method_types": kinds, "metadata": nested(form, "metadata"), "next_action": None, "latest_charge": None,
            "last_payment_error": None, "canceled_at": None, "cancellation_reason": None, "created": int(time.time()), "livemode": False, "_return_url": None,
        }
        if "payment_method" in form:
            self.attach(intent, form["payment_method"])
        self.intents[identifier] = intent
        self.tell("payment_intent.created", intent)
        return self.confirm(intent, form) if form.get("confirm") == "true" else intent

    @staticmethod
    def check_parameters(form: dict) -> None:
        unknown = sorted(name for name in form if root(name) not in INTENT_PARAMETERS)
        if unknown:
            raise invalid(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])
        for name in ("amount", "currency"):
            if not form.get(name):
                raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)

    @staticmethod
    def checked_amount(text: str, currency: str) -> int:
        if currency not in MINIMUM:
            raise invalid(f"Invalid currency: {currency}.", param="currency")
        if not text.isdigit():
            raise invalid(f"Invalid integer: {text}", code="parameter_invalid_integer", param="amount")
        if int(text) < MINIMUM[currency]:
            raise invalid(
                f"Amount must be at least {MINIMUM[currency]} {currency} in minor units", code="amount_too_small", param="amount"
            )
        if int(text) > MAXIMUM:
            raise invalid(f"Amount must be no more than {MAXIMUM} in minor units", code="amount_too_large", param="amount")
        return int(text)

    def attach(self, intent: dict, method: str) -> None:
        behaviour = TEST_PAYMENT_METHODS.get(method)
        if behaviour is None:
            raise missing("PaymentMethod", method, 400, "payment_method")
        if behaviour.kind not in intent["payment_method_types"]:
            allowed = ", ".join(intent["payment_method_types"])
            raise invalid(
                f"The PaymentMethod provided ({behaviour.kind}) is not allowed for this PaymentIntent. It allows {allowed}.",
                code="payment_intent_incompatible_payment_method", param="payment_method",
            )
        intent.update(payment_method=method, status="requires_confirmation")

    def confirm(self, intent: dict, form: dict) -> dict:
        if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
            raise self.wrong_state("confirm", intent)
        if form.get("confirm") != "true" and "payment_method" in form:
            self.attach(intent, form["payment_method"])
        if not intent["payment_method"]:
            raise self.wrong_state("confirm", intent, "it's missing a payment method")
        behaviour = TEST_PAYMENT_METHODS[intent["payment_method"]]
        intent.update(last_payment_error=None, next_action=None, _return_url=form.get("return_url"))
        if behaviour.authenticates:
            if behaviour.kind == "paypal" and not intent["_return_url"]:
                raise invalid("A return_url must be specified because this PaymentMethod redirects.", param="return_url")
            intent["status"] = "requires_action"
            intent["next_action"] = self.next_action(intent)
            self.tell("payment_intent.requires_action", intent)
            return intent
        return self.charge(intent, behaviour)

    def next_action(self, intent: dict) -> dict:
        url = f"{self.pages}/_3ds/{intent['id']}?client_secret={intent['client_secret']}"
        if intent["_return_url"]:
            return {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": intent["_return_url"]}}
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url}}

    def charge(self, intent: dict, behaviour: Behaviour) -> dict:
        charge = {
            "object": "charge", "id": fresh("ch"), "amount": intent["amount"], "currency": intent["currency"], "amount_refunded": 0,
            "payment_intent": intent["id"], "payment_method": intent["payment_method"], "metadata": intent["metadata"],
            "status": "pending", "paid": False, "disputed": False, "refunded": False, "created": int(time.time()),
        }
        self.charges[charge["id"]] = charge
        intent.update(latest_charge=charge["id"], next_action=None)
        if intent["id"] in self.undecided or behaviour.settles:
            intent["status"] = "processing"
            self.tell("payment_intent.processing", intent)
            if behaviour.settles and behaviour.settles[1] is not None:
                outcome, seconds = behaviour.settles
                self.later(seconds, lambda: self.settle(intent, outcome == "succeeded"))
        elif behaviour.decline:
            self.decline(intent, *behaviour.decline)
            raise Refusal(402, "card_error", "Your card was declined.", code=behaviour.decline[0], decline_code=behaviour.decline[1],
                          charge=charge["id"], payment_intent=self.shown(intent, {}))
        else:
            self.succeed(intent)
            if behaviour.disputed:
                self.dispute(intent)
        return intent

    def succeed(self, intent: dict) -> None:
        self.charges[intent["latest_charge"]].update(status="succeeded", paid=True)
        intent.update(status="succeeded", amount_received=intent["amount"])
        # As Stripe charges for European cards.
        self.move("charge", intent["amount"], self.charges[intent["latest_charge"]], fee=25 + intent["amount"] * 15 // 1000)
        self.tell("charge.succeeded", self.charges[intent["latest_charge"]])
        self.tell("payment_intent.succeeded", intent)

    def decline(self, intent: dict, code: str, decline_code: str) -> None:
        error = {"type": "card_error", "code": code, "decline_code": decline_code, "message": "Your card was declined."}
        if intent["latest_charge"]:
            self.charges[intent["latest_charge"]]["status"] = "failed"
        intent.update(status="requires_payment_method", payment_method=None, next_action=None, last_payment_error=error)
        self.tell("payment_intent.payment_failed", intent)

    def settle(self, intent: dict, succeeds: bool) -> None:
        """Ends a payment that was `processing`."""
        if intent["status"] == "processing":
            self.undecided.discard(intent["id"])
            if succeeds:
                self.succeed(intent)
            else:
                self.decline(intent, "payment_intent_payment_attempt_failed", "generic_decline")

    def authenticate(self, intent: dict, succeeds: bool) -> None:
        """The buyer is through with their bank's page."""
        if intent["status"] != "requires_action":
            raise self.wrong_state("authenticate", intent)
        if not succeeds:
            self.decline(intent, "payment_intent_authentication_failure", "authentication_required")
            return
        try:
            self.charge(intent, TEST_PAYMENT_METHODS[intent["payment_method"]])
        except Refusal:
            pass  # Declined after all; the intent says so.

    def cancel(self, intent: dict, form: dict) -> dict:
        reason = form.get("cancellation_reason")
        if reason not in (None, "duplicate", "fraudulent", "requested_by_customer", "abandoned"):
            raise invalid(f"Invalid cancellation_reason: {reason}", param="cancellation_reason")
        if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"):
            raise self.wrong_state("cancel", intent)
        intent.update(status="canceled", canceled_at=int(time.time()), cancellation_reason=reason, next_action=None)
        self.tell("payment_intent.canceled", intent)
        return intent

    def wrong_state(self, action: str, intent: dict, why: str | None = None) -> Refusal:
        why = why or f"it has a status of {intent['status']}"
        return invalid(f"You cannot {action} this PaymentIntent because {why}.", code="payment_intent_unexpected_state",
                       payment_intent=self.shown(intent, {}))

    # -- refunds and disputes ------------------------------------------------------------------------------

    def refund(self, form: dict) -> dict:
        charge = self.charge_to_refund(form)
        left = charge["amount"] - charge["amount_refunded"]
        if charge["disputed"]:
            raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
        if left <= 0:
            raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        wanted = form.get("amount") or str(left)
        if not wanted.isdigit() or int(wanted) == 0:
            raise invalid(f"Invalid positive integer: {wanted}", code="parameter_invalid_integer", param="amount")
        if int(wanted) > left:
            raise invalid(f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left}).", param="amount")
        status, in_the_end = TEST_PAYMENT_METHODS[charge["payment_method"]].refund
        refund = {
            "object": "refund", "id": fresh("re"), "amount": int(wanted), "charge": charge["id"], "currency": charge["currency"],
            "payment_intent": charge["payment_intent"], "metadata": nested(form, "metadata"), "reason": form.get("reason"),
            "status": status, "failure_reason": None, "created": int(time.time()),
        }
        self.refunds[refund["id"]] = refund
        charge["amount_refunded"] += refund["amount"]
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self.move("refund", -refund["amount"], refund)
        self.tell("refund.created", refund)
        self.tell("charge.refunded", charge)
        if status != in_the_end:
            self.later(0.3, lambda: self.settle_refund(refund, in_the_end))
        return refund

    def charge_to_refund(self, form: dict) -> dict:
        if "charge" in form:
            return self.found(self.charges, "charge", form["charge"], "charge")
        identifier = form.get("payment_intent", "")
        if identifier not in self.intents:
            raise missing("payment_intent", identifier, 404, "payment_intent")
        charge = self.charges.get(self.intents[identifier]["latest_charge"])
        if not charge or charge["status"] != "succeeded":
            raise invalid(f"This PaymentIntent ({identifier}) does not have a successful charge to refund.")
        return charge

    def move(self, kind: str, amount: int, about: dict, fee: int = 0) -> None:
        """Books a movement of the balance (https://docs.stripe.com/api/balance_transactions)."""
        self.balance.append({
            "object": "balance_transaction", "id": fresh("txn"), "amount": amount, "fee": fee, "net": amount - fee, "type": kind,
            "currency": about["currency"], "created": int(time.time()), "source": about["id"], "_source": about,
        })

    def events_page(self, form: dict) -> dict:
        """The newest first, not before `created[gte]`, and of these types where any are named (`types[0]`, `types[1]`, …)."""
        since, kinds = int(form.get("created[gte]", 0)), {value for name, value in form.items() if root(name) == "types"}
        listed = [event for event in reversed(self.events.values()) if event["created"] >= since and (not kinds or event["type"] in kinds)]
        if after := form.get("starting_after"):
            listed = listed[next(index for index, event in enumerate(listed) if event["id"] == after) + 1:]
        limit = int(form.get("limit", 10))
        return {"object": "list", "data": listed[:limit], "has_more": len(listed) > limit}

    def balance_page(self, form: dict) -> dict:
        """The newest first; the first after `starting_after`, at most `limit`, created within the bounds."""
        since, until = int(form.get("created[gte]", 0)), int(form.get("created[lt]", 2**62))
        listed = [entry for entry in reversed(self.balance) if since <= entry["created"] < until]
        if after := form.get("starting_after"):
            listed = listed[next(index for index, entry in enumerate(listed) if entry["id"] == after) + 1:]
        limit = int(form.get("limit", 10))
        expanded = "data.source" in [value for name, value in form.items() if root(name) == "expand"]
        shown = [{name: value for name, value in entry.items() if name != "_source"} for entry in listed[:limit]]
        if expanded:
            shown = [entry | {"source": dict(listed[index]["_source"])} for index, entry in enumerate(shown)]
        return {"object": "list", "data": shown, "has_more": len(listed) > limit}

    def settle_refund(self, refund: dict, status: str) -> None:
        """A refund that was pending comes to its end, or one that had succeeded comes back days later."""
        if status == refund["status"] or refund["status"] in ("failed", "canceled"):
            return
        refund["status"] = status
        if status in ("failed", "canceled"):
            charge = self.charges[refund["charge"]]
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False
            self.move("refund_failure", refund["amount"], refund)
            refund["failure_reason"] = "expired_or_canceled_card" if status == "failed" else None
        self.tell("refund.failed" if status == "failed" else "refund.updated", refund)

    def dispute(self, intent: dict) -> dict:
        charge = self.charges[intent["latest_charge"]]
        dispute = {
            "object": "dispute", "id": fresh("du"), "amount": charge["amount"], "charge": charge["id"], "currency": charge["currency"],
            "payment_intent": intent["id"], "reason": "fraudulent", "status": "needs_response", "created": int(time.time()),
        }
        self.disputes[dispute["id"]] = dispute
        charge["disputed"] = True
        self.move("adjustment", -dispute["amount"], dispute)
        self.tell("charge.dispute.created", dispute)
        return dispute

    def close_dispute(self, dispute: dict, status: str) -> None:
        dispute["status"] = status
        if status == "won":
            self.charges[dispute["charge"]]["disputed"] = False
            self.move("adjustment", dispute["amount"], dispute)
        self.tell("charge.dispute.closed", dispute)

    # -- events --------------------------------------------------------------------------------------------

    def tell(self, kind: str, about: dict) -> dict:
        event = event_about(kind, {name: value for name, value in about.items() if not name.startswith("_")})
        self.events[event["id"]] = event
        self.emit(event)
        return event

    def ledger_line(self, intent: dict) -> dict:
        charge = self.charges.get(intent["latest_charge"], {})
        paid = charge.get("status") == "succeeded"
        return {
            "paymentIntent": intent["id"], "status": intent["status"], "metadata": intent["metadata"], "currency": intent["currency"],
            "amount": intent["amount"], "charged": charge["amount"] if paid else 0,
            "refunded": charge["amount_refunded"] if paid else 0, "disputed": charge.get("disputed", False),
        }


def event_about(kind: str, about: dict) -> dict:
    """An event as Stripe words it; it holds the object as it was then."""
    return {
        "object": "event", "id": fresh("evt"), "type": kind, "api_version": "2024-06-20", "created": int(time.time()),
        "livemode": False, "pending_webhooks": 1, "request": {"id": None, "idempotency_key": None}, "data": {"object": dict(about)},
    }
