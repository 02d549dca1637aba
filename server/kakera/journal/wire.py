"""Frames on the committer's Unix socket: u32 length (little-endian), then a msgpack array of [number, command] or
[number, reply]. Many in one frame, both ways (docs/spec/journal.md)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from kakera.base import limits
from kakera.journal.commands import Command, Put, PutPart, Reply, Rewrite

_LENGTH = struct.Struct("<I")
_encoder = msgspec.msgpack.Encoder()
_COMMAND_BYTES = 512  # a command without a body, with its names and its place in a queue
T = TypeVar("T")


class FrameTooLarge(Exception):
    """A peer sent more than a frame may hold: the connection is of no use any more."""


def pack(items: Sequence[tuple[int, Any]]) -> bytes:
    """One frame."""
    body = _encoder.encode(items)
    return _LENGTH.pack(len(body)) + body


def held_bytes(command: Command) -> int:
    """Memory a command takes while it waits, about."""
    if isinstance(command, Put | PutPart | Rewrite):
        return len(command.meta) + sum(map(len, command.body.fragments)) + _COMMAND_BYTES
    return _COMMAND_BYTES


class Unpacker(Generic[T]):
    """Bytes in, items out. Holds at most one incomplete frame."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[list[tuple[int, T]]]) -> None:
        self._decode = decoder.decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, T]]:
        """The items of every frame that is now whole. Raises FrameTooLarge, msgspec.DecodeError."""
        buffer = self._buffer
        buffer += data
        items: list[tuple[int, T]] = []
        at = 0
        while len(buffer) - at >= 4:
            (length,) = _LENGTH.unpack_from(buffer, at)
            if length > limits.MAX_FRAME_BYTES:
                raise FrameTooLarge(length)
            if len(buffer) - at - 4 < length:
                break
            with memoryview(buffer) as view:
                items += self._decode(view[at + 4 : at + 4 + length])
            at += 4 + length
        if at:
            del buffer[:at]
        return items


def commands_unpacker() -> Unpacker[Command]:
    return Unpacker(msgspec.msgpack.Decoder(list[tuple[int, Command]]))


def replies_unpacker() -> Unpacker[Reply]:
    return Unpacker(msgspec.msgpack.Decoder(list[tuple[int, Reply]]))
