"""The one place where the stack (what exists) and the sidecar (what happens) meet.

`gluster_stack` writes these names into Kubernetes objects and the sidecar reads them back, so no
key is spelled twice. Nothing here touches the world; everything is a constant or a pure function.

The objects of one storage cluster, all in its namespace:

========================  =====================================================================
ReplicationController     `gluster-<n>`: one pod of two containers on the network of its machine
Service                   `gluster-<n>`: headless; its DNS name is the node's name in the pool
ConfigMap (member)        `gluster-member-<n>`: node n exists. A finalizer holds it until the node is
                          drained, and with it all of the node that Pulumi deletes after it
ConfigMap (plan)          `gluster-plan`: what the stack wants of the cluster as a whole. Where it is
                          gone and every member is being deleted, the cluster is torn down
ConfigMap (settled)       `gluster-settled`: whether all of that holds; `pulumi up` waits for it
ConfigMap (status)        `gluster-status`: the whole cluster in one document, for people
Service + EndpointSlice   `<cluster name>`: where clients fetch the volume file
Lease                     `gluster-actor`: the one sidecar that may change the cluster
========================  =====================================================================

The stack owns the keys it declares (`MemberKey.NODE`, `PlanKey.NODES`, ...); the sidecars own the
rest and write them as field manager `FIELD_MANAGER`, so neither sees the other's fields as drift.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
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

TEMPLATE_ANNOTATION: Final = f"{DOMAIN}/template"
"""On a pod and in its controller's template: `template_mark` of that template. A pod whose mark is not its
controller's is outdated, for a ReplicationController does not replace pods when its template changes."""

OVERRIDE_ANNOTATION: Final = f"{DOMAIN}/take-as-right"
"""On a member object, written by an operator: `host:path PROCESS` of its brick as it runs, whose copy shall
be relied on although nobody can tell whether it has every write. The leader removes it once it is used."""
BRICKS_ANNOTATION: Final = f"{DOMAIN}/bricks"
"""On a node's controller and claim, written by the leader: paths of the bricks on the node's disk that may
hold data of the volume, separated by spaces. It is written before a brick is made and emptied once the
disk is proven to hold nothing that is needed. While it is not empty the API server refuses to delete the
object, by the policy that the stack declares (`gluster_stack/guard.py`), whoever asks and whatever they
believe."""

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
"""Shared by both containers of a pod: glusterd's socket, and what they tell each other (`run_files`)."""


class Kind(StrEnum):
    MEMBER = "member"
    PLAN = "plan"
    SETTLED = "settled"
    STATUS = "status"


class MemberKey(StrEnum):
    """Data of a member object."""

    NODE = "node"
    """Written by the stack: the node's number."""
    SPARE = "spare"
    """Written by the stack: `true` if the node is a spare, else absent. It stands here as well as in the
    plan, and wins over it, for a node that becomes a spare must not be given a brick meanwhile."""
    JOINED = "joined"
    """`true` while the node holds a started brick of the volume, else what it waits for."""
    STATE = "state"
    """One word of `MemberState`."""
    WHY = "why"
    """One sentence for a person: what the node waits for, or what is wrong with it."""
    UUID = "uuid"
    """The node's glusterd UUID; given back to it when its disk was lost."""
    OP_VERSION = "opVersion"
    """The operating version of its glusterd, which goes with the UUID: with a UUID and without this, glusterd
    takes its files for those of a release that had none and starts with 1, and one that has a volume lets
    nobody in who brings that ("cannot reduce operating version", seen on 11.1)."""
    BRICK = "brick"
    """`host:path` of its brick."""
    PROCESS = "process"
    """Of the brick that runs: another one for each start of it; empty while it does not run."""
    BLAMES = "blames"
    """What its brick says of the others of its set: `host:path PROCESS clear` or `blamed` a line, where
    `PROCESS` is the other's as it was known when the brick's marks were read. Not known of who is missing.
    Of a brick that does not run, its last report stands."""
    UNHEALED = "unhealed"
    """A few entries of its brick by path, one a line, that have blamed other bricks for minutes."""
    PLACE = "place"
    """Where on its disk its next brick would be made; empty when not known."""
    HEALS = "heals"
    """Entries that wait to be healed onto or from its brick; empty when not known."""
    CAUGHT_UP = "caughtUp"
    """`StatusKey.WATCH` as it stood when its sidecar last knew that its brick has caught up since it was
    started; empty while it has not, or that is not known."""
    KNOWS = "knows"
    """Numbers of the nodes whose addresses are in its hosts file."""
    DISK = "disk"
    """Why its disk takes no writes; empty if it does."""
    LOST = "lost"
    """Bricks of the volume on this node, `host:path`, whose folders are not on its disk; empty if none."""
    USED = "usedBytes"
    FREE = "freeBytes"
    INODES_USED = "usedInodes"
    INODES_FREE = "freeInodes"
    """Of its disk; empty when not known."""
    START_ASKED = "startAsked"
    """Since when it would have its glusterd started anew, if that needs the actor's leave; empty if it would
    not. It stands until the glusterd that was started answers."""
    START_GRANTED = "startGranted"
    """Written by the actor: the `START_ASKED` that it has given leave to, once."""
    ORDER = "order"
    """Written by the actor: why what the stack asks of the node is not done; empty when it is."""
    LEFT = "left"
    """Of a node that leaves and holds no brick of the volume any more: what a walk through the brick
    folders on its disk found, as by `format_left`; empty while that is not known."""
    LEFT_PLAN = "leftPlan"
    """Which version of the plan it knew then: what was found under another says nothing of today."""
    LEAVES = "leaves"
    """`true` in an object that the sidecars made for a node that leaves: its deletion is to be asked for."""


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


