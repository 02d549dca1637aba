"""What a policy is given and what it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from infra.checks.outcome import words


class Unknown(Enum):
    """What only the cloud will know, or a secret: nothing is said of it."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN
Properties = Mapping[str, Any]  # names as on the wire: `cidrIp`
# (type, properties) -> what is wrong with it, each a sentence without its name; nothing when it may be as it is
ResourceCheck = Callable[[str, Properties], Iterator[str]]
_REFERENCE: Final = re.compile(r"\$\{[^}]+\}")


@dataclass(frozen=True)
class Resource:
    """One resource that a program asks for. `type`: its token, such as `alicloud:ecs/ecsDisk:EcsDisk`."""

    type: str
    name: str
    properties: Properties


@dataclass(frozen=True)
class Policy:
    """A check of resources of some types. `cis`: the items of the benchmark that it covers (`cis.py`).

    `owed`: of these types every bucket has one beside it, with the same `bucket`: seen where all resources are.
    """

    check: ResourceCheck
    types: tuple[str, ...]
    remedy: str
    cis: tuple[str, ...]
    owed: tuple[str, ...] = ()

    @property
    def proves(self) -> str:
        """What holds when it passes: the check's own words."""
        return words(self.check)


def known(value: Any) -> Any:
    """A value as it was asked for, with UNKNOWN for what refers to another resource and what is of no plain type."""
    if isinstance(value, str):
        return UNKNOWN if _REFERENCE.fullmatch(value) else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {name: known(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [known(inner) for inner in value]
    return UNKNOWN


def differs(properties: Properties, name: str, wanted: Collection[Any]) -> bool:
    """Whether it is known to be none of these; what is left out is None."""
    value = properties.get(name)
    return value is not UNKNOWN and value not in wanted
