"""The objects by which stack and sidecars agree on who is a member (contract.py).

Order is everything here. Pulumi updates before it deletes: on a shrink the plan changes first, which begins
the drain, and `up` waits for it at the settled object. Then Pulumi deletes dependents first: the member goes
before its controller, and its finalizer holds it until the node's data is elsewhere. On a destroy the plan
goes before the members, which tells the sidecars that nothing is to be moved.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

import pulumi
from gluster_sidecar import contract
from gluster_sidecar.contract import Kind, MemberKey, PlanKey, SettledKey
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs

JOIN_TIMEOUT: Final = "20m"
"""A machine may have to fetch the image and attach the disk first."""

DRAIN_MINUTES: Final = 360
"""Moving 1 TB at 50 MB/s. Running out loses nothing: the drain goes on, and the next `up` waits again."""

DRAIN_TIMEOUT: Final = f"{DRAIN_MINUTES // 60}h"
"""The value of the last `up` counts when an object is deleted, so it must be long from the first."""

ROLL_MINUTES: Final = 10
"""For each node: its pod is made anew, and what was written meanwhile is healed."""


def wait_for(jsonpath: str, value: str | None = None) -> dict[str, str]:
    """Annotation that makes Pulumi's Kubernetes provider wait until a field is there, or has a value."""
    expected = "" if value is None else f"={value}"
    return {"pulumi.com/waitFor": f"jsonpath={{{jsonpath}}}{expected}"}


def declare_status(name: str, args: GlusterClusterArgs, opts: pulumi.ResourceOptions) -> core.ConfigMap:
    """The whole cluster in one document; without data, for the sidecars write all of it."""
    labels = {**layout.cluster_labels(args.cluster_name), contract.KIND_LABEL: str(Kind.STATUS)}
    return core.ConfigMap(
        f"{name}-status",
        metadata=meta.ObjectMetaArgs(name=contract.STATUS_NAME, namespace=args.namespace, labels=labels),
        opts=opts,
    )


def declare_member(
    name: str,
    args: GlusterClusterArgs,
    node: layout.Node,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> core.ConfigMap:
    """Node `node` exists; to delete this takes until it is drained. `after`: what must outlive the drain.

    Nothing is waited for here, or the plan, which names the new nodes, would wait for nodes that wait for it.
    """
    data = {str(MemberKey.NODE): str(node.number)}
    return core.ConfigMap(
        f"{name}-member-{node.number}",
        metadata=meta.ObjectMetaArgs(
            name=node.member,
            namespace=args.namespace,
            labels={**layout.node_labels(node, args.cluster_name), contract.KIND_LABEL: str(Kind.MEMBER)},
            finalizers=[contract.DRAIN_FINALIZER],
        ),
        data={**data, str(MemberKey.SPARE): "true"} if node.spare else data,
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                depends_on=[*after], custom_timeouts=pulumi.CustomTimeouts(delete=DRAIN_TIMEOUT)
            ),
        ),
    )


def plan_data(args: GlusterClusterArgs, template_mark: str) -> Mapping[str, str]:
    """What the stack asks of the sidecars."""
    nodes = args.nodes()
    return {
        str(PlanKey.NODES): contract.format_nodes(node.number for node in nodes if not node.spare),
        str(PlanKey.SPARES): contract.format_nodes(node.number for node in nodes if node.spare),
        str(PlanKey.TEMPLATE): template_mark,
        str(PlanKey.OPTIONS): json.dumps(args.options(), sort_keys=True),
        str(PlanKey.GRACE): str(args.grace_seconds),
    }


def declare_plan(
    name: str,
    args: GlusterClusterArgs,
    template_mark: str,
    members: Sequence[core.ConfigMap],
    opts: pulumi.ResourceOptions,
) -> core.ConfigMap:
    """What is wanted. Nothing is waited for here: an update whose wait is interrupted is not in Pulumi's
    state, and what the API says then differs from what Pulumi believes."""
    return core.ConfigMap(
        f"{name}-plan",
        metadata=meta.ObjectMetaArgs(
            name=contract.PLAN_NAME,
            namespace=args.namespace,
            labels={**layout.cluster_labels(args.cluster_name), contract.KIND_LABEL: str(Kind.PLAN)},
            # A plan that Pulumi does not know it created may say something else than this one.
            annotations={"pulumi.com/patchForce": "true"},
        ),
        data=plan_data(args, template_mark),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[*members])),
    )


def declare_settled(
    name: str,
    args: GlusterClusterArgs,
    template_mark: str,
    plan: core.ConfigMap,
    opts: pulumi.ResourceOptions,
) -> core.ConfigMap:
    """Where `up` waits until the cluster is as the plan asks: joined, rolled, and drained of what leaves."""
    mark = contract.settled_mark(plan_data(args, template_mark))
    minutes = max(DRAIN_MINUTES, ROLL_MINUTES * len(args.nodes()))
    return core.ConfigMap(
        f"{name}-settled",
        metadata=meta.ObjectMetaArgs(
            name=contract.SETTLED_NAME,
            namespace=args.namespace,
            labels={**layout.cluster_labels(args.cluster_name), contract.KIND_LABEL: str(Kind.SETTLED)},
            annotations={
                **wait_for(f".data.{SettledKey.SETTLED}", mark),
                # The leader changes our field as well (`SettledKey.PLAN`).
                "pulumi.com/patchForce": "true",
            },
        ),
        data={str(SettledKey.PLAN): mark},
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                depends_on=[plan],
                custom_timeouts=pulumi.CustomTimeouts(create=JOIN_TIMEOUT, update=f"{minutes}m"),
            ),
        ),
    )
