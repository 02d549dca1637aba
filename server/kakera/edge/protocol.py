"""HTTP/1.1 on one connection: httptools parses, this class bounds. uvicorn's Server drives it in place of its own
protocol.

Why not uvicorn's own: it takes headers of any size, has no time limit for a head, answers `100 Continue` whenever the
framework asks for its first event, and reads a refused body to its end. Everything it does right is kept: one task a
request, answers in the order of requests, reading paused while the application is behind. Rules:

1. What is not a whole, valid head is answered here (400, 408, 414, 431, 501, 505) and the connection closed; the
   application never sees it.
2. One request at a time reaches the application; later ones of the same connection wait, at most
   MAX_PIPELINED_REQUESTS.
3. Every state of a connection has a deadline or waits for the application (`sweeper`).
4. After an answer that the client may not have read because it still sends, the connection lingers before it closes.
5. Closing waits for what was written and not for the client's goodbye, which TLS would like to hear: many never say it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any

import httptools

from kakera.base import limits
from kakera.base.kernel import unsent_bytes
from kakera.edge.exchange import KEY, Buffer, Exchange
from kakera.edge.intake import Intake
from kakera.edge.refusals import refusal_bytes
from kakera.edge.sweeper import Sweeper

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

SERVER = b"server: Kakera\r\n"

_FRAMING = frozenset(("content-length", "host", "transfer-encoding", "expect"))
_NAMES: dict[bytes, str] = {}  # header names as clients write them -> lower case; filled by use, bounded


def _name(raw: bytes) -> str:
    name = raw.lower().decode("latin-1")
    if len(_NAMES) < limits.HEADER_NAMES_CACHED:
        _NAMES[raw] = name
    return name


class _Refused(Exception):
    """Raised in a parser callback to stop the parser; the connection's `_refusal` says why."""


