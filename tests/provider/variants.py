"""Arguments that are right, each changed alone: to another right value, taken away, or given where it was not. Pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from infra.rehearsal.metadata import Kind, Property
from tests.provider.mutants import Inputs, Mutant, any_value

AS_IT_IS: Final = "as it is"
NOTHING: Final = ("added as false", "added as 0")  # which Terraform takes for not given, unless more changes
BESIDE: Final = ", beside another change"
# What another resource says that is to be made: any text, and not known yet.
NOT_KNOWN: Final = "${terraform_data.any.id}"


def variants(properties: Mapping[str, Property], inputs: Inputs) -> Iterator[Mutant]:
    """Nothing changed, and then every argument, at every depth; of a list of blocks inside the first one."""
    yield Mutant(AS_IT_IS, "", inputs)
    found = list(_block(properties, inputs, "", lambda made: made))
    yield from found
    other = next((each for each in found if _harmless(each, properties)), None)
    if other is not None:
        for each in (each for each in found if each.kind in NOTHING):
            both = {**each.inputs, other.path: other.inputs[other.path]}
            yield replace(each, kind=each.kind + BESIDE, inputs=both)


def _harmless(change: Mutant, properties: Mapping[str, Property]) -> bool:
    """Whether it is a change of a text or a map that replaces nothing."""
    found = properties.get(change.path)
    plain = found is not None and found.kind in (Kind.STRING, Kind.MAP) and not found.replaces
    return plain and change.kind in ("changed", "one more")


def _block(
    properties: Mapping[str, Property], given: Inputs, path: str, whole: Callable[[Inputs], Inputs]
) -> Iterator[Mutant]:
    """`whole` puts a changed block back where it was."""
    for name, found in sorted(properties.items()):
        if not found.settable or found.deprecated:
            continue
        where = f"{path}{name}"
        if given.get(name) is None:
            for each in _values(found):
                yield Mutant(_named("added", found, each), where, whole({**given, name: each}))
            continue
        yield from _given(name, found, given, where, whole)
        # The provider breaks down over a block in which nothing is left.
        if not found.required and len(given) > 1:
            yield Mutant("taken away", where, whole({key: value for key, value in given.items() if key != name}))


def _given(
    name: str, found: Property, given: Inputs, where: str, whole: Callable[[Inputs], Inputs]
) -> Iterator[Mutant]:
    def put(value: Any) -> Inputs:
        return whole({**given, name: value})

    value, element = given[name], found.element
    if found.kind is Kind.STRING:
        yield Mutant("not known yet", where, put(NOT_KNOWN))
    if found.kind is Kind.OBJECT:
        yield from _block(found.fields, value, f"{where}.", put)
    elif found.kind in (Kind.LIST, Kind.SET):
        if len(value) > 1:
            yield Mutant("one fewer", where, put(value[:-1]))
        if element is not None and element.kind is Kind.OBJECT and value:
            rest = value[1:]
            yield from _block(element.fields, value[0], f"{where}[0].", lambda made: put([made, *rest]))
        yield Mutant("one more", where, put([*value, _another(element, value)]))
    elif found.kind is Kind.MAP:
        yield Mutant("one more", where, put({**value, "another": "one"}))
        yield Mutant("changed", where, put({key: f"{each}2" for key, each in value.items()}))
    elif found.values or found.kind is Kind.BOOL:
        others = (each for each in _values(found) if each != value)
        yield from (Mutant(_named("changed", found, each), where, put(each)) for each in others)
    else:
        yield Mutant("changed", where, put(_other(found, value)))


def _values(found: Property) -> tuple[Any, ...]:
    """Every allowed one; of a number and a truth also nothing of its kind."""
    if found.kind is Kind.BOOL:
        return (True, False)
    if found.kind in (Kind.INT, Kind.FLOAT) and not found.values:
        return (0, 1) if found.range is None else (found.range[0], found.range[0] + 1)
    return found.values or (any_value(found),)


def _named(what: str, found: Property, value: Any) -> str:
    if not found.values and found.kind not in (Kind.BOOL, Kind.INT, Kind.FLOAT):
        return what
    return f"{what} as {str(value).lower() if isinstance(value, bool) else value}"


def _another(element: Property | None, value: list[Any]) -> Any:
    """An element more: one like the last, with its texts and numbers changed."""
    if element is None or not value:
        return any_value(element or Property(kind=Kind.STRING))
    if element.kind is Kind.OBJECT:
        return {name: _other(element.fields[name], had) for name, had in value[-1].items()}
    return _other(element, value[-1])


def _other(found: Property, value: Any) -> Any:
    """Another right value, as far as one can be told; else the same."""
    if found.values:
        return next((each for each in found.values if each != value), value)
    if found.range is not None:
        return found.range[0] if value != found.range[0] else found.range[0] + 1
    match found.kind:
        case Kind.BOOL:
            return not value
        case Kind.INT | Kind.FLOAT:
            return value + 1
        case Kind.STRING:
            return _other_text(value)
    return value


def _other_text(value: str) -> str:
    """Of an address another one, of JSON other JSON."""
    try:
        network = ipaddress.ip_network(value)
        last = int(network.broadcast_address) + 1
        return str(ipaddress.ip_network((last, network.prefixlen))) if "/" in value else str(network[0] + 1)
    except ValueError:
        pass
    try:
        read = json.loads(value)
    except ValueError:
        return f"{value}2"
    return json.dumps({**read, "Another": "one"}) if isinstance(read, dict) else f"{value}2"