MEMBER_TELEMETRY: Final = frozenset(
    {
        *(MemberKey.WHY, MemberKey.ORDER, MemberKey.UNHEALED),
        *(MemberKey.USED, MemberKey.FREE, MemberKey.INODES_USED, MemberKey.INODES_FREE),
    }
)
"""What people read of a member object, and rules at their leisure: a change of it wakes no sidecar."""


class PlanKey(StrEnum):
    """Data of the plan object."""

    NODES = "nodes"
    """Written by the stack: the wanted nodes, as by `format_nodes`."""
    SPARES = "spares"
    """Written by the stack: nodes that wait to take the place of one that stays away."""
    TEMPLATE = "template"
    """Written by the stack: `template_mark` that every node's pod shall have; empty for any. It is what
    `settled` waits for. Which pods are replaced, their controllers say (`TEMPLATE_ANNOTATION`)."""
    OPTIONS = "options"
    """Written by the stack: volume options as a JSON object of texts; they win over our own."""
    GRACE = "graceSeconds"
    """Written by the stack: seconds that a node may stay away before a spare takes its place."""


DECLARED: Final = tuple(PlanKey)
"""What the stack writes into the plan; nobody else writes there."""


class SettledKey(StrEnum):
    """Data of the settled object. It is apart from the plan, so that an interrupted wait leaves the plan in
    Pulumi's state as it is in the API: Pulumi's provider forgets an update whose wait was cancelled."""

    PLAN = "plan"
    """Written by the stack: `settled_mark` of the plan that `up` waits for. The leader empties it while
    that plan does not hold and puts it back when it does: a preview after a refresh then shows the
    difference, and the next `up` waits again."""
    SETTLED = "settled"
    """Written by the actor: `settled_mark` of the plan once all of it holds, else what is missing; `up`
    waits for this field and shows what it holds."""


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
    WHOLE = "whole"
    """Bricks whose set was seen with nothing to heal and that have been up at every look since: only
    they are known to have every write. What is not noted is not known (law 4)."""
    UNPROVEN = "unproven"
    """Bricks that were to be put in the place of others; here from before the command until it is known to
    have succeeded. One that failed halfway leaves an empty brick in the volume that nobody knows to be so:
    its set looks whole, and clients miss files (seen on 11.1)."""
    REPLACED = "replaced"
    """Bricks whose place in the volume another has taken: what is left on their disks is needed only until
    the copies in the volume are in sync."""
    OPTIONS = "options"
    """Keys of the volume options that were set for the stack: what it asks for no more is reset."""
    WATCH = "watch"
    """Name of the actor's unbroken run of looks. What is noted as whole was seen by those who acted before,
    too; in between a brick may have been away and back, so each node must have answered this name by
    `MemberKey.CAUGHT_UP` before its brick is relied on."""
    AWAY = "away"
    """Nodes that stay away and since when, `3=2026-01-01T00:00:00+00:00` one a line."""
    PEERS = "peers"
    """Nodes in the pool as the actor's glusterd knows it: a node among them whose own glusterd is blank
    has lost its disk."""
    TROUBLE = "trouble"
    """What waits for a person, one a line; empty if nothing does."""
    SPLIT_BRAIN = "splitBrain"
    """Entries of which no copy is known to be right; empty when not known."""


