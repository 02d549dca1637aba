"""A worker's end of the journal: sends commands, waits, sends again when the committer was away (R16), gives up after
the resend limit. Many commands a frame; one connection a process."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import msgspec

from kakera.base import clock, errors, limits
from kakera.base.ids import new_id
from kakera.journal import wire
from kakera.journal.commands import READABLE, Command, No, Ok, Reply, Status, StatusReply

_STATUS = msgspec.msgpack.Decoder(StatusReply)


class State:
    """What this process knows of the committer. mode "starting" until it first said otherwise: nothing is read from the
    index before (R15); a committer that is merely away leaves the last word standing. "unavailable" while too few
    drives are there: nothing is read either, though the index could be."""

    def __init__(self) -> None:
        self.mode = "starting"
        self.reason = "the committer has not answered yet"
        self.undecided: frozenset[tuple[int, bytes]] = frozenset()
        self.status: StatusReply | None = None
        self.connected = False
        self.ready_asked_at_s = float("-inf")  # when the question was put whose answer last let the index be read

    @property
    def readable(self) -> bool:
        """May the index be read?"""
        return self.mode in READABLE

    def heard(self, status: StatusReply, *, asked_at_s: float | None = None) -> None:
        """The committer's word; asked_at_s: when it was asked (None: now)."""
        if status.rebuilding:
            self.mode, self.reason, self.status = "starting", status.reason or "the index is being rebuilt", status
            return
        if status.mode in READABLE:
            self.ready_asked_at_s = max(
                self.ready_asked_at_s, clock.monotonic_s() if asked_at_s is None else asked_at_s
            )
        if status.mode == "starting" and self.mode != "starting" and self.status is not None:
            # a successor is recovering behind an index that this process already reads: reads go on, its epoch tells
            # when it is done
            self.reason = status.reason
            self.status = status
            return
        self.mode, self.reason, self.status = status.mode, status.reason, status
        self.undecided = frozenset(map(tuple, status.undecided))  # type: ignore[arg-type]


class _Protocol(asyncio.Protocol):
    def __init__(self, client: JournalClient) -> None:
        self._client = client
        self._unpacker = wire.replies_unpacker()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client.connected(transport)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        for number, reply in self._unpacker.feed(data):
            self._client.received(number, reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.lost()


class JournalClient:
    """Submit commands to the committer at `path` (its Unix socket)."""

    def __init__(self, path: Path, *, resend_limit_s: float = limits.RESEND_LIMIT_S) -> None:
        self._path = path
        self._resend_limit_s = resend_limit_s
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, tuple[asyncio.Future[Reply], Command, float]] = {}
        self._waiting_bytes = 0
        self._outgoing: list[tuple[int, Command]] = []
        self._flushing = False
        self._number = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.state = State()

    async def open(self) -> None:
        """Start connecting and watching; does not wait for the committer."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [self._loop.create_task(self._connect_for_ever()), self._loop.create_task(self._watch())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()

    async def submit(self, command: Command) -> Ok:
        """The committer's answer. Raises what it refused with (base.errors), Busy when too much waits already, Unknown
        when it did not answer within the resend limit: the command may or may not have happened."""
        if len(self._waiting) >= limits.MAX_PENDING_COMMANDS:
            raise errors.Busy("too many commands wait for the committer")
        size_bytes = wire.held_bytes(command)
        if self._waiting_bytes + size_bytes > limits.MAX_PENDING_BYTES:
            raise errors.Busy("too many bytes wait for the committer")
        loop = self._loop
        assert loop is not None, "open() first"
        self._number += 1
        number = self._number
        future: asyncio.Future[Reply] = loop.create_future()
        self._waiting[number] = (future, command, clock.monotonic_s())
        self._waiting_bytes += size_bytes
        self._send(number, command)
        try:
            reply = await future
        finally:
            self._waiting.pop(number, None)
            self._waiting_bytes -= size_bytes
        if isinstance(reply, No):
            raise error_of(reply)
        return reply

    # --- the wire -----------------------------------------------------------------------------------------------------

    def _send(self, number: int, command: Command) -> None:
        self._outgoing.append((number, command))
        if not self._flushing and self._loop is not None:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """All commands of this turn of the loop in one frame."""
        self._flushing = False
        items, self._outgoing = self._outgoing, []
        if self._transport is None or not items:
            return  # sent when the connection is made
        frame: list[tuple[int, Command]] = []
        size_bytes = 0
        for item in items:
            frame.append(item)
            size_bytes += wire.held_bytes(item[1])
            # What is not whole yet waits in the committer's memory: no frame is larger than a batch.
            if len(frame) == limits.MAX_FRAME_COMMANDS or size_bytes >= limits.MAX_BATCH_BYTES:
                self._transport.write(wire.pack(frame))
                frame, size_bytes = [], 0
        if frame:
            self._transport.write(wire.pack(frame))

    def connected(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.state.connected = True
        self._outgoing = [(number, command) for number, (_, command, _) in self._waiting.items()]
        self._flush()

    def received(self, number: int, reply: Reply) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting[0].done():
            waiting[0].set_result(reply)

    def lost(self) -> None:
        self._transport = None
        self.state.connected = False

    async def _connect_for_ever(self) -> None:
        assert self._loop is not None
        while True:
            if self._transport is None:
                try:
                    await self._loop.create_unix_connection(lambda: _Protocol(self), str(self._path))
                except OSError:
                    pass
            await asyncio.sleep(limits.RECONNECT_S * (0.5 + random.random()))

    async def _watch(self) -> None:
        """Give up on what waits too long; ask for the status now and then."""
        asked_at_s = 0.0
        asks: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly
        while True:
            now_s = clock.monotonic_s()
            for future, _, since_s in list(self._waiting.values()):
                if now_s - since_s > self._resend_limit_s and not future.done():
                    future.set_result(
                        No("Unknown", "the committer did not answer in time: the change may or may not have happened")
                    )
            if self._transport is not None and now_s - asked_at_s >= limits.STATUS_S:
                asked_at_s = now_s
                asks.add(ask := asyncio.ensure_future(self._ask()))
                ask.add_done_callback(asks.discard)
            await asyncio.sleep(limits.RECONNECT_S)

    async def _ask(self) -> None:
        asked_at_s = clock.monotonic_s()
        try:
            reply = await self.submit(Status(id=new_id()))
        except errors.KakeraError:
            return
        self.state.heard(_STATUS.decode(reply.body), asked_at_s=asked_at_s)


def error_of(reply: No) -> errors.KakeraError:
    """The error of the tree that a refusal names."""
    kind = getattr(errors, reply.error, errors.Unavailable)
    error: errors.KakeraError = kind(reply.message, **reply.detail)
    return error
