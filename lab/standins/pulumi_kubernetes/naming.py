"""Names of objects that the program does not name. Pure."""

from __future__ import annotations

import hashlib
from typing import Final

from lab.standins.pulumi_kubernetes.objects import is_true, name_of, pluck
from lab.standins.pulumi_plugin.values import Object

AUTONAMED: Final = "pulumi.com/autonamed"


def is_autonamed(obj: Object) -> bool:
    return is_true(obj, AUTONAMED)


def named(new: Object, old: Object, resource_name: str, seed: bytes, proposed: str = "") -> Object:
    """`new` with the name of `old` if that was made up here, else with a new one, if it has none.

    `proposed` is what the engine's autonaming setting wants it to be.
    """
    if pluck(new, "metadata", "name") or pluck(new, "metadata", "generateName"):
        return new
    if old and not is_autonamed(old):
        return new
    name = name_of(old) if old else proposed or f"{resource_name}-{suffix(seed)}"
    meta = dict(new.get("metadata") or {})
    annotations = {**(meta.get("annotations") or {}), AUTONAMED: "true"}
    return {**new, "metadata": {**meta, "name": name, "annotations": annotations}}


def suffix(seed: bytes) -> str:
    """Eight hexadecimal digits, the same for the same seed."""
    return hashlib.sha256(seed).hexdigest()[:8]
