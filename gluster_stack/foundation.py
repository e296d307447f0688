"""What a storage cluster was made with and keeps: a change of it is refused before anything is touched.

A program cannot see what the last one said. So the first `up` writes it into an object of its own whose
data later ones ignore; what comes back is the first word, known in a preview too. All else depends on
the comparison, so where it fails nothing is made, changed or deleted. The disks ignore such changes by
themselves as well, should that object ever be lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs
from gluster_stack.checks import Problem

NAME: Final = "gluster-foundation"
KEPT: Final[Mapping[str, str]] = {
    "project": "the disks would be made anew, empty",
    "zones": "disks would be made anew, empty",
    "replication": "a volume keeps the number of its copies",
    "arbiter": "a volume keeps its kind",
    "environment": "the pods would be lost to their controllers",
    "namespace": "all nodes would be made anew",
    "cluster_name": "it is written on every disk",
    "volume_name": "a second, empty volume would be asked for",
    "brick_name": "bricks are known by their paths",
    "disk_type": "the disks would be made anew, empty",
    "disk_prefix": "the disks would be made anew, empty",
    "file_system": "a disk keeps the one it was first mounted with",
}
"""Fields that stay as they are, and why."""

Say = Callable[[Problem], str]


def refuse(title: str, found: Sequence[Problem], say: Say) -> None:
    """Raises RunError, which Pulumi prints without a traceback, if anything was found."""
    if found:
        raise pulumi.RunError("\n".join([title, *(say(problem) for problem in found)]))


def kept(args: GlusterClusterArgs) -> dict[str, str]:
    """The fields of `KEPT` as texts."""
    values: dict[str, Any] = {name: getattr(args, name) for name in KEPT}
    values["zones"] = list(args.zones) or [args.zone]
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def changed(before: Mapping[str, str], args: GlusterClusterArgs) -> list[Problem]:
    """What is not as it was. A field that an earlier release did not write down may be anything."""
    found = []
    for name, text in kept(args).items():
        if name in before and before[name] != text:
            old: Any = before[name] if isinstance(getattr(args, name), str) else json.loads(before[name])
            # One zone is said by its own setting.
            field = "zone" if name == "zones" and not args.zones else name
            mend = old[0] if field == "zone" else old
            why = f"the cluster was made with {json.dumps(mend)} and keeps it ({KEPT[name]}); a new value"
            found.append(
                Problem(field, getattr(args, field), f"{why} takes a cluster of its own beside it", mend)
            )
    return found


def declare_foundation(
    name: str, args: GlusterClusterArgs, title: str, say: Say, opts: pulumi.ResourceOptions
) -> pulumi.Output[pulumi.Resource]:
    """Something to depend on: it fails where a setting has changed that must not."""
    first = core.ConfigMap(
        f"{name}-foundation",
        metadata=meta.ObjectMetaArgs(
            name=NAME, namespace=args.namespace, labels=layout.cluster_labels(args.cluster_name)
        ),
        data=kept(args),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=["data", "metadata"])),
    )

    def compare(before: Mapping[str, str] | None) -> pulumi.Resource:
        refuse(title, changed(before or {}, args), say)
        return first

    return first.data.apply(compare)
