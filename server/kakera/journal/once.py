"""Applied commands, so that one sent again is answered again and not done again (R16)."""

from __future__ import annotations

from collections import deque

from kakera.base import clock, limits
from kakera.index.interface import Rows
from kakera.index.tables import APPLIED
from kakera.journal import codec
from kakera.journal.commands import Ok, Reply


class Applied:
    """Ids and replies of at least the last `keep_s` seconds, by the monotonic clock: a stepped wall clock forgets
    nothing. Replies are kept as they are written in the index: a quarter of a million of them wait at the best rate.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s * 2  # longer than any worker resends
        self._replies: dict[bytes, bytes] = {}
        self._turns: deque[tuple[float, list[bytes]]] = deque()

    def load(self, rows: Rows) -> None:
        """What the index remembers; all of it counts as new, because nobody knows how long the process was away."""
        replies: dict[bytes, bytes] = {}
        before: tuple[int, ...] | None = None
        while len(replies) < limits.APPLIED_IDS_LOADED:
            page = rows.scan(APPLIED, (0,), before, limit=limits.REPLAY_BATCH_RECORDS, reverse=True)
            if not page:
                break
            for row in page:
                replies.setdefault(row.command_id, row.reply)  # newest first: the last record of a command answers it
            before = (page[-1].sequence,)
        self._replies = replies
        self._turns.clear()
        self._turns.append((clock.monotonic_s(), list(replies)))

    def get(self, command_id: bytes) -> Reply | None:
        reply = self._replies.get(command_id)
        return codec.OK.decode(reply) if reply is not None else None

    def add(self, replies: dict[bytes, Ok]) -> None:
        """What a turn answered to the commands it applied."""
        if replies:
            encode = codec.encode
            self._replies.update([(command_id, encode(reply)) for command_id, reply in replies.items()])
            self._turns.append((clock.monotonic_s(), list(replies)))

    def forget(self) -> None:
        """Drop what is older than any resend can be."""
        limit_s = clock.monotonic_s() - self._keep_s
        while self._turns and self._turns[0][0] < limit_s:
            for command_id in self._turns.popleft()[1]:
                self._replies.pop(command_id, None)
