"""The pod of a node: glusterd and its sidecar.

Holds nothing that changes when the cluster grows: no number of nodes, no list of peers, no other
node's name. A template that changed would ask for a roll of every node.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, Final

from gluster_sidecar import contract
from gluster_sidecar.settings import Identity, Settings
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from gluster_stack import access, layout
from gluster_stack.args import GlusterClusterArgs

DAEMON_COMMAND: Final = ("python3", "-m", "gluster_sidecar.daemon")
SIDECAR_COMMAND: Final = ("python3", "-m", "gluster_sidecar")
"""Arguments of the image's entry point, an init that reaps."""

STOP_SECONDS: Final = 30
_DISK: Final = "disk"
_RUN: Final = "run"


def pod_template(args: GlusterClusterArgs, node: layout.Node, mark: str) -> core.PodTemplateSpecArgs:
    """`mark` is `mark_of(args)`: by it the sidecars see which pods are outdated."""
    labels = {**layout.selector(node, args.environment), **layout.node_labels(node, args.cluster_name)}
    return core.PodTemplateSpecArgs(
        metadata=meta.ObjectMetaArgs(labels=labels, annotations={contract.TEMPLATE_ANNOTATION: mark}),
        spec=_pod(args, node),
    )


def mark_of(args: GlusterClusterArgs) -> str:
    """Mark of what all nodes' templates share: that of a node which cannot be."""
    return contract.template_mark(_plain(pod_template(args, layout.Node(0, args.namespace), "")))


def _plain(value: Any) -> Any:
    """Arguments of the SDK as plain values."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if type(value).__module__.startswith("pulumi_kubernetes."):
        return {name: _plain(item) for name, item in vars(value).items()}
    if not isinstance(value, str | int | float | bool | None):
        raise TypeError(f"a pod template holds plain values, and not {value!r}")
    return value


def _pod(args: GlusterClusterArgs, node: layout.Node) -> core.PodSpecArgs:
    return core.PodSpecArgs(
        service_account_name=access.NAME,
        # glusterd and bricks are reached by the addresses of the machines, as in the original.
        host_network=True,
        dns_policy="ClusterFirstWithHostNet",
        # A variable for each Service would grow with the cluster.
        enable_service_links=False,
        node_selector=dict(args.node_selector) or None,
        tolerations=[_toleration(item) for item in args.tolerations] or None,
        # Storage that is preempted takes down all that mounts it.
        priority_class_name=args.priority_class or layout.priority_class(args.namespace),
        affinity=_apart(),
        termination_grace_period_seconds=STOP_SECONDS,
        containers=[_glusterd(args, node), _sidecar(args, node)],
        volumes=[
            core.VolumeArgs(
                name=_DISK,
                persistent_volume_claim=core.PersistentVolumeClaimVolumeSourceArgs(
                    claim_name=node.controller
                ),
            ),
            core.VolumeArgs(name=_RUN, empty_dir=core.EmptyDirVolumeSourceArgs(medium="Memory")),
        ],
    )


def _toleration(item: Mapping[str, Any]) -> core.TolerationArgs:
    return core.TolerationArgs(
        key=item.get("key"),
        operator=item.get("operator"),
        value=item.get("value"),
        effect=item.get("effect"),
        toleration_seconds=item.get("tolerationSeconds"),
    )


def _resources(requests: Mapping[str, Any], limits: Mapping[str, Any]) -> core.ResourceRequirementsArgs:
    def amounts(given: Mapping[str, Any]) -> dict[str, str] | None:
        return {key: str(value) for key, value in given.items()} or None

    return core.ResourceRequirementsArgs(requests=amounts(requests), limits=amounts(limits))


def environment(settings: Settings, only: Collection[str] | None = None) -> list[core.EnvVarArgs]:
    """The sidecar's variables; `only` those of the named fields."""
    wanted = {variable_of(Settings, f.name) for f in fields(Settings) if only is None or f.name in only}
    return [core.EnvVarArgs(name=k, value=v) for k, v in settings.to_env().items() if k in wanted]


def variable_of(kind: type[Settings] | type[Identity], name: str) -> str:
    """Name of the environment variable behind a field of the sidecar's settings."""
    return str(next(f.metadata["variable"] for f in fields(kind) if f.name == name))


