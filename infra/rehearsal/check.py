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
    """Everything wrong with a resource's inputs, sorted by path.

    What is not known yet is there, and fits: it may still turn out not to be given, so it excludes nothing.
    """
    given = {name: plain(value) for name, value in inputs.items()}
    present = {name: value for name, value in given.items() if value is not None}
    found = [*_fields("", resource.properties, inputs, present), *_together(resource.properties, present)]
    return tuple(sorted(found))


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


def _together(known: Mapping[str, Property], present: Mapping[str, Value]) -> Iterator[Failure]:
    """What arguments of the resource ask of each other."""
    for name, found in known.items():
        if found.one_of:
            choices = (name, *found.one_of)
            certain = [choice for choice in choices if choice in present and not isinstance(present[choice], Unknown)]
            if not any(choice in present for choice in choices):
                yield Failure(name, f"missing: give exactly one of {_choices(known, choices)}")
            elif len(certain) > 1:
                yield Failure(name, f"{' and '.join(certain)} exclude each other: give one of them")
        if found.any_of and not any(choice in present for choice in (name, *found.any_of)):
            yield Failure(name, f"missing: give at least one of {_choices(known, (name, *found.any_of))}")
        if name in present and (missing := [other for other in found.with_ if other not in present]):
            yield Failure(name, f"only together with {', '.join(missing)}")


def _choices(known: Mapping[str, Property], names: Collection[str]) -> str:
    """Those that one would be told to give."""
    return ", ".join(name for name in names if name not in known or not known[name].deprecated)


def _fields(
    path: str, known: Mapping[str, Property], given: Mapping[str, Value], top: Mapping[str, Value]
) -> Iterator[Failure]:
    """Of a block; `top`: what the resource itself is given."""
    present = {name: value for name, value in given.items() if plain(value) is not None}
    for name, value in present.items():
        where = f"{path}.{name}" if path else name
        found = known.get(name)
        if found is None:
            yield unknown(where, name, {key for key, value in known.items() if value.settable})
        elif not found.settable:
            yield Failure(where, "an output of the cloud, not an argument: leave it out")
        else:
            if found.deprecated:
                yield Failure(where, f"deprecated: {found.deprecated}")
            yield from _value(where, found, value, top)
            yield from _conflicts(where, found, value, top)
    for name, needed in known.items():
        if needed.required and name not in present:
            yield Failure(f"{path}.{name}" if path else name, "required argument is missing")


def _value(path: str, known: Property, value: Value, top: Mapping[str, Value]) -> Iterator[Failure]:
    if isinstance(value, Secret):
        # What was said of it could say what it is.
        hidden = _value(path, known, plain(value), top)
        yield from (Failure(failure.path, f"a secret that does not fit: {_rule(known)}") for failure in hidden)
        return
    if isinstance(value, Unknown):
        return
    if not _fits(known.kind, value):
        yield Failure(path, f"must be {_EXPECTED[known.kind][1]}, not {_describe(value)}")
        return
    if isinstance(value, bool | int | float | str):
        if not _allowed(known, value):
            yield Failure(path, f"{value!r} is not {_rule(known)}")
    elif isinstance(value, dict):
        if known.kind is Kind.OBJECT:
            yield from _fields(path, known.fields, value, top)
        elif known.element is not None:
            for key, element in value.items():
                yield from _value(f"{path}[{key!r}]", known.element, element, top)
    elif isinstance(value, list) and known.element is not None:
        for index, element in enumerate(value):
            yield from _value(f"{path}[{index}]", known.element, element, top)


def _fits(kind: Kind, value: Value) -> bool:
    if kind is Kind.BOOL or isinstance(value, bool):  # bool is an int in Python, and nowhere else
        return kind is Kind.BOOL and isinstance(value, bool)
    if kind is Kind.FLOAT:
        return isinstance(value, int | float)
    return isinstance(value, _EXPECTED[kind][0])


def _allowed(known: Property, value: bool | int | float | str) -> bool:
    if known.values:
        return value in known.values
    if known.range is not None and isinstance(value, int):
        return known.range[0] <= value <= known.range[1]
    return True


def _conflicts(path: str, known: Property, value: Value, top: Mapping[str, Value]) -> Iterator[Failure]:
    if isinstance(plain(value), Unknown):
        return
    for other in known.conflicts:
        if other in top and not isinstance(top[other], Unknown):
            yield Failure(path, f"conflicts with {other}: give one of them")


def _rule(known: Property) -> str:
    if known.values:
        return f"one of {', '.join(str(choice) for choice in known.values)}"
    if known.range is not None:
        return f"{_EXPECTED[known.kind][1]} from {known.range[0]} to {known.range[1]}"
    return _EXPECTED[known.kind][1]


def _describe(value: Value) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "a map"}
    found = names.get(type(value), "nothing")
    return f"{found} ({value!r})" if isinstance(value, bool | int | float) else found
