"""The body of a request, freed of its framing and verified: nothing of it may become visible before the last piece
was read.

`plan_body` (plan.py) reads what the head announces. `VerifiedBody` is the core's BodySource. Rules:

1. `read` gives pieces of limits.CHUNK_BYTES, the last one shorter: one copy from the wire into the buffer the store
   will encode.
2. The last piece is given only when everything announced has been verified; a body that fails raises BodyError instead.
3. Bodies up to limits.HASH_INLINE_BYTES are hashed on the event loop; larger ones in a thread, one job at a time in
   order, while the next bytes arrive. At most limits.CHUNK_BYTES wait to be hashed: memory per request is two
   buffers.
4. A body is never shorter than announced (R3 begins here), nor longer: HTTP's framing ends it, and a source that
   gives more is not believed.

Sources: Amazon S3 API Reference, PutObject and UploadPart; User Guide, "Checking object integrity".
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Executor

from kakera.base import limits
from kakera.base.buffers import unset
from kakera.core.values import Checksum, Digests
from kakera.dialects import http
from kakera.dialects.s3 import checksums, sigv4
from kakera.dialects.s3.auth import Identity, PayloadMode
from kakera.dialects.s3.checksums import Algorithm
from kakera.dialects.s3.chunked import TRAILER_SIGNATURE, ChunkDecoder, Mark, canonical_trailers
from kakera.dialects.s3.plan import BodyPlan, announces_digest, plan_body, stored_content_encoding
from kakera.dialects.s3.refusals import BodyError
from kakera.dialects.s3.sigv4 import SignatureChain

__all__ = ["BodyPlan", "VerifiedBody", "announces_digest", "plan_body", "read_document", "stored_content_encoding"]

# --- the digests of one body ------------------------------------------------------------------------------------------


class _Digester:
    """Every digest of one body, in one pass. `absorb` may run in a thread, one call at a time; it keeps its failure
    for `finish`.
    """

    __slots__ = (
        "_absorbed",
        "_chain",
        "_closed",
        "_failure",
        "_marks",
        "_md5",
        "_piece_sha",
        "_plan",
        "_running",
        "_sha",
    )

    def __init__(self, plan: BodyPlan) -> None:
        self._plan = plan
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._running = plan.algorithm.start() if plan.algorithm is not None else None
        self._sha = hashlib.sha256() if plan.sha256_hex else None
        self._chain = SignatureChain(plan.seed) if plan.seed is not None else None
        self._piece_sha = hashlib.sha256()
        self._marks: deque[Mark] = deque()
        self._absorbed = 0
        self._closed = False  # the closing aws-chunk was verified
        self._failure: BodyError | None = None

    def absorb(self, data: bytes | memoryview, marks: list[Mark]) -> None:
        """The next bytes; `marks`: ends of aws-chunks newly seen, within these bytes or later ones."""
        self._marks.extend(marks)
        self._md5.update(data)
        if self._running is not None:
            self._running.update(data)
        if self._sha is not None:
            self._sha.update(data)
        if self._chain is not None and self._failure is None:
            self._absorb_signed(self._chain, memoryview(data))
        self._absorbed += len(data)

    def absorb_many(self, items: list[memoryview], marks: list[Mark]) -> None:
        self._marks.extend(marks)
        for item in items:
            self.absorb(item, [])

    def _absorb_signed(self, chain: SignatureChain, data: memoryview) -> None:
        position = 0
        while self._marks and self._marks[0].offset <= self._absorbed + len(data):
            mark = self._marks.popleft()
            self._closed = mark.closing
            stop = mark.offset - self._absorbed
            self._piece_sha.update(data[position:stop])
            position = stop
            if not sigv4.equal(chain.next_chunk(self._piece_sha.hexdigest()), mark.signature):
                self._failure = BodyError("SignatureDoesNotMatch", extra={"SignatureProvided": mark.signature})
                return
            self._piece_sha = hashlib.sha256()
        self._piece_sha.update(data[position:])

    def check(self) -> None:
        """Raises the failure of an `absorb` that went before."""
        if self._failure is not None:
            raise self._failure

    def finish(self, trailers: Mapping[str, str]) -> Digests:
        """After the last byte. Raises BodyError for the first thing that is not as announced."""
        plan = self._plan
        self.check()
        if self._chain is not None and not self._closed:
            raise AssertionError("the signature of the closing aws-chunk was not looked at")
        self._check_trailers(trailers)
        if self._sha is not None:
            computed = self._sha.hexdigest()
            if not sigv4.equal(computed, plan.sha256_hex):
                extra = {"ClientComputedContentSHA256": plan.sha256_hex, "S3ComputedContentSHA256": computed}
                raise BodyError("XAmzContentSHA256Mismatch", extra=extra)
        md5 = self._md5.digest()
        if plan.md5 is not None and md5 != plan.md5:
            extra = {"ExpectedDigest": checksums.encode(plan.md5), "CalculatedDigest": checksums.encode(md5)}
            raise BodyError("BadDigest", extra=extra)
        if self._running is None or plan.algorithm is None:
            return Digests(self._absorbed, md5, None)
        digest = self._running.digest()
        if plan.expected is not None and digest != plan.expected:
            raise _checksum_mismatch(plan.algorithm)
        value = checksums.encode(digest)
        if plan.algorithm.header in plan.trailers and trailers[plan.algorithm.header] != value:
            if checksums.decode(plan.algorithm.name, trailers[plan.algorithm.header]) is None:
                raise BodyError("InvalidRequest", f"Value for {plan.algorithm.header} trailing header is invalid.")
            raise _checksum_mismatch(plan.algorithm)
        return Digests(self._absorbed, md5, Checksum(plan.algorithm.name, value))

    def _check_trailers(self, trailers: Mapping[str, str]) -> None:
        """Exactly those announced, and their signature where the body is signed."""
        expected = set(self._plan.trailers)
        signed = self._plan.mode is PayloadMode.SIGNED_CHUNKS_TRAILER
        if signed:
            expected.add(TRAILER_SIGNATURE)
        if set(trailers) != expected:
            raise BodyError("MalformedTrailerError")
        if signed and self._chain is not None:
            ours = self._chain.trailer(canonical_trailers(dict(trailers)))
            if not sigv4.equal(ours, trailers[TRAILER_SIGNATURE]):
                raise BodyError("SignatureDoesNotMatch", extra={"SignatureProvided": trailers[TRAILER_SIGNATURE]})


def _checksum_mismatch(algorithm: Algorithm) -> BodyError:
    return BodyError("BadDigest", f"The {algorithm.name} you specified did not match the calculated checksum.")


# --- the reader -------------------------------------------------------------------------------------------------------


class VerifiedBody:
    """core.values.BodySource over one request. Use by one task only."""

    __slots__ = (
        "_backlog",
        "_decoder",
        "_digester",
        "_digests",
        "_executor",
        "_job",
        "_job_bytes",
        "_marks",
        "_pieces",
        "_plan",
        "_returned_bytes",
        "_source",
        "_waiting_bytes",
        "_wire_bytes",
        "declared_bytes",
    )

    def __init__(self, source: http.BodySource, plan: BodyPlan, *, executor: Executor | None = None) -> None:
        self.declared_bytes = plan.decoded_bytes
        self._source = source
        self._plan = plan
        self._executor = executor
        self._decoder = ChunkDecoder(plan.decoded_bytes, signed=plan.seed is not None) if plan.framed else None
        self._digester = _Digester(plan)
        self._digests: Digests | None = None
        self._pieces: deque[memoryview] = deque()  # of one piece of the wire: what did not fit into the last buffer
        self._marks: list[Mark] = []  # not yet absorbed
        self._backlog: deque[memoryview] = deque()  # not yet absorbed
        self._job: asyncio.Future[None] | None = None
        self._job_bytes = 0
        self._waiting_bytes = 0  # not yet absorbed: the backlog and the present job
        self._returned_bytes = 0
        self._wire_bytes = 0

    async def read(self) -> bytes | memoryview:
        """The next limits.CHUNK_BYTES, or the rest; empty at the end. Raises BodyError instead of the last piece."""
        if self._digests is not None:
            return b""
        left = self.declared_bytes - self._returned_bytes
        if self.declared_bytes <= limits.HASH_INLINE_BYTES:
            data = await self._read_whole()
            trailers = await self._read_trailers()  # the closing aws-chunk's mark is seen only here
            self._digester.absorb(data, self._marks)
            self._digests = self._digester.finish(trailers)
            return data
        if not self._pieces:
            # The buffer is made when there is something to put into it: many bodies wait long for their turn.
            await self._next()
        buffer = memoryview(unset(min(left, limits.CHUNK_BYTES)))
        await self._fill(buffer)
        self._returned_bytes += len(buffer)
        if self._returned_bytes == self.declared_bytes:
            trailers = await self._read_trailers()
            await self._absorb_rest()
            self._digests = self._digester.finish(trailers)
        return buffer.toreadonly()

    def digests(self) -> Digests:
        """Size, MD5 and checksum of the decoded body. Only after `read` gave the last piece."""
        if self._digests is None:
            raise AssertionError("digests of a body that was not read to its end")
        return self._digests

    # -- wire to pieces

    async def _next(self) -> bool:
        """Take one piece of the wire into `_pieces` and `_marks`; False at its end."""
        data = await self._source.read()
        if not data:
            return False
        self._wire_bytes += len(data)
        if self._plan.wire_bytes is not None and self._wire_bytes > self._plan.wire_bytes:
            raise BodyError("IncompleteBody")
        if self._decoder is None:
            self._pieces.append(memoryview(data))
            return True
        self._decoder.feed(data)
        self._pieces.extend(self._decoder.pieces)
        self._marks += self._decoder.marks
        self._decoder.pieces.clear()
        self._decoder.marks.clear()
        return True

    async def _read_whole(self) -> bytes:
        """A small body in one piece, without a copy when it came so."""
        left = self.declared_bytes
        if self._decoder is None and left:
            data = await self._source.read()
            self._wire_bytes = len(data)
            if len(data) == left:
                return data
            self._pieces.append(memoryview(data))
            if len(data) > left:
                raise BodyError("IncompleteBody")
        parts: list[memoryview] = []
        while left:
            if not self._pieces and not await self._next():
                raise _short_body()
            while self._pieces:
                part = self._pieces.popleft()
                parts.append(part)
                left -= len(part)
        return b"".join(parts)

    async def _fill(self, buffer: memoryview) -> None:
        """Fill `buffer` to the last byte, handing it to the hashing thread as it fills."""
        filled = handed = 0
        size = len(buffer)
        while filled < size:
            if not self._pieces:
                if not await self._next():
                    raise _short_body()
                continue
            piece = self._pieces.popleft()
            take = min(len(piece), size - filled)
            buffer[filled : filled + take] = piece[:take]
            filled += take
            if take < len(piece):
                self._pieces.appendleft(piece[take:])
            if filled - handed >= limits.HASH_BATCH_BYTES:
                await self._hand_over(buffer[handed:filled])
                handed = filled
        if handed < size:
            await self._hand_over(buffer[handed:size])

    async def _read_trailers(self) -> dict[str, str]:
        """Read the wire to its end. A plain body ends with its last byte: nothing more can follow Content-Length."""
        if self._decoder is None:
            return {}
        while self._plan.wire_bytes is None or self._wire_bytes < self._plan.wire_bytes:
            if not await self._next():
                break
        if self._plan.wire_bytes is not None and self._wire_bytes < self._plan.wire_bytes:
            raise _short_body()
        return self._decoder.finish()

    # -- pieces to digests

    async def _hand_over(self, data: memoryview) -> None:
        """Give `data` to the thread when it is idle; wait for it when too much is waiting already."""
        self._backlog.append(data)
        self._waiting_bytes += len(data)
        if self._job is not None and (self._job.done() or self._waiting_bytes >= limits.CHUNK_BYTES):
            await self._finish_job()
        if self._job is None:
            self._start_job()

    def _start_job(self) -> None:
        # Copies of both lists: the thread must not see what the event loop appends meanwhile
        items, marks = list(self._backlog), self._marks
        self._backlog.clear()
        self._marks = []
        self._job_bytes = sum(len(item) for item in items)
        loop = asyncio.get_running_loop()
        self._job = loop.run_in_executor(self._executor, self._digester.absorb_many, items, marks)

    async def _finish_job(self) -> None:
        if self._job is not None:
            await self._job
            self._job = None
            self._waiting_bytes -= self._job_bytes
            self._digester.check()

    async def _absorb_rest(self) -> None:
        await self._finish_job()
        if self._backlog:
            self._start_job()
            await self._finish_job()
        self._digester.absorb(b"", self._marks)


def _short_body() -> BodyError:
    return BodyError(
        "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"
    )


async def read_document(request: http.Request, identity: Identity, *, max_bytes: int = limits.MAX_XML_BYTES) -> bytes:
    """A whole small body (an XML document), verified like any other. Raises BodyError."""
    try:
        plan = plan_body(request, identity, max_bytes=max_bytes)
    except BodyError as refusal:
        if refusal.code != "EntityTooLarge":
            raise
        raise BodyError("MaxMessageLengthExceeded", extra={"MaxMessageLengthBytes": str(max_bytes)}) from None
    body = VerifiedBody(request.body, plan)
    pieces = []
    while piece := await body.read():
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], bytes) else b"".join(pieces)
