"""A storage cluster as one Pulumi component; reads like its table of contents."""

from __future__ import annotations

from typing import Any, Final

import pulumi
from gluster_sidecar.contract import STATUS_NAME
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.storage import v1 as storage

from gluster_stack import layout
from gluster_stack.access import declare_access
from gluster_stack.app import MOUNT_POINT, declare_sample_app
from gluster_stack.args import GlusterClusterArgs
from gluster_stack.checks import Problem, problems, shown
from gluster_stack.claim import GlusterClaim
from gluster_stack.client import declare_client_entry
from gluster_stack.driver import declare_driver
from gluster_stack.foundation import Say, declare_foundation, refuse
from gluster_stack.guard import declare_guard
from gluster_stack.membership import declare_plan, declare_settled, declare_status
from gluster_stack.node import DISK_DRIVER, Common, GlusterNode
from gluster_stack.pod import mark_of
from gluster_stack.protection import declare_protection, refuse_smaller
from gluster_stack.providers import kubernetes_provider
from gluster_stack.scheduling import declare_scheduling
from gluster_stack.snapshots import declare_schedule

TYPE: Final = "gluster-stack:index:GlusterCluster"

TWO_COPIES: Final = (
    "replication is 2: when the network between the two copies of a file breaks, both may take writes, and a"
    " person has to say which is right. With 3 a majority decides: `pulumi config set replication 3` with a"
    " nodeCount that is a multiple of 3, and `pulumi config set arbiter true` if the third copy shall hold"
    " names and attributes only. A volume keeps its kind, so choose before the first `pulumi up`."
)


class GlusterCluster(pulumi.ComponentResource):
    """`args.node_count` nodes, the volume over them, a claim for it, and a sample app that uses that.

    Of the providers in `opts` it uses those for `kubernetes` and `gcp`. The former must let
    ConfigMaps change in place, as `kubernetes_provider` makes it; without one it makes its own.
    """

    # No annotations here: Pulumi's component host would take them for outputs.
    def __init__(
        self,
        name: str,
        args: GlusterClusterArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        say: Say | None = None,
    ) -> None:
        """Raises RunError, before anything is declared, with one line for each value that is wrong.

        `say` makes that line of a problem, for a program whose settings have names of their own.
        """
        title, say = f"GlusterCluster {name} cannot be declared:", say or _say
        refuse(title, problems(args), say)
        super().__init__(TYPE, name, None, opts)
        self._args = args
        provider = self.get_provider("kubernetes:core/v1:Pod") or kubernetes_provider(
            f"{name}-kubernetes", opts=pulumi.ResourceOptions(parent=self)
        )
        root = pulumi.ResourceOptions(parent=self, provider=provider)
        foundation = declare_foundation(name, args, title, say, root)
        child = pulumi.ResourceOptions.merge(root, pulumi.ResourceOptions(depends_on=[foundation]))
        shared = (
            *declare_access(name, args, child),
            *declare_scheduling(name, args, child),
            declare_status(name, args, child),
        )
        guard = declare_guard(name, args, child)
        clients = declare_client_entry(name, args, child)
        storage_class = _declare_storage_class(name, args, child)
        mark = mark_of(args)
        own = pulumi.ResourceOptions(parent=self, depends_on=[foundation])
        # `providers`, for they hand it on; what they are made of inherits the protection.
        whole = pulumi.ResourceOptions(parent=self, providers=[provider], protect=args.protect_disks)
        schedule = declare_schedule(name, args, own)
        common = Common(
            *(name, args, mark, foundation, storage_class, guard, shared, schedule),
            never_smaller=refuse_smaller(name, say),
        )
        self.nodes = tuple(GlusterNode(common, node, whole) for node in args.nodes())
        self.plan = declare_plan(name, args, mark, [node.member for node in self.nodes], child)
        settled = declare_settled(name, args, mark, self.plan, child)
        last: list[pulumi.Resource] = [settled, *clients]
        driver = declare_driver(name, args, shared, child)
        self.claim = GlusterClaim(
            *(name, args, args.cluster_name, args.namespace),
            # The settled object, too: a destroy then stops at a claim that pods still use, before it takes
            # the plan or anything else from them.
            after=[*driver, settled, *clients],
            opts=pulumi.ResourceOptions(parent=self, providers=[provider], depends_on=[foundation]),
        )
        last += [self.claim.claim]
        if args.sample_app:
            last.append(declare_sample_app(name, args, args.cluster_name, last, child))
        last += [schedule] if schedule else []
        declare_protection(name, args, [*last, *shared], child)
        if args.replication == 2:
            pulumi.warn(TWO_COPIES, self)
        self.register_outputs(self.outputs())

    def outputs(self) -> dict[str, Any]:
        """What people and other programs use."""
        args = self._args
        server = f"{args.cluster_name}.{args.namespace}.svc.cluster.local"
        return {
            "volumeName": args.volume_name,
            "clusterService": args.cluster_name,
            "nodeNames": [node.controller for node in args.nodes()],
            "diskNames": [node.disk.name for node in self.nodes],
            "claimName": args.cluster_name,
            "mountCommand": f"mount -t glusterfs {server}:/{args.volume_name} {MOUNT_POINT}",
            "statusCommand": f"kubectl --namespace {args.namespace} describe configmap {STATUS_NAME}",
        }


def _say(problem: Problem) -> str:
    """
    >>> _say(Problem("node_count", 3, "must be even", 4))
    'node_count=3: must be even; 4 would do'
    """
    return f"{problem.field}={shown(problem.value)}: {problem.why}; {shown(problem.mend)} would do"


def _declare_storage_class(
    name: str, args: GlusterClusterArgs, opts: pulumi.ResourceOptions
) -> storage.StorageClass:
    """Ties volumes to claims and lets both grow in place; nothing is made by it.

    Immediate: a claim that waits for its first consumer would race with Pulumi's wait for it.
    """
    return storage.StorageClass(
        name,
        metadata=meta.ObjectMetaArgs(
            name=layout.storage_class(args.namespace), labels=layout.cluster_labels(args.cluster_name)
        ),
        provisioner=DISK_DRIVER,
        volume_binding_mode="Immediate",
        allow_volume_expansion=True,
        reclaim_policy="Retain",
        opts=opts,
    )
