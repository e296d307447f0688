"""What keeps data from being deleted by a mistake in a command or in a setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs
from gluster_stack.checks import Problem
from gluster_stack.foundation import Say, refuse
from gluster_stack.quantity import quantity

NAME: Final = "gluster-protection"


def declare_protection(
    name: str, args: GlusterClusterArgs, after: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions
) -> core.ConfigMap:
    """Depends on everything, so a destroy begins with it; protected, it ends there too.

    Pulumi refuses to delete a protected resource only when it comes to it. Without this, a destroy of a
    protected cluster would first have deleted what may be deleted: the sample app, the plan.
    """
    return core.ConfigMap(
        f"{name}-protection",
        metadata=meta.ObjectMetaArgs(
            name=NAME, namespace=args.namespace, labels=layout.cluster_labels(args.cluster_name)
        ),
        data={"protectDisks": str(args.protect_disks).lower()},
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(depends_on=[*after], protect=args.protect_disks)
        ),
    )


def refuse_smaller(name: str, say: Say) -> pulumi.ResourceHook:
    """For the claims: a disk does not shrink. Kubernetes would say so too, but not what to do."""

    def compare(change: pulumi.ResourceHookArgs) -> None:
        before, after = _requested(change.old_inputs), _requested(change.new_inputs)
        if not before or not after:
            return
        old, new = quantity(before), quantity(after)
        if old is not None and new is not None and new < old:
            size = int(before.removesuffix("Gi"))
            why = f"{change.name} has {size} already, and disks only grow"
            problem = Problem("disk_size_gb", int(after.removesuffix("Gi")), why, size)
            refuse(f"the disk of {change.name} cannot be made smaller:", [problem], say)

    return pulumi.ResourceHook(
        f"{name}-never-smaller", compare, opts=pulumi.ResourceHookOptions(on_dry_run=True)
    )


def _requested(inputs: Mapping[str, Any] | None) -> str | None:
    spec = (inputs or {}).get("spec") or {}
    amount = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    return amount if isinstance(amount, str) else None
