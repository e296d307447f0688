"""Who owns which field of an object (metadata.managedFields). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lab.standins.pulumi_kubernetes.objects import pluck
from lab.standins.pulumi_kubernetes.paths import Path
from lab.standins.pulumi_plugin.values import Object

CREATOR: Final = "pulumi-kubernetes"
"""Creates are plain POSTs under this name; updates are applies under a name of the object's own."""

_TAKEN: Final = (
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
    (CREATOR, "Update"),
    ("pulumi-resource-kubernetes", "Update"),
)
"""Whose fields an update takes over: prefix of the manager's name, operation."""

Entry = dict[str, Any]


def entries(live: Object) -> list[Entry]:
    found = pluck(live, "metadata", "managedFields")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def taken_over(live: Object, manager: str) -> list[Entry] | None:
    """The entries after `manager` took over what is ours by right; None where all is so already."""
    old = entries(live)
    gone = [entry for entry in old if _is_taken(entry, manager)]
    if not gone:
        return None
    own = next((entry for entry in old if _is(entry, manager)), None)
    merged: Entry = {}
    for entry in (*gone, *([own] if own else [])):
        merged = _merge(merged, entry.get("fieldsV1") or {})
    base = own or gone[0]
    mine = {**base, "manager": manager, "operation": "Apply", "fieldsV1": merged}
    return [mine, *(entry for entry in old if entry not in gone and entry is not own)]


def _is(entry: Entry, manager: str) -> bool:
    return (
        entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")
    )


def _is_taken(entry: Entry, manager: str) -> bool:
    if entry.get("subresource") or _is(entry, manager):
        return False
    return any(
        str(entry.get("manager")).startswith(name) and entry.get("operation") == operation
        for name, operation in _TAKEN
    )


def _merge(a: Any, b: Any) -> Any:
    if not (isinstance(a, dict) and isinstance(b, dict)):
        return b
    return {**a, **{name: _merge(a.get(name, {}), value) for name, value in b.items()}}


def created_by_us(live: Object) -> bool:
    return any(e.get("manager") == CREATOR and e.get("operation") == "Update" for e in entries(live))


def send(inputs: Object, live: Object, ignored: list[Path], manager: str) -> Object:
    """What to apply: of ignored fields nothing that is another's, and the live value of our own."""
    ours, theirs = set[Path](), set[Path]()
    for entry in entries(live):
        (ours if entry.get("manager") == manager else theirs).update(_paths(entry.get("fieldsV1") or {}))
    result = inputs
    for path in ignored:
        names = tuple(part for part in path if isinstance(part, str))
        if names != path:
            continue
        if path in theirs and path not in ours:
            result = _without(result, names)
        elif (value := pluck(live, *names)) is not None:
            result = _with(result, names, value)
    return result


def _paths(fields: Entry, above: Path = ()) -> Iterator[Path]:
    for name, below in fields.items():
        if name.startswith("f:"):
            path = (*above, name[2:])
            yield path
            yield from _paths(below, path)


def _without(obj: Object, names: tuple[str, ...]) -> Object:
    first, rest = names[0], names[1:]
    if first not in obj:
        return obj
    if not rest:
        return {name: value for name, value in obj.items() if name != first}
    below = obj[first]
    return {**obj, first: _without(below, rest)} if isinstance(below, dict) else obj


def _with(obj: Object, names: tuple[str, ...], value: Any) -> Object:
    first, rest = names[0], names[1:]
    if not rest:
        return {**obj, first: value}
    below = obj.get(first)
    return {**obj, first: _with(below if isinstance(below, dict) else {}, rest, value)}
