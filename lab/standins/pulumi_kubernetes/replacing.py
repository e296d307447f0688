"""Which changes replace an object, because the API takes them as no update. Pure.

The table is that of provider/pkg/provider/diff.go. A ReplicationController is not in it: its
template and selector change in place, and its pods stay as they are.
"""

from __future__ import annotations

from typing import Any, Final

from lab.standins.pulumi_kubernetes.objects import group_version_kind, pluck
from lab.standins.pulumi_kubernetes.paths import Path, contains
from lab.standins.pulumi_plugin.values import Object


def _rules(*paths: str) -> tuple[Path, ...]:
    return tuple(tuple(path.split(".")) for path in paths)


def _beneath(above: str, names: str) -> tuple[Path, ...]:
    return _rules(*(f"{above}.{name}" for name in names.split()))


_VOLUME_SOURCES: Final = _beneath(
    "spec",
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk"
    " glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO"
    " storageos vsphereVolume",
)
_POD: Final = _beneath(
    "spec",
    "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC"
    " hostNetwork hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy"
    " priority priorityClassName readinessGates restartPolicy runtimeClassName schedulerName"
    " securityContext serviceAccount serviceAccountName shareProcessNamespace subdomain"
    " terminationGracePeriodSeconds volumes",
)
_CONTAINER: Final = (
    "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources"
    " securityContext stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices"
    " volumeMounts workingDir"
)
_JOB: Final = _rules("spec.completions", "spec.parallelism", "spec.selector", "spec.template")
_SECRET: Final = _rules("type", "stringData", "data")
_CONFIG_MAP: Final = _rules("binaryData", "data")
_ALWAYS: Final = _rules("metadata.name", "metadata.namespace")

_TABLE: Final[dict[tuple[str, str, str], tuple[Path, ...]]] = {
    ("apps", "v1", "DaemonSet"): _rules("spec.selector"),
    ("apps", "v1", "Deployment"): _rules("spec.selector"),
    ("apps", "v1", "StatefulSet"): _rules(
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("", "v1", "PersistentVolume"): _VOLUME_SOURCES,
    ("", "v1", "PersistentVolumeClaim"): _rules(
        "spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"
    ),
    ("", "v1", "Pod"): (
        *_POD,
        *_beneath("spec.containers.*", _CONTAINER),
        *_beneath("spec.initContainers.*", _CONTAINER),
    ),
    ("", "v1", "ResourceQuota"): _rules("spec.scopes"),
    ("", "v1", "Secret"): _rules("type"),
    ("", "v1", "Service"): _rules("spec.clusterIP"),
    ("policy", "v1beta1", "PodDisruptionBudget"): _rules("spec"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"): _rules("roleRef"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"): _rules("roleRef"),
    ("storage.k8s.io", "v1", "StorageClass"): _rules("parameters", "provisioner"),
    ("batch", "v1", "Job"): _JOB,
}


def replace_rules(obj: Object, config_map_mutable: bool, secret_mutable: bool) -> tuple[Path, ...]:
    kind = group_version_kind(obj)
    immutable = pluck(obj, "immutable") is True
    if kind == ("", "v1", "Secret") and (immutable or not secret_mutable):
        return _ALWAYS + _SECRET
    if kind == ("", "v1", "ConfigMap") and (immutable or not config_map_mutable):
        return _ALWAYS + _CONFIG_MAP
    return _ALWAYS + _TABLE.get(kind, ())


def replaces(path: Path, value: Any, rules: tuple[Path, ...]) -> bool:
    """Whether a change at `path` to `value` touches what a rule names."""
    return any(contains(rule, path) or _holds(rule, path, value) for rule in rules)


def _holds(rule: Path, path: Path, value: Any) -> bool:
    """Whether `rule` lies within what was put at `path`: a whole `spec` brings its fields along."""
    if len(path) >= len(rule) or not contains(rule[: len(path)], path):
        return False
    for part in rule[len(path) :]:
        if part == "*" and isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return False
    return True
