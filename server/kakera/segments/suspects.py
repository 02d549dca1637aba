"""Strands that are not trusted although they may read clean: a write or sync of them failed or was late (R2).

After a failed fdatasync the kernel calls the pages clean, so reads and a census find nothing wrong until the cache is
gone. The suspicion is therefore kept until heal has made the strand again, over restarts: one small file a strand
under <state>/suspects, named kind-segment-slot. Losing the folder with the state loses the suspicion, not the data:
scrub finds what is bad once it has left the cache.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from kakera.base import limits
from kakera.base.ids import segment_name
from kakera.config import Config
from kakera.segments.drive import Strand

_NAME = re.compile(r"(journal|bulk)-([0-9a-f]{16})-([0-9]{1,4})")


class Suspects:
    """Any process may add; the one that heals clears."""

    def __init__(self, state_dir: Path | str) -> None:
        self._folder = Path(state_dir) / "suspects"

    @classmethod
    def of(cls, config: Config) -> Suspects:
        return cls(config.server.state_dir)

    def add(self, strand: Strand, slot: int, reason: str) -> None:
        """Idempotent. Never raises: the write that failed is being dealt with."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / _name(strand, slot)).write_text(reason[: limits.MAX_REASON_CHARS])
        except OSError:
            return

    def all(self) -> list[tuple[Strand, int]]:
        """(strand, slot) of every suspect, in the order of their names."""
        try:
            names = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return []
        found = [match for name in names if (match := _NAME.fullmatch(name))]
        return [(Strand(match[1], int(match[2], 16)), int(match[3])) for match in found]

    def slots(self, strand: Strand) -> set[int]:
        """The drives whose strand of this segment is not trusted."""
        return {slot for suspect, slot in self.all() if suspect == strand}

    def clear(self, strand: Strand, slot: int | None = None) -> None:
        """The strand on `slot` was made again; None: the whole segment is gone."""
        for one in self.slots(strand) if slot is None else {slot}:
            (self._folder / _name(strand, one)).unlink(missing_ok=True)


def _name(strand: Strand, slot: int) -> str:
    return f"{strand.kind}-{segment_name(strand.segment)}-{slot}"
