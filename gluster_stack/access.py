"""What the sidecars may do in Kubernetes: one namespace, and no verb without a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pulumi
from gluster_sidecar.contract import LEASE_NAME
from pulumi_kubernetes.coordination import v1 as coordination
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.rbac import v1 as rbac

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs

NAME: Final = "gluster-sidecar"
"""Of the ServiceAccount, the Role and the RoleBinding."""

RULES: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    (
        "",
        "pods",
        (
            "list",  # who is there, how old, at which address: the order of seniority, the hosts file
            "watch",  # ... and to be told of changes instead of asking
            "delete",  # one of an older template is replaced by its controller
        ),
    ),
    (
        "",
        "replicationcontrollers",
        (
            "list",  # which template a node's pod shall have, and what its disk may hold
            "watch",  # ... and to be told of changes instead of asking
        ),
    ),
    (
        "",
        "persistentvolumeclaims",
        (
            "list",  # what a node's disk may hold
            "watch",  # ... and to be told of changes instead of asking
        ),
    ),
    (
        "",
        "configmaps",
        (
            "list",  # members, plan and status
            "watch",  # ... and to be told of changes instead of asking
            "get",  # the plan is read afresh right before a finalizer is lifted
            "patch",  # a node's report, `settled`, the finalizer
            "create",  # a member that is missing: somebody deleted it, or a destroy that was interrupted
            "delete",  # ... which nobody wants, so that it goes once its node is drained
        ),
    ),
    (
        "coordination.k8s.io",
        "leases",
        (
            "get",  # who acts
            "update",  # to take, renew and release it as a compare-and-swap
            "create",  # should somebody have deleted it
        ),
    ),
    (
        "discovery.k8s.io",
        "endpointslices",
        (
            "get",  # whether the clients' addresses are right
            "patch",  # to mend them
        ),
    ),
    (
        "",
        "events",
        (
            "create",  # what is done, refused or waited for shows where people look (law 9)
        ),
    ),
)
"""API group, resource, verbs."""


def declare_access(
    name: str, args: GlusterClusterArgs, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Resource, ...]:
    """What must be there before a sidecar starts, and until the last one has gone."""
    return (*grant(f"{name}-sidecar", NAME, RULES, args, opts), _declare_lease(name, args, opts))


def grant(
    name: str,
    account_name: str,
    rules: Sequence[tuple[str, str, tuple[str, ...]]],
    args: GlusterClusterArgs,
    opts: pulumi.ResourceOptions,
) -> tuple[pulumi.Resource, ...]:
    """A ServiceAccount that may do what `rules` say (API group, resource, verbs) in the namespace.

    `name` is Pulumi's of all three objects, `account_name` Kubernetes' own.
    """
    labels = layout.cluster_labels(args.cluster_name)
    metadata = meta.ObjectMetaArgs(name=account_name, namespace=args.namespace, labels=labels)
    account = core.ServiceAccount(name, metadata=metadata, opts=opts)
    role = rbac.Role(
        name,
        metadata=metadata,
        rules=[
            rbac.PolicyRuleArgs(api_groups=[group], resources=[resource], verbs=list(verbs))
            for group, resource, verbs in rules
        ],
        opts=opts,
    )
    binding = rbac.RoleBinding(
        name,
        metadata=metadata,
        role_ref=rbac.RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=account_name),
        subjects=[rbac.SubjectArgs(kind="ServiceAccount", name=account_name, namespace=args.namespace)],
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[account, role])),
    )
    return account, role, binding


def _declare_lease(name: str, args: GlusterClusterArgs, opts: pulumi.ResourceOptions) -> coordination.Lease:
    """The one sidecar that may change the cluster holds it. Declared, so that destroy takes it along."""
    return coordination.Lease(
        f"{name}-actor",
        # No labels: a sidecar renews it by replacing it whole, and would take them off.
        metadata=meta.ObjectMetaArgs(name=LEASE_NAME, namespace=args.namespace),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=["spec"])),
    )
