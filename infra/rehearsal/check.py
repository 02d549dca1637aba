"""Whether a resource's arguments are ones that the real provider would take. Pure: inputs → failures."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from infra.rehearsal.metadata import Kind, Property, Resource
from infra.rehearsal.wire import Secret, Unknown, Value, Values, plain

_EXPECTED: Final = {
    Kind.STRING: (str, "a string"),
    Kind.BOOL: (bool, "true or false"),
    Kind.INT: (int, "a whole number"),
    Kind.FLOAT: (float, "a number"),
    Kind.LIST: (list, "a list"),
    Kind.SET: (list, "a list"),
    Kind.MAP: (dict, "a map"),
    Kind.OBJECT: (dict, "a block"),
}


@dataclass(frozen=True, order=True)
class Failure:
    """One thing wrong: where (`path`, as in `rules[0].port`) and why."""

    path: str
    reason: str


def check(resource: Resource, inputs: Mapping[str, Value]) -> tuple[Failure, ...]:
    """Everything wrong with a resource's inputs, sorted by path."""
    return tuple(sorted(_fields("", resource.properties, inputs)))


def unknown(path: str, name: str, known: Collection[str]) -> Failure:
    """The failure for an argument that there is not, with the one that may have been meant."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return Failure(path, f"unknown argument{f': did you mean {close[0]}?' if close else ''}")


def normalise(resource: Resource, inputs: Mapping[str, Value]) -> Values:
    """The inputs without what is null, and with what is sensitive made secret."""
    block = Property(kind=Kind.OBJECT, fields=resource.properties)
    hidden = _hide(block, dict(inputs))
    assert isinstance(hidden, dict)  # a block stays one
    return hidden


def _hide(known: Property | None, value: Value) -> Value:
    if known is None or isinstance(value, Secret):
        return value
    if known.sensitive:
        return Secret(value)
    if isinstance(value, dict) and known.kind is Kind.OBJECT:
        return {name: _hide(known.fields.get(name), inner) for name, inner in value.items() if plain(inner) is not None}
    if isinstance(value, list):
        return [_hide(known.element, element) for element in value]
    return value


def _fields(path: str, known: Mapping[str, Property], given: Mapping[str, Value]) -> Iterator[Failure]:
    present = {name: value for name, value in given.items() if plain(value) is not None}
    for name, value in present.items():
        where = f"{path}.{name}" if path else name
        found = known.get(name)
        if found is None:
            yield unknown(where, name, {key for key, value in known.items() if value.settable})
        elif not found.settable:
            yield Failure(where, "an output of the cloud, not an argument: leave it out")
        else:
            yield from _argument(where, found, value)
            yield from _conflicts(where, found, present)
    for name, needed in known.items():
        if needed.required and name not in present:
            yield Failure(f"{path}.{name}" if path else name, "required argument is missing")


def _argument(path: str, known: Property, value: Value) -> Iterator[Failure]:
    if known.deprecated:
        yield Failure(path, f"deprecated: {known.deprecated}")
    yield from _value(path, known, value)


def _value(path: str, known: Property, value: Value) -> Iterator[Failure]:
    if isinstance(value, Secret):
        # What was said of it could say what it is.
        hidden = _value(path, known, plain(value))
        yield from (Failure(failure.path, f"a secret that does not fit: {_rule(known)}") for failure in hidden)
        return
    if isinstance(value, Unknown):
        return
    if not _fits(known.kind, value):
        yield Failure(path, f"must be {_EXPECTED[known.kind][1]}, not {_describe(value)}")
        return
    if known.values and isinstance(value, bool | int | float | str) and value not in known.values:
        yield Failure(path, f"{value!r} is not one of {_allowed(known)}")
    if isinstance(value, dict):
        if known.kind is Kind.OBJECT:
            yield from _fields(path, known.fields, value)
        elif known.element is not None:
            for key, element in value.items():
                yield from _value(f"{path}[{key!r}]", known.element, element)
    elif isinstance(value, list) and known.element is not None:
        for index, element in enumerate(value):
            yield from _value(f"{path}[{index}]", known.element, element)


def _fits(kind: Kind, value: Value) -> bool:
    if kind is Kind.BOOL or isinstance(value, bool):  # bool is an int in Python, and nowhere else
        return kind is Kind.BOOL and isinstance(value, bool)
    if kind is Kind.FLOAT:
        return isinstance(value, int | float)
    return isinstance(value, _EXPECTED[kind][0])


def _conflicts(path: str, known: Property, present: Mapping[str, Value]) -> Iterator[Failure]:
    for other in known.conflicts:
        if other in present:
            yield Failure(path, f"conflicts with {other}: give one of them")


def _allowed(known: Property) -> str:
    return ", ".join(str(choice) for choice in known.values)


def _rule(known: Property) -> str:
    return f"one of {_allowed(known)}" if known.values else _EXPECTED[known.kind][1]


def _describe(value: Value) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "a map"}
    found = names.get(type(value), "nothing")
    return f"{found} ({value!r})" if isinstance(value, bool | int | float) else found
