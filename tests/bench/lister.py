"""Lists a bucket page after page, as a client without hints must, and checks that the listing is in order and complete.

Run as a process of its own (`python -m tests.bench.lister`): one JSON order on standard input, one JSON line of
figures on standard output (shape: client.ClientResult; a request is a page). Two regular expressions instead of an
XML parser: the client shall not be what is measured.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from tests.bench.exchange import Connection, FramingError
from tests.bench.presign import Credentials, Presigner
from tests.bench.stream import percentile

PAGE_KEYS = 1000
PAGE_LIMIT = 100_000
"""A listing that never ends is a defect of the server, not a reason to wait: a hundred million keys."""

_KEY = re.compile(rb"<Key>([^<]*)</Key>")
_TOKEN = re.compile(rb"<NextContinuationToken>([^<]*)</NextContinuationToken>")


class ListingError(Exception):
    """The server's listing cannot be gone on with: a status, an endless list."""


class Lister:
    """Pages of ListObjectsV2 over one connection; latencies and sizes of the pages add up over passes."""

    def __init__(self, connection: Connection, presigner: Presigner, bucket: str) -> None:
        self._connection = connection
        self._presigner = presigner
        self._bucket = bucket
        self.latencies_s: list[float] = []
        self.bytes_read = 0

    def pages(self) -> Iterator[list[bytes]]:
        """The keys of one page at a time, still XML-escaped, to the end of the bucket. Raises ListingError, OSError,
        FramingError."""
        query = {"list-type": "2", "max-keys": str(PAGE_KEYS)}
        for _ in range(PAGE_LIMIT):
            started_at = time.monotonic()
            answer = self._connection.request("GET", self._presigner.target("GET", f"/{self._bucket}", query))
            if answer.status != 200:
                raise ListingError(f"status {answer.status}: {answer.body[:200]!r}")
            keys = _KEY.findall(answer.body)
            self.latencies_s.append(time.monotonic() - started_at)
            self.bytes_read += len(answer.head) + answer.body_size_bytes
            yield keys
            token = _TOKEN.search(answer.body)
            if token is None:
                return
            query["continuation-token"] = html.unescape(token.group(1).decode())
        raise ListingError(f"more than {PAGE_LIMIT} pages")

    def all_keys(self) -> list[str]:
        return [html.unescape(key.decode()) for page in self.pages() for key in page]


def digest_of(keys: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\n".join(keys)).hexdigest()


def faults_in(keys: list[bytes], expected_keys: int, expected_digest: str) -> dict[str, int]:
    """What is wrong with a whole listing: kinds and counts, empty when it is the expected one."""
    faults: Counter[str] = Counter()
    faults["order"] = sum(before >= after for before, after in pairwise(keys))
    faults["missing or surplus"] = abs(len(keys) - expected_keys)
    if not faults.total() and digest_of(keys) != expected_digest:
        faults["other keys"] = 1
    return {kind: count for kind, count in faults.items() if count}


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """List the bucket again and again until the window is over (at least once); every pass is checked."""
    credentials = Credentials(**order["credentials"])
    errors: Counter[str] = Counter()
    working_s, listed = 0.0, 0
    with Connection(order["host"], order["port"]) as connection:
        lister = Lister(connection, Presigner(credentials, f"{order['host']}:{order['port']}"), order["bucket"])
        while not errors and (not listed or working_s < order["window_s"]):
            started_at = time.monotonic()
            try:
                keys = [key for page in lister.pages() for key in page]
            except (ListingError, FramingError, OSError) as error:
                errors[str(error)[:300]] += 1
                break
            working_s += time.monotonic() - started_at  # checking is the client's own affair and not timed
            listed += len(keys)
            errors.update(faults_in(keys, order["expected_keys"], order["expected_digest"]))
            if not keys:
                break
    latencies_s = sorted(lister.latencies_s)
    return {
        "requests": len(latencies_s),
        "units": listed,
        "seconds": working_s or 1e-9,
        "bytes_read": lister.bytes_read,
        "p50_ms": percentile(latencies_s, 0.50) * 1e3,
        "p99_ms": percentile(latencies_s, 0.99) * 1e3,
        "max_ms": (latencies_s[-1] if latencies_s else 0.0) * 1e3,
        "overran": 0,
        "errors": dict(errors),
    }


if __name__ == "__main__":
    print(json.dumps(measure(json.load(sys.stdin))))
