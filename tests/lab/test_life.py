"""The lab itself, on real parts: it can be killed at any moment, repaired, and removed without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cgroups
from lab.cluster import Lab
from lab.down import leftovers
from lab.errors import Busy, LabError
from lab.process import CLEAN, MARK, kill, look
from lab.run import run
from lab.settings import Settings
from lab.waiting import wait_for

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path / "state", Settings(nodes=2))
    try:
        yield lab
    finally:
        lab.down()
        assert leftovers(lab.paths) == []


def test_up_twice_then_repair_what_died(lab: Lab) -> None:
    said: list[str] = []
    lab.up(said.append)
    assert lab.ready() == [1, 2]
    before = {name: lab.registry.get(name) for name in lab.registry.names()}

    lab.up(said.append)
    assert {name: lab.registry.get(name) for name in lab.registry.names()} == before

    scheduler = lab.registry.get("kube-scheduler")
    assert scheduler is not None
    kill(scheduler)
    lab.power_off(1)
    lab.cut(2)
    lab.pause_api()
    said.clear()
    lab.up(said.append)
    assert lab.ready() == [1, 2]
    for words in ("kube-scheduler had ended", "kn1 had no power", "kn2 had lost its network", "paused"):
        assert any(words in line for line in said), words


def test_a_machine_without_power_runs_nothing(lab: Lab) -> None:
    lab.up(lambda _: None)
    assert lab.node_exec(1, ["hostname"]) == "kn1\n"
    first = lab.node(1).boot_id()
    lab.power_off(1)
    with pytest.raises(LabError, match="power-on 1"):
        lab.node_exec(1, ["hostname"])
    with pytest.raises(LabError, match="no power already"):
        lab.power_off(1)
    lab.power_on(1)
    wait_for("it is back", lambda: 1 in lab.ready(), 60)
    assert lab.node(1).boot_id() != first


def test_no_packet_finds_a_way_out(lab: Lab) -> None:
    lab.up(lambda _: None)
    for node in (1, 2):
        assert "default" not in lab.node_exec(node, ["ip", "route"])
        with pytest.raises(LabError, match="Network is unreachable"):
            lab.node_exec(node, ["bash", "-c", "exec 3<>/dev/tcp/192.0.2.1/80"])
    hub = ["ip", "netns", "exec", lab.paths.hub, "cat", "/proc/sys/net/ipv4/ip_forward"]
    assert run(hub) == "0\n"


def test_two_labs_side_by_side_do_not_touch_each_other(lab: Lab, tmp_path: Path) -> None:
    other = Lab(tmp_path / "other", Settings(nodes=1))
    try:
        lab.up(lambda _: None)
        other.up(lambda _: None)
        assert (lab.ready(), other.ready()) == ([1, 2], [1])
        lab.kubectl("create", "configmap", "mine")
        assert "mine" not in other.kubectl("get", "configmaps", "-o", "name")
        before = {name: other.registry.get(name) for name in other.registry.names()}
        lab.down()
        assert leftovers(other.paths) != []
        assert {name: other.registry.get(name) for name in other.registry.names()} == before
        assert other.ready() == [1]
        assert other.node_exec(1, ["hostname"]) == "kn1\n"
    finally:
        other.down()
    assert leftovers(other.paths) == []


@pytest.mark.parametrize("moment", ["certificates", "prepared", "API server ready"])
def test_a_killed_start_is_cleaned(lab: Lab, moment: str) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "lab", "up", "--cluster-only"],
        cwd=ROOT,
        env={**os.environ, "LAB_STATE": str(lab.paths.state), "LAB_NODES": "2"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with command:
        assert command.stderr is not None
        assert any(moment in line for line in command.stderr), "it ended before that moment"
        with pytest.raises(Busy):
            lab.down()
        command.send_signal(signal.SIGKILL)
    lab.down()
    assert leftovers(lab.paths) == []
    assert not lab.paths.state.exists()


def test_what_a_killed_command_was_just_starting_is_ended_too(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between fork and exec it has no mark yet, so it may turn up when all others are ended."""
    late: list[subprocess.Popen[bytes]] = []
    remove = cgroups.remove

    def turns_up(groups: list[Path]) -> None:
        if not late:
            late.append(subprocess.Popen(["sleep", "600"], env={MARK: lab.paths.id, **CLEAN}))
        remove(groups)

    monkeypatch.setattr(cgroups, "remove", turns_up)
    lab.down()
    assert look(late[0].pid) is None
    late[0].wait()
    assert leftovers(lab.paths) == []
