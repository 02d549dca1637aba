"""What an update would change, and whether it replaces: as Terraform plans, arguments against the state. Pure.

`replaces` on a block or a list of blocks means its coming, going or number; what lies inside speaks for itself.
On anything else it means any change. The whole of a block comes and goes with all that lies inside.
False and 0, given where nothing was, are no change by themselves; but what they would replace is replaced as soon as
anything else changes beside them, so that counts always.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from infra.rehearsal.metadata import Kind, Property, Resource
from infra.rehearsal.wire import Unknown, Value, is_empty, plain

_ZERO: Final = frozenset({Kind.BOOL, Kind.INT, Kind.FLOAT})
_ANYTHING: Final = Property(kind=Kind.STRING, optional=True)  # of a list or map whose element the data file leaves open


class Act(StrEnum):
    """What happens to one path."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class Change:
    """One difference. `path` as in `rules[0].port`."""

    path: str
    act: Act
    replaces: bool

    @property
    def name(self) -> str:
        """The argument it lies in."""
        return self.path.partition(".")[0].partition("[")[0]


def changes(
    resource: Resource, state: Mapping[str, Value], inputs: Mapping[str, Value], ignored: Sequence[str] = ()
) -> tuple[Change, ...]:
    """From what the cloud has (`state`) to what is asked for (`inputs`), in the order of the data file.

    An argument that is not given changes nothing when the cloud computes it, goes back to its default when it has one,
    and else is taken away.
    """
    found: list[Change] = []
    for name, known in resource.properties.items():
        if known.settable:
            found += _argument(name, known, plain(state.get(name)), plain(inputs.get(name)))
    return tuple(change for change in found if not any(_within(change.path, path) for path in ignored))


def _within(path: str, outer: str) -> bool:
    return path == outer or (path.startswith(outer) and path[len(outer)] in ".[")


def _argument(path: str, known: Property, old: Value, new: Value) -> Iterator[Change]:
    if new is None and known.default is not None:
        new = known.default
    if new is None:
        if not known.computed and not is_empty(old):
            yield Change(path, Act.DELETE, _forces(known, old))
        return
    yield from _value(path, known, old, new, forced=known.replaces)


def _value(path: str, known: Property, old: Value, new: Value, *, forced: bool) -> Iterator[Change]:
    """`forced`: its coming, its going and its number replace; and any change, where no block lies inside."""
    if is_empty(old) and is_empty(new):
        if forced and old is None and isinstance(new, (bool, int, float)):
            yield Change(path, Act.ADD, replaces=True)
        return
    if old is None:
        yield Change(path, Act.ADD, forced or _forces(known, new))
    elif isinstance(new, Unknown):
        yield Change(path, Act.UPDATE, forced or _forces(known, old))
    elif isinstance(old, dict) and isinstance(new, dict):
        if known.kind is Kind.OBJECT:
            yield from _nested(path, known, old, new)
        else:
            yield from _maps(path, known.element or _ANYTHING, old, new, forced=forced)
    elif isinstance(old, list) and isinstance(new, list):
        compare = _sets if known.kind is Kind.SET else _lists
        yield from compare(path, known.element or _ANYTHING, old, new, forced=forced)
    elif old != new:
        yield Change(path, Act.UPDATE, forced)


def _nested(path: str, known: Property, old: Mapping[str, Value], new: Mapping[str, Value]) -> Iterator[Change]:
    for name, inner in known.fields.items():
        if inner.settable:
            yield from _argument(f"{path}.{name}", inner, old.get(name), new.get(name))


def _maps(
    path: str, element: Property, old: Mapping[str, Value], new: Mapping[str, Value], *, forced: bool
) -> Iterator[Change]:
    for key in sorted({*old, *new}):
        where = f'{path}["{key}"]'
        if key not in new:
            yield Change(where, Act.DELETE, forced)
        elif key not in old:
            yield Change(where, Act.ADD, forced)
        else:
            yield from _value(where, element, old[key], new[key], forced=forced)


def _lists(
    path: str, element: Property, old: Sequence[Value], new: Sequence[Value], *, forced: bool
) -> Iterator[Change]:
    for index in range(max(len(old), len(new))):
        where = f"{path}[{index}]"
        if index >= len(new):
            yield Change(where, Act.DELETE, forced or _forces(element, old[index]))
        elif index >= len(old):
            yield Change(where, Act.ADD, forced or _forces(element, new[index]))
        else:
            yield from _value(where, element, old[index], new[index], forced=_inside(element, forced=forced))


def _sets(
    path: str, element: Property, old: Sequence[Value], new: Sequence[Value], *, forced: bool
) -> Iterator[Change]:
    left = list(enumerate(old))
    unmatched: list[tuple[int, Value]] = []
    for index, wanted in enumerate(new):
        same = next((at for at, (_, had) in enumerate(left) if _same(element, had, wanted)), None)
        if same is None:
            unmatched.append((index, wanted))
        else:
            del left[same]
    # An element of a set is what it holds: another one in its place is all of the new one, and all of the old one.
    for (index, wanted), (_, had) in zip(unmatched, left, strict=False):
        force = _inside(element, forced=forced) or _forces(element, wanted) or _forces(element, had)
        yield Change(f"{path}[{index}]", Act.UPDATE, force)
    for index, wanted in unmatched[len(left) :]:
        yield Change(f"{path}[{index}]", Act.ADD, forced or _forces(element, wanted))
    for index, had in left[len(unmatched) :]:
        yield Change(f"{path}[{index}]", Act.DELETE, forced or _forces(element, had))


def _inside(element: Property, *, forced: bool) -> bool:
    """Whether a change inside an element replaces because the list does: blocks speak for themselves."""
    return forced and element.kind is not Kind.OBJECT


def _same(element: Property, had: Value, wanted: Value) -> bool:
    return next(_value("", element, _zeroed(element, had), wanted, forced=False), None) is None


def _zeroed(known: Property, had: Value) -> Value:
    """In an element of a set, a number or truth that was not given is its zero."""
    if known.kind is not Kind.OBJECT or not isinstance(had, dict):
        return had
    zeros: dict[str, Value] = {name: 0 for name, inner in known.fields.items() if inner.kind in _ZERO}
    given = {name: _zeroed(known.fields.get(name, _ANYTHING), each) for name, each in had.items() if each is not None}
    return {**zeros, **given}


def _forces(known: Property, value: Value) -> bool:
    """Whether adding or taking away the whole of it touches something that replaces."""
    if known.replaces:
        return True
    if known.kind is Kind.OBJECT and isinstance(value, dict):
        return any(
            _forces(inner, value[name])
            for name, inner in known.fields.items()
            if inner.settable and not is_empty(value.get(name))
        )
    if isinstance(value, list) and known.element is not None:
        return any(_forces(known.element, element) for element in value)
    return False
