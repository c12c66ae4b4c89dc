"""Signed webhooks, as Stripe delivers them, and the ways in which a delivery goes wrong.

Each event is posted to one URL with `Stripe-Signature: t=…,v1=…`, a signature for each secret (https://docs.stripe.com/webhooks#verify-manually),
and posted again, after longer and longer pauses, until the answer is a success. Nothing here keeps an order, as Stripe keeps none.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from dataclasses import asdict, dataclass, field

import aiohttp

ATTEMPTS = 8
FIRST_PAUSE = 0.5
MISCHIEF = {"lose", "double", "delay", "hold"}


def signature(secrets: list[str], body: bytes, at: int | None = None) -> str:
    at = int(time.time()) if at is None else at
    signed = f"{at}.".encode() + body
    parts = [f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}" for secret in secrets]
    return ",".join([f"t={at}", *parts])


@dataclass
class Mischief:
    """A planned fault for deliveries of matching events: the event's type begins with `type`, and its text contains `bodyContains`."""

    id: str
    act: str
    type: str = ""
    bodyContains: str = ""
    delayMs: int = 0
    times: int = 1
    hits: int = 0

    def covers(self, event: dict, text: str) -> bool:
        return self.times != 0 and event["type"].startswith(self.type) and self.bodyContains in text

    def spend(self) -> None:
        self.hits += 1
        if self.times > 0:
            self.times -= 1


@dataclass
class Webhooks:
    url: str | None = None
    secrets: list[str] = field(default_factory=lambda: ["whsec_boxoffice_local"])
    mischief: dict[str, Mischief] = field(default_factory=dict)
    held: list[dict] = field(default_factory=list)
    deliveries: list[dict] = field(default_factory=list)
    ids: itertools.count = field(default_factory=lambda: itertools.count(1))
    running: set[asyncio.Task] = field(default_factory=set)
    # Gives more text to match than the event's own: the request that created its payment intent.
    subject: callable = lambda event: ""

    def forget(self) -> None:
        for task in list(self.running):
            task.cancel()
        for memory in (self.mischief, self.held, self.deliveries):
            memory.clear()

    def order(self, wanted: dict) -> Mischief:
        mischief = Mischief(id=f"mischief-{next(self.ids)}", **wanted)
        if mischief.act not in MISCHIEF:
            raise ValueError(f"act is one of {sorted(MISCHIEF)}")
        self.mischief[mischief.id] = mischief
        return mischief

    def send(self, event: dict) -> None:
        """Delivers an event soon, or does to it what a test ordered."""
        if not self.url:
            return
        text = json.dumps(event) + self.subject(event)
        mischief = next((mischief for mischief in self.mischief.values() if mischief.covers(event, text)), None)
        act = None
        if mischief:
            mischief.spend()
            act = mischief.act
        match act:
            case "lose":
                self.note(event, text, "lost")
            case "hold":
                self.held.append(event)
            case "double":
                self.start(event, text)
                self.start(event, text)
            case "delay":
                self.start(event, text, after=mischief.delayMs / 1000)
            case _:
                self.start(event, text)

    def release(self, reverse: bool = False) -> int:
        """Delivers what was held, in this order or the other."""
        held, self.held = self.held, []
        for event in reversed(held) if reverse else held:
            self.start(event, json.dumps(event) + self.subject(event))
        return len(held)

    def start(self, event: dict, text: str, after: float = 0) -> None:
        task = asyncio.get_running_loop().create_task(self.deliver(event, text, after))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def deliver(self, event: dict, text: str, after: float) -> None:
        await asyncio.sleep(after)
        for attempt in range(ATTEMPTS):
            body = json.dumps(event).encode()
            status = await self.post(body, signature(self.secrets, body))
            self.note(event, text, status)
            if isinstance(status, int) and 200 <= status < 300:
                return
            await asyncio.sleep(FIRST_PAUSE * 2**attempt)

    async def post(self, body: bytes, signed: str | None) -> int | str:
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"}
        if signed is not None:
            headers["Stripe-Signature"] = signed
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
                async with http.post(self.url, data=body, headers=headers) as response:
                    await response.read()
                    return response.status
        except (OSError, aiohttp.ClientError, TimeoutError) as problem:
            return type(problem).__name__

    async def forge(self, event: dict, secret: str | None, at: int | None) -> int | str:
        """Posts what the account never said: signed by another's secret, or by its own, or not at all."""
        if not self.url:
            raise ValueError("there is no address to post events to: POST /_control/webhook sets it")
        body = json.dumps(event).encode()
        status = await self.post(body, None if secret is None else signature([secret], body, at))
        self.note(event, body.decode(), status)
        return status

    def note(self, event: dict, text: str, outcome: int | str) -> None:
        self.deliveries.append({"id": event["id"], "type": event["type"], "outcome": outcome, "_text": text})

    def shown(self, contains: str) -> list[dict]:
        fitting = [entry for entry in self.deliveries if contains in entry["_text"]]
        return [{name: value for name, value in entry.items() if not name.startswith("_")} for entry in fitting]

    def orders(self) -> list[dict]:
        return [asdict(mischief) for mischief in self.mischief.values()]
