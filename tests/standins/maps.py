"""ConfigMaps as a stack declares them, for tests that need objects of no particular kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.standins.control_plane import ControlPlane

UP = ("up", "--skip-preview")
MUTABLE = {
    "type": "pulumi_kubernetes.Provider",
    "arguments": {"enableConfigMapMutable": True, "clusterIdentifier": "bench"},
}
"""The provider `k` of every `config_map`."""


def config_map(
    name: str, data: dict[str, str] | None = None, options: dict[str, Any] | None = None, **metadata: Any
) -> dict[str, Any]:
    arguments: dict[str, Any] = {"metadata": {"name": name, **metadata}}
    if data is not None:
        arguments["data"] = data
    own = {"provider": "k", **(options or {})}
    return {"type": "pulumi_kubernetes.core.v1.ConfigMap", "arguments": arguments, "options": own}


def awaited(expression: str) -> dict[str, Any]:
    return {"annotations": {"pulumi.com/waitFor": expression}}


NEVER = awaited("jsonpath={.data.done}=yes")


def stack(name: str, number: str, **metadata: Any) -> dict[str, Any]:
    return {"k": MUTABLE, "map": config_map(name, {"n": number}, **metadata)}


def has(plane: ControlPlane, name: str, number: str) -> Callable[[], bool]:
    """Whether the API has the map as it was sent, so that pulumi can only wait."""
    return lambda: (plane.get("configmap", name) or {"data": {}})["data"].get("n") == number
