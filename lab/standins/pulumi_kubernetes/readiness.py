"""When an object counts as ready: the rule of each kind. Pure.

Rules, limits and words are those of provider/pkg/await. Limits marked fixed cannot be changed by a
resource's timeouts; only a `pulumi.com/waitFor` of its own replaces such a rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lab.standins.pulumi_kubernetes.jsonpath import Condition, parse
from lab.standins.pulumi_kubernetes.objects import annotation, kind_of, number_at, pluck, text_at
from lab.standins.pulumi_plugin.values import Object

WAIT_FOR: Final = "pulumi.com/waitFor"
DEFAULT_SECONDS: Final = 600.0
_CONDITION: Final = "condition="


@dataclass(frozen=True)
class Progress:
    done: bool
    message: str = ""
    """What is waited for."""
    reasons: tuple[str, ...] = ()
    """What to tell when time is up."""


class Neighbours(Protocol):
    """Other objects that say whether this one is ready."""

    def binding_mode(self, storage_class: str) -> str: ...
    def endpoints(self, service: Object) -> int:
        """Addresses behind a Service that are ready."""


Look = Callable[[Object, Neighbours], Progress]


@dataclass(frozen=True)
class Rule:
    look: Look
    fixed_seconds: float | None = None
    reads: bool = False
    """Whether a refresh looks as well, and records what is not ready."""


def rule_for(inputs: Object) -> Rule | None:
    """None where nothing is waited for. Raises ValueError for a `waitFor` that makes no sense."""
    if annotation(inputs, WAIT_FOR):
        conditions = wait_conditions(annotation(inputs, WAIT_FOR))
        return Rule(lambda obj, _: _all(obj, conditions))
    return built_in(inputs)


def built_in(inputs: Object) -> Rule | None:
    return _RULES.get(kind_of(inputs))


def wait_conditions(text: str) -> list[Callable[[Object], Progress]]:
    """Of one expression, or of a JSON list of them. Raises ValueError."""
    try:
        listed = json.loads(text)
    except ValueError:
        listed = [text]
    expressions = listed if isinstance(listed, list) else [text]
    if not expressions:
        raise ValueError("at least one condition must be specified")
    return [_expression(str(expression)) for expression in expressions]


def _expression(text: str) -> Callable[[Object], Progress]:
    if text.startswith("jsonpath="):
        path = parse(text)
        return lambda obj: _by_path(path, obj)
    if text.startswith(_CONDITION):
        name, _, wanted = text.removeprefix(_CONDITION).partition("=")
        return lambda obj: _by_condition(obj, name, wanted or "True")
    raise ValueError(f'expected a "jsonpath=" or "condition=" prefix, got {json.dumps(text)}')


def _by_path(path: Condition, obj: Object) -> Progress:
    found = path.look(obj)
    return Progress(found.matched, found.message)


def _by_condition(obj: Object, name: str, wanted: str) -> Progress:
    done = _condition(obj, name).lower() == wanted.lower()
    return Progress(done, f"Waiting for condition {name}={wanted}")


def _all(obj: Object, conditions: Sequence[Callable[[Object], Progress]]) -> Progress:
    found = [look(obj) for look in conditions]
    missing = [progress.message for progress in found if not progress.done]
    return Progress(not missing, "; ".join(missing) or found[-1].message)


def _condition(obj: Object, name: str, field: str = "status") -> str:
    for item in pluck(obj, "status", "conditions") or []:
        if text_at(item, "type") == name:
            return text_at(item, field)
    return ""


def _observed(obj: Object) -> bool:
    return number_at(obj, "status", "observedGeneration") >= number_at(obj, "metadata", "generation")


def _replication_controller(obj: Object, _: Neighbours) -> Progress:
    available = pluck(obj, "status", "availableReplicas")
    # A zero is left out of the status, so that `replicas: 0` is never reached. So it is in the real one.
    return Progress(available is not None and available == pluck(obj, "spec", "replicas"))


def _deployment(obj: Object, _: Neighbours) -> Progress:
    wanted = number_at(obj, "spec", "replicas")
    updated, available, all_ = (
        number_at(obj, "status", field) for field in ("updatedReplicas", "availableReplicas", "replicas")
    )
    done = _observed(obj) and updated == available == all_ == wanted
    words = f"Waiting for app ReplicaSet be available ({available}/{wanted} Pods available)"
    reason = (
        f"Minimum number of Pods to consider the application live was not attained ({available}/{wanted})"
    )
    stuck = _condition(obj, "Progressing", "message")
    reasons = (reason, *([stuck] if _condition(obj, "Progressing") == "False" else []))
    return Progress(done, f"[1/2] {words}", reasons)


def _daemon_set(obj: Object, _: Neighbours) -> Progress:
    wanted, updated, available = (
        number_at(obj, "status", field)
        for field in ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")
    )
    done = _observed(obj) and updated >= wanted and available >= wanted
    words = f"Waiting for DaemonSet rollout ({updated}/{wanted} updated, {available}/{wanted} available)"
    return Progress(done, words, (words,))


def _stateful_set(obj: Object, _: Neighbours) -> Progress:
    wanted = number_at(obj, "spec", "replicas")
    updated, ready = (number_at(obj, "status", field) for field in ("updatedReplicas", "readyReplicas"))
    current = text_at(obj, "status", "currentRevision") == text_at(obj, "status", "updateRevision")
    words = f"[1/2] Waiting for StatefulSet to create Pods ({ready}/{wanted} Pods ready)"
    return Progress(_observed(obj) and current and updated == ready == wanted, words, (words,))


def _job(obj: Object, _: Neighbours) -> Progress:
    failed = _condition(obj, "Failed", "message") if _condition(obj, "Failed") == "True" else ""
    done = _condition(obj, "Complete") == "True"
    return Progress(done, "Waiting for Job to succeed", (failed,) if failed else ())


def _pod(obj: Object, _: Neighbours) -> Progress:
    phase = text_at(obj, "status", "phase")
    done = _condition(obj, "Ready") == "True" or phase == "Succeeded"
    why = _condition(obj, "Ready", "message") or _condition(obj, "PodScheduled", "message")
    return Progress(done, f"Waiting for Pod to be ready ({phase or 'no phase'})", (why,) if why else ())


def _service(obj: Object, near: Neighbours) -> Progress:
    spec_type = text_at(obj, "spec", "type")
    selects = bool(pluck(obj, "spec", "selector"))
    if spec_type == "ExternalName":
        return Progress(True)
    if selects and text_at(obj, "spec", "clusterIP") != "None" and not near.endpoints(obj):
        reason = (
            "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector'"
            " may not match labels on any Pods"
        )
        return Progress(False, "[1/2] Finding Pods to direct traffic to", (reason,))
    if spec_type == "LoadBalancer" and not pluck(obj, "status", "loadBalancer", "ingress"):
        reason = "Service was not allocated an IP address; does your cloud provider support this?"
        return Progress(False, "[2/2] Attempting to allocate IP address to Service", (reason,))
    return Progress(True, "Service initialization complete")


def _volume(obj: Object, _: Neighbours) -> Progress:
    phase = text_at(obj, "status", "phase")
    words = {"Available": "PV marked available", "Bound": "PV has been bound"}
    return Progress(phase in words, words.get(phase, "Waiting for PV to be available"))


def _claim(obj: Object, near: Neighbours) -> Progress:
    mode = near.binding_mode(text_at(obj, "spec", "storageClassName"))
    phase = text_at(obj, "status", "phase")
    if mode == "WaitForFirstConsumer":
        return Progress(phase == "Pending", "Waiting for PVC to be pending")
    return Progress(phase == "Bound", "Waiting for PVC to be bound")


_RULES: Final = {
    "v1/ReplicationController": Rule(_replication_controller, fixed_seconds=600),
    "v1/PersistentVolume": Rule(_volume, fixed_seconds=300),
    "v1/PersistentVolumeClaim": Rule(_claim, fixed_seconds=300),
    "v1/Pod": Rule(_pod, reads=True),
    "v1/Service": Rule(_service, reads=True),
    "apps/v1/Deployment": Rule(_deployment, reads=True),
    "apps/v1/DaemonSet": Rule(_daemon_set, reads=True),
    "apps/v1/StatefulSet": Rule(_stateful_set, reads=True),
    "batch/v1/Job": Rule(_job, reads=True),
}
