"""msgpack for what the journal says: one encoder, one typed decoder a record type."""

from __future__ import annotations

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
OK = msgspec.msgpack.Decoder(commands.Ok)
SEGMENT_BYTES = msgspec.msgpack.Decoder(list[tuple[int, int]])
