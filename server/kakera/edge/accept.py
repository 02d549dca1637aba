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
from collections.abc import Callable

from uvicorn.config import Config
from uvicorn.server import Server

from kakera.base import limits

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

    def least(self) -> int:
        """Connections of the worker with the fewest."""
        return min(self._counts)


class Acceptor:
    """Takes connections from one listening socket. `close` and `wait_closed` are what uvicorn's Server asks of an
    asyncio server."""

    def __init__(
        self, listening: socket.socket, make_protocol: Callable[[], asyncio.Protocol], count: Callable[[], int],
        *, board: Board, slot: int,
    ) -> None:  # fmt: skip
        self._loop = asyncio.get_running_loop()
        self._socket = listening
        self._make_protocol = make_protocol
        self._count = count
        self._board = board
        self._slot = slot
        self._begun: set[asyncio.Task[None]] = set()
        self._yielding: asyncio.TimerHandle | None = None
        listening.settimeout(0.0)
        self._loop.add_reader(listening.fileno(), self._readable)

    def close(self) -> None:
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
        task = self._loop.create_task(self._begin(connection))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        self._board.tell(self._slot, self._count() + len(self._begun))

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError:
            connection.close()  # reset before it began


class FairServer(Server):
    """uvicorn's Server with our Acceptor in the place of the loop's own servers."""

    def __init__(self, config: Config, *, board: Board, slot: int) -> None:
        super().__init__(config)
        self._board = board
        self._slot = slot

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        if self.should_exit:
            return
        connections = self.server_state.connections
        self.servers = [
            Acceptor(  # type: ignore[misc]
                _own_handle(listening), self._connection, lambda: len(connections), board=self._board, slot=self._slot
            )
            for listening in sockets or []
        ]

    def _connection(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def _own_handle(listening: object) -> socket.socket:
    """Gunicorn's socket object wraps the real one; a duplicate of its descriptor is the same queue of the kernel."""
    return socket.socket(fileno=os.dup(listening.fileno()))  # type: ignore[attr-defined]
