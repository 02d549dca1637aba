"""Tags as S3 allows them, from a document or from the x-amz-tagging header. Pure.

Source: Amazon S3 User Guide, "Categorizing your objects using tags", and the error messages of PutObjectTagging.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from kakera.base import limits
from kakera.dialects import http
from kakera.dialects.s3.refusals import S3Refusal, XmlError

Tags = list[tuple[str, str]]

_PLAIN = str.maketrans("", "", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 +-=._:/@")


def check_tags(tags: Sequence[tuple[str, str]], *, max_tags: int = limits.MAX_TAGS) -> None:
    """Raises XmlError (InvalidTag) for a list that S3 would refuse."""
    if len(tags) > max_tags:
        raise XmlError("InvalidTag", f"Object tags cannot be greater than {max_tags}")
    seen = set()
    for key, value in tags:
        if key in seen:
            raise XmlError("InvalidTag", "Cannot provide multiple Tags with the same key", {"TagKey": key})
        seen.add(key)
        if not 1 <= len(key) <= limits.MAX_TAG_KEY_CHARS or not _allowed(key):
            raise XmlError("InvalidTag", "The TagKey you have provided is invalid", {"TagKey": key})
        if len(value) > limits.MAX_TAG_VALUE_CHARS or not _allowed(value):
            raise XmlError(
                "InvalidTag", "The TagValue you have provided is invalid", {"TagKey": key, "TagValue": value}
            )
        if key.startswith("aws:"):
            raise XmlError("InvalidTag", "System tags cannot be added/updated by requester", {"TagKey": key})


def _allowed(text: str) -> bool:
    """Letters, numbers and separators of any script, and + - = . _ : / @."""
    rest = text.translate(_PLAIN)
    return not rest or all(unicodedata.category(character)[0] in "LNZ" for character in rest)


def parse_tagging_header(value: str) -> Tags:
    """`key=value&key=value`, percent-encoded. Raises S3Refusal (InvalidArgument, InvalidTag)."""
    try:
        tags = list(http.decode_query(value.encode("latin-1")))
    except http.MalformedUri:
        raise _malformed_header(value) from None
    if len({key for key, _ in tags}) != len(tags):
        raise _malformed_header(value)
    check_tags(tags)
    return tags


def _malformed_header(value: str) -> S3Refusal:
    message = (
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
        "duplicates."
    )
    extra = {"ArgumentName": "x-amz-tagging", "ArgumentValue": value[: limits.MAX_ECHOED_CHARS]}
    return S3Refusal("InvalidArgument", message, extra)
