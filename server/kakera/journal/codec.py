"""msgpack for what the journal says: one encoder, one typed decoder a record type."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from kakera.journal import commands, records
from kakera.segments.record import Type

encode = msgspec.msgpack.Encoder().encode
META: dict[int, msgspec.msgpack.Decoder[Any]] = {
    Type.HEADER: msgspec.msgpack.Decoder(records.StrandMeta),
    Type.OBJECT: msgspec.msgpack.Decoder(records.ObjectMeta),
    Type.DELETE: msgspec.msgpack.Decoder(records.DeleteMeta),
    Type.MARKER: msgspec.msgpack.Decoder(records.MarkerMeta),
    Type.PART: msgspec.msgpack.Decoder(records.PartMeta),
    Type.UPLOAD: msgspec.msgpack.Decoder(records.UploadMeta),
    Type.ABORT: msgspec.msgpack.Decoder(records.AbortMeta),
    Type.SETTINGS: msgspec.msgpack.Decoder(records.SettingsMeta),
}


@lru_cache(maxsize=64)
def meta_of(record: int, meta: bytes) -> Any:
    """The decoded meta. One turn of the committer asks for the same one up to four times; metas are frozen, so they can
    be shared.
    """
    return META[record].decode(meta)


OK = msgspec.msgpack.Decoder(commands.Ok)
SEGMENT_BYTES = msgspec.msgpack.Decoder(list[tuple[int, int]])
