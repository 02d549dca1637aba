"""What the engine's gRPC structs mean: secrets, unknowns and plain values, both ways. Pure.

Source: the property value encoding of the engine's plugin protocol (signatures and sentinels below).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf import struct_pb2

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# One sentinel for each type that is not known yet; all mean the same here.
_UNKNOWN_TEXTS: Final = frozenset(
    {
        UNKNOWN_TEXT,  # string
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


@dataclass(frozen=True)
class Unknown:
    """A value that only an `up` will know."""


@dataclass(frozen=True)
class Secret:
    """A value that the engine encrypts in its state."""

    value: Value


Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"] | Unknown | Secret
Values = dict[str, Value]
UNKNOWN: Final = Unknown()


def decode(struct: struct_pb2.Struct) -> Values:
    """A struct as values; whole numbers become int."""
    return {key: _decode(field) for key, field in struct.fields.items()}


def encode(values: Mapping[str, Value]) -> struct_pb2.Struct:
    """Values as a struct; the inverse of `decode`, but for int and float, which are one on the wire."""
    return struct_pb2.Struct(fields={key: _encode(value) for key, value in values.items()})


def plain(value: Value) -> Value:
    """The value with every secret opened; unknowns stay."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, list):
        return [plain(element) for element in value]
    if isinstance(value, dict):
        return {key: plain(element) for key, element in value.items()}
    return value


def has_unknown(value: Value) -> bool:
    """Whether anything in it is not known yet."""
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, list):
        return any(has_unknown(element) for element in value)
    if isinstance(value, dict):
        return any(has_unknown(element) for element in value.values())
    return isinstance(value, Unknown)


def is_empty(value: Value) -> bool:
    """What Terraform's older schemas cannot tell from "not given"."""
    found = plain(value)
    return not has_unknown(found) and (found is None or found in ("", 0, [], {}))  # 0 == False == 0.0


def _decode(field: struct_pb2.Value) -> Value:
    kind = field.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_struct(field.struct_value)
    if kind == "list_value":
        return [_decode(element) for element in field.list_value.values]
    if kind == "string_value":
        text = str(field.string_value)
        return UNKNOWN if text in _UNKNOWN_TEXTS else text
    if kind == "number_value":
        number = float(field.number_value)
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return bool(field.bool_value)
    return None


def _decode_struct(struct: struct_pb2.Struct) -> Value:
    signature = struct.fields.get(SIGNATURE)
    if signature is not None and signature.string_value == SECRET:
        return Secret(_decode(struct.fields["value"]))
    return decode(struct)


def _encode(value: Value) -> struct_pb2.Value:
    match value:
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
        case bool():
            return struct_pb2.Value(bool_value=value)
        case int() | float():
            return struct_pb2.Value(number_value=value)
        case str():
            return struct_pb2.Value(string_value=value)
        case Unknown():
            return struct_pb2.Value(string_value=UNKNOWN_TEXT)
        case Secret():
            fields = {SIGNATURE: struct_pb2.Value(string_value=SECRET), "value": _encode(value.value)}
            return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))
        case list():
            elements = [_encode(element) for element in value]
            return struct_pb2.Value(list_value=struct_pb2.ListValue(values=elements))
        case dict():
            return struct_pb2.Value(struct_value=encode(value))
