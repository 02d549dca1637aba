"""The JSON of a policy, of whatever it is: a role, a bucket, a key, an endpoint. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def policy(*statements: Mapping[str, Any]) -> str:
    """The same bytes for the same statements, so that no run sees a change where there is none."""
    return json.dumps({"Statement": list(statements), "Version": "1"}, sort_keys=True)
