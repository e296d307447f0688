"""The component as programs in other languages get it, through Pulumi's component host (`plugin/`).

Pulumi reads the inputs and outputs from annotations as they stand in memory, so this module does
without `from __future__ import annotations`, and the inputs are made of the fields of the arguments.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, get_args, get_origin, get_type_hints

import pulumi
from pulumi.errors import InputPropertiesError, InputPropertyErrorDetails
from pulumi.provider import ConstructResult
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from gluster_stack import cluster
from gluster_stack.args import GlusterClusterArgs
from gluster_stack.checks import Problem, default, problems, shown
from gluster_stack.config import camel_case

PACKAGE: Final = "gluster-stack"
VERSION: Final = "0.1.0"


def _known(hint: Any) -> Any:
    """The type in words that Pulumi's analyzer knows."""
    kinds: dict[Any, Any] = {Mapping: dict, Sequence: list}
    kind = kinds.get(get_origin(hint))
    return kind[tuple(_known(part) for part in get_args(hint))] if kind else hint


def _inputs() -> type:
    hints = get_type_hints(GlusterClusterArgs)
    known = {item.name: _known(hints[item.name]) for item in fields(GlusterClusterArgs)}
    annotations = {name: hint if default(name) is None else hint | None for name, hint in known.items()}
    # Under the arguments' own name: from there Pulumi takes the descriptions.
    own = {"__annotations__": annotations, "__module__": GlusterClusterArgs.__module__}
    return type(GlusterClusterArgs.__name__, (), own)


Inputs: Final = _inputs()


class GlusterCluster(cluster.GlusterCluster):
    """GlusterFS on Kubernetes: disks, nodes, a volume that sidecars form and keep, and its clients' entry."""

    volume_name: pulumi.Output[str]
    """Name of the GlusterFS volume."""
    cluster_service: pulumi.Output[str]
    """Name of the Service by which clients find it."""
    node_names: pulumi.Output[list[str]]
    """Names of the nodes' controllers, Services and claims."""
    disk_names: pulumi.Output[list[str]]
    """Names of the nodes' disks at Google."""
    claim_name: pulumi.Output[str]
    """Name of the claim by which pods get the volume."""
    mount_command: pulumi.Output[str]
    """How to mount the volume from a machine with a GlusterFS client."""
    status_command: pulumi.Output[str]
    """How to look at the state of the whole cluster."""

    def __init__(self, name: str, args: Inputs, opts: pulumi.ResourceOptions | None = None) -> None:  # type: ignore[valid-type]
        """`args` is what Pulumi has read: a dict by the names of the fields.

        Raises InputPropertiesError, which reaches a program in any language, for values that are wrong.
        """
        whole = GlusterClusterArgs(**_whole(args))
        if wrong := problems(whole):
            raise InputPropertiesError("", [_details(problem) for problem in wrong])
        super().__init__(name, whole, opts)
        for key, value in self.outputs().items():
            setattr(self, _snake_case(key), pulumi.Output.from_input(value))


class Host(ComponentProvider):
    """Tells Pulumi what is wrong with inputs in its own terms, and not by a traceback of ours."""

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as error:
            if isinstance(error.inner, InputPropertiesError):
                raise error.inner from None
            raise


def host() -> Host:
    return Host([GlusterCluster], PACKAGE, version=VERSION)


def _details(problem: Problem) -> InputPropertyErrorDetails:
    reason = f"is {shown(problem.value)}: {problem.why}; {shown(problem.mend)} would do"
    return {"property_path": camel_case(problem.field), "reason": reason}


def _whole(value: Any) -> Any:
    """All numbers come as floats; those in objects nobody has made whole yet."""
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _snake_case(name: str) -> str:
    """
    >>> _snake_case("volumeName")
    'volume_name'
    """
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)
