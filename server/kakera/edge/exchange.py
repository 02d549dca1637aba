"""One request and its answer on a connection: body pulled in pieces, head and body written in one call, bounds on both.

An Exchange is what the worker's protocol makes of a parsed head. The object API uses it directly (`read`, `answer`,
`stream`); Falcon sees the same through ASGI's `receive` and `send`. Under another ASGI server the object API falls
back to `AsgiExchange`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from kakera.base import limits

if TYPE_CHECKING:
    from kakera.edge.protocol import Connection

Buffer = bytes | memoryview
KEY = "kakera.exchange"  # where the scope carries it

STATUS_LINES = {int(s): f"HTTP/1.1 {int(s)} {s.phrase}\r\n".encode() for s in HTTPStatus}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE = b"connection: close\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
_BODILESS = frozenset({204, 304})


class BrokenAnswer(Exception):
    """The body could not be finished: the connection was cut, the client cannot take it for whole (R3)."""


class Answering(Protocol):
    """What the object API needs of a server. `head` is a ready-made block of `name: value` lines, each ending in
    CRLF."""

    @property
    def gone(self) -> bool:
        """The client is away: nobody will see the answer."""
        ...

    async def read(self) -> bytes:
        """The next piece of the body; empty at its end, or early when the client went away, stalled or sent
        nonsense."""
        ...

    def leave(self) -> None:
        """The request is over: what it held goes to the next."""
        ...

    async def answer(self, status: int, head: bytes, body: Buffer) -> None:
        """A whole answer. The head says the content-length."""
        ...

    async def stream(self, status: int, head: bytes, pieces: AsyncIterator[Buffer], *, length: int | None) -> int:
        """An answer in pieces; `length` None: chunked. Returns the body bytes sent. Raises what `pieces` raised while
        nothing is sent yet, BrokenAnswer once something is (or when they do not add up to `length`). `pieces` is
        entered at least once and closed, whatever happens: it may own pins."""
        ...


class Exchange:
    """Implements Answering on a Connection of the worker, and ASGI's two callables for Falcon."""

    __slots__ = (
        "_ahead_bytes", "_asgi_head", "_large", "_pieces", "_placed", "_waiter", "body_ended", "chunked", "connection",
        "expects_continue", "finished", "gone", "headers", "keep_alive", "left_bytes", "method", "scope", "sent_bytes",
        "started", "version_10",
    )  # fmt: skip

    def __init__(self, connection: Connection, scope: dict[str, Any], method: str, headers: dict[str, str]) -> None:
        self.connection = connection
        self.headers = headers  # lower-case names, duplicates joined by ","
        self.scope = scope
        self.method = method
        self.keep_alive = True
        self.version_10 = False
        self.expects_continue = False
        self.left_bytes: int | None = 0  # of the body as announced, not yet arrived; None: chunked
        self.body_ended = False
        self.gone = False
        self.started = False
        self.finished = False
        self.chunked = False
        self.sent_bytes = 0
        self._large = False  # needs a place of the worker's intake
        self._placed = False
        self._pieces: deque[bytes] = deque()
        self._ahead_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._asgi_head: tuple[int, bytes] | None = None

    def announce(self, left_bytes: int | None) -> None:
        """How long the body will be; None: chunked, nobody knows."""
        self.left_bytes = left_bytes
        self._large = left_bytes is None or left_bytes > limits.INLINE_BODY_BYTES

    # --- called by the connection -------------------------------------------------------------------------------------

    def feed(self, piece: bytes) -> None:
        """A piece of the body arrived."""
        if self.left_bytes is not None:
            self.left_bytes -= len(piece)
        self._pieces.append(piece)
        self._ahead_bytes += len(piece)
        if self._ahead_bytes > limits.BODY_BUFFER_BYTES or (self._large and not self._placed):
            self.connection.pause_reading()
        self.wake()

    def end(self) -> None:
        """No more of the body will come; `left_bytes` tells whether that is right."""
        self.body_ended = True
        self.wake()

    def lose(self) -> None:
        """The client is gone, or must be treated so."""
        self.gone = True
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._waiter = None

    # --- the body -----------------------------------------------------------------------------------------------------

    async def read(self) -> bytes:
        while True:
            if self._large and not self._placed and not (self.body_ended and not self._pieces):
                await self._take_place()
            if self._pieces:
                piece = self._pieces.popleft()
                self._ahead_bytes -= len(piece)
                if self._ahead_bytes * 2 <= limits.BODY_BUFFER_BYTES:
                    self.connection.resume_reading()
                return piece
            if self.body_ended or self.gone or self.finished:
                self.leave()
                return b""
            await self._wait_for_client()

    async def _wait_for_client(self) -> None:
        connection = self.connection
        if self.expects_continue:
            # Only now does somebody want the body: a refusal before this point spares the client its upload (RFC 9110
            # 10.1.1).
            self.expects_continue = False
            connection.write(CONTINUE)
        connection.resume_reading()
        connection.expect_within(limits.BODY_STALL_S)
        self._waiter = connection.loop.create_future()
        if self._placed:
            parking = connection.loop.call_later(limits.INTAKE_PARK_S, self.leave)
            await self._waiter
            parking.cancel()
        else:
            await self._waiter
        connection.expect_nothing()

    async def _take_place(self) -> None:
        self.connection.expect_nothing()
        await self.connection.intake.enter()
        self._placed = True

    def leave(self) -> None:
        """Give up the place of a large body, if this one has it."""
        if self._placed:
            self._placed = False
            self.connection.intake.leave()

    # --- the answer ---------------------------------------------------------------------------------------------------

    async def answer(self, status: int, head: bytes, body: Buffer) -> None:
        if self.gone:
            return
        if self.method == "HEAD" or status in _BODILESS:
            body = b""
        self.started = True
        self.sent_bytes = len(body)
        lead = self._lead(status, head)
        if len(body) <= limits.CRC_BLOCK_BYTES:
            self.connection.write(b"".join((lead, b"\r\n", body)))  # one buffer, one system call
        else:
            self.connection.write(lead + b"\r\n")
            self.connection.write(body)
        if self.connection.write_paused:
            await self.connection.drained()
        if not self.gone:
            self._finish()

    async def stream(self, status: int, head: bytes, pieces: AsyncIterator[Buffer], *, length: int | None) -> int:
        try:
            await self._stream(status, head, pieces, length)
        except BaseException as error:
            if not self.started or not isinstance(error, Exception):
                self._break()
                raise
            self._break()
            raise BrokenAnswer(type(error).__name__) from error
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()
        return self.sent_bytes

    async def _stream(self, status: int, head: bytes, pieces: AsyncIterator[Buffer], length: int | None) -> None:
        connection = self.connection
        bodiless = self.method == "HEAD"
        async for piece in pieces:
            if self.gone or bodiless:
                break
            if not self.started:
                # Not before the first piece is here: until then a failure can still be told by its status.
                self._begin(status, head, framed=length is not None)
            if not piece:
                continue
            self.sent_bytes += len(piece)
            if length is not None and self.sent_bytes > length:
                raise ValueError("the body is longer than its content-length")
            if self.chunked:
                connection.write(b"%x\r\n" % len(piece))
                connection.write(piece)
                connection.write(b"\r\n")
            else:
                connection.write(piece)
            if connection.write_paused:
                await connection.drained()
        if self.gone:
            return
        if not self.started:
            self._begin(status, head, framed=length is not None)
        if length is not None and self.sent_bytes != length and not bodiless:
            raise ValueError("the body is shorter than its content-length")
        if self.chunked and not bodiless:
            connection.write(b"0\r\n\r\n")
        self._finish()

    def _begin(self, status: int, head: bytes, *, framed: bool) -> None:
        self.started = True
        if not framed:
            if self.version_10:
                self.keep_alive = False  # the end of the connection is the end of the body: HTTP/1.0 knows no chunks
            else:
                self.chunked = True
                head += CHUNKED
        self.connection.write(self._lead(status, head) + b"\r\n")

    def _lead(self, status: int, head: bytes) -> bytes:
        """Status line and headers without the empty line; decides whether the connection goes on."""
        self._give_up_body()
        if self.keep_alive and not self.connection.ending:
            return b"%b%b%b" % (STATUS_LINES[status], self.connection.common_head(), head)
        self.keep_alive = False
        return b"%b%b%b%b" % (STATUS_LINES[status], self.connection.common_head(), head, CLOSE)

    def _give_up_body(self) -> None:
        """The answer comes before the body: is what is left of it worth reading?"""
        if self.expects_continue:
            # The client may send the body or not: the next bytes have two meanings, so there is no next request here.
            self.expects_continue = False
            self.keep_alive = False
        elif not self.body_ended and self.left_bytes is not None and self.left_bytes > limits.DISCARD_BYTES:
            self.keep_alive = False

    def _finish(self) -> None:
        self.finished = True
        self._pieces.clear()
        self.connection.exchange_finished(self)

    def _break(self) -> None:
        if not self.finished and self.started:
            self.gone = True
            self.connection.abort()

    # --- ASGI, for Falcon ---------------------------------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        piece = await self.read()
        if not piece and (self.gone or self.finished):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def send(self, message: dict[str, Any]) -> None:
        """Whole answers only: what Falcon serves here (health, metrics) is small."""
        if message["type"] == "http.response.start":
            head = b"".join([b"%b: %b\r\n" % pair for pair in message["headers"]])
            self._asgi_head = (message["status"], head)
            return
        if self._asgi_head is None or message.get("more_body"):
            raise RuntimeError("this server takes one start and one body of an ASGI answer")
        await self.answer(*self._asgi_head, message.get("body", b""))


