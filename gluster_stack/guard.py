"""What makes the API server refuse to delete a node's controller or claim while its disk may hold data.

Pulumi deletes what its state says, and the state may be wrong: old, edited, from before an interrupted `up`.
The sidecars know what is on the disks and write it on both objects (`contract.BRICKS_ANNOTATION`); a policy
of Kubernetes (ValidatingAdmissionPolicy, in every cluster since 1.30) reads it at the moment of the deletion.
A refused deletion changes nothing, where a finalizer would leave an object that can never be used again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pulumi
from gluster_sidecar.contract import BRICKS_ANNOTATION, CLUSTER_LABEL
from pulumi_kubernetes.admissionregistration import v1 as admission
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.rbac import v1 as rbac

from gluster_stack import access, layout
from gluster_stack.args import GlusterClusterArgs

_RBAC: Final = "rbac.authorization.k8s.io"
GUARDED: Final = ("persistentvolumeclaims", "replicationcontrollers")
_BRICKS: Final = f"oldObject.metadata.annotations['{BRICKS_ANNOTATION}']"
HOLDS_DATA: Final = (
    f"has(oldObject.metadata.annotations) && '{BRICKS_ANNOTATION}' in oldObject.metadata.annotations"
    f" && {_BRICKS} != ''"
)
"""In CEL, of an object that is to be deleted."""


def declare_guard(
    name: str, args: GlusterClusterArgs, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Resource, ...]:
    """The policy and its binding; what it guards must be deleted before them."""
    labels = layout.cluster_labels(args.cluster_name)
    metadata = meta.ObjectMetaArgs(name=layout.guard_policy(args.namespace), labels=labels)
    policy = admission.ValidatingAdmissionPolicy(
        f"{name}-guard",
        metadata=metadata,
        spec=admission.ValidatingAdmissionPolicySpecArgs(
            failure_policy="Fail",
            match_constraints=admission.MatchResourcesArgs(
                resource_rules=[
                    admission.NamedRuleWithOperationsArgs(
                        api_groups=[""],
                        api_versions=["v1"],
                        operations=["DELETE"],
                        resources=list(GUARDED),
                        scope="Namespaced",
                    )
                ],
                match_policy="Equivalent",
                namespace_selector=meta.LabelSelectorArgs(
                    match_labels={"kubernetes.io/metadata.name": args.namespace}
                ),
                object_selector=meta.LabelSelectorArgs(match_labels=labels),
            ),
            match_conditions=[admission.MatchConditionArgs(name="holds-data", expression=HOLDS_DATA)],
            validations=[
                admission.ValidationArgs(
                    expression="false",
                    message_expression=_message(args),
                    message="its disk may hold data of the volume",
                    reason="Forbidden",
                )
            ],
        ),
        opts=opts,
    )
    binding = admission.ValidatingAdmissionPolicyBinding(
        f"{name}-guard",
        metadata=metadata,
        spec=admission.ValidatingAdmissionPolicyBindingSpecArgs(
            policy_name=layout.guard_policy(args.namespace), validation_actions=["Deny"]
        ),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[policy])),
    )
    return policy, binding


def _message(args: GlusterClusterArgs) -> str:
    """In CEL. Shown by whatever tool asked for the deletion."""
    ways = (
        " of the volume: to drain the node, lower nodeCount and run `pulumi up`; to end the whole cluster,"
        " run `pulumi destroy`. If no sidecar lives to release it: " + release_command(args)
    )
    return f"'the disk of ' + oldObject.metadata.name + ' may hold data in ' + {_BRICKS} + '{ways}'"


def release_command(args: GlusterClusterArgs) -> str:
    """Takes the guard off every object of the cluster, where no sidecar lives."""
    label = f"{CLUSTER_LABEL}={args.cluster_name}"
    return f"kubectl annotate pvc,rc -n {args.namespace} -l {label} {BRICKS_ANNOTATION}-"


def declare_node_rights(
    own: str, args: GlusterClusterArgs, node: layout.Node, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Resource, ...]:
    """Lets the sidecars write on the node's controller and claim, and free its volume; by name, for who
    may change any controller may run anything."""
    labels = layout.node_labels(node, args.cluster_name)
    subjects = [rbac.SubjectArgs(kind="ServiceAccount", name=access.NAME, namespace=args.namespace)]

    def after(role: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[role]))

    metadata = meta.ObjectMetaArgs(name=node.controller, namespace=args.namespace, labels=labels)
    # `patch`: which bricks on the node's disk may hold data.
    role = rbac.Role(
        f"{own}-hold",
        metadata=metadata,
        rules=[_rule(GUARDED, node.controller, ("patch",))],
        opts=opts,
    )
    bound = rbac.RoleBinding(
        f"{own}-hold",
        metadata=metadata,
        role_ref=rbac.RoleRefArgs(api_group=_RBAC, kind="Role", name=node.controller),
        subjects=subjects,
        opts=after(role),
    )
    whole = meta.ObjectMetaArgs(name=node.persistent_volume, labels=labels)
    # `get`: whether it still names a claim that has gone; `patch`: so that it does not.
    volume_role = rbac.ClusterRole(
        f"{own}-volume",
        metadata=whole,
        rules=[_rule(("persistentvolumes",), node.persistent_volume, ("get", "patch"))],
        opts=opts,
    )
    volume_bound = rbac.ClusterRoleBinding(
        f"{own}-volume",
        metadata=whole,
        role_ref=rbac.RoleRefArgs(api_group=_RBAC, kind="ClusterRole", name=node.persistent_volume),
        subjects=subjects,
        opts=after(volume_role),
    )
    return role, bound, volume_role, volume_bound


def _rule(resources: Sequence[str], name: str, verbs: Sequence[str]) -> rbac.PolicyRuleArgs:
    return rbac.PolicyRuleArgs(
        api_groups=[""], resources=list(resources), resource_names=[name], verbs=list(verbs)
    )
