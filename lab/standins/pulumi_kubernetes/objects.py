"""Questions to a Kubernetes object, and its shape. Pure."""

from __future__ import annotations

from typing import Any, Final

from lab.standins.pulumi_plugin.values import Object

READ_ONLY: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)
"""Fields of metadata that are never input."""


def pluck(value: Any, *path: str) -> Any:
    """What lies at `path`; None where there is nothing."""
    for part in path:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def text_at(value: Any, *path: str) -> str:
    found = pluck(value, *path)
    return found if isinstance(found, str) else ""


def number_at(value: Any, *path: str) -> int:
    """0 where there is nothing: the API leaves zeros out of a status."""
    found = pluck(value, *path)
    return int(found) if isinstance(found, int | float) else 0


def name_of(obj: Object) -> str:
    return text_at(obj, "metadata", "name")


def namespace_of(obj: Object) -> str:
    return text_at(obj, "metadata", "namespace")


def annotation(obj: Object, name: str) -> str:
    return text_at(obj, "metadata", "annotations", name)


def is_true(obj: Object, name: str) -> bool:
    return annotation(obj, name) == "true"


def identity(obj: Object) -> str:
    """The resource's id: `namespace/name`, or `name` where there is no namespace."""
    return "/".join(filter(None, (namespace_of(obj), name_of(obj))))


def split_identity(identity_: str) -> tuple[str, str]:
    """Namespace and name."""
    namespace, _, name = identity_.rpartition("/")
    return namespace, name


def group_version_kind(obj: Object) -> tuple[str, str, str]:
    group, _, version = text_at(obj, "apiVersion").rpartition("/")
    return ("" if group == "core" else group), version, text_at(obj, "kind")


def kind_of(obj: Object) -> str:
    """For example `v1/Service` or `apps/v1/Deployment`."""
    return f"{text_at(obj, 'apiVersion')}/{text_at(obj, 'kind')}"


def without_read_only(obj: Object) -> Object:
    meta = obj.get("metadata")
    if not isinstance(meta, dict):
        return obj
    return {**obj, "metadata": {k: v for k, v in meta.items() if k not in READ_ONLY}}


def prune(live: Any, shape: Any) -> Any:
    """`live` reduced to what `shape` has: keys of maps, places of lists. The rest is not ours."""
    if isinstance(live, dict) and isinstance(shape, dict):
        return {name: prune(value, shape[name]) for name, value in live.items() if name in shape}
    if isinstance(live, list) and isinstance(shape, list):
        return [prune(a, b) for a, b in zip(live, shape, strict=False)]
    return live


def merge_patch(old: Object, new: Object) -> Object:
    """What makes `new` of `old` (RFC 7386), whatever else is there."""
    patch: Object = {name: None for name in old if name not in new}
    for name, value in new.items():
        below = old.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            patch[name] = merge_patch(below, value)
        else:
            patch[name] = value
    return patch
