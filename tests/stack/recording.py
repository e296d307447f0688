"""Runs the stack against Pulumi's mocks and keeps every request whole.

What Pulumi is asked for is asserted on afterwards, outside of any `apply`: an assertion inside one
may never run, and the test would pass.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pulumi
import pulumi_gcp as gcp
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks
from pulumi.runtime.stack import Stack

from gluster_stack import GlusterCluster, GlusterClusterArgs, kubernetes_provider

with warnings.catch_warnings():
    # The package warns of one of its own classes whenever it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    _ = gcp.compute.Disk  # the package is lazy: this is what loads it

ROOT = Path(__file__).resolve().parents[2]
PROJECT, ZONE = "gluster-lab", "us-central1-b"

CLUSTER = "gluster-stack:index:GlusterCluster"
NODE = "gluster-stack:index:GlusterNode"
PROVIDER = "pulumi:providers:kubernetes"
DISK = "gcp:compute/disk:Disk"
POLICY = "gcp:compute/resourcePolicy:ResourcePolicy"
ATTACHMENT = "gcp:compute/diskResourcePolicyAttachment:DiskResourcePolicyAttachment"
VOLUME = "kubernetes:core/v1:PersistentVolume"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
SERVICE = "kubernetes:core/v1:Service"
CONTROLLER = "kubernetes:core/v1:ReplicationController"
MAP = "kubernetes:core/v1:ConfigMap"
POD = "kubernetes:core/v1:Pod"
SLICE = "kubernetes:discovery.k8s.io/v1:EndpointSlice"
LEASE = "kubernetes:coordination.k8s.io/v1:Lease"
CLUSTER_ROLE = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"
ROLE = "kubernetes:rbac.authorization.k8s.io/v1:Role"
BINDING = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
GUARD_POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
GUARD_BINDING = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding"
PRIORITY_CLASS = "kubernetes:scheduling.k8s.io/v1:PriorityClass"
CLUSTER_BINDING = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding"
DRIVER = "kubernetes:storage.k8s.io/v1:CSIDriver"
DAEMON_SET = "kubernetes:apps/v1:DaemonSet"
POD_CLAIM = "gluster-stack:index:GlusterClaim"
STORAGE_CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
OF_THE_CLUSTER = (
    *(VOLUME, STORAGE_CLASS, PRIORITY_CLASS, GUARD_POLICY, GUARD_BINDING, CLUSTER_ROLE, CLUSTER_BINDING),
)
"""Kinds that belong to no namespace."""


@dataclass(frozen=True)
class Request:
    """One resource as Pulumi's engine was asked for it."""

    urn: str
    type: str
    name: str
    object: Mapping[str, Any]
    raw: Any
    """The whole request: protect, ignoreChanges, customTimeouts and so on."""

    @property
    def depends_on(self) -> frozenset[str]:
        return frozenset(self.raw.dependencies)

    @cached_property
    def whole(self) -> Mapping[str, Any]:
        """Everything that could make the engine do something else, comparable."""
        found: dict[str, Any] = MessageToDict(self.raw)
        found["dependencies"] = sorted(found.get("dependencies", ()))
        for noise in ("sourcePosition", "stackTrace", "transforms"):
            found.pop(noise, None)
        for depends in found.get("propertyDependencies", {}).values():
            depends.get("urns", []).sort()
        return found


@dataclass(frozen=True)
class Recording:
    requests: Mapping[str, Request]
    """By URN."""
    warnings: tuple[str, ...]
    outputs: Mapping[str, Any]
    """Of the stack."""
    refusal: str = ""
    """What the program said when it gave up."""

    def of(self, kind: str) -> list[Request]:
        return [request for request in self.requests.values() if request.type == kind]

    def one(self, kind: str, name: str) -> Request:
        (found,) = [r for r in self.of(kind) if r.name == name]
        return found

    def manifest(self, kind: str, name: str) -> Mapping[str, Any]:
        """The object whose Kubernetes name is `name`."""
        (found,) = [r.object for r in self.of(kind) if r.object["metadata"]["name"] == name]
        return found

    def before(self, urn: str) -> set[str]:
        """All that Pulumi makes before `urn`, and deletes after it."""
        found: set[str] = set()
        ahead = [urn]
        while ahead:
            for other in self.requests[ahead.pop()].depends_on - found:
                found.add(other)
                ahead.append(other)
        return found