def from_field(variable: str, path: str) -> core.EnvVarArgs:
    """A variable with a field of the pod, with nothing left for the API server to complete: what it completes
    is its creator's, and Pulumi could not take over an object that it does not know it created."""
    source = core.ObjectFieldSelectorArgs(api_version="v1", field_path=path)
    return core.EnvVarArgs(name=variable, value_from=core.EnvVarSourceArgs(field_ref=source))


def _identity(node: layout.Node) -> list[core.EnvVarArgs]:
    """Which node this pod is: said by the manifest, not guessed from addresses."""
    return [
        core.EnvVarArgs(name=variable_of(Identity, "node"), value=str(node.number)),
        from_field(variable_of(Identity, "pod_name"), "metadata.name"),
        from_field(variable_of(Identity, "pod_uid"), "metadata.uid"),
    ]


def _apart() -> core.AffinityArgs:
    """One node a machine: two copies on one machine would be lost together, and ports are the machine's."""
    return core.AffinityArgs(
        pod_anti_affinity=core.PodAntiAffinityArgs(
            required_during_scheduling_ignored_during_execution=[gluster_pods()]
        )
    )


def gluster_pods() -> core.PodAffinityTermArgs:
    """Machines that run a node of any storage cluster in this namespace."""
    return core.PodAffinityTermArgs(
        label_selector=meta.LabelSelectorArgs(match_labels={"role": "gluster"}),
        topology_key="kubernetes.io/hostname",
    )


def _mounts(args: GlusterClusterArgs, *, read_only: bool) -> list[core.VolumeMountArgs]:
    return [
        core.VolumeMountArgs(name=_DISK, mount_path=args.settings().disk, read_only=read_only or None),
        core.VolumeMountArgs(name=_RUN, mount_path=contract.RUN_DIRECTORY),
    ]


def _port(name: str, number: int) -> core.ContainerPortArgs:
    """Named as the machine's port too, so that the scheduler refuses a second user of it."""
    return core.ContainerPortArgs(name=name, container_port=number, host_port=number, protocol="TCP")


def _glusterd(args: GlusterClusterArgs, node: layout.Node) -> core.ContainerArgs:
    return core.ContainerArgs(
        name=contract.DATA_CONTAINER,
        image=args.image,
        image_pull_policy="IfNotPresent",
        args=list(DAEMON_COMMAND),
        env=[*environment(args.settings()), *_identity(node)],
        ports=[_port("glusterd", contract.GLUSTERD_PORT), _port("brick", contract.BRICK_PORT_FIRST)],
        volume_mounts=_mounts(args, read_only=False),
        # For /dev/fuse: replace-brick marks the new brick through a mount of its own and refuses with
        # "Fuse unavailable" without it (seen on 11.1). All else runs with eleven capabilities.
        security_context=core.SecurityContextArgs(privileged=True),
        resources=_resources(args.glusterd_requests, args.glusterd_limits),
    )


def _sidecar(args: GlusterClusterArgs, node: layout.Node) -> core.ContainerArgs:
    return core.ContainerArgs(
        name=contract.SIDECAR_CONTAINER,
        image=args.image,
        image_pull_policy="IfNotPresent",
        args=list(SIDECAR_COMMAND),
        env=[*environment(args.settings()), *_identity(node)],
        ports=[_port("health", contract.HEALTH_PORT)],
        volume_mounts=_mounts(args, read_only=True),  # law 5: it never edits a disk
        security_context=core.SecurityContextArgs(
            # Root, for glusterd's socket and the pod's hosts file are root's; but next to no powers.
            allow_privilege_escalation=False,
            capabilities=core.CapabilitiesArgs(
                drop=["ALL"],
                # Folders in a brick's .glusterfs have mode 0600: not even their owner may enter them,
                # and without it the pending heals are unknown. Seen on glusterd 10.3: nothing else is needed.
                add=["DAC_READ_SEARCH"],
            ),
        ),
        readiness_probe=_probe("/readyz", period=5, failures=3),
        liveness_probe=_probe("/healthz", period=20, failures=3),
        resources=_resources(args.sidecar_requests, args.sidecar_limits),
    )


def _probe(path: str, *, period: int, failures: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path=path, port=contract.HEALTH_PORT),
        period_seconds=period,
        timeout_seconds=5,
        failure_threshold=failures,
    )
