"""What the engine keeps of an operation that Ctrl-C, a timeout or kill -9 ended while it waited.

The sources of what is expected are in the table of lab/standins/README.md.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.standins.control_plane import ControlPlane
from tests.standins.maps import MUTABLE, NEVER, UP, config_map, has, stack
from tests.standins.silent import silent
from tests.standins.workbench import Bench

pytestmark = pytest.mark.lab

DESTROY = ("destroy", "--skip-preview")
HELD = {"finalizers": ["gluster-stack.dev/drain"]}


def terminating(plane: ControlPlane, name: str) -> Callable[[], bool]:
    return lambda: "deletionTimestamp" in (plane.get("configmap", name) or {"metadata": {}})["metadata"]


def numbers(resource: dict[str, Any]) -> tuple[str, str]:
    """As the engine has it, and as the provider has it."""
    return resource["inputs"]["data"]["n"], resource["outputs"]["__inputs"]["data"]["n"]


def kept(bench: Bench) -> list[Any]:
    resources, pending = bench.exported()
    return [pending, *(resources["map"].get(part) for part in ("inputs", "outputs", "initErrors"))]


def test_an_interrupted_create_keeps_the_object(bench: Bench, plane: ControlPlane) -> None:
    wanted = stack("created", "1", **NEVER)
    bench.declare(wanted)
    bench.stopped(signal.SIGINT, has(plane, "created", "1"), *UP).failed(
        "was successfully created", "failed to fully initialize or become live: context canceled"
    )
    resources, pending = bench.exported()
    live = plane.get("configmap", "created")
    assert live
    assert numbers(resources["map"]) == ("1", "1")
    assert resources["map"]["outputs"]["metadata"]["uid"] == live["metadata"]["uid"]
    assert resources["map"]["initErrors"]
    assert pending == []

    plane.patch("configmap", "created", {"data": {"done": "yes"}})
    bench.up(wanted).ok()
    assert "initErrors" not in bench.exported()[0]["map"]
    bench.destroy().ok()


def test_an_interrupted_update_keeps_the_old_state_though_the_api_has_the_new(
    bench: Bench, plane: ControlPlane
) -> None:
    old = stack("updated", "1")
    bench.up(old).ok()
    before = bench.exported()[0]["map"]
    bench.declare(stack("updated", "2", **NEVER))
    bench.stopped(signal.SIGINT, has(plane, "updated", "2"), *UP).failed(
        "update of resource",
        "failed: context canceled",
        "unable to get cluster state: client rate limiter Wait returned an error: context canceled",
    )
    resources, pending = bench.exported()
    assert resources["map"] == before
    assert pending == []
    assert has(plane, "updated", "2")()

    # Nothing tells the next `up` with the old settings of the difference; only a refresh sees it.
    bench.up(old).ok()
    assert has(plane, "updated", "2")()
    bench.up(old, "--refresh").ok()
    assert has(plane, "updated", "1")()
    bench.destroy().ok()


def test_an_update_that_timed_out_keeps_the_new_state(bench: Bench, plane: ControlPlane) -> None:
    bench.up(stack("late", "1")).ok()
    short = {"custom_timeouts": {"update": "1s"}}
    changed = {"k": MUTABLE, "map": config_map("late", {"n": "2"}, short, **NEVER)}
    bench.up(changed).failed('reported that "default/late" failed to fully initialize', "timed out waiting")
    resources, _ = bench.exported()
    assert numbers(resources["map"]) == ("1", "2"), "the engine's inputs stay, the provider's are new"
    assert resources["map"]["initErrors"]
    bench.up(stack("late", "1")).ok()
    assert has(plane, "late", "1")(), "so the way back is seen"
    bench.destroy().ok()


def test_an_interrupted_delete_keeps_the_old_state(bench: Bench, plane: ControlPlane) -> None:
    bench.up(stack("deleted", "1", **HELD)).ok()
    before = bench.exported()[0]["map"]
    bench.stopped(signal.SIGINT, terminating(plane, "deleted"), *DESTROY).failed(
        "finalizers might be preventing deletion (gluster-stack.dev/drain", "context canceled"
    )
    resources, pending = bench.exported()
    assert resources["map"] == before
    assert pending == []
    assert terminating(plane, "deleted")()
    plane.lift("configmap", "deleted")
    bench.destroy().ok()


def test_a_killed_engine_keeps_the_old_state_and_a_pending_operation(
    bench: Bench, plane: ControlPlane
) -> None:
    bench.declare(stack("killed", "1", **HELD, **NEVER))
    bench.stopped(signal.SIGKILL, has(plane, "killed", "1"), *UP)
    resources, pending = bench.exported()
    assert ("map" in resources, pending) == (False, ["creating"])
    bench.run("cancel").ok()
    bench.up(stack("killed", "1", **HELD)).failed('configmaps "killed" already exists')
    plane.lift("configmap", "killed")
    plane.kubectl("delete", "configmap", "killed")
    bench.up(stack("killed", "1", **HELD)).ok()
    assert bench.exported()[1] == ["creating"], "it stays until somebody says what to do"
    bench.run("refresh", "--clear-pending-creates").ok()

    before = bench.exported()[0]["map"]
    bench.declare(stack("killed", "2", **HELD, **NEVER))
    bench.stopped(signal.SIGKILL, has(plane, "killed", "2"), *UP)
    resources, pending = bench.exported()
    assert (resources["map"], pending) == (before, ["updating"])
    bench.run("cancel").ok()
    bench.up(stack("killed", "1", **HELD), "--refresh").ok()
    assert has(plane, "killed", "1")()

    before = bench.exported()[0]["map"]
    bench.stopped(signal.SIGKILL, terminating(plane, "killed"), *DESTROY)
    resources, pending = bench.exported()
    assert (resources["map"], pending) == (before, ["deleting"])
    bench.run("cancel").ok()
    plane.lift("configmap", "killed")
    bench.destroy().ok()


def test_interrupted_requests_are_not_waited_for(offline: Callable[..., Bench], tmp_path: Path) -> None:
    """A read keeps the old state; a create whose answer is lost keeps nothing, though the API has it."""
    file = tmp_path / "kubeconfig"
    with silent(file) as api:
        bench = offline(KUBECONFIG=str(file))
        bench.up(stack("asked", "1")).ok()
        before = kept(bench)
        api.silent_on = "GET"
        api.asked.clear()
        started = time.monotonic()
        bench.stopped(signal.SIGINT, api.asked.is_set, "refresh", "--skip-preview").failed("context canceled")
        assert time.monotonic() - started < 20
        assert kept(bench) == before

        api.silent_on, api.object = "POST", None
        api.asked.clear()
        other = offline(KUBECONFIG=str(file))
        other.declare(stack("asked", "1"))
        other.stopped(signal.SIGINT, api.asked.is_set, *UP).failed(
            "was not successfully created", "context canceled"
        )
        resources, pending = other.exported()
        assert ("map" in resources, pending) == (False, [])
        assert api.object
