"""One blocking HTTP/1.1 connection that does little else than move bytes: for bodies of megabytes, fills and spot
checks.

An answer must carry a Content-Length (or be a 204, a 304 or the answer to a HEAD); anything else is a FramingError,
because it would end keep-alive and make every figure a figure about connecting.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from types import TracebackType

HEAD_LIMIT_BYTES = 64 * 1024
"""No server's header block is near this."""
PIECE_SIZE_BYTES = 1 << 20
"""Read at once: fewer system calls than wrk's 8 KiB, still inside the L2 cache of a server core."""


class FramingError(Exception):
    """The answer cannot be read to its end without closing the connection."""


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes
    body_size_bytes: int


class Connection:
    """Raises OSError (also TimeoutError) and FramingError; after either the connection must be closed."""

    def __init__(self, host: str, port: int, timeout_s: float = 60.0) -> None:
        self._host = f"{host}:{port}"
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._piece = bytearray(PIECE_SIZE_BYTES)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, method: str, target: str, body: bytes = b"") -> None:
        head = f"{method} {target} HTTP/1.1\r\nHost: {self._host}\r\n"
        if body or method in ("PUT", "POST"):
            head += f"Content-Length: {len(body)}\r\n"
        if len(body) < PIECE_SIZE_BYTES:
            self._socket.sendall(head.encode() + b"\r\n" + body)
        else:
            self._socket.sendall(head.encode() + b"\r\n")
            self._socket.sendall(body)

    def receive(self, method: str, *, keep_body: bool) -> Answer:
        head, rest = self._receive_head()
        status = int(head[9:12])
        size_bytes = _body_size_bytes(method, status, head)
        kept = bytearray(rest) if keep_body else None
        left_bytes = size_bytes - len(rest)
        if left_bytes < 0:
            raise FramingError(f"{-left_bytes} bytes after the body")
        view = memoryview(self._piece)
        while left_bytes:
            got_bytes = self._socket.recv_into(view[: min(left_bytes, PIECE_SIZE_BYTES)])
            if not got_bytes:
                raise FramingError(f"connection closed {left_bytes} bytes before the end of the body")
            if kept is not None:
                kept += view[:got_bytes]
            left_bytes -= got_bytes
        return Answer(status, head, bytes(kept or b""), size_bytes)

    def request(self, method: str, target: str, body: bytes = b"") -> Answer:
        self.send(method, target, body)
        return self.receive(method, keep_body=True)

    def _receive_head(self) -> tuple[bytes, bytes]:
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            got_bytes = self._socket.recv_into(self._piece)
            if not got_bytes:
                raise FramingError("connection closed before the answer")
            received += self._piece[:got_bytes]
            if len(received) > HEAD_LIMIT_BYTES + PIECE_SIZE_BYTES:
                raise FramingError("endless header")
        if received.startswith(b"HTTP/1.1 100"):
            raise FramingError("100-continue was not asked for")
        return received[: end + 4], received[end + 4 :]


def _body_size_bytes(method: str, status: int, head: bytes) -> int:
    if method == "HEAD" or status in (204, 304):
        return 0
    lowered = head.lower()
    start = lowered.find(b"\r\ncontent-length:")
    if start < 0:
        raise FramingError("neither Content-Length nor an empty answer: " + head[:120].decode("latin-1"))
    return int(lowered[start + 17 : lowered.index(b"\r\n", start + 17)])
