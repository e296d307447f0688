"""The volume for pods: a PersistentVolume and the claim by which they name it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import pulumi
from gluster_sidecar import contract
from gluster_sidecar.csi import request
from gluster_sidecar.csi.errors import Refusal
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs

TYPE: Final = "gluster-stack:index:GlusterClaim"

CAPACITY: Final = "1Gi"
"""A word that Kubernetes wants and nobody keeps: `df` in the pod and the kubelet's statistics tell what
there is. It must not follow the number of nodes, or growth would change what exists."""

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class GlusterClaim(pulumi.ComponentResource):
    """A claim named `claim` in `namespace`, for the volume or one folder of it.

    The volume behind it belongs to this claim alone and is kept when the claim goes: its files are the
    storage cluster's. `opts` may name the provider; pods that use the claim should depend on it.
    """

    volume: core.PersistentVolume
    claim: core.PersistentVolumeClaim

    def __init__(
        self,
        name: str,
        args: GlusterClusterArgs,
        claim: str,
        namespace: str,
        *,
        directory: str = "",
        make_directory: bool = False,
        read_only: bool = False,
        mount_options: Sequence[str] = (),
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Raises RunError with one line for a value that cannot be."""
        attributes = {request.VOLUME: args.volume_name}
        if directory:
            attributes[request.DIRECTORY] = directory
        if make_directory:
            attributes[request.MAKE_DIRECTORY] = "true"
        _check(name, claim, namespace, attributes, mount_options)
        super().__init__(TYPE, name, None, opts)
        mode = "ReadOnlyMany" if read_only else "ReadWriteMany"
        labels = layout.cluster_labels(args.cluster_name)
        child = pulumi.ResourceOptions(parent=self, depends_on=[*after])
        self.volume = core.PersistentVolume(
            name,
            metadata=meta.ObjectMetaArgs(name=f"{namespace}-{claim}", labels=labels),
            spec=core.PersistentVolumeSpecArgs(
                access_modes=[mode],
                capacity={"storage": CAPACITY},
                # No class, and no empty one either: the API drops it, and a refresh would see a change.
                persistent_volume_reclaim_policy="Retain",
                mount_options=list(mount_options) or None,
                claim_ref=core.ObjectReferenceArgs(
                    api_version="v1", kind="PersistentVolumeClaim", namespace=namespace, name=claim
                ),
                csi=core.CSIPersistentVolumeSourceArgs(
                    driver=contract.driver_name(args.namespace),
                    # The claim is in it: two volumes of one handle cannot be in one pod.
                    volume_handle=f"{namespace}/{claim}",
                    volume_attributes=attributes,
                    read_only=read_only or None,
                ),
            ),
            opts=child,
        )
        self.claim = core.PersistentVolumeClaim(
            name,
            metadata=meta.ObjectMetaArgs(name=claim, namespace=namespace, labels=labels),
            spec=core.PersistentVolumeClaimSpecArgs(
                access_modes=[mode],
                storage_class_name="",
                volume_name=f"{namespace}-{claim}",
                resources=core.VolumeResourceRequirementsArgs(requests={"storage": CAPACITY}),
            ),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[self.volume])),
        )
        self.register_outputs({"claim": claim, "namespace": namespace})


def _check(
    name: str, claim: str, namespace: str, attributes: Mapping[str, str], mount_options: Sequence[str]
) -> None:
    for field, value in (("claim", claim), ("namespace", namespace)):
        if not _NAME.fullmatch(value):
            raise pulumi.RunError(
                f"GlusterClaim {name}: {field}={value!r} must be a DNS label, such as my-files"
            )
    try:
        request.read("check", attributes, mount_options, read_only=False, default_volume="")
    except Refusal as refusal:
        raise pulumi.RunError(f"GlusterClaim {name}: {refusal}") from None
