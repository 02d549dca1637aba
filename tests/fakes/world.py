"""One partition in memory: fake drives, a memory index, a committer, and what the world does to them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from kakera.base.ids import new_id
from kakera.index.memory import MemoryIndex
from kakera.index.tables import ENTRIES, VERSIONS, Entry, EntryRow, VersionRow
from kakera.journal import codec, commands, recovery
from kakera.journal.chain import Settings
from kakera.journal.commands import Body, Command, Condition, Ok, Reply
from kakera.journal.committer import Committer
from kakera.journal.members import Doubt, Members
from kakera.journal.reading import View, survey
from kakera.journal.records import ObjectMeta, Placement, SettingsMeta
from kakera.segments.codec import codec as coder
from kakera.segments.drive import JOURNAL, Strand
from kakera.segments.record import crc32c
from tests.fakes.drive import Countdown, FakeDrive
from tests.fakes.lanes import InlineLanes
from tests.fakes.members import FakeDrives

REPLICATED_BELOW = 100  # smaller than the server's bound, so that short histories hold coded bodies


def ignore(strand: Strand, slot: int, reason: str) -> None:
    pass


class World:
    """k+m drives (and spares), one committer at a time, bucket "b"."""

    def __init__(
        self,
        k: int = 4,
        m: int = 2,
        *,
        spares: int = 0,
        segment_bytes: int = 1 << 20,
        seed: int = 0,
        doubt: Doubt = ignore,
    ) -> None:
        self.k, self.m = k, m
        self.rng = random.Random(seed)
        self.countdown = Countdown()
        self.drives = [FakeDrive(slot, self.countdown) for slot in range(k + m + spares)]
        self.index = MemoryIndex()
        self.segment_bytes = segment_bytes
        self.doubt = doubt
        self.committer = self.successor()
        reply = self.run(commands.PutSettings(new_id(), 0, codec.encode(SettingsMeta("b", 0, "me", 1, alive=True))))
        assert isinstance(reply, Ok)
        self.bucket_id = self.generation = reply.value

    # --- the committer

    def successor(self) -> Committer:
        """A new committer on the same drives and index; the old one is dead."""
        self.index.rollback()
        members = Members(FakeDrives(self.drives, self.k, self.m), self.doubt)  # type: ignore[arg-type]
        config = Settings("fake", self.k, self.m, self.segment_bytes, 1.0, 0, resend_limit_s=0.0)
        self.committer = Committer(members, self.index, config, lanes=InlineLanes(self.rng))
        self.committer.start()
        return self.committer

    def batch(self, batch: Sequence[Command]) -> list[Reply]:
        """One turn of the group commit."""
        replies: list[Reply] = []
        self.committer.process(batch, replies.extend)
        return replies

    def run(self, command: Command) -> Reply:
        return self.batch([command])[0]

    # --- commands

    def body(self, data: bytes) -> tuple[int, Body]:
        """As core places it, with a lower bound for replication."""
        if not data:
            return Placement.NONE, Body()
        if len(data) <= REPLICATED_BELOW:
            return Placement.REPLICATED, Body([data], [crc32c(data)], len(data))
        fragments = coder(self.k, self.m).encode(data)
        return Placement.CODED, Body(fragments, [crc32c(f) for f in fragments], len(data), self.k, self.m)

    def put(
        self,
        key: bytes,
        data: bytes = b"",
        *,
        condition: Condition | None = None,
        versioned: bool = False,
        command_id: bytes = b"",
    ) -> commands.Put:
        """A PUT as a worker sends it. The ETag is the body's crc32c as 32 hex digits."""
        command_id = command_id or new_id()
        placement, body = self.body(data)
        etag = f"{crc32c(data):032x}"
        version = command_id if versioned else b""
        meta = ObjectMeta(self.bucket_id, key, version, 0, 1, len(data), etag, "me", placement, {"content-type": "x"})
        return commands.Put(command_id, "b", self.bucket_id, self.generation, codec.encode(meta), body, condition)

    def delete(self, key: bytes, version: bytes | None = None) -> commands.Delete:
        return commands.Delete(new_id(), "b", self.bucket_id, self.generation, key, version, "me", 1)

    def versioning(self, state: int) -> None:
        """1 enabled, 2 suspended."""
        meta = SettingsMeta("b", self.bucket_id, "me", 1, alive=True, versioning=state)
        reply = self.run(commands.PutSettings(new_id(), self.generation, codec.encode(meta)))
        assert isinstance(reply, Ok), reply
        self.generation = reply.sequence

    def clean_all(self) -> None:
        """Clean the oldest segment and raise the floor."""
        while True:
            reply = self.run(commands.Clean(new_id(), "clean"))
            assert isinstance(reply, Ok), reply
            if not reply.value:
                break
        self.run(commands.Clean(new_id(), "finish"))
        self.committer.probe_now()

    # --- the world

    def power_cut(self) -> None:
        for drive in self.drives:
            drive.power_cut(self.rng)

    def away(self, *slots: int) -> None:
        """Exactly these drives are gone from now on."""
        for drive in self.drives:
            drive.away = drive.slot in slots

    def segment(self, number: int = -1) -> Strand:
        """The strand name of a journal segment of the chain."""
        return Strand(JOURNAL, self.committer.journal.chain[number].segment)

    def segment_named(self, segment: int) -> Strand:
        """The strand name of that segment; 0: the newest on any drive."""
        newest = max(number for drive in self.drives if not drive.away for number, _ in drive.strands(JOURNAL))
        return Strand(JOURNAL, segment or newest)

    # --- what there is

    def entry(self, key: bytes) -> EntryRow | None:
        return self.index.get(ENTRIES, (self.bucket_id, key))

    def keys(self) -> list[bytes]:
        return [row.key for row in self.index.scan(ENTRIES, (self.bucket_id,), (self.bucket_id + 1,), limit=10_000)]

    def versions(self, key: bytes) -> list[tuple[bytes, bool]]:
        """(version, is a marker), oldest first."""
        older = self.index.scan(VERSIONS, (self.bucket_id, key), (self.bucket_id, key + b"\0"), limit=1000)
        found = [(row.version, bool(row.flags & Entry.MARKER)) for row in older][::-1]
        entry = self.entry(key)
        return found + ([(entry.version, False)] if entry else [])

    def views(self) -> dict[int, View]:
        present = [drive for drive in self.drives if not drive.away]
        return survey(present, {drive.slot: f"drive-{drive.slot}" for drive in present})

    def read(self, row: EntryRow | VersionRow) -> bytes:
        """The body a row points to, from whatever strands are there. Fails when fewer than k are good."""
        view = self.views()[row.segment]
        for copy in view.copies:
            record = copy.record(row.offset)
            if record is not None:
                union = view.union(row.offset, record[0].sequence)
                assert union is not None and union.decodable, "too few good fragments"
                body = union.proposal().body
                if body.k:
                    return coder(self.k, self.m).decode(dict(enumerate(body.fragments)), body.size)
                return b"".join(body.fragments)
        raise AssertionError("no readable copy")

    def get(self, key: bytes) -> bytes | None:
        entry = self.entry(key)
        return None if entry is None else self.read(entry)

    def rebuilt(self) -> MemoryIndex:
        """A fresh index made from the journal alone (R4)."""
        views = self.views()
        fresh = MemoryIndex()
        recovery.replay(
            [views[info.segment] for info in self.committer.journal.chain], self.committer.journal.chain[-1].last, fresh
        )
        return fresh
