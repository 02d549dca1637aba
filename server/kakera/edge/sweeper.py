"""Deadlines of connections, kept by one timer a loop instead of two a request."""

from __future__ import annotations

import asyncio
import weakref
from typing import ClassVar, Protocol

from kakera.base import limits


class Expiring(Protocol):
    """deadline: loop time, or infinity while nothing is due from the client."""

    deadline: float

    def expire(self) -> None: ...


class Sweeper:
    """Looks at the deadlines of all connections of a loop every SWEEP_S."""

    _all: ClassVar[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Sweeper]] = weakref.WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._watched: weakref.WeakSet[Expiring] = weakref.WeakSet()
        loop.call_later(limits.SWEEP_S, self._sweep)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Sweeper:
        sweeper = cls._all.get(loop)
        if sweeper is None:
            sweeper = cls._all[loop] = cls(loop)
        return sweeper

    def watch(self, connection: Expiring) -> None:
        self._watched.add(connection)

    def _sweep(self) -> None:
        loop = self._loop()
        if loop is None or loop.is_closed():
            return
        now = loop.time()
        for connection in [c for c in self._watched if c.deadline < now]:
            connection.expire()
        loop.call_later(limits.SWEEP_S, self._sweep)
