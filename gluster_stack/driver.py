"""The CSI driver on every machine: what lets any pod name a claim and get the volume.

Two DaemonSets, because a client must not end with what is upgraded: the plugin rolls by itself and
holds nothing; the holder of the FUSE processes is replaced on a machine only when its pod is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pulumi
from gluster_sidecar import contract
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.storage import v1 as storage

from gluster_stack import layout
from gluster_stack.access import grant
from gluster_stack.args import GlusterClusterArgs
from gluster_stack.pod import environment, from_field

PLUGIN: Final = "gluster-csi"
HOLDER: Final = "gluster-client"
PLUGIN_COMMAND: Final = ("python3", "-m", "gluster_sidecar.csi.plugin")
HOLDER_COMMAND: Final = ("python3", "-m", "gluster_sidecar.csi.hold")
_PLUGIN_READS: Final = ("volume_name", "namespace")
_HOLDER_READS: Final = ("pod_labels", "cluster_name", "namespace")
"""The settings that each needs; any other would roll it for nothing."""

RULES: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("", "pods", ("list", "watch")),  # where the members are: names that resolve without cluster DNS
    ("discovery.k8s.io", "endpointslices", ("list", "watch")),  # ... and which of them serve the volume
)
"""API group, resource, verbs: of the holder. The plugin has no account."""


def declare_driver(
    name: str, args: GlusterClusterArgs, after: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions
) -> tuple[pulumi.Resource, ...]:
    """What must be there for as long as a pod uses a claim. `after`: the priority class, if it is ours."""
    labels = layout.cluster_labels(args.cluster_name)
    driver = storage.CSIDriver(
        f"{name}-driver",
        metadata=meta.ObjectMetaArgs(name=contract.driver_name(args.namespace), labels=labels),
        spec=storage.CSIDriverSpecArgs(
            attach_required=False,
            pod_info_on_mount=False,
            volume_lifecycle_modes=["Persistent"],
            # Never the kubelet: it would change every file of what many share, at each pod's start. The
            # driver gives the pod's folder to the group instead (VOLUME_MOUNT_GROUP).
            fs_group_policy="None",
            # A FUSE file system has one label for all that is in it, of the policy (fusefs_t).
            se_linux_mount=False,
        ),
        opts=opts,
    )
    needs = [driver, *after, *grant(f"{name}-client", HOLDER, RULES, args, opts)]
    pods = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=needs))
    return (driver, _declare_holder(name, args, pods), _declare_plugin(name, args, pods))


def _declare_holder(name: str, args: GlusterClusterArgs, opts: pulumi.ResourceOptions) -> apps.DaemonSet:
    container = core.ContainerArgs(
        name="holder",
        image=args.image,
        image_pull_policy="IfNotPresent",
        args=list(HOLDER_COMMAND),
        # With the machine's processes in sight tini is not the first of them, and reaps by this only.
        env=[
            *environment(args.settings(), _HOLDER_READS),
            core.EnvVarArgs(name="TINI_SUBREAPER", value="true"),
        ],
        security_context=core.SecurityContextArgs(privileged=True),  # FUSE, and mounts that others see
        volume_mounts=[
            core.VolumeMountArgs(
                name="kubelet", mount_path=contract.KUBELET_FOLDER, mount_propagation="Bidirectional"
            )
        ],
        # No limit of memory: to end it is to end the I/O of every pod here. No liveness probe either.
        resources=core.ResourceRequirementsArgs(requests={"cpu": "50m", "memory": "128Mi"}),
    )
    spec = core.PodSpecArgs(
        service_account_name=HOLDER,
        # Bricks are on the machines' network, and a client must outlive the pod network's trouble.
        host_network=True,
        # A client asks /proc for the groups of whoever opens a file: it must see the pods' processes there.
        host_pid=True,
        dns_policy="ClusterFirstWithHostNet",
        priority_class_name=args.priority_class or layout.priority_class(args.namespace),
        enable_service_links=False,
        termination_grace_period_seconds=30,
        tolerations=[core.TolerationArgs(operator="Exists")],
        containers=[container],
        volumes=[_folder("kubelet", contract.KUBELET_FOLDER, "Directory")],
    )
    strategy = apps.DaemonSetUpdateStrategyArgs(type="OnDelete")
    # Pulumi would wait for a rollout that nobody makes.
    skip = {"pulumi.com/skipAwait": "true"}
    return _daemon_set(f"{name}-client", HOLDER, args, spec, strategy, opts, skip)


def _declare_plugin(name: str, args: GlusterClusterArgs, opts: pulumi.ResourceOptions) -> apps.DaemonSet:
    folder = contract.driver_folder(args.namespace)
    machine = from_field(contract.MACHINE_VARIABLE, "spec.nodeName")
    container = core.ContainerArgs(
        name="plugin",
        image=args.image,
        image_pull_policy="IfNotPresent",
        args=list(PLUGIN_COMMAND),
        env=[*environment(args.settings(), _PLUGIN_READS), machine],
        security_context=core.SecurityContextArgs(
            # Root, for the sockets' folders are root's; it mounts nothing.
            allow_privilege_escalation=False,
            capabilities=core.CapabilitiesArgs(drop=["ALL"]),
        ),
        volume_mounts=[
            core.VolumeMountArgs(name="driver", mount_path=folder),
            core.VolumeMountArgs(name="registry", mount_path=contract.KUBELET_REGISTRY),
        ],
        liveness_probe=_probe("/healthz", period=20, failures=3),
        readiness_probe=_probe("/readyz", period=5, failures=1),
        resources=core.ResourceRequirementsArgs(requests={"cpu": "10m", "memory": "64Mi"}),
    )
    spec = core.PodSpecArgs(
        automount_service_account_token=False,
        enable_service_links=False,
        termination_grace_period_seconds=10,
        tolerations=[core.TolerationArgs(operator="Exists")],
        containers=[container],
        volumes=[
            _folder("driver", folder, "DirectoryOrCreate"),
            _folder("registry", contract.KUBELET_REGISTRY, "Directory"),
        ],
    )
    rolling = apps.RollingUpdateDaemonSetArgs(max_unavailable="25%")
    strategy = apps.DaemonSetUpdateStrategyArgs(type="RollingUpdate", rolling_update=rolling)
    return _daemon_set(f"{name}-csi", PLUGIN, args, spec, strategy, opts)


def _daemon_set(
    resource: str,
    name: str,
    args: GlusterClusterArgs,
    spec: core.PodSpecArgs,
    strategy: apps.DaemonSetUpdateStrategyArgs,
    opts: pulumi.ResourceOptions,
    annotations: dict[str, str] | None = None,
) -> apps.DaemonSet:
    labels = {**layout.cluster_labels(args.cluster_name), "name": name}
    return apps.DaemonSet(
        resource,
        metadata=meta.ObjectMetaArgs(
            name=name, namespace=args.namespace, labels=labels, annotations=annotations
        ),
        spec=apps.DaemonSetSpecArgs(
            selector=meta.LabelSelectorArgs(match_labels=labels),
            update_strategy=strategy,
            template=core.PodTemplateSpecArgs(metadata=meta.ObjectMetaArgs(labels=labels), spec=spec),
        ),
        opts=opts,
    )


def _folder(name: str, path: str, kind: str) -> core.VolumeArgs:
    return core.VolumeArgs(name=name, host_path=core.HostPathVolumeSourceArgs(path=path, type=kind))


def _probe(path: str, *, period: int, failures: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path=path, port=contract.PLUGIN_HEALTH_PORT),
        period_seconds=period,
        timeout_seconds=5,
        failure_threshold=failures,
    )
