"""The few objects that every cluster of Google's has from the start: machines, DNS, the disks' driver."""

from __future__ import annotations

import json
from typing import Any

from lab.addresses import DNS_SERVICE, HUB
from lab.node import manifest
from lab.settings import Settings

DISK_DRIVER = "pd.csi.storage.gke.io"


def all_objects(settings: Settings) -> str:
    """One document for `kubectl apply`."""
    nodes = [manifest(n, settings.zone(n)) for n in range(1, settings.nodes + 1)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [*nodes, *_dns(), _disk_driver()]})


def _dns() -> list[dict[str, Any]]:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": DNS_SERVICE, "ports": ports},
    }
    labels = {"kubernetes.io/service-name": "kube-dns"}
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "kube-dns-hub", "namespace": "kube-system", "labels": labels},
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [{"addresses": [HUB]}],
    }
    return [service, endpoints]


def _disk_driver() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": DISK_DRIVER},
        "spec": {
            "attachRequired": True,
            "podInfoOnMount": False,
            "volumeLifecycleModes": ["Persistent"],
            "fsGroupPolicy": "ReadWriteOnceWithFSType",
        },
    }
