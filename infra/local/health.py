"""Ask a running server how it is: GET /health/ready, bounded, past any proxy."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

REQUEST_LIMIT_S = 2.0
MAX_ANSWER_BYTES = 64 << 10  # the answer is one line of JSON


@dataclass(frozen=True)
class Health:
    """`status`: ready, read-only, starting, unavailable, or silent when nothing answers as a Kakera does."""

    status: str
    reason: str = ""


def probe(address: str, port: int) -> Health:
    connection = http.client.HTTPConnection(address, port, timeout=REQUEST_LIMIT_S)
    try:
        connection.request("GET", "/health/ready", headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read(MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        return Health("silent", str(error))
    finally:
        connection.close()
    try:
        answer = json.loads(body)
        status, reason = str(answer["status"]), str(answer.get("reason", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        status, reason = "", ""
    if response.status == http.client.OK:
        return Health("ready")
    if response.status == http.client.SERVICE_UNAVAILABLE and status:
        return Health(status, reason)
    return Health("silent", f"HTTP {response.status} from something that is no Kakera")
