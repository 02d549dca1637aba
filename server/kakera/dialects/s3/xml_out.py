"""Text of XML answers: escaping, dates, the frame of a document. lxml only parses here; answers are joined from
strings.

Bytes of keys: keys are UTF-8 and may hold any character. "\\r" and the characters that XML 1.0 cannot carry are
written as character references, as S3 does; a client that meets them asks for encoding-type=url.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

from kakera.base import limits

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SEPARATOR = b"\xff"  # in no UTF-8 text

_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f]")
_UNSAFE = re.compile(rb"[^A-Za-z0-9_.~/*\xff-]")
_REFERENCES = {bytes((code,)): b"&#x%x;" % code for code in range(0x20)}
_QUOTED = {bytes((code,)): b"%%%02X" % code for code in range(256)}


def document(name: str, inner: str) -> bytes:
    """A whole document with S3's namespace."""
    return f'{_HEAD}<{name} xmlns="{NAMESPACE}">{inner}</{name}>'.encode()


def escape(text: str) -> str:
    """Text of an element. Lone surrogates cannot occur: text comes from decoded UTF-8 or latin-1."""
    if text.isalnum() and text.isascii():
        return text
    return _escape_bytes(text.encode()).decode()


def _escape_bytes(raw: bytes) -> bytes:
    raw = raw.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;").replace(b'"', b"&quot;")
    return _CONTROL.sub(_reference, raw)


def _reference(match: re.Match[bytes]) -> bytes:
    return _REFERENCES[match[0]]


def quote(raw: bytes) -> str:
    """encoding-type=url: everything but letters, digits and -_.~/* as %XX."""
    return _UNSAFE.sub(_percent, raw).decode()


def _percent(match: re.Match[bytes]) -> bytes:
    return _QUOTED[match[0]]


def texts(raws: Iterable[bytes], *, url: bool) -> list[str]:
    """Many keys as element text, in one pass over all of them."""
    joined = _SEPARATOR.join(raws)
    done = _UNSAFE.sub(_percent, joined) if url else _escape_bytes(joined)
    if done.isascii():  # no separator either: one key, or none
        return [done.decode()]
    return [piece.decode() for piece in done.split(_SEPARATOR)] if not url else done.decode("latin-1").split("\xff")


def text(raw: bytes, *, url: bool) -> str:
    """One key, prefix or delimiter as element text."""
    return quote(raw) if url else _escape_bytes(raw).decode()


@lru_cache(maxsize=limits.PARSED_TIMESTAMPS_CACHED)
def http_date(seconds: int) -> str:
    """Last-Modified and its like: RFC 9110's IMF-fixdate."""
    return formatdate(seconds, usegmt=True)


@lru_cache(maxsize=limits.PARSED_TIMESTAMPS_CACHED)
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso(ms: int) -> str:
    """An instant in documents, with milliseconds."""
    return f"{_iso_second(ms // 1000)}.{ms % 1000:03d}Z"
