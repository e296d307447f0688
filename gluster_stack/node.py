"""One node: its disk, the volume and claim that lead to it, its Service, its controller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp
from gluster_sidecar import contract
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.storage import v1 as storage

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs
from gluster_stack.guard import declare_node_rights
from gluster_stack.membership import declare_member, wait_for
from gluster_stack.pod import pod_template
from gluster_stack.snapshots import attach_schedule

TYPE: Final = "gluster-stack:index:GlusterNode"
DISK_DRIVER: Final = "pd.csi.storage.gke.io"
ZONE_KEY: Final = "topology.gke.io/zone"

REPLACING: Final = ("description", "name", "project", "type", "zone")
"""Of a disk that is declared here."""

RESTORED: Final = ("image", "snapshot", "source_disk", "source_instant_snapshot")
"""Of a disk that a person made from what was saved: a refresh reads them, and no program declares them."""

POD_TIMEOUT: Final = "20m"
"""A machine may have to fetch the image and attach the disk first."""


@dataclass(frozen=True, slots=True)
class Common:
    """What all nodes of a storage cluster share."""

    name: str
    """The storage cluster's, in Pulumi."""
    args: GlusterClusterArgs
    template_mark: str
    foundation: pulumi.Output[pulumi.Resource]
    """Before anything: it fails where a setting has changed that must not."""
    storage_class: storage.StorageClass
    guard: Sequence[pulumi.Resource]
    """What keeps claims and controllers from being deleted; it must outlive them."""
    shared: Sequence[pulumi.Resource]
    """What must be there before a sidecar starts."""
    schedule: gcp.compute.ResourcePolicy | None
    """Of snapshots."""
    never_smaller: pulumi.ResourceHook


