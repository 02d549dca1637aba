"""What is to be healed: one small file a segment under state_dir/jobs/heal. Made again by census (R4 names it an
exception).

Files, not a table: several processes report, one works, a report is idempotent, and nothing is lost when a process
dies. The name says everything; the content is the first reason, for people.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kakera.base import limits
from kakera.base.ids import segment_name
from kakera.observe.log import get_logger

log = get_logger("workers")
_NAME = re.compile(r"(journal|bulk)-([0-9a-f]{16})")


class Job(NamedTuple):
    """A segment that lacks redundancy, or may."""

    kind: str
    segment: int
    reason: str


class HealQueue:
    """Any process may `report`; the background process takes and finishes jobs."""

    def __init__(self, jobs: Path) -> None:
        self._folder = jobs / "heal"
        self._reported: set[tuple[str, int]] = set()  # of this process: a damaged strand is met by every read of it

    def report(self, kind: str, segment: int, strand: int, slot: int, reason: str) -> None:
        """A reader met damage. Never raises: the read goes on around it."""
        if (kind, segment) in self._reported:
            return
        if len(self._reported) >= limits.MAX_HEAL_REPORTS:
            self._reported.clear()
        self._reported.add((kind, segment))
        log.warning("damage", kind=kind, segment=segment_name(segment), strand=strand, drive=slot, reason=reason)
        self.add(kind, segment, f"strand {strand} on drive {slot}: {reason}")

    def add(self, kind: str, segment: int, reason: str) -> None:
        """Idempotent: the first reason stays."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._path(kind, segment), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return
        except OSError as error:
            log.error("heal job not written", kind=kind, segment=segment_name(segment), reason=str(error))
            return
        with os.fdopen(fd, "w") as out:
            out.write(reason)

    def jobs(self) -> list[Job]:
        """All of them, journal first: everything hangs on it; then the oldest segments."""
        found = []
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        for name in names:
            match = _NAME.fullmatch(name)
            if match:
                try:
                    reason = (self._folder / name).read_text(errors="replace")
                except OSError:
                    continue
                found.append(Job(match[1], int(match[2], 16), reason))
        return sorted(found, key=lambda job: (job.kind != "journal", job.segment))

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        """True for the one process that may heal now: a strand made by two at once would be made of both."""
        self._folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(fd)

    def done(self, job: Job) -> None:
        """The segment is whole again, or gone."""
        self._path(job.kind, job.segment).unlink(missing_ok=True)
        self._reported.discard((job.kind, job.segment))

    def _path(self, kind: str, segment: int) -> Path:
        return self._folder / f"{kind}-{segment_name(segment)}"
