"""What keeps the nodes' pods where they are: a budget for drains, a priority above ordinary pods."""

from __future__ import annotations

from typing import Final

import pulumi
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.policy import v1 as policy
from pulumi_kubernetes.scheduling import v1 as scheduling

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs

BUDGET_NAME: Final = "gluster"
PRIORITY: Final = 1_000_000
"""Pods that name no class have 0; Kubernetes' own begin at two thousand millions."""


def declare_scheduling(
    name: str, args: GlusterClusterArgs, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Resource, ...]:
    """What must be there before a node's pod is made."""
    labels = layout.cluster_labels(args.cluster_name)
    budget = policy.PodDisruptionBudget(
        f"{name}-budget",
        metadata=meta.ObjectMetaArgs(name=BUDGET_NAME, namespace=args.namespace, labels=labels),
        spec=policy.PodDisruptionBudgetSpecArgs(
            # A pod is Ready when its brick has caught up: a drain of the machines, one after the other,
            # waits for the heals in between and never takes the second copy.
            max_unavailable=1,
            selector=meta.LabelSelectorArgs(match_labels=dict(layout.shared_labels(args.environment))),
        ),
        opts=opts,
    )
    if args.priority_class:
        return (budget,)
    priority = scheduling.PriorityClass(
        f"{name}-priority",
        metadata=meta.ObjectMetaArgs(name=layout.priority_class(args.namespace), labels=labels),
        value=PRIORITY,
        description="GlusterFS nodes: other pods mount what they store",
        opts=opts,
    )
    return budget, priority
