"""The one place where the stack (what exists) and the sidecar (what happens) meet.

`gluster_stack` writes these names into Kubernetes objects and the sidecar reads them back, so no
key is spelled twice. Nothing here touches the world; everything is a constant or a pure function.

The objects of one storage cluster, all in its namespace:

========================  =====================================================================
ReplicationController     `gluster-<n>`: one pod of two containers on the network of its machine
Service                   `gluster-<n>`: headless; its DNS name is the node's name in the pool
ConfigMap (member)        `gluster-member-<n>`: its existence means "node n shall be a member",
                          its deletion means "drain node n"; the finalizer holds it until then
ConfigMap (plan)          `gluster-plan`: which nodes the stack wants; gone means "teardown"
ConfigMap (status)        `gluster-status`: the whole cluster in one document, for people
Service + EndpointSlice   `<cluster name>`: where clients fetch the volume file
Lease                     `gluster-actor`: the one sidecar that may change the cluster
========================  =====================================================================

The stack owns the keys it declares (`MemberKey.NODE`, `PlanKey.NODES`, ...); the sidecars own the
rest and write them as field manager `FIELD_MANAGER`, so neither sees the other's fields as drift.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

DOMAIN: Final = "gluster-stack.dev"
"""The domain of every label, annotation and finalizer of this project."""

DRAIN_FINALIZER: Final = f"{DOMAIN}/drain"
"""Holds a member object in Kubernetes until its node's data is safe elsewhere."""

KIND_LABEL: Final = f"{DOMAIN}/kind"
"""On every ConfigMap of ours; one of `Kind`. The sidecars watch by it."""

CLUSTER_LABEL: Final = f"{DOMAIN}/cluster"
"""On every object of a storage cluster; the cluster's name."""

NODE_LABEL: Final = f"{DOMAIN}/node"
"""On a node's pod and member object; the node's number."""

FIELD_MANAGER: Final = "gluster-sidecar"
"""Who writes status. Must not begin with `kubectl`: the Pulumi provider takes such fields over."""

GLUSTERD_PORT: Final = 24007
BRICK_PORT_FIRST: Final = 49152
BRICK_PORT_LAST: Final = 49215
"""Bricks, and nothing else of ours, listen in this range on the machine's network."""
HEALTH_PORT: Final = 24098
"""The sidecar's /healthz, /readyz and /metrics, on the machine's network."""

DATA_CONTAINER: Final = "glusterd"
SIDECAR_CONTAINER: Final = "sidecar"

RUN_DIRECTORY: Final = "/run"
"""Shared by both containers of a pod: glusterd's socket, and `START_FILE`."""

START_FILE: Final = f"{RUN_DIRECTORY}/gluster-sidecar/start.json"
"""The sidecar's word to the daemon that names are in the hosts file and glusterd may start;
`{"uuid": ...}` is the UUID that a blank disk of a known node gets back, or null."""


class Kind(StrEnum):
    MEMBER = "member"
    PLAN = "plan"
    STATUS = "status"


class MemberKey(StrEnum):
    """Data of a member object."""

    NODE = "node"
    """Written by the stack: the node's number."""
    JOINED = "joined"
    """`true` once the node holds a started brick of the volume; what `pulumi up` waits for."""
    STATE = "state"
    """One word of `MemberState`."""
    WHY = "why"
    """One sentence for a person: what the node waits for, or what is wrong with it."""
    UUID = "uuid"
    """The node's glusterd UUID; given back to it when its disk was lost."""
    BRICK = "brick"
    """`host:path` of its brick."""
    PLACE = "place"
    """Where on its disk its next brick would be made; empty when not known."""
    HEALS = "heals"
    """Entries that wait to be healed onto or from its brick; empty when not known."""
    KNOWS = "knows"
    """Numbers of the nodes whose addresses are in its hosts file."""


class MemberState(StrEnum):
    STARTING = "starting"
    WAITING = "waiting"
    """Its glusterd answers; it waits to be invited (the original's serverX)."""
    PEER = "peer"
    """In the pool, without a brick yet."""
    JOINED = "joined"
    DRAINING = "draining"
    BLOCKED = "blocked"
    """Stopped for a reason that needs a person; `MemberKey.WHY` says which."""


class PlanKey(StrEnum):
    """Data of the plan object."""

    NODES = "nodes"
    """Written by the stack: the wanted nodes, as by `format_nodes`."""
    SETTLED = "settled"
    """Written by the actor: the wanted nodes once all of them are joined; what `up` waits for."""
    WHY = "why"
    """Written by the actor: what the cluster still waits for."""


class StatusKey(StrEnum):
    """Data of the status object, all written by the actor."""

    ACTOR = "actor"
    VOLUME = "volume"
    BRICKS = "bricks"
    DOING = "doing"
    """The rule that spoke last and what it said."""
    BALANCED = "balanced"
    """The bricks over which the data was last spread; growth is unfinished while it lags behind."""
    REBALANCE_BRICKS = "rebalanceBricks"
    REBALANCE_AFTER = "rebalanceAfter"
    """A rebalance that was asked for: over which bricks, and the id of the one seen before it."""


def controller_name(node: int) -> str:
    """Name of node's ReplicationController and of its Service."""
    return f"gluster-{node}"


def host_name(node: int, namespace: str) -> str:
    """Name of the node in the pool and in every brick; it outlives pod, address and machine."""
    return f"{controller_name(node)}.{namespace}.svc.cluster.local"


def node_of_host(host: str) -> int | None:
    """The node number behind a `host_name`; None for a host that is not ours."""
    first = host.split(".", 1)[0]
    prefix, _, number = first.rpartition("-")
    return int(number) if prefix == "gluster" and number.isdecimal() else None


def pod_label_name(node: int) -> str:
    """Value of the pod label `name`, as in the original's manifests."""
    return f"gluster-node-{node}"


def disk_name(node: int) -> str:
    return f"gluster-persistent-storage-node-{node}-disk"


def member_name(node: int) -> str:
    return f"gluster-member-{node}"


PLAN_NAME: Final = "gluster-plan"
STATUS_NAME: Final = "gluster-status"
LEASE_NAME: Final = "gluster-actor"


def endpoint_slice_name(cluster_name: str) -> str:
    return f"{cluster_name}-members"


def format_nodes(nodes: Iterable[int]) -> str:
    """Node numbers in one canonical form, so that two writers' values can be compared.

    >>> format_nodes([10, 2, 1])
    '1,2,10'
    """
    return ",".join(str(node) for node in sorted(set(nodes)))


def parse_nodes(text: str) -> frozenset[int]:
    """The reverse of `format_nodes`. Raises ValueError for anything else."""
    return frozenset(int(part) for part in text.split(",") if part)
