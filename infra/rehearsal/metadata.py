"""What the data file says of each resource type, typed; read once, understood one type at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

FORMAT: Final = 1
DEFAULT_PATH: Final = Path(__file__).resolve().parent / "metadata.json"
Scalar = bool | int | float | str


class MetadataError(Exception):
    """The data file is missing, or is not of this format; the message says what to do."""


class Kind(StrEnum):
    """The type of a property, in the data file's words."""

    STRING = "string"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    LIST = "list"
    SET = "set"
    MAP = "map"
    OBJECT = "object"


@dataclass(frozen=True)
class Property:
    """One argument or output. `element` is set for list, set and map; `fields` for object.

    `conflicts`, `one_of`, `any_of` and `with_` name arguments of the resource itself, wherever the property lies.
    """

    kind: Kind
    required: bool = False
    optional: bool = False
    computed: bool = False
    sensitive: bool = False
    replaces: bool = False
    values: tuple[Scalar, ...] = ()
    range: tuple[int, int] | None = None  # the least and the greatest
    conflicts: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()  # exactly one of these and this
    any_of: tuple[str, ...] = ()  # at least one of these and this
    with_: tuple[str, ...] = ()  # all of these and this, or none
    deprecated: str = ""
    default: Scalar | None = None
    element: Property | None = None
    fields: Mapping[str, Property] = field(default_factory=dict)
    terraform: str = ""  # its name there; an element has none

    @property
    def settable(self) -> bool:
        return self.required or self.optional


@dataclass(frozen=True)
class Resource:
    """One resource type. `token` as in `alicloud:vpc/network:Network`."""

    token: str
    terraform: str
    properties: Mapping[str, Property]


class Metadata:
    """The data file. Immutable, but for what it has understood so far."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        if raw.get("format") != FORMAT:
            raise MetadataError(f"the rehearsal's data file has format {raw.get('format')!r}, not {FORMAT}")
        self.version = str(raw.get("bridge", "")).rpartition(" ")[2]  # of pulumi-alicloud
        self.provider = str(raw.get("version", ""))  # of the Terraform provider behind it
        self.configuration: frozenset[str] = frozenset(raw.get("configuration", {}).get("properties", ()))
        self._raw: Mapping[str, Any] = raw["resources"]
        self._known: dict[str, Resource] = {}

    @classmethod
    def load(cls, path: Path = DEFAULT_PATH) -> Metadata:
        """Raises: MetadataError."""
        try:
            return cls(json.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError) as error:
            raise MetadataError(f"{path}: {error}: generate it with tools/provider") from error

    def tokens(self) -> tuple[str, ...]:
        return tuple(sorted(self._raw))

    def resource(self, token: str) -> Resource | None:
        """The type, or None when the data file lacks it."""
        if token not in self._known:
            raw = self._raw.get(token)
            if raw is None:
                return None
            fields = {name: _property(value) for name, value in raw["properties"].items()}
            self._known[token] = Resource(token, str(raw["terraform"]), fields)
        return self._known[token]


def _property(raw: Mapping[str, Any]) -> Property:
    element, span = raw.get("element"), raw.get("range")
    return Property(
        kind=Kind(raw["type"]),
        required=bool(raw.get("required")),
        optional=bool(raw.get("optional")),
        computed=bool(raw.get("computed")),
        sensitive=bool(raw.get("sensitive")),
        replaces=bool(raw.get("replaces")),
        values=tuple(raw.get("values", ())),
        range=(int(span[0]), int(span[1])) if span else None,
        conflicts=tuple(raw.get("conflicts", ())),
        one_of=tuple(raw.get("one_of", ())),
        any_of=tuple(raw.get("any_of", ())),
        with_=tuple(raw.get("with", ())),
        deprecated=str(raw.get("deprecated", "")),
        default=raw.get("default"),
        element=_property(element) if element else None,
        fields={name: _property(value) for name, value in raw.get("fields", {}).items()},
        terraform=str(raw.get("terraform", "")),
    )
