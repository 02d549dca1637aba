"""Gunicorn in code: the arbiter of the HTTP workers, run in the process that calls `run`."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from kakera.base import limits
from kakera.config import ConfigError, Http
from kakera.edge.accept import Board
from kakera.edge.app import EdgeApp
from kakera.edge.worker import EdgeWorker
from kakera.observe.log import formatter, get_logger

log = get_logger("edge")

MakeApp = Callable[[], EdgeApp]
MakeTls = Callable[[], ssl.SSLContext]


class _JsonLogger(Logger):  # type: ignore[misc]
    """Gunicorn's and, through the worker, uvicorn's own messages as our JSON lines."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.access_log.handlers.clear()
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter("http"))
        logging.getLogger("asyncio").handlers[:] = self.error_log.handlers


class EdgeServer(BaseApplication):  # type: ignore[misc]
    """`make_app` is called in each worker, after the fork; `make_tls` here, before it, and again at SIGHUP.

    Raises: ConfigError, from `make_tls`.
    """

    def __init__(
        self,
        make_app: MakeApp,
        *,
        listen: str,
        workers: int,
        level: str,
        preload: Callable[[], None],
        health_listen: str = "",
        http: Http | None = None,
        make_tls: MakeTls | None = None,
    ) -> None:
        http = http or Http()
        self._make_app = make_app
        self._preload = preload
        self._make_tls = make_tls
        EdgeWorker.TLS = make_tls() if make_tls is not None else None
        EdgeWorker.DRAIN_S = http.graceful_timeout_s
        self._options: dict[str, Any] = {
            "bind": [listen, health_listen] if health_listen else [listen],  # in the order FairServer takes them
            "workers": workers,
            "worker_class": "kakera.edge.worker.EdgeWorker",
            "logger_class": _JsonLogger,
            "loglevel": level,
            "errorlog": "-",
            "graceful_timeout": http.graceful_timeout_s + 3,
            "timeout": int(limits.WORKER_SILENCE_S),
            "keepalive": http.keepalive_s,
            "backlog": http.backlog,
            "proc_name": "kakera-http",
            "control_socket_disable": True,  # its default place is under HOME; nobody asks it anything
            "worker_tmp_dir": "/dev/shm",  # the heartbeat must not wait for a disk
            "child_exit": _child_exit,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def reload(self) -> None:
        """SIGHUP: new workers in the place of the old, with the certificate as it is now. One that cannot be used
        changes nothing: the old one may still hold for days."""
        super().reload()
        if self._make_tls is not None:
            try:
                EdgeWorker.TLS = self._make_tls()
            except ConfigError as error:
                log.error("TLS certificate not taken", reason=str(error))

    def load(self) -> EdgeApp:
        return self._make_app()

    def run(self) -> None:
        self._preload()  # once, shared by all workers until written to
        EdgeWorker.BOARD = Board()
        super().run()


def _child_exit(_server: Any, worker: Any) -> None:
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
    if EdgeWorker.BOARD is not None:
        EdgeWorker.BOARD.leave(worker.age)
