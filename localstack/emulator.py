#!/usr/bin/env python3
"""Starts the embedded emulator, ministack, tuned for a crowd.

Each environment of a function is three threads of the emulator that look ten times a second whether they have been stopped, and every thread that waits for Python's
lock asks for it 200 times a second. With the few hundred environments that a race of buyers leaves behind, two cores did little else. A new event wakes its thread at
once, so longer intervals delay nothing but the end of an environment.
"""

import queue
import socketserver
import sys

from ministack.app import main
from ministack.core import lambda_runtime

LOOK_SECONDS = 2.0
TURN_SECONDS = 0.05

serve_forever = socketserver.BaseServer.serve_forever


class Queue(queue.Queue):
    """Waits longer for an environment's next event: those queues hold one."""

    def get(self, block: bool = True, timeout: float | None = None) -> object:
        return super().get(block, max(timeout, LOOK_SECONDS) if timeout and self.maxsize == 1 else timeout)


def serve_patiently(server: socketserver.BaseServer, poll_interval: float = 0.5) -> None:
    serve_forever(server, max(poll_interval, LOOK_SECONDS))


if __name__ == "__main__":
    sys.setswitchinterval(TURN_SECONDS)
    socketserver.BaseServer.serve_forever = serve_patiently
    lambda_runtime.queue.Queue = Queue
    lambda_runtime._PROVIDED_POLL = LOOK_SECONDS
    sys.exit(main())
