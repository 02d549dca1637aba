"""New connections spread evenly over the workers of one listening socket.

Left to itself the kernel wakes every worker for a new connection, and whoever happens to run takes nearly all of a
burst: of 16 connections opened together one of two workers got 15, and one core stood still. So each worker keeps its
number of open connections on a board that all of them see, and leaves a connection to another that has fewer - for
ACCEPT_YIELD_S, then it takes it anyway: a worker that hangs must not hold up clients.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import socket
import ssl
from collections.abc import Callable
from itertools import chain

from uvicorn.config import Config
from uvicorn.server import Server, ServerState

from kakera.base import limits
from kakera.edge.app import EdgeApp
from kakera.edge.protocol import Connection

_ABSENT = 0xFFFF_FFFF


class Board:
    """Open connections of each worker, in memory shared over the fork. A worker writes its own slot only, so that
    nothing needs a lock; what another reads may be a moment old."""

    def __init__(self, slots: int = limits.BOARD_SLOTS) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * slots)).cast("I")
        for slot in range(slots):
            self.leave(slot)

    def tell(self, slot: int, connections: int) -> None:
        self._counts[slot % len(self._counts)] = connections

    def leave(self, slot: int) -> None:
        """The worker is gone, or takes no more."""
        self._counts[slot % len(self._counts)] = _ABSENT

    def takes(self, slot: int) -> bool:
        """The worker takes connections."""
        return self._counts[slot % len(self._counts)] != _ABSENT

    def anybody(self) -> bool:
        """Some worker takes connections."""
        return self.least() != _ABSENT

    def least(self) -> int:
        """Connections of the worker with the fewest."""
        return min(self._counts)


class Acceptor:
    """Takes connections from one listening socket. `close` and `wait_closed` are what uvicorn's Server asks of an
    asyncio server."""

    def __init__(
        self, listening: socket.socket, make_protocol: Callable[[], Connection], count: Callable[[], int],
        *, board: Board, slot: int, tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self._loop = asyncio.get_running_loop()
        self._socket = listening
        self._make_protocol = make_protocol
        self._count = count
        self._board = board
        self._slot = slot
        self._tls = tls
        self._handshake_s = limits.TLS_HANDSHAKE_S if tls is not None else None
        self._goodbye_s = 2 * limits.WRITE_STALL_S if tls is not None else None  # Connection is the one that bounds it
        self._begun: dict[asyncio.Task[None], Connection] = {}
        self._yielding: asyncio.TimerHandle | None = None
        listening.settimeout(0.0)
        self._loop.add_reader(listening.fileno(), self._readable)
        board.tell(slot, 0)

    @property
    def beginning(self) -> tuple[Connection, ...]:
        """Connections that are not made yet: their handshakes are under way."""
        return tuple(self._begun.values())

    def give_up_beginning(self) -> None:
        for task in self._begun:
            task.cancel()

    def close(self) -> None:
        """Takes no more; what has begun goes on. May be called again."""
        if self._yielding is not None:
            self._yielding.cancel()
            self._yielding = None
        self._loop.remove_reader(self._socket.fileno())
        self._board.leave(self._slot)

    async def wait_closed(self) -> None:
        """Nothing to wait for: connections are the Server's."""

    def _readable(self) -> None:
        mine = self._count() + len(self._begun)
        self._board.tell(self._slot, mine)
        if mine > self._board.least():
            self._loop.remove_reader(self._socket.fileno())
            self._yielding = self._loop.call_later(limits.ACCEPT_YIELD_S, self._take_anyway)
        else:
            self._take()

    def _take_anyway(self) -> None:
        self._yielding = None
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self._take()

    def _take(self) -> None:
        """One connection, if it is still there: the next one is a new decision."""
        try:
            connection, _address = self._socket.accept()
        except OSError:
            return  # another worker has it, the client is gone, or there are no descriptors left: asked again
        connection.settimeout(0.0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None and self._count() + len(self._begun) >= limits.MAX_CONNECTIONS:
            connection.close()  # to say 503 would take the handshake that there is no place for
            return
        protocol = self._make_protocol()
        task = self._loop.create_task(self._begin(connection, protocol))
        self._begun[task] = protocol
        task.add_done_callback(self._begun.pop)
        self._board.tell(self._slot, self._count() + len(self._begun))

    async def _begin(self, connection: socket.socket, protocol: Connection) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._handshake_s,
                ssl_shutdown_timeout=self._goodbye_s,
            )
        except OSError:
            connection.close()  # reset before it began, or no TLS, or not in time
        except asyncio.CancelledError:
            connection.close()
            raise


class FairServer(Server):
    """uvicorn's Server with our Acceptor in the place of the loop's own servers. The first listening socket is the
    object API's; a second one answers for health alone, and does so until the last request under way is answered.
    """

    def __init__(
        self, config: Config, app: EdgeApp, *, board: Board, slot: int, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(config)
        self._app = app
        self._board = board
        self._slot = slot
        self._tls = tls
        self._health_state = ServerState()  # its connections neither count against the clients' nor hold up the end
        self._health: asyncio.Server | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        if self.should_exit:
            return
        connections = self.server_state.connections
        listening, *health = sockets or []
        self.servers = [
            Acceptor(  # type: ignore[list-item]
                _own_handle(listening),
                self._connection,
                lambda: len(connections),
                board=self._board,
                slot=self._slot,
                tls=self._tls,
            )
        ]
        if health:
            loop = asyncio.get_running_loop()
            self._health = await loop.create_server(self._health_connection, sock=_own_handle(health[0]))

    async def on_tick(self, counter: int) -> bool:
        ends = await super().on_tick(counter)
        self._health_state.default_headers = self.server_state.default_headers
        return ends

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for acceptor in self.servers:
            acceptor.close()
        self._app.begin_drain(others_serve=self._board.anybody)
        await self._last_requests()
        if self._health is not None and self._board.anybody():
            self._health.close()  # others answer; what was asked of this worker already it answers itself
            await self._until(lambda: not self._health_state.connections)
        await super().shutdown(sockets)
        if self._health is not None:
            self._health.close()

    async def _last_requests(self) -> None:
        """Connections that are idle, or about to begin, may bring one more request within LAST_REQUEST_S: closed at
        once they would lose what is on its way."""
        connections: set[Connection] = self.server_state.connections  # type: ignore[assignment]
        acceptors: list[Acceptor] = self.servers  # type: ignore[assignment]
        for connection in chain(connections, *(acceptor.beginning for acceptor in acceptors)):
            connection.drain()
        await self._until(lambda: not connections and not any(acceptor.beginning for acceptor in acceptors))
        for acceptor in acceptors:
            acceptor.give_up_beginning()

    async def _until(self, done: Callable[[], bool]) -> None:
        """At most LAST_REQUEST_S."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + limits.LAST_REQUEST_S
        while loop.time() < until_s and not done():
            await asyncio.sleep(limits.LAST_REQUEST_S / 10)

    def _connection(self) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state)

    def _health_connection(self) -> Connection:
        made = Connection(self.config, self._health_state, self.lifespan.state)
        made.app = self._app.health
        return made


def _own_handle(listening: object) -> socket.socket:
    """Gunicorn's socket object wraps the real one; a duplicate of its descriptor is the same queue of the kernel."""
    return socket.socket(fileno=os.dup(listening.fileno()))  # type: ignore[attr-defined]
