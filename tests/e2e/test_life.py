"""The life of one cluster on real parts: up, grow, shrink, failures, destroy. In this order."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from lab.cluster import Lab
from tests.e2e.bench import Stack, new_stack, wait_for

pytestmark = pytest.mark.lab

FILE = "/mnt/glusterfs/precious"
MANY = "/mnt/glusterfs/many"


def checksums(stack: Stack) -> dict[str, str]:
    """Of every file that was written, by name."""
    lines = stack.app("cd /mnt/glusterfs && sha256sum precious many/*").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def steps(preview: str) -> dict[str, list[str]]:
    """Operations of `pulumi preview --json`, by kind: the names of the resources."""
    found: dict[str, list[str]] = {}
    for step in json.loads(preview[preview.index("{") :])["steps"]:
        if step["op"] not in ("same", "refresh"):
            found.setdefault(step["op"], []).append(step["urn"].split("::")[-1])
    return found


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """Checksums of the first test's files, for all later ones to compare with."""
    return {}


def test_up_ends_with_a_volume_in_a_pod(stack: Stack, written: dict[str, str]) -> None:
    stack.set(nodeCount=2)
    stack.up()
    assert stack.settled() == "1,2"
    wait_for("the sample app is ready", lambda: stack.ready("gluster-sample-app"))
    assert "fuse.glusterfs" in stack.app("grep /mnt/glusterfs /proc/mounts")
    stack.app(f"head -c 20000000 /dev/urandom > {FILE}")
    stack.app(f"mkdir {MANY}; cd {MANY}; for i in $(seq 100); do echo $i > $i; done")
    written.update(checksums(stack))
    assert len(written) == 101
    info = stack.gluster("volume", "info", "data")
    assert "Number of Bricks: 1 x 2 = 2" in info
    assert "Status: Started" in info


def test_a_preview_without_a_change_is_empty(stack: Stack) -> None:
    assert steps(stack.pulumi("preview", "--json")) == {}
    stack.pulumi("preview", "--expect-no-changes", "--refresh")


def test_growth_only_adds(stack: Stack, written: dict[str, str]) -> None:
    before = stack.pods()
    stack.set(nodeCount=4)
    planned = steps(stack.pulumi("preview", "--json"))
    assert set(planned) == {"create", "update"}
    assert [urn.rpartition("::")[2] for urn in planned["update"]] == ["gluster-plan", "gluster-settled"]
    stack.up()
    assert stack.settled() == "1,2,3,4"
    assert before.items() <= stack.pods().items(), "a pod that was there has been made again"
    assert "Number of Bricks: 2 x 2 = 4" in stack.gluster("volume", "info", "data")
    wait_for("the data is spread", lambda: len(stack.data("gluster-status", "balanced").split()) == 4)
    assert (
        stack.kubectl("exec", stack.pod(3), "-c", "glusterd", "--", "sh", "-c", "ls /data/brick/many | wc -l")
        != "0\n"
    )
    assert checksums(stack) == written


def test_a_second_cluster_takes_no_machine_that_another_has(
    lab: Lab, stack: Stack, written: dict[str, str], tmp_path: Path
) -> None:
    """Ports are the machine's. Four nodes have left two of six machines: the second cluster's other two wait,
    `up` says where, the pod says why, and the first does not notice."""
    before = stack.objects(), stack.pods()
    stack.kubectl("create", "namespace", "another")
    other = new_stack(lab, tmp_path, "another")
    other.set(nodeCount=4, namespace="another", diskPrefix="second", sampleApp=False)
    with other.start("up", "--yes", "--skip-preview") as process:

        def two_have_no_machine() -> bool:
            assert process.poll() is None, process.communicate()[0]
            return len(refusals(stack, "another")) == 2

        try:
            wait_for("two pods have no machine", two_have_no_machine)
            ports = "didn't have free ports for the requested pod ports"
            assert all(ports in why for why in refusals(stack, "another"))
        finally:
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=120)
    assert re.search(r"ReplicationController gluster-\d .*availableReplicas", output), output
    assert stack.pods() == before[1]
    other.pulumi("destroy", "--yes", "--skip-preview")
    stack.kubectl("delete", "namespace", "another")
    assert stack.objects() == before[0]
    stack.pulumi("preview", "--expect-no-changes", "--refresh")
    assert checksums(stack) == written


