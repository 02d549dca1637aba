"""Secrets in the rehearsal's file: never. What is secret is stored as a mark, and read back from the engine. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from infra.rehearsal.wire import Secret, Unknown, Value, Values

SEALED: Final = "$sealed"
_GONE: Final = object()


def seal(values: Mapping[str, Value]) -> dict[str, Any]:
    """As JSON, each secret a mark. Raises: ValueError for what is unknown: an `up` has none."""
    return {name: _seal(value) for name, value in values.items()}


def unseal(stored: Mapping[str, Any], known: Mapping[str, Value]) -> Values:
    """The values, each mark replaced by what `known` (the engine's state) has there, or left out where it has none."""
    found: Values = {}
    for name, value in stored.items():
        opened = _unseal(value, known.get(name))
        if opened is not _GONE:
            found[name] = opened  # type: ignore[assignment]  # _GONE is not among what remains
    return found


def _seal(value: Value) -> Any:
    if isinstance(value, Secret):
        return {SEALED: True}
    if isinstance(value, Unknown):
        raise ValueError("an unknown value reached the cloud")
    if isinstance(value, list):
        return [_seal(element) for element in value]
    if isinstance(value, dict):
        return seal(value)
    return value


def _unseal(stored: Any, known: Value) -> object:
    if isinstance(known, Secret) and stored != {SEALED: True}:
        inner = _unseal(stored, known.value)  # not secret when it was stored, secret now: it stays so
        return inner if inner is _GONE else Secret(inner)  # type: ignore[arg-type]
    if isinstance(stored, dict):
        if SEALED in stored:
            return _GONE if known is None else known
        return unseal(stored, known if isinstance(known, dict) else {})
    if isinstance(stored, list):
        beside = known if isinstance(known, list) else []
        opened = [_unseal(element, beside[at] if at < len(beside) else None) for at, element in enumerate(stored)]
        return [element for element in opened if element is not _GONE]
    return stored
