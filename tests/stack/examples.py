"""Two storage clusters to look at, and ways to look at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.stack.recording import CONTROLLER, Recording

NODES = (1, 2, 3, 4)
ODD: dict[str, Any] = {
    "node_count": 3,
    "replication": 3,
    "environment": "prod",
    "namespace": "storage",
    "cluster_name": "files",
    "cluster_port": 2222,
    "volume_name": "shared",
    "brick_name": "bricks",
    "disk_size_gb": 50,
    "disk_type": "pd-ssd",
    "file_system": "xfs",
    "image": "registry.example/gluster:1",
    "sleep_seconds": 7,
    "unhealthy_seconds": 70,
    "node_selector": {"pool": "storage"},
    "zones": ("us-east1-b", "us-east1-c", "us-east1-d"),
    "spare_count": 1,
    "arbiter": True,
    "grace_seconds": 600,
    "profile": "small-files",
    "volume_options": {"network.ping-timeout": 7, "performance.nl-cache": False},
    "disk_prefix": "files",
    "snapshot_hours": 6,
    "snapshot_days": 3,
    "protect_disks": True,
    "sample_app": True,
    "tolerations": ({"key": "storage", "operator": "Exists", "effect": "NoSchedule"},),
    "priority_class": "storage-first",
    "glusterd_requests": {"cpu": 1, "memory": "1Gi"},
    "glusterd_limits": {"memory": "2Gi"},
    "sidecar_requests": {"cpu": "30m"},
    "sidecar_limits": {"cpu": 2},
}
"""But for the sample app no value is a default, so that whatever ignores its setting shows."""


def template(recording: Recording, node: int) -> Mapping[str, Any]:
    found: Mapping[str, Any] = recording.manifest(CONTROLLER, f"gluster-{node}")["spec"]["template"]
    return found


def container(recording: Recording, name: str, node: int = 1) -> Mapping[str, Any]:
    (found,) = [c for c in template(recording, node)["spec"]["containers"] if c["name"] == name]
    return dict(found)


def environ(container: Mapping[str, Any]) -> dict[str, str]:
    """The variables as a process in the container has them."""
    of_pod = {"metadata.name": "gluster-1-abcde", "metadata.uid": "uid-1"}
    return {
        item["name"]: item["value"] if "value" in item else of_pod[item["valueFrom"]["fieldRef"]["fieldPath"]]
        for item in container["env"]
    }


def strings(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [s for item in value.items() for s in strings(list(item))]
    if isinstance(value, list):
        return [s for item in value for s in strings(item)]
    return [value] if isinstance(value, str) else []
