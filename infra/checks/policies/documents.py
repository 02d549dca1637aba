"""The grammar of policies: of roles, buckets and keys alike. A document that cannot be read has no statement."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

EVERYTHING: Final = re.compile(r"\*|\*:\*|acs(:\*)+")


def statements(document: Any) -> list[Mapping[str, Any]]:
    """Of a policy's JSON; none of what is not known, or no policy."""
    try:
        found = json.loads(document) if isinstance(document, str) else None
    except ValueError:
        return []
    told = several(found.get("Statement")) if isinstance(found, Mapping) else []
    return [one for one in told if isinstance(one, Mapping)]


def several(value: Any) -> list[Any]:
    """One value, or a list of them."""
    return value if isinstance(value, list) else [] if value is None else [value]


def allows(statement: Mapping[str, Any]) -> bool:
    return statement.get("Effect") == "Allow"


def is_all(statement: Mapping[str, Any], what: str) -> bool:
    """Of `Action`, `Resource` or `Principal`: all there is, or all but some."""
    named = any(isinstance(one, str) and EVERYTHING.fullmatch(one) for one in several(statement.get(what)))
    return named or f"Not{what}" in statement
