"""Applied commands, so that one sent again is answered again and not done again (R16)."""

from __future__ import annotations

from collections import deque

import msgspec

from kakera.base import clock, limits
from kakera.index.interface import Rows
from kakera.index.tables import APPLIED
from kakera.journal.commands import Ok, Reply

_DECODE = msgspec.msgpack.Decoder(Ok).decode


class Applied:
    """Ids and replies of at least the last `keep_s` seconds, by the monotonic clock: a stepped wall clock forgets
    nothing.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s * 2  # longer than any worker resends
        self._replies: dict[bytes, Reply] = {}
        self._turns: deque[tuple[float, list[bytes]]] = deque()

    def load(self, rows: Rows) -> None:
        """What the index remembers; all of it counts as new, because nobody knows how long the process was away."""
        newest = rows.scan(APPLIED, (0,), None, limit=limits.APPLIED_IDS_LOADED, reverse=True)
        self._replies = {row.command_id: _DECODE(row.reply) for row in newest}
        self._turns.clear()
        self._turns.append((clock.monotonic_s(), list(self._replies)))

    def get(self, command_id: bytes) -> Reply | None:
        return self._replies.get(command_id)

    def add(self, replies: dict[bytes, Reply]) -> None:
        if replies:
            self._replies.update(replies)
            self._turns.append((clock.monotonic_s(), list(replies)))

    def forget(self) -> None:
        """Drop what is older than any resend can be."""
        limit_s = clock.monotonic_s() - self._keep_s
        while self._turns and self._turns[0][0] < limit_s:
            for command_id in self._turns.popleft()[1]:
                self._replies.pop(command_id, None)
