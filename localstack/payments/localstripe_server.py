"""Runs localstripe on the loopback interface, with its state in memory only.

localstripe's own entry point listens on every interface and writes its whole store to a file in the
temporary directory on every change. Neither belongs on a developer's machine, so this starts the same
application without them. It is a process of its own, spoken to over HTTP alone: localstripe is GPL-licensed.

    python localstripe_server.py PORT
"""

import sys

from aiohttp import web
from localstripe import resources, server

resources.Store.dump_to_disk = lambda store: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
