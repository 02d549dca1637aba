"""Gunicorn in code: the arbiter of the HTTP workers, run in the process that calls `run`."""

from __future__ import annotations

import logging
import os
import signal
import ssl
import time
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
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


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's, but for SIGHUP. Its own reload ends the old workers before the new ones take connections, ends the
    server when a new one cannot begin, and neither hears a signal nor replaces a dead worker until the last old one is
    gone."""

    _old_age = 0  # workers up to this age are about to end

    def reload(self) -> None:
        """New workers in the place of the old ones, which go on until one of the new takes connections."""
        self.app.take_certificate()
        before = self.worker_age
        if not self._begins(self.spawn_worker()):
            log.error("reload given up: a new worker did not begin, those of before go on")
            return
        self._old_age = before
        self.manage_workers()

    def manage_workers(self) -> None:
        serving = sum(worker.age > self._old_age for worker in self.WORKERS.values())
        for _ in range(self.num_workers - serving):
            self.spawn_worker()
        super().manage_workers()  # ends the oldest of those that are too many

    def _begins(self, pid: int) -> bool:
        """True as soon as the worker takes connections; False when it is gone, at the latest after WORKER_BEGIN_S."""
        assert EdgeWorker.BOARD is not None
        age = self.WORKERS[pid].age
        until_s = time.monotonic() + limits.WORKER_BEGIN_S
        while not EdgeWorker.BOARD.takes(age):
            if time.monotonic() > until_s:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
            try:
                self.reap_workers()
            except HaltServer:
                pass  # it has said why in the log
            if pid not in self.WORKERS:
                return False
        return True


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

    def take_certificate(self) -> None:
        """SIGHUP: the certificate as it is now. One that cannot be used changes nothing: the old one may still hold for
        days."""
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
        _Arbiter(self).run()


def _child_exit(_server: Any, worker: Any) -> None:
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
    if EdgeWorker.BOARD is not None:
        EdgeWorker.BOARD.leave(worker.age)
