"""A shrink that hangs, is interrupted or killed deletes nothing; the next `up` resumes or undoes it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from subprocess import Popen

import pytest

from tests.engine.project import Project
from tests.standins.control_plane import wait_for
from tests.standins.workbench import Done

pytestmark = pytest.mark.lab

ALL = {f"gluster-persistent-storage-node-{n}-disk" for n in (1, 2, 3, 4)}
Interrupt = Callable[[Project, "Popen[str]"], None]


def press_ctrl_c(project: Project, process: Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def kill(project: Project, process: Popen[str]) -> None:
    process.kill()
    process.wait(30)
    project.run("cancel", "--yes").ok()


@pytest.fixture
def four(project: Project) -> Project:
    project.configure(nodeCount=4, sampleApp=False)
    project.go().ok()
    return project


def draining(project: Project, number: int) -> bool:
    assert project.plane
    found = project.plane.kubectl(
        *("get", "configmap", f"gluster-member-{number}", "-n", project.namespace),
        *("-o", "jsonpath={.metadata.deletionTimestamp}", "--ignore-not-found"),
    )
    return bool(found)


def nothing_lost(project: Project) -> None:
    assert set(project.disks()) == ALL
    kinds = {name for name in project.everything() if name.startswith("ReplicationController/")}
    assert kinds == {f"ReplicationController/gluster-{n}" for n in (1, 2, 3, 4)}


def interrupted(project: Project, interrupt: Interrupt, *argv: str) -> None:
    """Begins what drains nodes 3 and 4, and ends it while they drain."""
    with project.start(*argv, "--skip-preview") as process:
        wait_for("nodes 3 and 4 drain", lambda: draining(project, 3) and draining(project, 4))
        interrupt(project, process)
        text, _ = process.communicate(timeout=60)
    assert Done(process.returncode, text).status != 0, text


@pytest.mark.parametrize(
    ("interrupt", "next_up"),
    [(press_ctrl_c, ()), (kill, ("--refresh",)), (press_ctrl_c, ("--continue-on-error",))],
)
def test_a_shrink_cut_short_deletes_nothing_and_is_taken_up_again(
    four: Project, interrupt: Interrupt, next_up: tuple[str, ...]
) -> None:
    four.configure(nodeCount=2)
    with four.refused("no-drain"):
        interrupted(four, interrupt, "up")
        nothing_lost(four)
        # The next one waits for the drain as well, whatever it is told.
        interrupted(four, interrupt, "up", *next_up)
        nothing_lost(four)
    four.go(*next_up).ok()
    four.unchanged("--refresh")
    assert set(four.disks()) == {f"gluster-persistent-storage-node-{n}-disk" for n in (1, 2)}
    four.run("destroy", "--skip-preview").ok()
    assert four.everything() == {}


def test_who_changes_their_mind_midway_keeps_the_nodes(four: Project) -> None:
    four.configure(nodeCount=2)
    with four.refused("no-drain"):
        interrupted(four, press_ctrl_c, "up")
        four.configure(nodeCount=4)
        four.go().ok()
        nothing_lost(four)
        # The sidecars made them anew without what only Pulumi reads; that is put back in place.
        four.run("refresh").ok()
        assert four.steps() == {"update": ["gluster-member-3", "gluster-member-4"]}
        four.go().ok()
        four.unchanged("--refresh")
        # ... and they are guarded again.
        four.configure(nodeCount=2)
        interrupted(four, press_ctrl_c, "up")
        nothing_lost(four)
    four.go().ok()


def take_over(project: Project) -> None:
    """What a killed Pulumi was making is there without its knowledge; as docs/operations.md says."""
    project.go().failed("already exists")
    project.variables["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"] = "true"
    project.go().ok()
    del project.variables["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"]


@pytest.mark.parametrize("interrupt", [press_ctrl_c, kill])
def test_a_first_up_cut_short_is_taken_up_again(project: Project, interrupt: Interrupt) -> None:
    project.configure(nodeCount=2, sampleApp=False)
    with project.refused("no-join"), project.start("up", "--skip-preview") as process:
        wait_for("members are there", lambda: "ConfigMap/gluster-member-2" in project.everything())
        interrupt(project, process)
        process.communicate(timeout=60)
    before = project.disks()
    if interrupt is kill:
        take_over(project)
    project.go().ok()
    project.unchanged("--refresh")
    assert project.disks() == before
