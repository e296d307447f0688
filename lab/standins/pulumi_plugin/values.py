"""Property values as Pulumi's engine sends them (protobuf structs) and as plain Python values.

In Python a value is None, bool, int, float, str, list, dict, `Secret`, or the string `UNKNOWN`. The
signatures are those of sdk/go/common/resource (sig.go) and plugin/rpc.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

Object = dict[str, Any]

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A value that only a deployment will tell."""
_UNKNOWNS: Final = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""The engine's spellings of an unknown string, bool, number, array, asset, archive and object."""


@dataclass(frozen=True)
class Secret:
    """A value that is stored encrypted and never shown."""

    value: Any


def decode(struct: struct_pb2.Struct) -> Object:
    """Keeps secrets and unknowns, leaves out nulls."""
    found = {name: _decode(value) for name, value in struct.fields.items()}
    return {name: value for name, value in found.items() if value is not None}


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_struct(value.struct_value)
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    return value.bool_value if kind == "bool_value" else None


def _decode_struct(struct: struct_pb2.Struct) -> Any:
    signature = struct.fields.get(SIGNATURE)
    if signature is not None and signature.string_value == SECRET_SIGNATURE:
        return Secret(_decode(struct.fields["value"]))
    return decode(struct)


def encode(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """The reverse of `decode`."""
    struct = struct_pb2.Struct()
    for name, value in values.items():
        if value is not None:
            struct.fields[name].CopyFrom(_encode(value))
    return struct


def _encode(value: Any) -> struct_pb2.Value:
    if isinstance(value, Secret):
        return _encode({SIGNATURE: SECRET_SIGNATURE, "value": value.value})
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=encode(value))
    if isinstance(value, list | tuple):
        items = [_encode(item) for item in value]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    return struct_pb2.Value(string_value=str(value))


def reveal(value: Any) -> Any:
    """A copy without the marks of secrecy."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {name: reveal(item) for name, item in value.items()}
    return [reveal(item) for item in value] if isinstance(value, list) else value


def has_unknown(value: Any) -> bool:
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    return any(map(has_unknown, value)) if isinstance(value, list) else bool(value == UNKNOWN)


def has_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_secret, value.values()))
    return any(map(has_secret, value)) if isinstance(value, list) else isinstance(value, Secret)


def conceal(plain: Object, like: Mapping[str, Any]) -> Object:
    """`plain` with a mark of secrecy wherever `like` has one; a list with a secret becomes one whole."""
    result = dict(plain)
    for name, model in like.items():
        value = result.get(name)
        if value is None or isinstance(value, Secret):
            continue
        if isinstance(value, dict) and isinstance(model, dict):
            result[name] = conceal(value, model)
        elif has_secret(model):
            result[name] = Secret(value)
    return result
