"""What differs between a resource as it is and as the program wants it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.standins.pulumi_gcp.fields import DEFAULTS, Schema
from lab.standins.pulumi_plugin.values import UNKNOWN, Object


@dataclass(frozen=True)
class Change:
    name: str
    kind: str
    """ADD, DELETE or UPDATE."""
    replaces: bool


def changes(schema: Schema, old: Object, new: Object, ignored: list[str]) -> list[Change]:
    """`old` is the state, `new` the inputs with the provider's project and place filled in."""
    found = []
    for name, field in sorted(schema.fields.items()):
        before, after = old.get(name, field.default), new.get(name, field.default)
        if name in ignored or _same(before, after) or (after is None and field.computed):
            continue
        kind = "ADD" if before is None else "DELETE" if after is None else "UPDATE"
        found.append(Change(name, kind, field.replaces or _shrinks(name, before, after)))
    return found


def deletes_first(old: Object, new: Object) -> bool:
    """Two resources cannot have one name; a name that was made up is made up anew."""
    return bool(old.get("name") == new.get("name") and "name" not in new.get(DEFAULTS, []))


def _shrinks(name: str, before: Any, after: Any) -> bool:
    numbers = isinstance(before, int | float) and after is not None and after != UNKNOWN
    return name == "size" and numbers and int(after) < before


def _same(before: Any, after: Any) -> bool:
    if before in (None, "", {}, []) and after in (None, "", {}, []):
        return True
    numeric = isinstance(before, int | float) and isinstance(after, str)
    return bool(before == after or (numeric and str(before) == after))
