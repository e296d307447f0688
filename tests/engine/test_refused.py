"""What holds data is not deleted, whatever Pulumi believes and whoever asks; one more plain `up` settles
it."""

from __future__ import annotations

import json
import os
import signal

import pytest
from gluster_sidecar import contract

from tests.engine.agent import BAD_IMAGE, LOST, VOLUME
from tests.engine.project import Project
from tests.engine.test_interrupted import field, take_over
from tests.standins.control_plane import wait_for

pytestmark = pytest.mark.lab


@pytest.fixture
def four(project: Project) -> Project:
    project.configure(nodeCount=4, sampleApp=False)
    project.go().ok()
    return project


def volume(project: Project) -> list[int]:
    """Nodes that hold bricks."""
    found: list[int] = json.loads((project.folder / VOLUME).read_text())
    return found


def holds(project: Project, count: int) -> None:
    """The stack is that of `count` nodes, with all that belongs to it and nothing else, and no disk was
    ever lost."""
    nodes = list(range(1, count + 1))
    assert not (project.folder / LOST).exists(), (project.folder / LOST).read_text()
    project.unchanged()
    assert volume(project) == nodes
    assert set(project.disks()) == {f"gluster-persistent-storage-node-{n}-disk" for n in nodes}


def urn_of(project: Project, ending: str) -> str:
    resources = project.saved()["checkpoint"]["latest"]["resources"]
    return next(str(r["urn"]) for r in resources if r["urn"].endswith(ending))


def refused(project: Project, *words: str) -> None:
    assert project.plane
    with pytest.raises(AssertionError, match="may hold data in /data/brick of the volume"):
        project.plane.kubectl(*words, "-n", project.namespace)


def test_kubernetes_refuses_to_delete_a_controller_or_a_claim_of_a_node_that_holds_data(
    four: Project,
) -> None:
    before = four.everything()
    for kind in ("rc", "pvc"):
        refused(four, "delete", kind, "gluster-3", "--wait=false")
        refused(four, "delete", kind, "-l", contract.NODE_LABEL, "--wait=false")
    refused(four, "delete", "rc", "gluster-3", "--cascade=foreground", "--wait=false")
    assert four.everything() == before
    assert four.plane
    # The way out that the refusal names, for a cluster of which no sidecar lives.
    with pytest.raises(AssertionError) as refusal:
        four.plane.kubectl("delete", "pvc", "gluster-3", "-n", four.namespace)
    command = str(refusal.value).rpartition("If no sidecar lives to release it: kubectl ")[2].split("\n")[0]
    assert command.split()[:2] == ["annotate", "pvc,rc"], command


@pytest.mark.parametrize("name", ["gluster-plan", "gluster-settled", "gluster-member-3", "gluster-status"])
def test_what_somebody_deletes_by_hand_costs_nothing_and_is_there_again_after_an_up(
    four: Project, name: str
) -> None:
    assert four.plane
    four.plane.kubectl("delete", "configmap", name, "-n", four.namespace, "--wait=false")
    four.configure(nodeCount=2)
    four.go().ok()
    holds(four, 2)


def test_a_destroy_of_one_node_with_all_that_depends_on_it_is_refused(four: Project) -> None:
    urn = urn_of(four, "PersistentVolumeClaim::gluster-3")
    done = four.run("destroy", "--skip-preview", "--target", urn, "--target-dependents")
    done.failed("may hold data in /data/brick of the volume")
    four.go().ok()
    holds(four, 4)


def test_a_state_that_knows_nothing_of_the_members_deletes_nothing_that_is_needed(four: Project) -> None:
    """`pulumi state delete` of a member takes the plan out of the state, too."""
    urn = urn_of(four, "::gluster-member-3")
    four.run("state", "delete", urn, "--target-dependents", "--yes").ok()
    four.configure(nodeCount=2)
    # The engine deletes nothing before everything else has succeeded, unless it is told to go on: then it
    # waits for the end of a member that the plan, which it could not write, still names.
    before = four.disks()
    process = four.start("up", "--skip-preview", "--continue-on-error")
    assert process.stdout
    assert any("gluster-member-4" in line and "scheduled for deletion" in line for line in process.stdout)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert four.disks() == before
    assert volume(four) == [1, 2, 3, 4]
    take_over(four)
    four.go().ok()
    holds(four, 2)


