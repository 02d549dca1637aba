"""What the worker itself answers to requests that never reach the application."""

from __future__ import annotations

from kakera.edge.exchange import STATUS_LINES

_REASONS = {
    400: "The request could not be understood.",
    408: "The head of the request took too long.",
    414: "The request target is too long.",
    417: "The expectation cannot be met.",
    431: "The header fields are too large or too many.",
    501: "The transfer coding is not known.",
    503: "Please reduce your request rate.",
    505: "The HTTP version is not known.",
}


def refusal_bytes(status: int, common: bytes) -> bytes:
    """A whole answer that ends the connection. Plain text: nobody knows yet which dialect was meant."""
    text = _REASONS.get(status, "").encode() + b"\n"
    lines = (
        STATUS_LINES[status], common, b"content-type: text/plain\r\ncontent-length: %d\r\n" % len(text),
        b"retry-after: 1\r\n" if status == 503 else b"", b"connection: close\r\n\r\n", text,
    )  # fmt: skip
    return b"".join(lines)
