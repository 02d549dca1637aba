"""Exactly these requests, each once, each answer looked at: fills, spot checks and cleaning up, outside the measured
windows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.bench.exchange import Answer, Connection, FramingError

RETRIES = 20
"""A server that is busy (503) or cleans up between two phases is given this many second chances per request ..."""
RETRY_PAUSE_S = 0.25
"""... this far apart."""
BUSY = (429, 500, 503)
SHOWN_FAILURES = 5


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    body: bytes = b""


@dataclass
class Outcome:
    """What became of a list of requests: how many were answered as expected, and the first few that were not."""

    answered: int = 0
    failed: int = 0
    retried: int = 0
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)

    def fail(self, request: Request, what: str) -> None:
        self.failed += 1
        if len(self.examples) < SHOWN_FAILURES:
            self.examples.append(f"{request.method} {request.target.split('?')[0]}: {what}")


Check = Callable[[Request, Answer], str | None]
"""Says what is wrong with an answer, or None."""


def is_2xx(_request: Request, answer: Answer) -> str | None:
    if 200 <= answer.status < 300:
        return None
    return f"status {answer.status}: {answer.body[:200].decode('utf-8', 'replace')}"


def run(
    host: str, port: int, requests: Iterable[Request], *, clients: int, check: Check = is_2xx, retries: int = RETRIES
) -> Outcome:
    """Send every request over `clients` connections. Failures are reported, never raised."""
    outcome = Outcome()
    lock = threading.Lock()
    source = iter(requests)

    def client() -> None:
        line = _Line(host, port, check, retries)
        while (request := _next(source, lock)) is not None:
            wrong, tries = line.send(request)
            with lock:
                outcome.retried += tries
                if wrong is None:
                    outcome.answered += 1
                else:
                    outcome.fail(request, wrong)
        line.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    started_at = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.seconds = time.monotonic() - started_at
    return outcome


def _next(source: Iterator[Request], lock: threading.Lock) -> Request | None:
    with lock:
        return next(source, None)


class _Line:
    """One client: a connection that is made again when it breaks, and the retries."""

    def __init__(self, host: str, port: int, check: Check, retries: int) -> None:
        self._address = (host, port)
        self._check = check
        self._retries = retries
        self._connection: Connection | None = None

    def send(self, request: Request) -> tuple[str | None, int]:
        """Returns what is wrong with the last answer, and how often the request was sent again."""
        wrong: str | None = None
        for tries in range(self._retries + 1):
            if tries:
                time.sleep(RETRY_PAUSE_S)
            try:
                self._connection = self._connection or Connection(*self._address)
                answer = self._connection.request(request.method, request.target, request.body)
                wrong = self._check(request, answer)
                if wrong is None or answer.status not in BUSY:
                    return wrong, tries
            except (OSError, FramingError) as error:
                wrong = f"{type(error).__name__}: {error}"
                self.close()
        return wrong, self._retries

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
