"""What a refused call looked like to the SDK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError


class Refusal(NamedTuple):
    status: int
    code: str
    headers: dict[str, str]
    error: dict[str, Any]


def refused(call: Callable[..., Any], **arguments: Any) -> Refusal:
    """Call it; it must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    meta = response["ResponseMetadata"]
    return Refusal(meta["HTTPStatusCode"], response["Error"]["Code"], meta["HTTPHeaders"], response["Error"])