def refusals(stack: Stack, namespace: str) -> list[str]:
    """What the scheduler says of each pod that it has no machine for."""
    pods = json.loads(stack.kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
    conditions = [one for pod in pods for one in pod["status"].get("conditions", ())]
    return [one["message"] for one in conditions if one.get("reason") == "Unschedulable"]


def test_a_pod_that_is_deleted_comes_back_and_heals(stack: Stack, written: dict[str, str]) -> None:
    old = stack.pod(2)
    stack.kubectl("delete", "pod", old, "--wait=false")
    stack.app(f"echo written while node 2 was away > {MANY}/away")
    stack.app(f"rm {MANY}/away")
    wait_for("a new pod of node 2", lambda: (new := stack.pod(2)) not in {"", old} and stack.ready(new))
    summary = stack.gluster("volume", "heal", "data", "info", "summary", node=2)
    assert "Transport endpoint" not in summary
    assert checksums(stack) == written


def test_a_machine_that_was_taken_out_of_the_cluster_and_comes_back_as_new(
    stack: Stack, written: dict[str, str]
) -> None:
    """Its object is deleted. (If it never comes back, its pod moves, but Kubernetes keeps the disk attached
    to it for six minutes more.)"""
    node = next(n for n in (2, 3, 4) if stack.machine(stack.pod(n)) != stack.machine("gluster-sample-app"))
    old, machine = stack.containers(node), stack.machine(stack.pod(node))
    before = stack.data("gluster-status", "bricks")
    stack.kubectl("delete", "node", f"kn{machine}")
    stack.lab.power_off(machine)
    stack.lab.power_on(machine)
    wait_for("the machine is there again", lambda: machine in stack.lab.ready())
    wait_for(
        "its node is ready again, in the same pod or a new one",
        lambda: stack.containers(node) not in {"", old} and stack.ready(stack.pod(node)),
        240,
    )
    wait_for("all copies are whole", lambda: stack.whole() == 4)
    assert stack.data("gluster-status", "bricks") == before, "the same brick on the same disk"
    assert checksums(stack) == written


def test_the_machine_of_server1_loses_its_power(stack: Stack, written: dict[str, str]) -> None:
    server1 = int(stack.data("gluster-status", "actor"))
    if stack.machine("gluster-sample-app") == stack.machine(stack.pod(server1)):
        # The sample app must outlive that machine.
        stack.kubectl("delete", "pod", stack.pod(server1), "--wait=false")
        wait_for("another node acts", lambda: stack.data("gluster-status", "actor") != str(server1))
        wait_for("all copies are whole", lambda: stack.whole() == 4)
        server1 = int(stack.data("gluster-status", "actor"))
    machine = stack.machine(stack.pod(server1))
    stack.lab.power_off(machine)
    try:
        assert checksums(stack) == written, "data must stay readable"
        wait_for("another node acts", lambda: stack.data("gluster-status", "actor") != str(server1))
        assert checksums(stack) == written
    finally:
        stack.lab.power_on(machine)
    wait_for("its pod is ready again", lambda: stack.ready(stack.pod(server1)))
    # Kubernetes may not have noticed that it was away; the next test loses a disk, which is another failure.
    wait_for("all copies are whole", lambda: stack.whole() == 4)
    assert checksums(stack) == written


def test_a_lost_disk_gets_a_new_brick_and_its_data_back(stack: Stack, written: dict[str, str]) -> None:
    """The machine dies, its disk is replaced by a blank one: nobody has to do anything."""
    node = next(n for n in (2, 3, 4) if stack.machine(stack.pod(n)) != stack.machine("gluster-sample-app"))
    machine = stack.machine(stack.pod(node))
    stack.lab.power_off(machine)
    try:
        stack.lab.lose_disk(node)
    finally:
        stack.lab.power_on(machine)
    moved = f"gluster-{node}.default.svc.cluster.local:/data/brick-"
    wait_for("a new brick", lambda: moved in stack.data("gluster-status", "bricks"), 300)
    wait_for("all is settled and whole", lambda: stack.settled() == "1,2,3,4" and stack.whole() == 4)
    assert checksums(stack) == written


def test_a_spare_takes_the_place_of_a_machine_that_stays_away(stack: Stack, written: dict[str, str]) -> None:
    stack.set(spareCount=1, graceSeconds=60)
    stack.up()
    assert "gluster-5." not in stack.gluster("volume", "info", "data")
    busy = {stack.machine("gluster-sample-app"), stack.machine(stack.pod(5))}
    node = next(n for n in (2, 3, 4) if stack.machine(stack.pod(n)) not in busy)
    machine = stack.machine(stack.pod(node))
    stack.kubectl("cordon", *(f"kn{n}" for n in range(1, 7)))  # or its pod would move with its disk
    stack.lab.power_off(machine)
    try:
        wait_for("the spare has a brick", lambda: "gluster-5." in stack.data("gluster-status", "bricks"), 300)
        assert f"gluster-{node}." not in stack.data("gluster-status", "bricks")
        wait_for("it has all of the data", lambda: stack.whole() == 4)
        assert checksums(stack) == written
    finally:
        stack.kubectl("uncordon", *(f"kn{n}" for n in range(1, 7)))
        stack.lab.power_on(machine)
    wait_for(
        "the one that came back waits", lambda: stack.data(f"gluster-member-{node}", "state") == "peer", 240
    )
    assert f"gluster-{node}." not in stack.gluster("volume", "info", "data", node=5)
    assert checksums(stack) == written


def test_a_new_template_rolls_one_node_at_a_time(stack: Stack, written: dict[str, str]) -> None:
    before = stack.pods()
    stack.set(sleepSeconds=4)
    stack.up()
    assert not before.keys() & stack.pods().keys(), "every pod is made anew, and `up` has waited for it"
    assert stack.whole() == 4
    assert checksums(stack) == written


def test_shrink_moves_the_data_first(stack: Stack, written: dict[str, str]) -> None:
    stack.set(nodeCount=2, spareCount=0)
    planned = steps(stack.pulumi("preview", "--json"))
    assert set(planned) == {"delete", "update"}
    output = stack.up()
    member = (
        max(output.index(f"gluster-member-{node} deleted") for node in (3, 4)) if "deleted" in output else -1
    )
    assert member < output.index("gluster-3 deleted", member), "the controller went before the data was safe"
    assert "Number of Bricks: 1 x 2 = 2" in stack.gluster("volume", "info", "data")
    assert stack.settled() == "1,2"
    assert checksums(stack) == written
    assert not list(stack.lab.disks.rglob("*node-3-disk.img"))


def test_destroy_leaves_nothing(stack: Stack, empty_objects: str) -> None:
    stack.pulumi("destroy", "--yes", "--skip-preview")
    left = set(stack.objects().split()) - set(empty_objects.split())
    assert left == set()
    assert not list(stack.lab.disks.rglob("*.img"))
