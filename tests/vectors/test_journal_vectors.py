"""decide and apply by cases: commands in, records, answers and rows out (tests/vectors/journal)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kakera.base import errors
from kakera.base.ids import new_id
from kakera.index.interface import Mark
from kakera.index.memory import MemoryIndex
from kakera.index.tables import ENTRIES, PARTS, UPLOADS, VERSIONS, Entry, Location
from kakera.journal import codec, commands
from kakera.journal.apply import Fact, apply, execute
from kakera.journal.commands import Body, Command, Condition
from kakera.journal.decide import decide
from kakera.journal.multipart_ids import complete_id
from kakera.journal.records import ObjectMeta, PartMeta, Placement, SettingsMeta, UploadMeta
from kakera.segments.record import Type

HERE = Path(__file__).parent / "journal"
CASES = [case for path in sorted(HERE.glob("*.json")) for case in json.loads(path.read_text())]


class Book:
    """Rows and the names a case gives to ids."""

    def __init__(self) -> None:
        self.rows = MemoryIndex()
        self.ids: dict[str, bytes] = {"null": b""}
        self.sequence = 0
        self.versioning = 0
        self.bucket_id = self.generation = 0
        meta = SettingsMeta("b", 0, "me", 1, alive=True)
        records, _ = self.run(commands.PutSettings(new_id(), 0, codec.encode(meta)))
        assert records == ["SETTINGS"]
        self.bucket_id = self.generation = self.sequence

    def run(self, command: Command) -> tuple[list[str], str]:
        try:
            decision = decide(command, self.rows, self.sequence + 1)
        except errors.Refused as error:
            return [], type(error).__name__
        types = []
        for proposal in decision.proposals:
            self.sequence += 1
            location = Location(1, self.sequence * 1000, 1000)
            fact = Fact(proposal.type, proposal.flags, self.sequence, proposal.command_id, proposal.meta, location)
            self.rows.begin()
            execute(apply(fact, self.rows), self.rows)
            self.rows.commit(Mark(self.sequence, 1, self.sequence * 1000 + 1000))
            types.append(Type(proposal.type).name)
        return types, "ok"

    def named(self, step: dict[str, Any]) -> bytes:
        made = new_id()
        if "as" in step:
            self.ids[step["as"]] = made
        return made

    def at(self, step: dict[str, Any]) -> int:
        return self.generation - 1 if step.get("generation") == "old" else self.generation


def _condition(step: dict[str, Any]) -> Condition | None:
    if step.keys() & {"if_match", "if_none_match", "mtime_ms"} or (step["do"] == "delete" and "size" in step):
        return Condition(step.get("if_match"), step.get("if_none_match"), step.get("size"), step.get("mtime_ms"))
    return None


def _put(book: Book, step: dict[str, Any]) -> Command:
    made = book.named(step)
    version = made if book.versioning == 1 else b""
    meta = ObjectMeta(
        book.bucket_id, step["key"].encode(), version, 0, 1, 0, step.get("etag", "e"), "me", Placement.NONE
    )
    return commands.Put(made, "b", book.bucket_id, book.at(step), codec.encode(meta), Body(), _condition(step))


def _delete(book: Book, step: dict[str, Any]) -> Command:
    version = book.ids[step["version"]] if "version" in step else None
    made = book.named(step)
    return commands.Delete(
        made, "b", book.bucket_id, book.at(step), step["key"].encode(), version, "me", 1, _condition(step)
    )


def _settings(book: Book, step: dict[str, Any]) -> Command:
    alive = step["do"] == "version"
    meta = SettingsMeta("b", book.bucket_id, "me", 1, alive=alive, versioning=step.get("state", book.versioning))
    return commands.PutSettings(new_id(), book.generation, codec.encode(meta))


def _upload(book: Book, step: dict[str, Any]) -> Command:
    made = book.named(step)
    meta = UploadMeta(book.bucket_id, step["key"].encode(), made, 1, "me")
    return commands.CreateUpload(made, "b", book.bucket_id, codec.encode(meta))


def _part(book: Book, step: dict[str, Any]) -> Command:
    made = book.named(step)
    key, upload = step["key"].encode(), book.ids[step["upload"]]
    meta = PartMeta(book.bucket_id, key, upload, step["number"], made, 1, step["size"], "e", Placement.NONE)
    return commands.PutPart(made, "b", book.bucket_id, codec.encode(meta), Body())


def _complete(book: Book, step: dict[str, Any]) -> Command:
    upload = book.ids[step["upload"]]
    version = upload if book.versioning == 1 else b""
    meta = ObjectMeta(
        book.bucket_id, step["key"].encode(), version, 0, 1, 1, "e-1", "me", Placement.PARTS, body_id=upload,
        parts=[(number, number) for number in step["parts"]],
    )  # fmt: skip
    ids = [book.ids[name] for name in step["ids"]]
    return commands.Complete(complete_id(upload), "b", book.bucket_id, book.at(step), codec.encode(meta), ids)


def _abort(book: Book, step: dict[str, Any]) -> Command:
    return commands.Abort(new_id(), "b", book.bucket_id, step["key"].encode(), book.ids[step["upload"]])


MAKERS: dict[str, Callable[[Book, dict[str, Any]], Command]] = {
    "put": _put, "delete": _delete, "version": _settings, "bucket_delete": _settings, "upload": _upload, "part": _part,
    "complete": _complete, "abort": _abort,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    book = Book()
    for number, step in enumerate(case["steps"]):
        records, reply = book.run(MAKERS[step["do"]](book, step))
        assert (records, reply) == (step["records"], step["reply"]), (number, step)
        if step["do"] == "version" and reply == "ok":
            book.versioning, book.generation = step["state"], book.sequence
    names = {made: name for name, made in book.ids.items()}
    for key, wanted in case["versions"].items():
        place = (book.bucket_id, key.encode())
        older = book.rows.scan(VERSIONS, place, (book.bucket_id, key.encode() + b"\0"), limit=100)
        found = [names[row.version] + ("*" if row.flags & Entry.MARKER else "") for row in older][::-1]
        entry = book.rows.get(ENTRIES, place)
        assert found + ([names[entry.version]] if entry else []) == wanted
    for upload, wanted in case.get("parts", {}).items():
        rows = book.rows.scan(PARTS, (book.ids[upload],), (book.ids[upload], 99), limit=100)
        assert [[row.part_number, row.chosen] for row in rows] == wanted
    if "uploads" in case:
        assert [names[row.upload_id] for row in book.rows.scan(UPLOADS, (0,), None, limit=100)] == case["uploads"]