class _World(mocks.Mocks):
    """A world that grants everything, with the outputs that the stack reads."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        return {}, None


class _Monitor(mocks.MockMonitor):
    def __init__(self) -> None:
        super().__init__(_World())
        self.requests: dict[str, Request] = {}

    def RegisterResource(self, request: Any) -> Any:
        answer: Any = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            if answer.urn in self.requests:
                raise AssertionError(f"{answer.urn} is declared twice")
            content = MessageToDict(request.object)
            self.requests[answer.urn] = Request(answer.urn, request.type, request.name, content, request)
        return answer


class _Engine(mocks.MockEngine):
    def __init__(self) -> None:
        super().__init__(None)
        self.warnings: list[str] = []

    def Log(self, request: Any) -> Any:
        if request.severity == 2:  # engine_pb2.WARNING
            self.warnings.append(request.message)
        if request.severity == 3:
            raise AssertionError(f"Pulumi logged an error: {request.message}")


def arguments(**values: Any) -> GlusterClusterArgs:
    return GlusterClusterArgs(**{"project": PROJECT, "zone": ZONE, **values})


def run(program: Callable[[], object], config: Mapping[str, str] | None = None) -> Recording:
    """What `program` asks of Pulumi. `config` holds whole keys and texts, as the engine gives them."""
    monitor, engine = _Monitor(), _Engine()
    outputs: dict[str, Any] = {}
    with _event_loops():
        mocks.set_mocks(monitor.mocks, project="gluster-stack", stack="dev", monitor=monitor, preview=False)
        pulumi.runtime.settings.SETTINGS.engine = engine
        pulumi.runtime.set_all_config(dict(config or {}))
        refusal = ""
        try:
            _run_to_its_end(program, outputs)
        except pulumi.RunError as error:
            refusal = str(error)
        finally:
            pulumi.runtime.set_all_config({})
    return Recording(monitor.requests, tuple(engine.warnings), outputs, refusal)


@contextmanager
def _event_loops() -> Iterator[None]:
    """Loops for this thread and those that answer requests: Pulumi would make its own and leave them open."""
    loops = [asyncio.new_event_loop()]

    def equip() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    executor = ThreadPoolExecutor(max_workers=8, initializer=equip)
    loops[0].set_default_executor(executor)
    asyncio.set_event_loop(loops[0])
    try:
        yield
    finally:
        executor.shutdown()
        asyncio.set_event_loop(None)
        for loop in loops:
            loop.close()


def _run_to_its_end(program: Callable[[], object], outputs: dict[str, Any]) -> None:
    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def wrapped() -> Any:
        stack = pulumi.runtime.get_root_resource()
        assert isinstance(stack, Stack)
        stack.outputs.clear()
        program()
        return pulumi.Output.all(**stack.outputs).apply(outputs.update)

    wrapped()


def record(**values: Any) -> Recording:
    """The component as a program declares it that passes a provider. Fails if it refuses."""

    def program() -> None:
        provider = kubernetes_provider("kubernetes")
        GlusterCluster("gluster", arguments(**values), pulumi.ResourceOptions(providers=[provider]))

    recording = run(program)
    assert not recording.refusal, recording.refusal
    assert recording.requests, "nothing was recorded"
    return recording


def record_main(config: Mapping[str, str]) -> Recording:
    """The whole of `__main__.py`, with whole keys and texts as the engine gives them."""

    def program() -> None:
        handler = signal.getsignal(signal.SIGINT)
        try:
            runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")
        finally:
            signal.signal(signal.SIGINT, handler)

    return run(program, config)


def settings(**config: Any) -> dict[str, str]:
    """Whole keys and texts of these settings of ours, and what must always be set."""
    texts = {"gcp:project": PROJECT, "gcp:zone": ZONE}
    for key, value in config.items():
        texts[f"gluster-stack:{key}"] = value if isinstance(value, str) else json.dumps(value)
    return texts
