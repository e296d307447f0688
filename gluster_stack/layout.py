"""Arithmetic of a storage cluster: which nodes there are, and what everything of theirs is called.

Pure. Names that the sidecar reads too come from `gluster_sidecar.contract`; those below are the
stack's own. A node's names depend on its number and the namespace alone, never on how many nodes
there are: that is what makes growth touch nothing that exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gluster_sidecar import contract

DISK_PREFIX: Final = "gluster-persistent-storage"
"""Of the disks' names in the original."""


@dataclass(frozen=True, slots=True)
class Node:
    """One GlusterFS node and the names of what it is made of."""

    number: int
    namespace: str
    zone: str = ""
    spare: bool = False
    disk_prefix: str = DISK_PREFIX

    @property
    def controller(self) -> str:
        """Name of its ReplicationController, Service and claim."""
        return contract.controller_name(self.number)

    @property
    def host(self) -> str:
        """Its name in the pool and in every brick."""
        return contract.host_name(self.number, self.namespace)

    @property
    def disk(self) -> str:
        return disk_name(self.number, self.disk_prefix)

    @property
    def persistent_volume(self) -> str:
        return contract.volume_name(self.number, self.namespace)

    @property
    def member(self) -> str:
        return contract.member_name(self.number)


def nodes(
    count: int,
    namespace: str,
    *,
    spares: int = 0,
    zones: Sequence[str] = ("",),
    disk_prefix: str = DISK_PREFIX,
) -> tuple[Node, ...]:
    """Nodes 1 to `count` and the spares after them; a node is never renumbered.

    Zones go round by the number alone, so that growth moves nobody: any `len(zones)` nodes in a row
    are in different zones, and with them the copies of a set, which are nodes in a row.
    """
    return tuple(
        Node(number, namespace, zones[(number - 1) % len(zones)], number > count, disk_prefix)
        for number in range(1, count + spares + 1)
    )


def replica_sets(count: int, replication: int) -> tuple[tuple[int, ...], ...]:
    """Numbers of the nodes that a first `up` puts into one replica set each."""
    numbers = tuple(range(1, count + 1))
    return tuple(numbers[i : i + replication] for i in range(0, count, replication))


def next_full(count: int, replication: int) -> int:
    """The smallest number of nodes that is at least `count` and fills whole sets."""
    return max(1, -(-count // replication)) * replication


def storage_class(namespace: str) -> str:
    return f"{namespace}-gluster"


def priority_class(namespace: str) -> str:
    """Priority classes belong to no namespace, so the namespace is in the name."""
    return f"{namespace}-gluster"


def guard_policy(namespace: str) -> str:
    """Admission policies belong to no namespace, so the namespace is in the name."""
    return f"{namespace}-gluster"


def region(zone: str) -> str:
    """
    >>> region("us-central1-b")
    'us-central1'
    """
    return zone.rpartition("-")[0]


def disk_name(number: int, prefix: str) -> str:
    return f"{prefix}-node-{number}-disk"


def volume_handle(project: str, zone: str, disk: str) -> str:
    """A disk as the driver `pd.csi.storage.gke.io` calls it."""
    return f"projects/{project}/zones/{zone}/disks/{disk}"


def shared_labels(environment: str) -> Mapping[str, str]:
    """Labels by which the sidecars find all pods of the cluster; the original's."""
    return {"role": "gluster", "environment": environment}


def selector(node: Node, environment: str) -> Mapping[str, str]:
    """Labels that only this node's pod has; the original's."""
    return {"name": contract.pod_label_name(node.number), **shared_labels(environment)}


def cluster_labels(cluster_name: str) -> dict[str, str]:
    """On every object of the storage cluster."""
    return {contract.CLUSTER_LABEL: cluster_name}


def node_labels(node: Node, cluster_name: str) -> dict[str, str]:
    """On every object of one node."""
    return {**cluster_labels(cluster_name), contract.NODE_LABEL: str(node.number)}