class AsgiExchange:
    """Answering on any ASGI server: for tests in process, and a proof that the worker's own path adds nothing but
    speed."""

    def __init__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self.headers = _joined(scope["headers"])
        self._receive = receive
        self._send = send
        self._ended = False
        self.gone = False
        self.sent_bytes = 0

    async def read(self) -> bytes:
        while not self._ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = self._ended = True
                return b""
            self._ended = not message.get("more_body", False)
            piece: bytes = message.get("body", b"")
            if piece:
                return piece
        return b""

    def leave(self) -> None:
        """Other servers have no places."""

    async def answer(self, status: int, head: bytes, body: Buffer) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": _pairs(head)})
        await self._send({"type": "http.response.body", "body": bytes(body)})
        self.sent_bytes = len(body)

    async def stream(self, status: int, head: bytes, pieces: AsyncIterator[Buffer], *, length: int | None) -> int:
        started = False
        try:
            async for piece in pieces:
                if not started:
                    await self._send({"type": "http.response.start", "status": status, "headers": _pairs(head)})
                    started = True
                self.sent_bytes += len(piece)
                await self._send({"type": "http.response.body", "body": bytes(piece), "more_body": True})
            if not started:
                await self._send({"type": "http.response.start", "status": status, "headers": _pairs(head)})
            if length is not None and length != self.sent_bytes:
                raise ValueError("the body is not as long as its content-length")
        except Exception as error:
            if not started:
                raise
            raise BrokenAnswer(type(error).__name__) from error
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()
        await self._send({"type": "http.response.body", "body": b""})
        return self.sent_bytes


def _joined(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _pairs(head: bytes) -> list[tuple[bytes, bytes]]:
    lines = [line.partition(b": ") for line in head.split(b"\r\n") if line]
    return [(name.lower(), value) for name, _, value in lines]
