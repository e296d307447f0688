"""The life of objects on the kubernetes stand-in: first up, no change, drift, growth, refusal, end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.standins.control_plane import ControlPlane, wait_for
from tests.standins.maps import MUTABLE, awaited, config_map
from tests.standins.workbench import Bench, Done

pytestmark = pytest.mark.lab


@contextmanager
def meanwhile(plane: ControlPlane, name: str, body: dict[str, Any]) -> Iterator[None]:
    """Patches a ConfigMap as soon as it is there, as a sidecar would."""

    def act() -> None:
        wait_for(f"configmap {name}", lambda: plane.get("configmap", name) is not None)
        time.sleep(0.5)
        plane.patch("configmap", name, body)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_waits_for_what_another_writes_and_sees_no_drift_in_it(bench: Bench, plane: ControlPlane) -> None:
    slice_: dict[str, Any] = {
        "type": "pulumi_kubernetes.discovery.v1.EndpointSlice",
        "arguments": {
            "metadata": {"name": "members", "labels": {"kubernetes.io/service-name": "m"}},
            "addressType": "IPv4",
            "endpoints": [],
            "ports": [{"name": "g", "port": 24007, "protocol": "TCP"}],
        },
        "options": {"ignore_changes": ["endpoints"]},
    }
    one = {
        "k": MUTABLE,
        "member": config_map("member-1", {"node": "1"}, **awaited("jsonpath={.data.joined}=true")),
        "slice": slice_,
    }
    with meanwhile(plane, "member-1", {"data": {"joined": "true", "state": "joined"}}):
        first = bench.up(one).ok()
    assert "{.data.joined} selected nothing" in first.text

    addresses = [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}]
    plane.patch("endpointslice", "members", {"endpoints": addresses})
    bench.clean(one)
    bench.run("refresh").ok()
    bench.clean(one)

    ports = [{"name": "g", "port": 24008, "protocol": "TCP"}]
    changed = {**slice_, "arguments": {**slice_["arguments"], "ports": ports}}
    grown: dict[str, Any] = {
        **one,
        "slice": changed,
        "member": config_map("member-1", {"node": "1", "x": "y"}, **awaited("jsonpath={.data.joined}=true")),
        "second": config_map("member-2", {"node": "2"}),
    }
    assert bench.plan(grown) == {"second": ["create"], "slice": ["update"], "member": ["update"]}
    bench.up(grown).ok()
    live, members = plane.get("configmap", "member-1"), plane.get("endpointslice", "members")
    assert live
    assert live["data"] == {"node": "1", "joined": "true", "state": "joined", "x": "y"}
    assert members
    assert members["endpoints"][0]["addresses"] == ["10.0.0.1"]
    assert members["ports"][0]["port"] == 24008
    managers = {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert "pulumi-kubernetes" not in managers
    assert any(manager.startswith("pulumi-kubernetes-") for manager in managers)
    bench.clean(grown)

    plane.patch("configmap", "member-2", {"data": {"node": "7"}})
    changed_again = {**grown, "second": config_map("member-2", {"node": "3"})}
    bench.up(changed_again).failed("Apply failed with 1 conflict", 'conflict with "agent"')
    forced = {"annotations": {"pulumi.com/patchForce": "true"}}
    bench.up({**grown, "second": config_map("member-2", {"node": "3"}, **forced)}).ok()
    bench.destroy().ok()
    assert plane.get("configmap", "member-1") is None


def test_a_wait_that_timed_out_is_taken_up_by_the_next_up(bench: Bench, plane: ControlPlane) -> None:
    short = {"custom_timeouts": {"create": "2s", "update": "2s"}}
    both = '["jsonpath={.metadata.annotations[\'a.b/c\']}=x", "jsonpath={.data.list}"]'
    wanted = {
        "k": MUTABLE,
        "late": config_map("late", {}, short, **awaited(both)),
        "after": config_map("after", {}, {"depends_on": ["late"]}),
    }
    started = time.monotonic()
    bench.up(wanted).failed("timed out waiting for the condition")
    assert time.monotonic() - started < 15
    state = bench.state()
    assert state["late"]["initErrors"]
    assert "after" not in state
    plane.patch("configmap", "late", {"metadata": {"annotations": {"a.b/c": "x"}}, "data": {"list": "1"}})
    bench.up(wanted).ok()
    assert "initErrors" not in bench.state()["late"]
    bench.clean(wanted)
    bench.destroy().ok()


def test_an_end_that_a_finalizer_holds_up(bench: Bench, plane: ControlPlane) -> None:
    """Time out, Ctrl-C, and on as soon as the finalizer is lifted; what it depends on goes last."""
    held = {"finalizers": ["gluster-stack.dev/drain"]}
    wanted = {
        "k": MUTABLE,
        "base": config_map("base", {"a": "1"}),
        "held": config_map("held", {}, {"depends_on": ["base"], "custom_timeouts": {"delete": "2s"}}, **held),
    }
    bench.up(wanted).ok()
    bench.destroy().failed(
        "finalizers might be preventing deletion (gluster-stack.dev/drain)",
        "timed out waiting for the condition",
    )
    assert plane.get("configmap", "base")
    assert set(bench.state()) >= {"base", "held"}

    longer = {"depends_on": ["base"], "custom_timeouts": {"delete": "5m"}}
    plane.lift("configmap", "held")
    wait_for("it is gone", lambda: plane.get("configmap", "held") is None)
    bench.run("refresh").ok()
    again = {**wanted, "held": config_map("held", {}, longer, **held)}
    bench.up(again).ok()
    assert interrupted(bench, plane, "destroy", "--skip-preview") < 10
    assert plane.get("configmap", "base")

    plane.lift("configmap", "held")
    bench.destroy().ok()
    assert plane.get("configmap", "base") is None


def interrupted(bench: Bench, plane: ControlPlane, *argv: str) -> float:
    """Seconds from Ctrl-C, pressed while `held` is terminating, to the end of pulumi."""

    def terminating() -> bool:
        live = plane.get("configmap", "held")
        return bool(live and "deletionTimestamp" in live["metadata"])

    with bench.start(*argv) as process:
        wait_for("the object is terminating", terminating)
        pressed = time.monotonic()
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=60)
    Done(process.returncode, text).failed("finalizers might be preventing deletion")
    return time.monotonic() - pressed
