"""The Gunicorn worker: uvicorn-worker's, with our protocol, uvloop, and nothing that is not used."""

from __future__ import annotations

import gc
import ssl
import sys
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from kakera.base import limits
from kakera.base.kernel import die_with_parent
from kakera.edge.accept import Board, FairServer
from kakera.edge.protocol import Connection

GC_THRESHOLDS = (50_000, 20, 50)  # a request makes few cycles; the default would look for them 10 times as often


class EdgeWorker(UvicornWorker):  # type: ignore[misc]
    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": Connection,
        "ws": "none",
        "lifespan": "on",
        "interface": "asgi3",
        "access_log": False,
        "server_header": False,  # protocol.SERVER
        "proxy_headers": False,  # the remote address of the log is the peer's; X-Forwarded-For can be forged
    }

    # Set in the arbiter, before a fork
    BOARD: ClassVar[Board | None] = None
    TLS: ClassVar[ssl.SSLContext | None] = None
    DRAIN_S: ClassVar[int] = int(limits.DRAIN_LIMIT_S)

    def init_process(self) -> None:
        die_with_parent(self.ppid)  # a worker without its arbiter would hold the port against the next one
        # What was imported before the fork is never garbage: frozen, it is neither scanned nor, by that, copied.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        super().init_process()

    async def _serve(self) -> None:
        assert self.BOARD is not None
        self.config.app = self.wsgi
        self.config.timeout_graceful_shutdown = self.DRAIN_S
        server = FairServer(self.config, self.wsgi, board=self.BOARD, slot=self.age, tls=self.TLS)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
