"""The id of an upload's Complete."""

from __future__ import annotations


def complete_id(upload_id: bytes) -> bytes:
    """Always the same for one upload, so that a repetition is known as one (R16); not the upload id, which is
    CreateUpload's.
    """
    return bytes(byte ^ 0xFF for byte in upload_id)
