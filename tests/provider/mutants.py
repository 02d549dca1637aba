"""Arguments that were right, each made wrong in one place. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from infra.rehearsal.metadata import Kind, Property

# What no rule turns into another type: Terraform reads "1" as a number and true as text.
_MISFITS: Final[Mapping[Kind, Any]] = {
    Kind.STRING: {"not": "a string"},
    Kind.BOOL: "neither",
    Kind.INT: "no number",
    Kind.FLOAT: "no number",
    Kind.LIST: "no list",
    Kind.SET: "no list",
    Kind.MAP: "no map",
    Kind.OBJECT: "no block",
}
STRANGE: Final = "noSuchThing"  # which no resource has
Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Mutant:
    """`kind` is what was done, at `path`."""

    kind: str
    path: str
    inputs: Inputs


def mutants(properties: Mapping[str, Property], inputs: Inputs) -> Iterator[Mutant]:
    """Everything that can be made wrong in what is given, and what is not."""
    yield Mutant("as it was", "", inputs)
    yield from _block(properties, inputs, "", lambda made: made)
    for name, found in sorted(properties.items()):
        if name in inputs:
            for other in found.conflicts:
                if other in properties and other not in inputs and not properties[other].deprecated:
                    value = any_value(properties[other])
                    yield Mutant("conflict", f"{name} and {other}", {**inputs, other: value})


def _block(
    properties: Mapping[str, Property], given: Inputs, path: str, whole: Callable[[Inputs], Inputs]
) -> Iterator[Mutant]:
    """`whole` puts a changed block back where it was."""
    yield Mutant("unknown argument", f"{path}{STRANGE}", whole({**given, STRANGE: "x"}))
    for name, found in sorted(properties.items()):
        where = f"{path}{name}"
        if name in given and given[name] is not None:
            if found.required:
                yield Mutant("missing", where, whole({key: value for key, value in given.items() if key != name}))
            yield from _given(name, found, given, where, whole)
        elif not found.settable:
            yield Mutant("output", where, whole({**given, name: any_value(found)}))


def _given(
    name: str, found: Property, given: Inputs, where: str, whole: Callable[[Inputs], Inputs]
) -> Iterator[Mutant]:
    def put(value: Any) -> Inputs:
        return whole({**given, name: value})

    yield Mutant("type", where, put(_MISFITS[found.kind]))
    if found.values:
        yield Mutant("value", where, put("noSuchValue" if found.kind is Kind.STRING else 987_654_321))
        for value in found.values:
            yield Mutant("allowed value", where, put(value))
    if found.range is not None:
        yield from (Mutant("range", where, put(value)) for value in (found.range[0] - 1, found.range[1] + 1))
        yield from (Mutant("end of the range", where, put(value)) for value in found.range)
    value = given[name]
    if found.kind is Kind.OBJECT and isinstance(value, Mapping):
        yield from _block(found.fields, value, f"{where}.", put)
    element = found.element
    if element is not None and element.kind is Kind.OBJECT and isinstance(value, list) and value:
        rest = value[1:]
        yield from _block(element.fields, value[0], f"{where}[0].", lambda made: put([made, *rest]))


def any_value(found: Property) -> Any:
    """A value of the type, as right as can be told."""
    if found.values:
        return found.values[0]
    if found.range is not None:
        return found.range[0]
    match found.kind:
        case Kind.BOOL:
            return True
        case Kind.INT | Kind.FLOAT:
            return 1
        case Kind.LIST | Kind.SET:
            return [any_value(found.element or Property(kind=Kind.STRING))]
        case Kind.MAP:
            return {"a": "b"}
        case Kind.OBJECT:
            wanted = [name for name, field in found.fields.items() if field.required]
            some = wanted or [name for name, field in found.fields.items() if field.settable][:1]
            return {name: any_value(found.fields[name]) for name in some}
    return "known-2"
