"""Presigned URLs, used as a browser would: no signing, no client, one request."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

TIMEOUT_S = 60.0
WRITERS = 8


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def ask(method: str, url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """One request on a connection of its own; header names in lower case."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)
    try:
        return _ask(connection, method, url, data, headers or {})
    finally:
        connection.close()


def put_all(targets: Iterable[tuple[str, bytes]]) -> None:
    """PUT every body to its URL, several at once on kept connections. Raises: AssertionError on the first refusal."""
    work = list(targets)
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(_put_some, (work[number::WRITERS] for number in range(WRITERS))):
            pass


def _put_some(targets: list[tuple[str, bytes]]) -> None:
    if not targets:
        return
    connection = http.client.HTTPConnection(urlsplit(targets[0][0]).netloc, timeout=TIMEOUT_S)
    try:
        for url, data in targets:
            answer = _ask(connection, "PUT", url, data, {})
            assert answer.status == 200, (url, answer)
    finally:
        connection.close()


def _ask(
    connection: http.client.HTTPConnection, method: str, url: str, data: bytes | None, headers: dict[str, str]
) -> Answer:
    parts = urlsplit(url)
    connection.request(method, f"{parts.path}?{parts.query}", body=data, headers=headers)
    response = connection.getresponse()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