STATUS_TELEMETRY: Final = frozenset(
    {
        *(StatusKey.ACTOR, StatusKey.VOLUME, StatusKey.BRICKS, StatusKey.DOING),
        *(StatusKey.TROUBLE, StatusKey.SPLIT_BRAIN),
    }
)
"""The same of the status object."""


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


def volume_name(node: int, namespace: str) -> str:
    """Name of the node's PersistentVolume; those belong to no namespace, so the namespace is in the name."""
    return f"{namespace}-{controller_name(node)}"


PLAN_NAME: Final = "gluster-plan"
SETTLED_NAME: Final = "gluster-settled"
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


def settled_mark(data: Mapping[str, str]) -> str:
    """What `SettledKey.SETTLED` says once everything that the stack wrote into the plan holds.

    The nodes for a person, and a digest, so that a change of anything else is waited for too.

    >>> settled_mark({"nodes": "1,2", "settled": "anything"}) == settled_mark({"nodes": "1,2"})
    True
    """
    declared = {str(key): data.get(key, "") for key in DECLARED}
    digest = hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:8]
    return f"{data.get(PlanKey.NODES, '')}@{digest}"


LEFT_NAMES: Final = 5
"""Names of files that `format_left` keeps of each folder."""


def format_left(found: Mapping[str, tuple[int, Iterable[str]]]) -> str:
    """By brick folder: how many files a walk found there, and the names of the first few.

    >>> format_left({"/data/brick": (0, [])})
    '{"/data/brick": [0]}'
    >>> parse_left(format_left({"/data/brick": (2, ["a", "b/c"])}))
    {'/data/brick': (2, ('a', 'b/c'))}
    """
    return json.dumps({path: [count, *names] for path, (count, names) in sorted(found.items())})


def parse_left(text: str) -> dict[str, tuple[int, tuple[str, ...]]] | None:
    """The reverse of `format_left`; None for anything else.

    >>> parse_left("") is None and parse_left("[1]") is None and parse_left('{"/data/brick": []}') is None
    True
    """
    try:
        found = json.loads(text)
        return {path: (int(count), tuple(map(str, names))) for path, (count, *names) in found.items()}
    except (ValueError, TypeError, AttributeError):
        return None


def template_mark(template: object) -> str:
    """A digest of what all nodes' pod templates share, as plain values."""
    return hashlib.sha256(json.dumps(template, sort_keys=True, default=str).encode()).hexdigest()[:12]


def parse_nodes(text: str) -> frozenset[int]:
    """The reverse of `format_nodes`. Raises ValueError for anything else."""
    return frozenset(int(part) for part in text.split(",") if part)


KUBELET_FOLDER: Final = "/var/lib/kubelet"
"""Where the kubelet of GKE, and of nearly everybody, keeps its own; seen at the same path in our pods."""

KUBELET_REGISTRY: Final = f"{KUBELET_FOLDER}/plugins_registry"
"""A socket that appears here is asked by the kubelet what it is."""

PLUGIN_HEALTH_PORT: Final = 9808
"""The CSI plugin's /healthz and /readyz, on its pod's own address."""

MACHINE_VARIABLE: Final = "GLUSTER_CSI_MACHINE"
"""Environment of the CSI plugin: the name of the Kubernetes node that it runs on."""


def driver_name(namespace: str) -> str:
    """Name of the CSI driver of the storage cluster in that namespace. It is the whole Kubernetes
    cluster's, so the namespace is in it, shortened if need be: such a name has 63 letters at most.

    >>> driver_name("default")
    'default.gluster-stack.dev'
    """
    room = 63 - len(DOMAIN) - 1
    if len(namespace) > room:
        digest = hashlib.sha256(namespace.encode()).hexdigest()[:8]
        namespace = f"{namespace[: room - 9]}-{digest}"
    return f"{namespace}.{DOMAIN}"


def driver_folder(namespace: str) -> str:
    """On every machine: the sockets of the driver's two pods, and the record of what is mounted."""
    return f"{KUBELET_FOLDER}/plugins/{driver_name(namespace)}"
