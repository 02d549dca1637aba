"""The journal against random histories: commands, kills at any step, power cuts that roll the index back, drives that
go, fail and come back, rolling and cleaning. After each: what was acked is there and readable, and rebuild(journal) ==
index (R1, R4, R15, R16)."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis import note, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kakera.base import clock, limits
from kakera.base.ids import new_id
from kakera.index.memory import MemoryIndex
from kakera.index.tables import ENTRIES, PARTS, TABLES, UPLOADS, VERSIONS, Entry
from kakera.journal import codec, commands, recovery
from kakera.journal.chain import Settings
from kakera.journal.commands import Body, Command, Condition, No, Ok, Reply
from kakera.journal.committer import Committer
from kakera.journal.members import Members
from kakera.journal.multipart_ids import complete_id
from kakera.journal.reading import survey
from kakera.journal.records import ObjectMeta, PartMeta, Placement, SettingsMeta, UploadMeta
from kakera.segments.codec import codec as coder
from kakera.segments.record import crc32c
from tests.fakes.drive import Countdown, Crash, FakeDrive
from tests.fakes.lanes import InlineLanes
from tests.fakes.members import FakeDrives

K, M = 2, 1
KEYS = (b"a", b"a/b", b"\xffz")
FOREVER = 1 << 30


@dataclass
class Version:
    """What the test believes: one version of a key, oldest first in its list."""

    version: bytes
    body: bytes
    marker: bool = False


@dataclass
class Belief:
    """The bucket as it must be."""

    versioning: int = 0
    versions: dict[bytes, list[Version]] = field(default_factory=dict)

    def newest(self, key: bytes) -> Version | None:
        held = self.versions.get(key, [])
        return held[-1] if held else None

    def add(self, key: bytes, version: Version) -> None:
        held = self.versions.setdefault(key, [])
        if version.version == b"":
            held[:] = [v for v in held if v.version != b""]
        held.append(version)

    def remove(self, key: bytes, version: bytes) -> None:
        held = self.versions.get(key, [])
        held[:] = [v for v in held if v.version != version]


class JournalMachine(RuleBasedStateMachine):
    """One partition, one bucket, three drives, 2+1."""

    @initialize(seed=st.integers(0, FOREVER))
    def begin(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now_s = 1000.0
        clock.monotonic_s = lambda: self.now_s
        self.countdown = Countdown()
        self.drives = [FakeDrive(slot, self.countdown) for slot in range(K + M + 1)]
        self.index = MemoryIndex()
        self.snapshots = [self.index.snapshot()]
        self.belief = Belief()
        self.uploads: dict[bytes, tuple[bytes, dict[int, tuple[bytes, bytes]]]] = {}
        self.committer = self.new_committer()
        self.bucket_id = 0
        reply = self.run(commands.PutSettings(new_id(), 0, codec.encode(SettingsMeta("b", 0, "me", 1, alive=True))))
        assert isinstance(reply, Ok)
        self.bucket_id = self.generation = reply.value

    # --- the machinery

    def new_committer(self) -> Committer:
        members = Members(FakeDrives(self.drives, K, M))  # type: ignore[arg-type]
        config = Settings("fake", K, M, segment_bytes=3000, laggard_limit_s=1.0, reserve_bytes=0, resend_limit_s=0.0)
        committer = Committer(members, self.index, config, lanes=InlineLanes(self.rng))
        committer.start()
        return committer

    def ready(self) -> None:
        """A committer that takes commands: all drives back, started again if it is not ready."""
        for drive in self.drives:
            drive.away, drive.sync_fails = False, 0
        self.now_s += 2 * limits.DRIVE_REJOIN_MAX_S
        if self.committer.mode != "ready":
            self.recover()
        assert self.committer.mode == "ready", self.committer.reason

    def probe(self) -> None:
        """Housekeeping, now."""
        try:
            self.committer.probe_now()
        except Crash:
            self.recover()

    def run(self, command: Command) -> Reply:
        """As a worker does: send again until there is an answer. Crashes on the way are survived by a successor."""
        for _ in range(50):
            replies: list[Reply] = []
            try:
                self.committer.process([command], replies.extend)
            except Crash:
                note("crash in process")
                self.recover()
                continue
            self.snapshots.append(self.index.snapshot())
            reply = replies[0]
            if isinstance(reply, No) and reply.error in ("ReadOnly", "NotReady", "OutOfSpace", "Unavailable"):
                self.ready()
                self.probe()
                continue
            return reply
        raise AssertionError("no answer after 50 tries")

    def recover(self) -> None:
        """The process died: the index loses its open transaction, a successor starts; it may die too."""
        for _ in range(20):
            self.index.rollback()
            try:
                self.committer = self.new_committer()
                self.snapshots.append(self.index.snapshot())
                return
            except Crash:
                continue
        raise AssertionError("never recovered")

    def body(self, size: int) -> tuple[bytes, int, Body]:
        data = self.rng.randbytes(size)
        if not size:
            return data, Placement.NONE, Body()
        if size <= 100:
            return data, Placement.REPLICATED, Body([data], [crc32c(data)], size)
        fragments = coder(K, M).encode(data)
        return data, Placement.CODED, Body(fragments, [crc32c(f) for f in fragments], size, K, M)

    # --- commands

    @rule(
        key=st.sampled_from(KEYS), size=st.sampled_from([0, 20, 500]), condition=st.sampled_from(["", "none", "match"])
    )
    def put(self, key: bytes, size: int, condition: str) -> None:
        data, placement, body = self.body(size)
        command_id = new_id()
        version = command_id if self.belief.versioning == 1 else b""
        newest = self.belief.newest(key)
        exists = newest is not None and not newest.marker
        etag = f"{crc32c(data):032x}"
        asked = {
            "": None,
            "none": Condition(if_none_match=["*"]),
            "match": Condition(if_match=[f"{crc32c(newest.body):032x}" if newest else "x"]),
        }[condition]
        meta = ObjectMeta(self.bucket_id, key, version, 0, 1, size, etag, "me", placement, {"content-type": "x"})
        reply = self.run(
            commands.Put(command_id, "b", self.bucket_id, self.generation, codec.encode(meta), body, asked)
        )
        if condition == "none" and exists:
            assert isinstance(reply, No) and reply.error == "PreconditionFailed"
        elif condition == "match" and not exists:
            assert isinstance(reply, No) and reply.error == "NoSuchKey"
        else:
            assert isinstance(reply, Ok), reply
            self.belief.add(key, Version(version, data))

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: bytes) -> None:
        command_id = new_id()
        reply = self.run(commands.Delete(command_id, "b", self.bucket_id, self.generation, key, None, "me", 1))
        assert isinstance(reply, Ok), reply
        if self.belief.versioning:
            version = command_id if self.belief.versioning == 1 else b""
            self.belief.add(key, Version(version, b"", marker=True))
        else:
            self.belief.remove(key, b"")

    @rule(key=st.sampled_from(KEYS), pick=st.integers(0, 5))
    def delete_version(self, key: bytes, pick: int) -> None:
        held = self.belief.versions.get(key, [])
        version = held[pick % len(held)].version if held else b""
        reply = self.run(commands.Delete(new_id(), "b", self.bucket_id, self.generation, key, version, "me", 1))
        assert isinstance(reply, Ok), reply
        self.belief.remove(key, version)

    @rule(state=st.sampled_from([1, 2]))
    def versioning(self, state: int) -> None:
        meta = SettingsMeta("b", self.bucket_id, "me", 1, alive=True, versioning=state)
        reply = self.run(commands.PutSettings(new_id(), self.generation, codec.encode(meta)))
        assert isinstance(reply, Ok), reply
        self.generation = reply.sequence
        self.belief.versioning = state

    @rule(key=st.sampled_from(KEYS))
    def create_upload(self, key: bytes) -> None:
        upload_id = new_id()
        meta = UploadMeta(self.bucket_id, key, upload_id, 1, "me")
        reply = self.run(commands.CreateUpload(upload_id, "b", self.bucket_id, codec.encode(meta)))
        assert isinstance(reply, Ok), reply
        self.uploads[upload_id] = (key, {})

    @precondition(lambda self: self.uploads)
    @rule(pick=st.integers(0, 9), number=st.integers(1, 3), size=st.sampled_from([20, 500]))
    def put_part(self, pick: int, number: int, size: int) -> None:
        upload_id = list(self.uploads)[pick % len(self.uploads)]
        key, parts = self.uploads[upload_id]
        data, placement, body = self.body(size)
        part_id = new_id()
        meta = PartMeta(self.bucket_id, key, upload_id, number, part_id, 1, size, "e", placement)
        reply = self.run(commands.PutPart(part_id, "b", self.bucket_id, codec.encode(meta), body))
        assert isinstance(reply, Ok), reply
        parts[number] = (part_id, data)

    @precondition(lambda self: any(parts for _, parts in self.uploads.values()))
    @rule(pick=st.integers(0, 9), drop_first=st.booleans(), repeat=st.booleans())
    def complete(self, pick: int, drop_first: bool, repeat: bool) -> None:
        ready = [upload_id for upload_id, (_, parts) in self.uploads.items() if parts]
        upload_id = ready[pick % len(ready)]
        key, parts = self.uploads.pop(upload_id)
        numbers = sorted(parts)[1 if drop_first and len(parts) > 1 else 0 :]
        data = b"".join(parts[number][1] for number in numbers)
        version = upload_id if self.belief.versioning == 1 else b""
        meta = ObjectMeta(
            self.bucket_id,
            key,
            version,
            0,
            1,
            len(data),
            f"{crc32c(data):032x}",
            "me",
            Placement.PARTS,
            body_id=upload_id,
            parts=[(n, n) for n in numbers],
        )
        part_ids = [parts[number][0] for number in numbers]
        command = commands.Complete(
            complete_id(upload_id), "b", self.bucket_id, self.generation, codec.encode(meta), part_ids
        )
        reply = self.run(command)
        assert isinstance(reply, Ok) and reply.version == version, reply
        self.belief.add(key, Version(version, data))
        if repeat:
            again = self.run(command)
            assert isinstance(again, Ok) and again.version == version

    @precondition(lambda self: self.uploads)
    @rule(pick=st.integers(0, 9))
    def abort(self, pick: int) -> None:
        upload_id = list(self.uploads)[pick % len(self.uploads)]
        key, _ = self.uploads.pop(upload_id)
        reply = self.run(commands.Abort(new_id(), "b", self.bucket_id, key, upload_id))
        assert isinstance(reply, Ok), reply

    # --- the world

    @rule(after=st.integers(0, 40))
    def crash_soon(self, after: int) -> None:
        self.countdown.left = after

    @rule(back=st.integers(0, 4))
    def power_cut(self, back: int) -> None:
        """Everything not synced is at risk; the index falls back to an earlier commit; a drive may be away at the
        restart.
        """
        self.countdown.left = -1
        for drive in self.drives:
            drive.power_cut(self.rng)
        kept = max(0, len(self.snapshots) - 1 - back)
        del self.snapshots[kept + 1 :]  # what the cut took never comes back
        self.index.restore(self.snapshots[kept])
        self.recover()

    @rule(slot=st.integers(0, K + M))
    def drive_goes(self, slot: int) -> None:
        if sum(drive.away for drive in self.drives) < M:
            self.drives[slot].away = True

    @rule(slot=st.integers(0, K + M))
    def drive_comes(self, slot: int) -> None:
        self.drives[slot].away = False

    @rule(slot=st.integers(0, K + M), times=st.integers(1, 2))
    def sync_fails(self, slot: int, times: int) -> None:
        if not any(drive.sync_fails or drive.away for drive in self.drives):
            self.drives[slot].sync_fails = times

    @rule()
    def restart(self) -> None:
        self.countdown.left = -1
        self.recover()

    @rule()
    def housekeeping(self) -> None:
        self.probe()

    @rule(steps=st.integers(1, 3), finish=st.booleans())
    def clean(self, steps: int, finish: bool) -> None:
        self.ready()
        for _ in range(steps):
            reply = self.run(commands.Clean(new_id(), "clean"))
            if isinstance(reply, No) or not reply.value:
                break
        if finish:
            self.run(commands.Clean(new_id(), "finish"))
            self.probe()

    # --- what must hold

    @invariant()
    def rows_are_as_believed(self) -> None:
        if getattr(self, "bucket_id", 0) == 0 or self.committer.mode != "ready":
            return
        for key in KEYS:
            held = self.belief.versions.get(key, [])
            entry = self.index.get(ENTRIES, (self.bucket_id, key))
            older = self.index.scan(VERSIONS, (self.bucket_id, key), (self.bucket_id, key + b"\0"), limit=100)
            found = [(row.version, bool(row.flags & Entry.MARKER)) for row in older][::-1]
            if entry is not None:
                found.append((entry.version, False))
            assert found == [(v.version, v.marker) for v in held], (key, found, held)
        assert {row.upload_id for row in self.index.scan(UPLOADS, (0,), None, limit=100)} == set(self.uploads)

    def teardown(self) -> None:
        try:
            self.end()
        finally:
            clock.monotonic_s = time.monotonic

    def end(self) -> None:
        if getattr(self, "bucket_id", 0) == 0:
            return
        self.countdown.left = -1
        self.ready()
        self.probe()
        self.rows_are_as_believed()
        self.bodies_are_readable()
        self.rebuild_is_the_index()
        self.index.wipe()
        self.recover()
        assert self.committer.mode == "ready"
        self.rows_are_as_believed()
        self.bodies_are_readable()

    def rebuild_is_the_index(self) -> None:
        """R4, for every table."""
        views = survey(self.drives, {drive.slot: f"drive-{drive.slot}" for drive in self.drives})  # type: ignore[arg-type]
        chain = [views[info.segment] for info in self.committer.journal.chain]
        fresh = MemoryIndex()
        recovery.replay(chain, self.committer.journal.chain[-1].last, fresh)
        rebuilt, kept = fresh.snapshot(), self.index.snapshot()
        for table in TABLES:
            assert rebuilt.tables[table.name] == kept.tables[table.name], table.name

    def bodies_are_readable(self) -> None:
        views = survey(self.drives, {drive.slot: f"drive-{drive.slot}" for drive in self.drives})  # type: ignore[arg-type]

        def read(segment: int, offset: int) -> bytes:
            view = views[segment]
            for copy in view.copies:
                record = copy.record(offset)
                if record is not None:
                    union = view.union(offset, record[0].sequence)
                    assert union is not None and union.decodable
                    body = union.proposal().body
                    return (
                        coder(K, M).decode(dict(enumerate(body.fragments)), body.size)
                        if body.k
                        else b"".join(body.fragments)
                    )
            raise AssertionError("no readable copy")

        for key in KEYS:
            held = {v.version: v.body for v in self.belief.versions.get(key, []) if not v.marker}
            entry = self.index.get(ENTRIES, (self.bucket_id, key))
            rows = [entry] if entry else []
            rows += self.index.scan(VERSIONS, (self.bucket_id, key), (self.bucket_id, key + b"\0"), limit=100)  # type: ignore[arg-type]
            for row in rows:
                if row.flags & Entry.MARKER:
                    continue
                if row.flags & Entry.PARTS:
                    parts = self.index.scan(PARTS, (row.body_id,), (row.body_id, FOREVER), limit=100)
                    data = b"".join(read(part.segment, part.offset) for part in parts)
                else:
                    data = read(row.segment, row.offset)
                assert data == held[row.version]


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(
    max_examples=int(os.environ.get("KAKERA_EXAMPLES", "60")), stateful_step_count=40, deadline=None
)
