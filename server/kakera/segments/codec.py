"""Erasure coding: Reed-Solomon with a Cauchy matrix by ISA-L, through pyeclib, the only place that imports it.

A fragment on a strand is the raw piece, without the 80 header bytes that liberasurecode puts before each: the record
around it has a better crc, the strand index and the sizes. For decoding the headers are put back; they depend on
(index, size) alone as long as no inline checksum is asked for, so those of `size` zero bytes are taken
(liberasurecode, erasurecode.h: fragment_header_t).

pyeclib holds the interpreter lock: at 4 MiB, 4+2, an encoding takes 0.9 ms of it with `tune_allocator`, 3.0 ms
without (fresh memory for every fragment is 530 page faults; measured with Python 3.11, glibc 2.36).
"""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache

from pyeclib.ec_iface import ECDriver, ECDriverError

from kakera.base import limits
from kakera.segments.record import Buffer

_LIBRARY_HEADER_BYTES = 80
_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_THRESHOLD = -3


class CodingError(Exception):
    """Too few fragments, or fragments of the wrong length:

    A defect of the caller, or damage that its crc checks let through.
    """


def fragment_length(k: int, size: int) -> int:
    """Bytes of each fragment of `size` bytes: at least one, the last data fragment filled up with zeros."""
    return -(-size // k)


class Codec:
    """One profile. Methods hold the interpreter lock and may be called from any thread."""

    def __init__(self, k: int, m: int) -> None:
        if not (limits.MIN_K <= k <= limits.MAX_K and limits.MIN_M <= m <= limits.MAX_M):
            raise ValueError(f"no profile {k}+{m}")
        self.k = k
        self.m = m
        self._driver = ECDriver(k=k, m=m, ec_type="isa_l_rs_cauchy")
        self._headers: OrderedDict[int, list[bytes]] = OrderedDict()

    def encode(self, data: Buffer) -> list[bytes]:
        """k+m fragments of `fragment_length(k, len(data))` bytes each:

        The data cut in k, then m of parity. b"": k+m empty ones.
        """
        if not data:
            return [b""] * (self.k + self.m)
        made: list[bytes] = self._driver.encode(data if type(data) is bytes else bytes(data))
        return [piece[_LIBRARY_HEADER_BYTES:] for piece in made]

    def encode_chunk(self, data: bytes) -> list[memoryview]:
        """`encode` without its copies, for large bodies: data fragments are views of `data` itself, where padding
        leaves them so."""
        made: list[bytes] = self._driver.encode(data)
        length, whole = fragment_length(self.k, len(data)), memoryview(data)
        cut = [whole[at : at + length] for at in range(0, len(data) - length + 1, length)]
        return [*cut, *(memoryview(piece)[_LIBRARY_HEADER_BYTES:] for piece in made[len(cut) :])]

    def decode(self, fragments: Mapping[int, Buffer], size: int) -> bytes:
        """The `size` bytes from any k fragments by index; a plain join when the data fragments are there.

        Raises CodingError.
        """
        k = self.k
        self._check(fragments, size)
        if all(index in fragments for index in range(k)):
            whole = b"".join([fragments[index] for index in range(k)])
            return whole if len(whole) == size else whole[:size]
        try:
            out: bytes = self._driver.decode(self._dressed(fragments, size))
        except ECDriverError as error:
            raise CodingError(str(error)) from error
        if len(out) != size:
            raise CodingError(f"{len(out)} bytes decoded, {size} expected")
        return out

    def rebuild(self, fragments: Mapping[int, Buffer], index: int, size: int) -> bytes:
        """The fragment `index` from any k others. Raises CodingError."""
        self._check(fragments, size)
        if index in fragments:
            return bytes(fragments[index])
        if size == 0:
            return b""
        try:
            made: list[bytes] = self._driver.reconstruct(self._dressed(fragments, size), [index])
        except ECDriverError as error:
            raise CodingError(str(error)) from error
        return made[0][_LIBRARY_HEADER_BYTES:]

    def _check(self, fragments: Mapping[int, Buffer], size: int) -> None:
        length = fragment_length(self.k, size)
        if len(fragments) < self.k:
            raise CodingError(f"{len(fragments)} fragments, {self.k} are needed")
        for index, piece in fragments.items():
            if len(piece) != length or not 0 <= index < self.k + self.m:
                raise CodingError(f"fragment {index} has {len(piece)} bytes, {length} expected")

    def _dressed(self, fragments: Mapping[int, Buffer], size: int) -> list[bytes]:
        headers = self._headers.get(size)
        if headers is None:
            headers = [piece[:_LIBRARY_HEADER_BYTES] for piece in self._driver.encode(bytes(size))]
            self._headers[size] = headers
            while len(self._headers) > limits.DECODE_HEADERS:
                try:
                    self._headers.popitem(last=False)
                except KeyError:
                    break  # another thread was first
        # Exactly k: the library takes time for each more, and data fragments spare it work.
        return [b"".join((headers[index], fragments[index])) for index in sorted(fragments)[: self.k]]


@lru_cache(maxsize=(limits.MAX_K + 1) * (limits.MAX_M + 1))
def codec(k: int, m: int) -> Codec:
    """The coder of a profile, made once a process. Raises ValueError for profiles outside 2+1 .. 12+4."""
    tune_allocator()
    return Codec(k, m)


@lru_cache(maxsize=1)
def tune_allocator() -> bool:
    """Let glibc keep freed fragments for the next chunk instead of giving them back to the kernel each time: three
    times the speed. False where the C library has no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 16 * limits.MIB) and mallopt(_M_TRIM_THRESHOLD, 64 * limits.MIB))
