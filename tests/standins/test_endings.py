"""How programs and plugins end when the engine is interrupted or killed, and what a torn state file needs."""

from __future__ import annotations

import os
import signal

import pytest

from tests.standins.control_plane import ControlPlane, wait_for
from tests.standins.maps import NEVER, UP, has, stack
from tests.standins.workbench import Bench

pytestmark = pytest.mark.lab

HOOKED = """\
import signal
signal.signal(signal.SIGINT, signal.SIG_DFL)

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap

hook = pulumi.ResourceHook("hook", lambda arguments: None)
ConfigMap(
    "map",
    metadata={"name": "hooked", "annotations": {"pulumi.com/waitFor": "jsonpath={.data.done}=yes"}},
    data={},
    opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_update=[hook])),
)
"""
"""The second line keeps the SDK's runner from showing a KeyboardInterrupt. A hook keeps it alive."""


def test_ctrl_c_shows_no_traceback(bench: Bench, plane: ControlPlane) -> None:
    (bench.folder / "__main__.py").write_text(HOOKED)
    done = bench.stopped(signal.SIGINT, lambda: plane.get("configmap", "hooked") is not None, *UP)
    done.failed("^C received; cancelling", "was successfully created")
    for word in ("Traceback", "KeyboardInterrupt", "lost sys.stderr"):
        assert word not in done.text, done.text
    bench.destroy().ok()


@pytest.mark.parametrize("plugin", ["pulumi-language-python ", "pulumi-resource-kubernetes "])
def test_no_plugin_outlives_an_engine_that_was_killed_while_it_started(
    bench: Bench, plane: ControlPlane, plugin: str
) -> None:
    bench.declare(stack("early", "1"))
    bench.stopped(signal.SIGKILL, lambda: any(plugin in line for line in bench.processes().values()), *UP)
    all_ended(bench)


def test_nothing_outlives_an_engine_that_was_killed_while_it_waited(
    bench: Bench, plane: ControlPlane
) -> None:
    bench.declare(stack("orphaned", "1", **NEVER))
    bench.stopped(signal.SIGKILL, has(plane, "orphaned", "1"), *UP)
    all_ended(bench)
    bench.run("cancel").ok()
    plane.kubectl("delete", "configmap", "orphaned")
    bench.destroy().ok()


def all_ended(bench: Bench) -> None:
    try:
        wait_for("all plugins of the killed engine have ended", lambda: not bench.processes(), 10)
    finally:
        for number in bench.processes():
            os.kill(number, signal.SIGKILL)


def test_a_torn_attributes_file_and_the_way_out(bench: Bench, plane: ControlPlane) -> None:
    """kill -9 can leave it empty: it is written before the state, which is then the last but one."""
    old = stack("torn", "1")
    bench.up(old).ok()
    bench.declare(stack("torn", "2", **NEVER))
    bench.stopped(signal.SIGKILL, has(plane, "torn", "2"), *UP)
    torn = bench.folder / "state/.pulumi/stacks/bench/dev.json.attrs"
    torn.write_bytes(b"")
    bench.declare(old)
    for command in (UP, ("cancel",), ("stack", "export")):
        bench.run(*command).failed("error: failed to load checkpoint: EOF")

    torn.unlink()
    bench.up(old).failed("the stack is currently locked by 1 lock(s)")
    bench.run("cancel").ok()
    bench.up(old, "--refresh").ok()
    assert has(plane, "torn", "1")()
    assert torn.stat().st_size
    bench.clean(old)
    bench.destroy().ok()