class Connection(asyncio.Protocol):
    """One connection of a client. The constructor's arguments are those uvicorn's Server gives."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self.app = config.loaded_app
        self.loop = _loop or asyncio.get_running_loop()
        self.state = server_state
        self.intake = Intake.of(self.loop)
        self.parser = httptools.HttpRequestParser(self)
        # "Connection: close" followed by bytes is a client that sent ahead: answer the first, then close. Without it
        # llhttp says 400.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.client: tuple[str, int] | None = None
        self.scheme = "http"
        self.keep_alive_s: float = config.timeout_keep_alive
        self.closing = False
        self._closed_at = inf
        self.write_paused = False
        self._reading_paused = False
        self._writable: asyncio.Future[None] | None = None
        self.deadline = inf
        self._refusal = 0
        self._deaf = False  # what arrives is thrown away
        self._discarded_bytes = 0
        # the head being parsed
        self._in_head = False
        self._fed_bytes = 0  # since the head began, by whole reads
        self._head_bytes = 0  # of this head, exactly
        self._url = b""
        self._headers: dict[str, str] = {}
        self._header_count = 0
        self._length = -1
        self._hosts = 0
        self._chunked_body = False
        self._expects = False
        # requests: the one whose body is arriving (the newest), the one being answered, those that wait
        self._newest: Exchange | None = None
        self._active: Exchange | None = None
        self._waiting: deque[Exchange] = deque()

    # --- asyncio ------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]
        transport.set_write_buffer_limits(high=limits.WRITE_BUFFER_BYTES)  # type: ignore[attr-defined]
        peer = transport.get_extra_info("peername")
        self.client = (str(peer[0]), int(peer[1])) if isinstance(peer, (tuple, list)) else None
        if transport.get_extra_info("ssl_object") is not None:
            self.scheme = "https"
        connections: set[Any] = self.state.connections
        connections.add(self)
        Sweeper.of(self.loop).watch(self)
        self.expect_within(limits.HEADER_TIMEOUT_S)
        if len(connections) > limits.MAX_CONNECTIONS:
            self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:
        connections: set[Any] = self.state.connections
        connections.discard(self)
        self.closing = True
        self._deaf = True
        self.deadline = inf
        self._waiting.clear()
        for exchange in (self._active, self._newest):
            if exchange is not None and not exchange.finished:
                exchange.lose()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._in_head:
            self._fed_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # No protocol to upgrade to. The bytes after this head are of no known language: answer it, then close.
            self._stop_after_answer()
        except httptools.HttpParserError:
            self._refuse(self._refusal or 400)
        else:
            if self._in_head and self._fed_bytes > limits.MAX_HEADER_BYTES + limits.MAX_URL_BYTES:
                self._refuse(431 if self._url else 414)

    def eof_received(self) -> bool:
        """The client sends no more, but may still read: what it asked for in full is answered."""
        newest = self._newest
        if newest is not None and not newest.body_ended:
            newest.lose()
            return False
        self.closing = True
        self._deaf = True
        # True: keep the transport open for the answer. TLS has no half-closed state: asyncio closes whatever is said.
        return self._active is not None and self.scheme == "http"

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    def drain(self) -> None:
        """The process is about to stop: the next answer is the last one here."""
        self.closing = True

    def shutdown(self) -> None:
        """uvicorn's Server: the process stops. Requests under way are answered, then the connection closes."""
        self.drain()
        if self._active is None and not self._waiting:
            self._close()

    # --- httptools ----------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._in_head = True
        self._fed_bytes = 0
        self._head_bytes = 0
        self._url = b""
        self._headers = {}
        self._header_count = 0
        self._length = -1
        self._hosts = 0
        self._chunked_body = False
        self._expects = False
        if self._active is None:
            self.expect_within(limits.HEADER_TIMEOUT_S)

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > limits.MAX_URL_BYTES:
            self._stop(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        self._header_count += 1
        if self._head_bytes > limits.MAX_HEADER_BYTES or self._header_count > limits.MAX_HEADER_COUNT:
            self._stop(431)
        if not self._in_head:
            return  # a trailer of chunked transfer: bounded like a head, and of no use to anyone here
        text = _NAMES.get(name) or _name(name)
        headers = self._headers
        headers[text] = f"{headers[text]},{value.decode('latin-1')}" if text in headers else value.decode("latin-1")
        if text in _FRAMING:
            self._framing_header(text, value)

    def _framing_header(self, name: str, value: bytes) -> None:
        """The headers that say where this request ends, and the next begins."""
        if name == "content-length":
            self._length = int(value)
        elif name == "host":
            self._hosts += 1
        elif name == "transfer-encoding":
            if value.lower() != b"chunked" or self._chunked_body:
                self._stop(501)
            self._chunked_body = True
        else:
            if value.lower() != b"100-continue":
                self._stop(417)
            self._expects = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._stop(505)
        if self._hosts != 1 and (version == "1.1" or self._hosts):
            self._stop(400)  # RFC 9112 3.2
        if self._chunked_body and version == "1.0":
            self._stop(400)  # RFC 9112 6.1: a sign of smuggling
        path, _, query = self._url.partition(b"?")
        if not path.startswith(b"/"):
            path, query = self._absolute(path, query)
        method = self.parser.get_method().decode("ascii")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": method,
            "scheme": self.scheme,
            # undecoded: Falcon routes three plain names by it, all others go by raw_path
            "path": path.decode("latin-1"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": (),  # Exchange.headers; EdgeApp lists them for Falcon
            "client": self.client,
            "server": None,
        }
        exchange = Exchange(self, scope, method, self._headers)
        scope[KEY] = exchange
        if version == "1.0":
            exchange.version_10 = True
            exchange.keep_alive = False
        elif not self.parser.should_keep_alive():
            exchange.keep_alive = False
        if self._chunked_body:
            exchange.announce(None)
        elif self._length > 0:
            exchange.announce(self._length)
        exchange.expects_continue = self._expects and exchange.left_bytes != 0 and version == "1.1"
        self._newest = exchange
        self._accept(exchange)

    def on_body(self, body: bytes) -> None:
        exchange = self._newest
        if exchange is None:
            return
        if not exchange.finished:
            exchange.expects_continue = False  # it did not wait for us
            exchange.feed(body)
            return
        self._discarded_bytes += len(body)
        if self._discarded_bytes > limits.DISCARD_BYTES:
            self._linger()

    def on_message_complete(self) -> None:
        exchange = self._newest
        if exchange is not None:
            exchange.end()
            if exchange.finished and self._active is None:
                self._idle()

    # --- requests -----------------------------------------------------------------------------------------------------

    def _absolute(self, path: bytes, query: bytes) -> tuple[bytes, bytes]:
        """The absolute form of a request target (RFC 9112 3.2.2), as proxies send it; "*" and authority forms are
        nobody's here."""
        if not path.lower().startswith((b"http://", b"https://")):
            self._stop(400)
        rest = path.split(b"://", 1)[1]
        slash = rest.find(b"/")
        return (rest[slash:] if slash >= 0 else b"/"), query

    def _accept(self, exchange: Exchange) -> None:
        if self._active is None:
            self._start(exchange)
            return
        if len(self._waiting) >= limits.MAX_PIPELINED_REQUESTS:
            self._stop(503)
        self._waiting.append(exchange)
        self.pause_reading()

    def _start(self, exchange: Exchange) -> None:
        self._active = exchange
        self._discarded_bytes = 0
        self.deadline = inf
        tasks = self.state.tasks
        if len(tasks) >= limits.MAX_REQUESTS_AT_ONCE:
            exchange.keep_alive = False
            self.write(refusal_bytes(503, self.common_head()))
            exchange.started = exchange.finished = True
            self.exchange_finished(exchange)
            return
        task = self.loop.create_task(self.app(exchange.scope, exchange.receive, exchange.send))
        tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self.state.tasks.discard(task)
        exchange = self._active
        failed = task.cancelled() or task.exception() is not None
        # The application answers or breaks by contract; if it did neither, a client must not wait for ever.
        if failed and exchange is not None and not exchange.finished and exchange.connection is self:
            self.abort()

    def exchange_finished(self, exchange: Exchange) -> None:
        """The answer is written. Next request, idle, or goodbye."""
        self.state.total_requests += 1
        self._active = None
        if self.transport.is_closing():
            return
        if not exchange.keep_alive:
            if exchange.body_ended or self._deaf:
                self._close()
            else:
                self._linger()
            return
        if self._waiting:
            # In a fresh callback: a long pipeline must not become a deep stack.
            self.loop.call_soon(self._start_waiting)
            return
        self.resume_reading()
        if exchange.body_ended:
            self._idle()
        else:
            self.expect_within(limits.BODY_STALL_S)

    def _start_waiting(self) -> None:
        if self._active is None and self._waiting:
            self._start(self._waiting.popleft())

    def _idle(self) -> None:
        if self.closing:
            self._close()
        else:
            self.expect_within(self.keep_alive_s)

    # --- refusals and ends --------------------------------------------------------------------------------------------

    def _stop(self, status: int) -> None:
        """Out of a parser callback: `data_received` refuses."""
        self._refusal = status
        raise _Refused

    def _refuse(self, status: int) -> None:
        """Answer what could not be parsed, after the answers still due, and close."""
        self._deaf = True
        active = self._active
        newest = self._newest
        if newest is not None and not newest.body_ended:
            # The error lies in the body of a request the application may be working on: for it the client is gone.
            newest.lose()
            if active is newest and not newest.started:
                newest.finished = True
                self._active = None
                active = None
            elif active is newest:
                self.abort()
                return
        self._waiting.clear()
        if active is not None:
            active.keep_alive = False  # an earlier answer is under way; the connection ends with it
            return
        self.write(refusal_bytes(status, self.common_head()))
        self._linger()

    def _stop_after_answer(self) -> None:
        self._deaf = True
        if self._newest is not None:
            self._newest.keep_alive = False
            if not self._newest.body_ended:
                self._newest.end()

    def _linger(self) -> None:
        """Say that nothing more comes, let the client read it, then close: closing at once would reset the connection
        under the answer while the client still sends (RFC 9112 9.6)."""
        self._deaf = True
        self.closing = True
        self.resume_reading()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self.expect_within(limits.LINGER_S)

    def _close(self) -> None:
        """What is written still goes out."""
        self._deaf = True
        self.closing = True
        self._closed_at = self.loop.time()
        self.expect_within(limits.LINGER_S)
        self.transport.close()

    def abort(self) -> None:
        """Cut the connection: no clean end (R3)."""
        self._deaf = True
        self.closing = True
        self.transport.abort()

    def expire(self) -> None:
        """The deadline has passed."""
        self.deadline = inf
        newest = self._newest
        if self.transport.is_closing():
            # Nothing waits here while the kernel has nothing to send: it is given more whenever it has room.
            self._closed_at = min(self._closed_at, self.loop.time())
            fd = self.transport.get_extra_info("socket").fileno()
            if unsent_bytes(fd) == 0 or self.loop.time() - self._closed_at > limits.WRITE_STALL_S:
                self.abort()
            else:
                self.expect_within(limits.LINGER_S)
        elif self.write_paused:
            self.abort()
        elif self._deaf:
            self._close()
        elif newest is not None and not newest.body_ended and not newest.finished:
            newest.keep_alive = False
            newest.left_bytes = 0
            newest.end()
            self._deaf = True  # whatever still comes is too late
        elif self._in_head:
            self._refuse(408)
        else:
            self._close()

    # --- what an exchange uses ----------------------------------------------------------------------------------------

    def write(self, data: Buffer) -> None:
        self.transport.write(data)

    def common_head(self) -> bytes:
        """Date and Server. uvicorn's Server makes a new list of default headers every second."""
        return _common(self.state)

    async def drained(self) -> None:
        """Until the client took enough of what was written."""
        if self.write_paused and not self.transport.is_closing():
            self.expect_within(limits.WRITE_STALL_S)
            self._writable = self.loop.create_future()
            await self._writable
            self.expect_nothing()

    @property
    def ending(self) -> bool:
        """The answer now given is the last one of this connection."""
        return self.closing and not self._waiting

    def expect_within(self, seconds: float) -> None:
        self.deadline = self.loop.time() + seconds

    def expect_nothing(self) -> None:
        self.deadline = inf

    def pause_reading(self) -> None:
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._reading_paused and not self.transport.is_closing() and not self._waiting:
            self._reading_paused = False
            self.transport.resume_reading()


_common_cache: tuple[object, bytes] = (None, b"")


def _common(state: ServerState) -> bytes:
    global _common_cache
    made_from, block = _common_cache
    if made_from is not state.default_headers:
        block = b"".join([b"%b: %b\r\n" % pair for pair in state.default_headers]) + SERVER
        _common_cache = (state.default_headers, block)
    return block
