"""The aws-chunked framing: aws-chunks of a body, their signatures, trailing headers. Sans I/O: bytes in, slices of
them out.

    chunk-size-hex [";chunk-signature=" 64 hex] CRLF data CRLF ... "0" [";chunk-signature=" ...] CRLF trailers CRLF

Slices are memoryviews of what was fed: nothing is copied but lines split between two pieces. Data leaves before its
signature has been seen (an aws-chunk may be as long as the body); whoever consumes it must not let it become visible
before `finish` returned. An aws-chunk is the vendor's framing; it has nothing to do with the store's chunks.

Sources: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in
Multiple Chunks (Chunked Upload)" and "... Including Trailing Headers"; the least size of an aws-chunk: error
InvalidChunkSizeError there.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from kakera.base import limits
from kakera.dialects.s3 import sigv4
from kakera.dialects.s3.refusals import BodyError

_SIGNATURE_FIELD = b"chunk-signature="
_HEX_DIGITS = b"0123456789abcdefABCDEF"
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
TRAILER_SIGNATURE = "x-amz-trailer-signature"


class Mark(NamedTuple):
    """The end of an aws-chunk: at `offset` in the decoded body, carrying `signature` ("" when aws-chunks are not
    signed).
    """

    offset: int
    signature: str
    closing: bool = False


class _State(Enum):
    HEADER = 1
    DATA = 2
    DATA_END = 3
    TRAILER = 4


class ChunkDecoder:
    """Takes the framing off one body of `decoded_bytes`. Raises BodyError on the first thing that is not as it must
    be.
    """

    def __init__(self, decoded_bytes: int, *, signed: bool) -> None:
        self.pieces: list[memoryview] = []  # decoded, in order; the caller takes them out
        self.marks: list[Mark] = []  # likewise
        self.received_bytes = 0
        self._decoded_bytes = decoded_bytes
        self._signed = signed
        self._state = _State.HEADER
        self._left = 0  # bytes of the present aws-chunk still to come
        self._short = False  # an aws-chunk below the least size was seen: only the closing one may follow
        self._signature = ""
        self._line = bytearray()
        self._trailer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next piece of the wire; decoded slices and marks are appended to `pieces` and `marks`."""
        view = memoryview(data)
        position, end = 0, len(data)
        while position < end:
            if self._state is _State.DATA:
                position = self._take_data(view, position)
            elif self._state is _State.TRAILER:
                if len(self._trailer) + end - position > limits.MAX_TRAILER_BYTES:
                    raise BodyError("MalformedTrailerError")
                self._trailer += view[position:]
                return
            else:
                position = self._take_line(data, position)

    def _take_data(self, view: memoryview, position: int) -> int:
        piece = view[position : position + self._left]
        self.pieces.append(piece)
        size = len(piece)
        self._left -= size
        self.received_bytes += size
        if not self._left:
            self.marks.append(Mark(self.received_bytes, self._signature))
            self._state = _State.DATA_END
        return position + size

    def _take_line(self, data: bytes, position: int) -> int:
        newline = data.find(b"\n", position, position + limits.MAX_AWS_CHUNK_LINE_BYTES)
        stop = newline + 1 if newline >= 0 else len(data)
        if len(self._line) + stop - position > limits.MAX_AWS_CHUNK_LINE_BYTES:
            raise _malformed("an aws-chunk header is too long")
        self._line += data[position:stop]
        if newline >= 0:
            line = bytes(self._line)
            self._line.clear()
            if not line.endswith(b"\r\n"):
                raise _malformed("a line of the framing does not end with CRLF")
            self._end_line(line[:-2])
        return stop

    def _end_line(self, line: bytes) -> None:
        if self._state is _State.DATA_END:
            if line:
                raise _malformed("an aws-chunk is longer than its header says")
            self._state = _State.HEADER
            return
        digits, _, extension = line.partition(b";")
        if not digits or len(digits) > 16 or digits.strip(_HEX_DIGITS):
            raise _malformed("an aws-chunk header has no size")
        size = int(digits, 16)
        self._signature = self._read_signature(extension)
        if size == 0:
            if self.received_bytes != self._decoded_bytes:
                raise _wrong_length()
            self.marks.append(Mark(self.received_bytes, self._signature, closing=True))
            self._state = _State.TRAILER
            return
        if size > self._decoded_bytes - self.received_bytes:
            raise _wrong_length()
        if self._short:
            raise BodyError("InvalidChunkSizeError")
        self._short = size < limits.MIN_AWS_CHUNK_BYTES
        self._left = size
        self._state = _State.DATA

    def _read_signature(self, extension: bytes) -> str:
        if not self._signed:
            if extension:
                raise _malformed("an aws-chunk carries a signature in a body announced as unsigned")
            return ""
        signature = extension.removeprefix(_SIGNATURE_FIELD).decode("latin-1")
        if not extension.startswith(_SIGNATURE_FIELD) or not sigv4.is_hex_digest(signature):
            raise _malformed("an aws-chunk header has no signature")
        return signature

    def finish(self) -> dict[str, str]:
        """At the end of the wire: the trailing headers, in order. Raises BodyError when the framing is not complete."""
        if self._state is not _State.TRAILER:
            raise BodyError("IncompleteBody")
        return parse_trailers(bytes(self._trailer))


def parse_trailers(block: bytes) -> dict[str, str]:
    """What follows the closing aws-chunk's header: `name:value` lines, then an empty line. Lines end with LF or
    CRLF: some clients put an LF, as it is signed, before the CRLF. Names lower case, values latin-1. Raises
    BodyError (MalformedTrailerError).
    """
    if not block.endswith(b"\r\n"):
        raise BodyError("IncompleteBody")
    if block == b"\r\n":
        return {}
    if not block.endswith(b"\n\r\n"):
        raise BodyError("IncompleteBody")
    trailers: dict[str, str] = {}
    for line in block.split(b"\n"):
        line = line.removesuffix(b"\r")
        if not line:
            continue
        raw_name, colon, raw_value = line.partition(b":")
        name = raw_name.lower()
        value = raw_value.strip(b" \t").decode("latin-1")
        key = name.decode("latin-1")
        if not colon or not name or name.strip(_TOKEN) or key in trailers or not value.isprintable():
            raise BodyError("MalformedTrailerError")
        trailers[key] = value
    if len(trailers) > limits.MAX_TRAILERS:
        raise BodyError("MalformedTrailerError")
    return trailers


def canonical_trailers(trailers: dict[str, str]) -> bytes:
    """What the trailer's signature covers: all but itself, sorted, each line ended by a line feed."""
    lines = [f"{name}:{value}\n" for name, value in sorted(trailers.items()) if name != TRAILER_SIGNATURE]
    return "".join(lines).encode("latin-1")


def _malformed(what: str) -> BodyError:
    return BodyError("InvalidRequest", f"The aws-chunked body is malformed: {what}.")


def _wrong_length() -> BodyError:
    return BodyError(
        "IncompleteBody", "The request body did not have the number of bytes announced in x-amz-decoded-content-length"
    )
