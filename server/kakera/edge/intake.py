"""Places for large bodies: how many uploads of one worker may be filling chunks at once (R11, R12).

A large upload costs memory (the chunk being filled, the chunk being written) as long as it is under way. Sixty-four of
them at once would be half a gigabyte and no faster than a few. So an upload takes a place before its body is read
(before `100 Continue`), and the rest wait in order; TCP holds their clients back. An upload whose client is the slow
side gives its place up until it is heard again: slow clients never keep fast ones out, they only hold what they have
sent of one chunk.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import ClassVar

from kakera.base import limits
from kakera.base.errors import Busy


class Intake:
    """The places of one worker, first come first served."""

    _all: ClassVar[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Intake]] = weakref.WeakKeyDictionary()

    def __init__(self, places: int = 0) -> None:
        self.free = places or limits.UPLOADS_AT_ONCE
        self._waiting: deque[asyncio.Future[None]] = deque()

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Intake:
        """One a worker, as its loop is."""
        intake = cls._all.get(loop)
        if intake is None:
            intake = cls._all[loop] = cls()
        return intake

    async def enter(self) -> None:
        """Take a place, or wait for one. Raises Busy after INTAKE_WAIT_S."""
        if self.free > 0:
            self.free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await asyncio.wait_for(asyncio.shield(turn), limits.INTAKE_WAIT_S)
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # its turn had come
            else:
                turn.cancel()
            if isinstance(error, TimeoutError):
                raise Busy("too many uploads at once") from error
            raise

    def leave(self) -> None:
        """Give the place to the next in order."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1
