"""A pod that uses the volume, to look at and to copy from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs
from gluster_stack.pod import environment, gluster_pods

NAME: Final = "gluster-sample-app"
COMMAND: Final = ("python3", "-m", "gluster_sidecar.sample_app")
_READS: Final = ("cluster_name", "volume_name", "namespace")
"""The settings it needs; a pod cannot be changed, so any other would replace it for nothing."""


def declare_sample_app(
    name: str, args: GlusterClusterArgs, after: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions
) -> core.Pod:
    """Mounts the volume inside its own container: nothing can leak to the machine."""
    app = core.ContainerArgs(
        name="app",
        image=args.image,
        image_pull_policy="IfNotPresent",
        args=list(COMMAND),
        env=environment(args.settings(), _READS),
        security_context=core.SecurityContextArgs(privileged=True),  # FUSE: /dev/fuse and mount(2)
        readiness_probe=core.ProbeArgs(
            exec_=core.ExecActionArgs(command=[*COMMAND, "--check"]), period_seconds=5, timeout_seconds=10
        ),
        resources=core.ResourceRequirementsArgs(requests={"cpu": "50m", "memory": "128Mi"}),
    )
    return core.Pod(
        f"{name}-sample-app",
        metadata=meta.ObjectMetaArgs(
            name=NAME, namespace=args.namespace, labels=layout.cluster_labels(args.cluster_name)
        ),
        spec=core.PodSpecArgs(
            containers=[app],
            restart_policy="Always",
            automount_service_account_token=False,
            enable_service_links=False,
            termination_grace_period_seconds=30,
            affinity=_away_from_bricks(),
        ),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[*after])),
    )


def _away_from_bricks() -> core.AffinityArgs:
    """Preferred, not required: in a small cluster every machine has a brick."""
    term = core.WeightedPodAffinityTermArgs(weight=100, pod_affinity_term=gluster_pods())
    return core.AffinityArgs(
        pod_anti_affinity=core.PodAntiAffinityArgs(
            preferred_during_scheduling_ignored_during_execution=[term]
        )
    )
