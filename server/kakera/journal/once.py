"""Applied commands, so that one sent again is answered again and not done again (R16)."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from kakera.base import clock, limits
from kakera.index.interface import Rows
from kakera.index.tables import APPLIED
from kakera.journal import codec
from kakera.journal.commands import Ok, Reply


class _Generation(NamedTuple):
    until_s: float  # it takes nothing new after this
    replies: dict[bytes, bytes]


class Applied:
    """Ids and replies of at least the last `keep_s` seconds, by the monotonic clock: a stepped wall clock forgets
    nothing. Replies are kept as they are written in the index: a quarter of a million of them wait at the best rate. In
    generations that are dropped whole, because a dictionary gives nothing back of what is taken out of it singly.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s * 2  # longer than any worker resends
        self._generation_s = self._keep_s / limits.APPLIED_GENERATIONS
        self._generations: deque[_Generation] = deque()  # newest first

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
        self._generations.clear()
        self._generations.append(_Generation(clock.monotonic_s(), replies))

    def get(self, command_id: bytes) -> Reply | None:
        for generation in self._generations:
            reply = generation.replies.get(command_id)
            if reply is not None:
                return codec.OK.decode(reply)
        return None

    def add(self, replies: dict[bytes, Ok]) -> None:
        """What a turn answered to the commands it applied."""
        if replies:
            now_s = clock.monotonic_s()
            if not self._generations or now_s > self._generations[0].until_s:
                self._generations.appendleft(_Generation(now_s + self._generation_s, {}))
            encode = codec.encode
            self._generations[0].replies.update([(id_, encode(reply)) for id_, reply in replies.items()])

    def forget(self) -> None:
        """Drop what is older than any resend can be."""
        limit_s = clock.monotonic_s() - self._keep_s
        while self._generations and self._generations[-1].until_s < limit_s:
            self._generations.pop()