class GlusterNode(pulumi.ComponentResource):
    """Node `node.number`. Nothing of it depends on another node or on their number."""

    disk: gcp.compute.Disk
    member: core.ConfigMap
    controller: core.ReplicationController

    def __init__(self, common: Common, node: layout.Node, opts: pulumi.ResourceOptions) -> None:
        own = f"{common.name}-{node.number}"
        super().__init__(TYPE, own, None, opts)
        self._common, self._args, self._node, self._name = common, common.args, node, own
        self.disk = self._declare_disk()
        volume = self._declare_volume()
        claim = self._declare_claim([volume, common.storage_class, *common.guard])
        service = self._declare_service()
        self.controller = self._declare_controller([claim, service, *common.guard, *common.shared])
        child = pulumi.ResourceOptions(parent=self)
        rights = pulumi.ResourceOptions(parent=self, depends_on=[*common.shared])
        before = [
            self.controller,
            *declare_node_rights(own, common.args, node, rights),
            *common.shared,
        ]
        if common.schedule:
            # Before the member, so that a member that must not be deleted keeps it too.
            before.append(attach_schedule(own, common.args, node, self.disk, common.schedule, child))
        self.member = declare_member(common.name, common.args, node, before, child)
        self.register_outputs({"host": node.host, "disk": self.disk.name})

    def _metadata(self, *, annotations: dict[str, str] | None = None) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(
            name=self._node.controller,
            namespace=self._args.namespace,
            labels=layout.node_labels(self._node, self._args.cluster_name),
            annotations=annotations,
        )

    def _declare_disk(self) -> gcp.compute.Disk:
        """Google would replace it, empty, for a change of any of what is ignored.

        It grows through its claim: the driver enlarges disk and file system together, online, while
        Pulumi would answer a smaller size by a new disk.
        """
        return gcp.compute.Disk(
            f"{self._name}-disk",
            name=self._node.disk,
            project=self._args.project,
            zone=self._node.zone,
            type=self._args.disk_type,
            size=self._args.disk_size_gb,
            labels={"gluster-cluster": self._args.cluster_name, "gluster-node": str(self._node.number)},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[self._common.foundation],
                ignore_changes=[*REPLACING, *RESTORED, "size"],
            ),
        )

    def _declare_volume(self) -> core.PersistentVolume:
        args, node = self._args, self._node
        handle = pulumi.Output.all(self.disk.project, self.disk.zone, self.disk.name).apply(
            lambda parts: layout.volume_handle(*parts)
        )
        return core.PersistentVolume(
            self._name,
            metadata=meta.ObjectMetaArgs(
                name=node.persistent_volume, labels=layout.node_labels(node, args.cluster_name)
            ),
            spec=core.PersistentVolumeSpecArgs(
                access_modes=["ReadWriteOnce"],
                capacity={"storage": f"{args.disk_size_gb}Gi"},
                persistent_volume_reclaim_policy="Retain",
                storage_class_name=layout.storage_class(args.namespace),
                # Only the node's own claim may have it, whatever else asks for a volume.
                claim_ref=core.ObjectReferenceArgs(
                    api_version="v1",
                    kind="PersistentVolumeClaim",
                    namespace=args.namespace,
                    name=node.controller,
                ),
                csi=core.CSIPersistentVolumeSourceArgs(
                    driver=DISK_DRIVER, volume_handle=handle, fs_type=args.file_system
                ),
                node_affinity=_in_zone(node.zone),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # The resizer writes it once the disk has grown; written by us first, it would see
                # nothing left to do, and the file system would stay small.
                ignore_changes=["spec.capacity"],
            ),
        )

    def _declare_claim(self, after: Sequence[pulumi.Resource]) -> core.PersistentVolumeClaim:
        args = self._args
        return core.PersistentVolumeClaim(
            self._name,
            metadata=self._metadata(),
            spec=core.PersistentVolumeClaimSpecArgs(
                access_modes=["ReadWriteOnce"],
                storage_class_name=layout.storage_class(args.namespace),
                volume_name=self._node.persistent_volume,
                resources=core.VolumeResourceRequirementsArgs(requests={"storage": f"{args.disk_size_gb}Gi"}),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*after],
                hooks=pulumi.ResourceHookBinding(before_update=[self._common.never_smaller]),
            ),
        )

    def _declare_service(self) -> core.Service:
        """Its DNS name is the node's name in the pool, ready or not: it must resolve while it heals."""
        return core.Service(
            self._name,
            metadata=self._metadata(),
            spec=core.ServiceSpecArgs(
                cluster_ip="None",
                publish_not_ready_addresses=True,
                selector=dict(layout.selector(self._node, self._args.environment)),
                ports=[
                    core.ServicePortArgs(name="glusterd", port=contract.GLUSTERD_PORT, protocol="TCP"),
                    core.ServicePortArgs(name="brick", port=contract.BRICK_PORT_FIRST, protocol="TCP"),
                ],
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._common.foundation]),
        )

    def _declare_controller(self, after: Sequence[pulumi.Resource]) -> core.ReplicationController:
        return core.ReplicationController(
            self._name,
            # The provider's own wait for controllers ends after 600 s, whatever the timeout.
            metadata=self._metadata(annotations=wait_for(".status.availableReplicas", "1")),
            spec=core.ReplicationControllerSpecArgs(
                replicas=1,
                selector=dict(layout.selector(self._node, self._args.environment)),
                template=pod_template(self._args, self._node, self._common.template_mark),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*after],
                custom_timeouts=pulumi.CustomTimeouts(
                    create=POD_TIMEOUT, update=POD_TIMEOUT, delete=POD_TIMEOUT
                ),
            ),
        )


def _in_zone(zone: str) -> core.VolumeNodeAffinityArgs:
    expression = core.NodeSelectorRequirementArgs(key=ZONE_KEY, operator="In", values=[zone])
    term = core.NodeSelectorTermArgs(match_expressions=[expression])
    return core.VolumeNodeAffinityArgs(required=core.NodeSelectorArgs(node_selector_terms=[term]))
