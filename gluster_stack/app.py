"""A pod that uses the volume, to look at and to copy from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs
from gluster_stack.pod import gluster_pods

NAME: Final = "gluster-sample-app"
COMMAND: Final = ("python3", "-m", "gluster_sidecar.sample_app")
MOUNT_POINT: Final = "/mnt/glusterfs"
_VOLUME: Final = "files"


def declare_sample_app(
    name: str,
    args: GlusterClusterArgs,
    claim: str,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> core.Pod:
    """An ordinary pod: without privileges, without settings, with the claim named `claim`."""
    app = core.ContainerArgs(
        name="app",
        image=args.image,
        image_pull_policy="IfNotPresent",
        args=list(COMMAND),
        security_context=core.SecurityContextArgs(allow_privilege_escalation=False),
        volume_mounts=[
            core.VolumeMountArgs(
                name=_VOLUME,
                mount_path=MOUNT_POINT,
                # Should the client on this machine die, the next one's mount reaches this container, too.
                mount_propagation="HostToContainer",
            )
        ],
        readiness_probe=_check(period=5, failures=1),
        # For what propagation cannot mend: a container that is started again gets the mount that is there.
        liveness_probe=_check(period=10, failures=3),
        resources=core.ResourceRequirementsArgs(requests={"cpu": "20m", "memory": "32Mi"}),
    )
    source = core.PersistentVolumeClaimVolumeSourceArgs(claim_name=claim)
    return core.Pod(
        f"{name}-sample-app",
        metadata=meta.ObjectMetaArgs(
            name=NAME, namespace=args.namespace, labels=layout.cluster_labels(args.cluster_name)
        ),
        spec=core.PodSpecArgs(
            containers=[app],
            volumes=[core.VolumeArgs(name=_VOLUME, persistent_volume_claim=source)],
            restart_policy="Always",
            automount_service_account_token=False,
            enable_service_links=False,
            termination_grace_period_seconds=30,
            affinity=_away_from_bricks(),
        ),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[*after])),
    )


def _check(*, period: int, failures: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        exec_=core.ExecActionArgs(command=[*COMMAND, "--check"]),
        period_seconds=period,
        timeout_seconds=40,
        failure_threshold=failures,
    )


def _away_from_bricks() -> core.AffinityArgs:
    """Preferred, not required: in a small cluster every machine has a brick."""
    term = core.WeightedPodAffinityTermArgs(weight=100, pod_affinity_term=gluster_pods())
    return core.AffinityArgs(
        pod_anti_affinity=core.PodAntiAffinityArgs(
            preferred_during_scheduling_ignored_during_execution=[term]
        )
    )
