"""The drives a committer sees, from fakes."""

from __future__ import annotations

from typing import NamedTuple

from kakera.segments.drive import Drive
from tests.fakes.drive import FakeDrive


class FakeProfile(NamedTuple):
    k: int
    m: int


class FakeDrives:
    """What `segments.identity.Drives` is to the committer: present, absent, refresh."""

    cluster = "fake"

    def __init__(self, drives: list[FakeDrive], k: int, m: int) -> None:
        self.all = drives
        self.profile = FakeProfile(k, m)
        self.present: dict[int, Drive] = {}
        self.absent: dict[int, str] = {}
        self.refresh()

    def refresh(self) -> bool:
        before = set(self.present)
        self.present = {drive.slot: drive for drive in self.all if not drive.away}
        self.absent = {drive.slot: "away" for drive in self.all if drive.away}
        return before != set(self.present)
