"""Large buffers that are about to be filled. `bytearray(n)` writes n zeros first, which is as dear as reading a MiB
from the page cache (a tenth of a large GET, measured)."""

from __future__ import annotations

import ctypes
from typing import Any

_WORTH_BYTES = 64 << 10  # below it zeros are quicker than the call
_make: Any = None
try:
    _make = ctypes.pythonapi["PyByteArray_FromStringAndSize"]  # an object of our own, not the shared attribute
    _make.argtypes, _make.restype = (ctypes.c_char_p, ctypes.c_ssize_t), ctypes.py_object
except AttributeError:  # no CPython
    pass


def unset(size: int) -> bytearray:
    """`size` bytes of anything, also of what other requests left in memory: whoever asks must fill all of it before a
    byte of it goes anywhere, or throw it away."""
    made: bytearray = bytearray(size) if _make is None or size < _WORTH_BYTES else _make(None, size)
    return made