def test_an_old_checkpoint_deletes_nothing_that_is_needed(project: Project) -> None:
    project.configure(nodeCount=2, sampleApp=False)
    project.go().ok()
    old = project.folder / "old.json"
    old.write_text(project.run("stack", "export").ok().text)
    project.configure(nodeCount=4)
    project.go().ok()
    new = project.folder / "new.json"
    new.write_text(project.run("stack", "export").ok().text)
    before = project.everything()
    project.run("stack", "import", "--file", str(old)).ok()
    project.go().failed("already exists")
    assert project.everything() == before
    # With its own settings nodes 3 and 4 are drained, and stay: Pulumi does not know them.
    project.configure(nodeCount=2)
    project.go().ok()
    assert volume(project) == [1, 2]
    assert set(project.disks()) == set(before) & set(project.disks())
    assert len(project.disks()) == 4
    project.run("stack", "import", "--file", str(new)).ok()
    project.go().ok()
    holds(project, 2)


def test_growth_and_a_bad_option_killed_in_the_wait_and_taken_back(project: Project) -> None:
    """Case 1: Pulumi's state had the plan's old words and the API the new ones; a plain `up` deleted two
    disks."""
    project.configure(nodeCount=2, sampleApp=False)
    project.go().ok()
    project.configure(nodeCount=4, volumeOptions={"performance.cache-size": "banana"})
    with project.refused("no-settle"):
        process = project.start("up", "--skip-preview")
        wait_for("the volume has four bricks", lambda: volume(project) == [1, 2, 3, 4])
        wait_for("`up` waits", lambda: bool(field(project, "gluster-settled", ".data.settled")))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    project.configure(nodeCount=2, volumeOptions={})
    project.cancel()
    project.go().ok()
    holds(project, 2)


def test_a_template_taken_back_in_the_wait_deletes_no_pod_twice(project: Project) -> None:
    """Case 2: pods were deleted more than once a second, without end."""
    project.configure(nodeCount=2, sampleApp=False)
    project.go().ok()
    before = pods(project)
    project.configure(sleepSeconds=8)
    with project.refused("no-roll"):
        process = project.start("up", "--skip-preview")
        assert process.stdout
        assert any("Waiting for {.data.settled}" in line for line in process.stdout)
        os.killpg(process.pid, signal.SIGINT)
        text, _ = process.communicate(timeout=60)
        assert "Traceback" not in text
        project.configure(sleepSeconds=5)
        project.go().ok()
    holds(project, 2)
    assert pods(project) == before


def test_growth_together_with_a_template_ends(project: Project) -> None:
    """Case 3: each pod is replaced once, and no pod of a new node."""
    project.configure(nodeCount=2, sampleApp=False)
    project.go().ok()
    before = pods(project)
    project.configure(nodeCount=4, sleepSeconds=7, graceSeconds=600)
    project.go().ok()
    holds(project, 4)
    assert len(pods(project)) == 4
    assert not before & pods(project)


def test_a_wrong_image_and_back(project: Project) -> None:
    """Case 4: `up` waited for a pod that only the plan would have replaced, and the plan comes after it."""
    project.configure(nodeCount=2, sampleApp=False)
    project.go().ok()
    project.configure(image=BAD_IMAGE)
    process = project.start("up", "--skip-preview")
    assert process.stdout
    assert any("Waiting for {.data.settled}" in line for line in process.stdout)
    wait_for("one pod is of the wrong image", lambda: images(project).count(BAD_IMAGE) == 1)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert images(project).count(BAD_IMAGE) == 1, "it is not rolled any further"
    project.configure(image="gluster-stack:dev")
    project.go().ok()
    holds(project, 2)
    assert BAD_IMAGE not in images(project)


def pods(project: Project) -> set[str]:
    return {name for name in project.everything() if name.startswith("Pod/")}


def images(project: Project) -> list[str]:
    assert project.plane
    path = "{range .items[*]}{.spec.containers[0].image} {end}"
    command = ("get", "pods", "-l", "role=gluster", "-n", project.namespace, "-o", f"jsonpath={path}")
    return project.plane.kubectl(*command).split()
