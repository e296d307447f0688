"""What a person may say of a storage cluster. What of it makes no sense is said in `checks`.

The defaults stand here; Pulumi.yaml repeats them (a test keeps the two equal).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from gluster_sidecar.profiles import PROFILES
from gluster_sidecar.settings import Settings

from gluster_stack import layout


def _texts(**values: str) -> Any:
    """A field that holds texts by name; `values` are its default."""
    return field(default_factory=lambda: MappingProxyType(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class GlusterClusterArgs:
    """A storage cluster. Plain values, not outputs: names and counts must be known in a preview."""

    project: str
    """Google Cloud project of the disks."""
    zone: str
    """Zone of the disks and of the machines that use them; not looked at where `zones` names some."""
    zones: Sequence[str] = ()
    """Zones of one region over which the copies of a file are spread."""
    node_count: int = 2
    """Nodes; a multiple of `replication`, each on a machine of its own."""
    spare_count: int = 0
    """Nodes beyond `node_count` that wait to take the place of one that stays away."""
    replication: int = 2
    """Copies of every file."""
    arbiter: bool = False
    """The third of three copies holds names and attributes only."""
    grace_seconds: int = 1800
    """Seconds that a node may stay away before a spare takes its place."""
    environment: str = "test"
    """Value of the pods' label `environment`."""
    namespace: str = "default"
    cluster_name: str = "glusterfs-cluster"
    """Name of the clients' Service."""
    cluster_port: int = 1
    volume_name: str = "data"
    brick_name: str = "data"
    """A node's disk is mounted at `/<brick_name>`."""
    profile: str = "general"
    """Volume options for a kind of use, one of `PROFILES`."""
    volume_options: Mapping[str, Any] = _texts()
    """Options of the volume; they win over those of the profile."""
    disk_size_gb: int = 1000
    disk_type: str = "pd-standard"
    disk_prefix: str = layout.DISK_PREFIX
    """Node n's disk is `<disk_prefix>-node-<n>-disk`, unique in project and zone."""
    file_system: str = "ext4"
    protect_disks: bool = False
    """Pulumi refuses to delete anything by which data could be lost."""
    snapshot_hours: int = 0
    """Hours between two snapshots of each disk, 24 at most; 0 for none."""
    snapshot_days: int = 14
    """Days that a snapshot is kept."""
    image: str = "gluster-stack:dev"
    sleep_seconds: int = 5
    unhealthy_seconds: int = 15
    sample_app: bool = True
    node_selector: Mapping[str, str] = _texts()
    """Labels that a machine must have to get a GlusterFS node."""
    tolerations: Sequence[Mapping[str, Any]] = ()
    """Taints of machines that may get one all the same, as in a pod's manifest."""
    priority_class: str = ""
    """Of the nodes' pods; empty for one of our own, above pods that name none."""
    glusterd_requests: Mapping[str, Any] = _texts(cpu="100m", memory="256Mi")
    """What a machine must have left for glusterd and its bricks."""
    glusterd_limits: Mapping[str, Any] = _texts()
    """What they may use at most; a brick that exceeds its memory is killed."""
    sidecar_requests: Mapping[str, Any] = _texts(cpu="20m", memory="64Mi")
    sidecar_limits: Mapping[str, Any] = _texts()

    def settings(self) -> Settings:
        """The sidecar's settings. Holds nothing that changes with the number of nodes."""
        return Settings(
            pod_labels=layout.shared_labels(self.environment),
            sleep_seconds=self.sleep_seconds,
            unhealthy_seconds=self.unhealthy_seconds,
            cluster_name=self.cluster_name,
            cluster_port=self.cluster_port,
            volume_name=self.volume_name,
            brick_name=self.brick_name,
            replication=self.replication,
            arbiter=self.arbiter,
            namespace=self.namespace,
        )

    def nodes(self) -> tuple[layout.Node, ...]:
        """All nodes in the order of their numbers, the spares last."""
        return layout.nodes(
            self.node_count,
            self.namespace,
            spares=self.spare_count,
            zones=tuple(self.zones) or (self.zone,),
            disk_prefix=self.disk_prefix,
        )

    def options(self) -> dict[str, str]:
        """The volume's options as texts: the profile's, and the person's over them."""
        given = {key: _option(value) for key, value in self.volume_options.items()}
        return {**PROFILES[self.profile], **given}


def _option(value: object) -> str:
    """GlusterFS says `on` and `off` where `pulumi config set --path` makes a truth value of a word."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
