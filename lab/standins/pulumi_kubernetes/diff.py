"""What differs between an object as it is and as the program wants it. Pure.

As the real provider does: the live object, reduced to the fields that the last program gave, against
the inputs of this one. What others added is not seen; what others changed of ours is.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from lab.standins.pulumi_kubernetes.objects import group_version_kind
from lab.standins.pulumi_kubernetes.paths import Path, contains
from lab.standins.pulumi_kubernetes.replacing import replaces
from lab.standins.pulumi_plugin.values import UNKNOWN, Object


class Kind(StrEnum):
    ADD = "ADD"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


@dataclass(frozen=True)
class Change:
    path: Path
    kind: Kind
    replace: bool


def changes(old: Object, new: Object, rules: tuple[Path, ...], ignored: list[Path]) -> list[Change]:
    """In the order of the paths; without what lies beneath an ignored path."""
    found = [
        Change(path, kind, replaces(path, None if kind is Kind.DELETE else after, rules))
        for path, kind, after in _walk((), normal(old), normal(new))
        if not any(contains(outer, path) for outer in ignored)
    ]
    return sorted(found, key=lambda change: [str(part) for part in change.path])


def normal(obj: Object) -> Object:
    """One of several spellings: a Secret's `stringData` is `data` to the API."""
    plain = obj.get("stringData")
    if group_version_kind(obj) != ("", "v1", "Secret") or not isinstance(plain, dict):
        return obj
    rest = {name: value for name, value in obj.items() if name != "stringData"}
    return {**rest, "data": {**(obj.get("data") or {}), **{k: _base64(v) for k, v in plain.items()}}}


def _base64(text: Any) -> str:
    return UNKNOWN if text == UNKNOWN else base64.b64encode(str(text).encode()).decode()


def _walk(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Kind, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old.keys() | new.keys():
            yield from _member((*path, name), old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            at = (*path, index)
            if index >= len(old):
                yield at, Kind.ADD, new[index]
            elif index >= len(new):
                yield at, Kind.DELETE, None
            else:
                yield from _walk(at, old[index], new[index])
    elif not _same(path, old, new):
        yield path, Kind.UPDATE, new


def _member(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Kind, Any]]:
    # An empty map or list is not kept by the API, so it is the same as none.
    if _empty(old) and _empty(new):
        return
    if old is None:
        yield path, Kind.ADD, new
    elif new is None:
        yield path, Kind.DELETE, None
    else:
        yield from _walk(path, old, new)


def _empty(value: Any) -> bool:
    return value is None or value == {} or value == []


def _same(path: Path, old: Any, new: Any) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if old == new:
        return True
    # The API rewrites quantities: 1024Mi becomes 1Gi, and the number 2 the string "2".
    a, b = quantity(str(old)), quantity(str(new))
    return a is not None and a == b and not _QUANTITIES.isdisjoint(path)


_QUANTITIES: Final = frozenset({"limits", "requests", "capacity", "hard", "sizeLimit"})
"""Fields that hold quantities, or maps of them."""
_QUANTITY: Final = re.compile(r"([+-]?\d+(?:\.\d+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_UNITS: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def quantity(text: str) -> Decimal | None:
    """A Kubernetes quantity as a number; None for any other text."""
    found = _QUANTITY.fullmatch(text)
    return Decimal(found[1]) * _UNITS[found[2] or ""] if found else None
