#!/usr/bin/env python3
"""Starts the embedded emulator, ministack, tuned for a crowd.

Each environment of a function is three threads of the emulator that look ten times a second whether they have been stopped, and every thread that waits for Python's
lock asks for it 200 times a second. With the few hundred environments that a race of buyers leaves behind, two cores did little else. A new event wakes its thread at
once, so longer intervals delay nothing but the end of an environment.

Two patches besides: the list of sent mails has what a raw one says in full (`RawData`, as LocalStack's), and a binary media type may be spelled `image~1png`, as
CloudFormation has it.
"""

import base64
import json
import queue
import socketserver
import sys

from ministack import app
from ministack.core import lambda_runtime
from ministack.services import apigateway_v1, ses

LOOK_SECONDS = 2.0
TURN_SECONDS = 0.05

serve_forever = socketserver.BaseServer.serve_forever
send_raw_email = ses._send_raw_email
handle_messages = app._handle_ses_messages_request
media_type_matches = apigateway_v1._media_type_matches
raw_mails: dict[str, str] = {}


class Queue(queue.Queue):
    """Waits longer for an environment's next event: those queues hold one."""

    def get(self, block: bool = True, timeout: float | None = None) -> object:
        return super().get(block, max(timeout, LOOK_SECONDS) if timeout and self.maxsize == 1 else timeout)


def serve_patiently(server: socketserver.BaseServer, poll_interval: float = 0.5) -> None:
    serve_forever(server, max(poll_interval, LOOK_SECONDS))


def keep_raw_email(params: dict) -> tuple:
    answer = send_raw_email(params)
    if answer[0] == 200:
        sent = ses._sent_emails_list()[-1]
        raw_mails[sent["MessageId"]] = base64.b64decode(ses._p(params, "RawMessage.Data")).decode()
    return answer


async def show_raw_emails(*request: object) -> tuple | None:
    answer = await handle_messages(*request)
    if answer is None or answer[0] != 200:
        return answer
    status, headers, body = answer
    listed = json.loads(body)
    for mail in (mail for mails in listed["messages"].values() for mail in mails):
        if raw := raw_mails.get(mail["MessageId"]):
            mail["RawData"] = raw
    return status, headers, json.dumps(listed).encode()


def match_media_type(media_type: str | None, binary_media_types: list | None) -> bool:
    return media_type_matches(media_type, [each.replace("~1", "/") for each in binary_media_types or []])


if __name__ == "__main__":
    sys.setswitchinterval(TURN_SECONDS)
    socketserver.BaseServer.serve_forever = serve_patiently
    lambda_runtime.queue.Queue = Queue
    lambda_runtime._PROVIDED_POLL = LOOK_SECONDS
    ses._send_raw_email = keep_raw_email
    app._handle_ses_messages_request = show_raw_emails
    apigateway_v1._media_type_matches = match_media_type
    sys.exit(app.main())
