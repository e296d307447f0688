"""A shrink that hangs, is interrupted or killed deletes nothing; the next `up` resumes or undoes it."""

from __future__ import annotations

import itertools
import re
import signal
from collections.abc import Callable
from subprocess import Popen

import pytest

from tests.engine.agent import WAITS
from tests.engine.project import Project
from tests.standins.control_plane import wait_for
from tests.standins.workbench import Done

pytestmark = pytest.mark.lab

ALL = {f"gluster-persistent-storage-node-{n}-disk" for n in (1, 2, 3, 4)}
FLAGS = ("--continue-on-error",)
Interrupt = Callable[[Project, "Popen[str]"], None]


def press_ctrl_c(project: Project, process: Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def kill(project: Project, process: Popen[str]) -> None:
    process.kill()
    process.wait(30)
    project.cancel()


@pytest.fixture
def four(project: Project) -> Project:
    project.configure(nodeCount=4, sampleApp=False)
    project.go().ok()
    return project


def field(project: Project, name: str, path: str) -> str:
    """Of a ConfigMap; empty if it is not there."""
    assert project.plane
    path = f"jsonpath={{{path}}}"
    command = ("get", "configmap", name, "-n", project.namespace, "-o", path, "--ignore-not-found")
    return project.plane.kubectl(*command)


def draining(project: Project) -> bool:
    """`up` has changed the plan and waits until it holds."""
    return field(project, "gluster-plan", ".data.nodes") == "1,2"


def deleting(project: Project) -> bool:
    """The plan holds, and `up` waits for the end of the members."""
    return all(field(project, f"gluster-member-{n}", ".metadata.deletionTimestamp") for n in (3, 4))


def nothing_lost(project: Project) -> None:
    assert set(project.disks()) == ALL
    kinds = {name for name in project.everything() if name.startswith("ReplicationController/")}
    assert kinds == {f"ReplicationController/gluster-{n}" for n in (1, 2, 3, 4)}


def interrupted(
    project: Project, interrupt: Interrupt, *argv: str, where: Callable[[Project], bool] = draining
) -> None:
    """Begins what drains nodes 3 and 4, and ends it `where` it waits."""
    with project.start(*argv, "--skip-preview") as process:
        wait_for(where.__name__, lambda: where(project))
        assert process.stdout
        assert any("Waiting for" in line or "scheduled for deletion" in line for line in process.stdout)
        interrupt(project, process)
        text, _ = process.communicate(timeout=60)
    assert Done(process.returncode, text).status != 0, text


@pytest.mark.parametrize(
    ("interrupt", "next_up"),
    [(kill, ("--refresh=false",)), (press_ctrl_c, FLAGS)],
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
    with four.refused("no-release"):
        interrupted(four, interrupt, "up", *next_up, where=deleting)
        nothing_lost(four)
        interrupted(four, interrupt, "up", where=deleting)
        nothing_lost(four)
    four.go(*next_up).ok()
    four.unchanged()
    assert set(four.disks()) == {f"gluster-persistent-storage-node-{n}-disk" for n in (1, 2)}
    four.run("destroy", "--skip-preview").ok()
    assert four.everything() == {}


def test_who_changes_their_mind_midway_keeps_the_nodes(four: Project) -> None:
    before = four.everything()
    four.configure(nodeCount=2)
    with four.refused("no-drain"):
        interrupted(four, press_ctrl_c, "up")
        four.configure(nodeCount=4)
        four.go().ok()
        nothing_lost(four)
        four.unchanged()
        assert four.everything() == before
    four.configure(nodeCount=2)
    with four.refused("no-release"):
        interrupted(four, press_ctrl_c, "up", where=deleting)
        four.configure(nodeCount=4)
        four.go().ok()
    nothing_lost(four)
    four.unchanged()
    # Their members are those that were to be deleted, and guard them as before.
    assert deleting(four)
    four.configure(nodeCount=2)
    with four.refused("no-drain"):
        interrupted(four, press_ctrl_c, "up")
        nothing_lost(four)
    four.go().ok()
    assert set(four.disks()) == {f"gluster-persistent-storage-node-{n}-disk" for n in (1, 2)}


def take_over(project: Project) -> None:
    """What a killed Pulumi was making is there without its knowledge; as docs/operations.md says."""
    project.go().failed("already exists")
    project.variables["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"] = "true"
    project.go().ok()
    del project.variables["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"]


@pytest.mark.parametrize("interrupt", [press_ctrl_c, kill])
def test_a_first_up_cut_short_is_taken_up_again(project: Project, interrupt: Interrupt) -> None:
    project.configure(nodeCount=2, sampleApp=False)
    # What `up` waits for is said in the sidecar's own words.
    waits = f'(found "{WAITS}")'
    with project.refused("no-join"), project.start("up", "--skip-preview") as process:
        assert process.stdout
        assert any(waits in line for line in process.stdout)
        interrupt(project, process)
        process.communicate(timeout=60)
    before = project.disks()
    if interrupt is kill:
        take_over(project)
    project.go().ok()
    project.unchanged("--refresh")
    assert project.disks() == before


def test_every_object_that_pulumi_does_not_know_it_made_is_taken_over_as_it_is(project: Project) -> None:
    """A Pulumi that is killed may have made any of them, without its record."""
    project.configure(nodeCount=2)
    project.go().ok()
    before = project.everything()
    assert project.forget("kubernetes:") > 30
    take_over(project)
    project.go().ok()
    project.unchanged("--refresh")
    assert project.everything() == before


DELETING = re.compile(r"^ - .* (gluster-\S+) deleting")


def interrupted_once(project: Project, interrupt: Interrupt, known: set[str], *flags: str) -> Done:
    """An `up` that is ended as soon as it deletes something whose name is not among `known`.

    One step at a time: else its neighbours would be deleted beside it, uninterrupted.
    """
    with project.start("up", "--skip-preview", "--parallel", "1", *flags) as process:
        assert process.stdout
        text = ""
        for line in process.stdout:
            text += line
            found = DELETING.match(line)
            name = line.split()[1] + found[1] if found else ""
            if name and name not in known:
                known.add(name)
                interrupt(project, process)
                break
        text += process.communicate(timeout=60)[0]
    return Done(process.returncode, text)


def in_order(project: Project) -> None:
    """Of each node all that its member depends on is there while the member is, and so on to the disk."""
    there = project.everything()
    for n in (1, 2, 3, 4):
        chain = (
            f"ConfigMap/gluster-member-{n}",
            f"ReplicationController/gluster-{n}",
            f"PersistentVolumeClaim/gluster-{n}",
            f"gluster-persistent-storage-node-{n}-disk",
        )
        held = [name in there for name in chain]
        assert held == sorted(held), dict(zip(chain, held, strict=True))
        assert n > 2 or all(held)


def test_a_shrink_interrupted_at_every_resource_goes_on_where_it_was(four: Project) -> None:
    """By Ctrl-C and by `kill -9` in turn, and with what people add to the next `up`."""
    four.configure(nodeCount=2)
    known: set[str] = set()
    turns = itertools.cycle([(press_ctrl_c, ()), (kill, ("--refresh",)), (kill, ()), (press_ctrl_c, FLAGS)])
    for interrupt, flags in turns:
        before = set(known)
        done = interrupted_once(four, interrupt, known, *flags)
        in_order(four)
        if known == before:
            done.ok()
            break
    assert len(known) >= 2 * 6, known
    four.unchanged("--refresh")
    assert set(four.disks()) == {f"gluster-persistent-storage-node-{n}-disk" for n in (1, 2)}
