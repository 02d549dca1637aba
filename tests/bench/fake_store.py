"""A store in memory for the benchmark's own tests: no signatures, no disk, and faults on demand.

One process only (`python -m tests.bench.fake_store PORT`). FAKE_FAULT names what it does wrong, and the tests see that
the benchmark notices: "error" (503 for every third PUT), "short" (half of every body), "swap" (other bytes), "undead"
(acknowledges DELETE and keeps the object), "gap" (a listing without its second key).
"""

from __future__ import annotations

import bisect
import os
import sys
from html import escape

import falcon
import falcon.asgi
import uvicorn

FAULTS = ("", "error", "short", "swap", "undead", "gap")


class FakeStore:
    def __init__(self, fault: str = "") -> None:
        assert fault in FAULTS, fault
        self._fault = fault
        self._buckets: dict[str, dict[str, bytes]] = {}
        self._puts = 0

    async def answer(self, req: falcon.asgi.Request, resp: falcon.asgi.Response | None, **_parts: str) -> None:
        assert resp is not None
        bucket, _, key = req.path[1:].partition("/")
        if req.method == "PUT":
            await self._put(bucket, key, req, resp)
        elif bucket not in self._buckets:
            resp.status = falcon.HTTP_404
        elif not key:
            self._of_bucket(bucket, req, resp)
        elif key not in self._buckets[bucket]:
            resp.status = falcon.HTTP_204 if req.method == "DELETE" else falcon.HTTP_404
        elif req.method == "DELETE":
            resp.status = falcon.HTTP_204
            if self._fault != "undead":
                del self._buckets[bucket][key]
        else:
            self._get(self._buckets[bucket][key], resp)

    async def _put(self, bucket: str, key: str, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        body = await req.stream.readall()
        if not key:
            self._buckets[bucket] = {}
            return
        self._puts += 1
        if self._fault == "error" and self._puts % 3 == 0:
            resp.status, resp.text = falcon.HTTP_503, "<Code>SlowDown</Code>"
        else:
            self._buckets[bucket][key] = body

    def _get(self, body: bytes, resp: falcon.asgi.Response) -> None:
        if self._fault == "short":
            body = body[: len(body) // 2]
        elif self._fault == "swap":
            body = body[::-1]
        resp.data = body

    def _of_bucket(self, bucket: str, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        if req.method == "DELETE":
            resp.status = falcon.HTTP_409 if self._buckets[bucket] else falcon.HTTP_204
            if not self._buckets[bucket]:
                del self._buckets[bucket]
            return
        keys = sorted(self._buckets[bucket])
        after = req.get_param("continuation-token") or req.get_param("start-after") or ""
        limit = req.get_param_as_int("max-keys") or 1000
        start = bisect.bisect_right(keys, after)
        page, is_last = keys[start : start + limit], start + limit >= len(keys)
        if self._fault == "gap":
            del page[1:2]
        token = "" if is_last else f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
        rows = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in page)
        resp.content_type, resp.text = "application/xml", f"<ListBucketResult>{token}{rows}</ListBucketResult>"


def create_app(fault: str) -> falcon.asgi.App[falcon.asgi.Request, falcon.asgi.Response]:
    app = falcon.asgi.App()
    app.req_options.strip_url_path_trailing_slash = False
    app.add_sink(FakeStore(fault).answer)
    return app


if __name__ == "__main__":
    uvicorn.run(create_app(os.environ.get("FAKE_FAULT", "")), port=int(sys.argv[1]), log_level="warning")
