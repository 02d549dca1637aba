"""Pre-signed S3 URLs by the hundred thousand: SigV4 in the query, payload unsigned.

botocore signs some two thousand URLs a second; a window of this benchmark uses up ten thousand. What is the same for
every URL of a run (date, scope, key, order of the query) is worked out once; one URL then costs two SHA-256 and one
HMAC. Source: AWS, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)". Checked against
botocore in test_presign.py.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

EXPIRES_S = 86_400
"""Long enough for the slowest run; the vendors allow seven days."""


@dataclass(frozen=True)
class Credentials:
    access_key: str
    secret_key: str
    region: str = "us-east-1"


class Presigner:
    """Signs paths for one host and one instant. All its URLs expire EXPIRES_S after `now`."""

    def __init__(self, credentials: Credentials, host: str, now: datetime | None = None) -> None:
        instant = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{instant[:8]}/{credentials.region}/s3/aws4_request"
        key = b"AWS4" + credentials.secret_key.encode()
        for step in (instant[:8], credentials.region, "s3", "aws4_request"):
            key = hmac.digest(key, step.encode(), "sha256")
        self._key = key
        self._fixed = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{credentials.access_key}/{scope}",
            "X-Amz-Date": instant,
            "X-Amz-Expires": str(EXPIRES_S),
            "X-Amz-SignedHeaders": "host",
        }
        self._to_sign_head = f"AWS4-HMAC-SHA256\n{instant}\n{scope}\n"
        self._canonical_tail = f"\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"

    def target(self, method: str, path: str, query: Mapping[str, str] | None = None) -> str:
        """The request target (path and query) of one request. `path` begins with "/" and is not yet percent-encoded."""
        return self._sign(method, quote(path, safe="/-_.~"), self._canonical_query(query or {}))

    def targets(self, method: str, paths: Iterable[str]) -> list[str]:
        """As `target` for many paths without a query; the fast way."""
        query = self._canonical_query({})
        return [self._sign(method, quote(path, safe="/-_.~"), query) for path in paths]

    def _canonical_query(self, query: Mapping[str, str]) -> str:
        pairs = {**self._fixed, **query}.items()
        encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
        return "&".join(f"{name}={value}" for name, value in encoded)

    def _sign(self, method: str, path: str, query: str) -> str:
        canonical = f"{method}\n{path}\n{query}{self._canonical_tail}"
        to_sign = self._to_sign_head + hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.digest(self._key, to_sign.encode(), "sha256").hex()
        return f"{path}?{query}&X-Amz-Signature={signature}"
