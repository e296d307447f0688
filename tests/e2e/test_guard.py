"""The histories in which disks or pods were deleted, on real glusterd, with files that must all be there
afterwards; then histories at random: `LAB_HISTORIES=10` runs ten, `LAB_SEED` names the first."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gluster_sidecar.contract import disk_name

from tests.e2e.bench import Stack, wait_for

pytestmark = pytest.mark.lab

HISTORIES = int(os.environ.get("LAB_HISTORIES", "1"))
FIRST = int(os.environ.get("LAB_SEED", "0"))

FILES = "cd /mnt/glusterfs/guard && for i in $(seq 200); do echo $i > $1-$i; done"
SLEEPS = 5
"""The default of `sleepSeconds`."""


@pytest.fixture(scope="module")
def two(stack: Stack) -> Stack:
    stack.set(nodeCount=2, spareCount=0, sleepSeconds=SLEEPS)
    stack.up()
    wait_for("the sample app is ready", lambda: stack.ready("gluster-sample-app"))
    stack.app("mkdir -p /mnt/glusterfs/guard && rm -f /mnt/glusterfs/guard/*")
    return stack


def write(stack: Stack, name: str) -> None:
    stack.app(FILES.replace("$1", name))


def complete(stack: Stack, *names: str) -> None:
    """Every file of those names, with its content."""
    for name in names:
        show = f"for i in $(seq 200); do echo {name}-$i $(cat {name}-$i 2>&1); done"
        found = stack.app(f"cd /mnt/glusterfs/guard && {show}")
        missed = {f"{name}-{i} {i}" for i in range(1, 201)} - {line.strip() for line in found.splitlines()}
        assert not missed, found


@contextmanager
def ended(stack: Stack, number: signal.Signals) -> Iterator[None]:
    """An `up` that gets `number` at the end of the block, in its whole process group."""
    with stack.start("up", "--yes", "--skip-preview") as process:
        try:
            yield
            assert process.poll() is None, process.communicate()[0]
        finally:
            os.killpg(process.pid, number)
            output, _ = process.communicate(timeout=120)
    assert "Traceback" not in output
    if number is signal.SIGKILL:
        stack.pulumi("cancel", "--yes")


def waits(stack: Stack, words: str = "") -> bool:
    """`up` has come to its end and waits there; for what, in `words`."""
    said = stack.data("gluster-settled", "settled")
    return bool(said) and "@" not in said and words in said


def deletions(stack: Stack) -> int:
    """Pods that the sidecars which run now have deleted since they were started."""
    logs = [stack.kubectl("logs", pod, "-c", "sidecar") for pod in stack.pods()]
    return sum(log.count("does DeletePod") for log in logs)


def test_growth_and_an_option_that_is_refused_killed_and_taken_back(two: Stack) -> None:
    """Case 1: a plain `up` deleted two disks, and 110 of 200 files were left."""
    two.set(nodeCount=4)
    two.pulumi("config", "set", "--path", 'volumeOptions["performance.cache-size"]', "banana")
    with ended(two, signal.SIGKILL):
        wait_for("the volume has four bricks", lambda: "2 x 2 = 4" in two.gluster("volume", "info", "data"))
        wait_for("up says what is refused", lambda: waits(two, "glusterd refuses performance.cache-size"))
        write(two, "first")
    two.set(nodeCount=2)
    two.pulumi("config", "rm", "--path", "volumeOptions")
    two.up()
    assert "1 x 2 = 2" in two.gluster("volume", "info", "data")
    assert two.settled() == "1,2"
    complete(two, "first")
    two.pulumi("preview", "--expect-no-changes")


def test_a_template_taken_back_midway_deletes_no_pod_without_end(two: Stack) -> None:
    """Case 2: as soon as one pod died its successors were deleted more than once a second."""
    two.set(sleepSeconds=SLEEPS + 1)
    with ended(two, signal.SIGINT):
        wait_for("the roll has begun", lambda: waits(two, "older template"))
        write(two, "second")
    two.set(sleepSeconds=SLEEPS)
    two.up()
    before = deletions(two)
    two.kubectl("delete", "pod", two.pod(1))
    wait_for("all is settled again", lambda: two.settled() == "1,2" and two.whole() == 2)
    assert deletions(two) <= before
    complete(two, "first", "second")


def test_growth_together_with_a_template_ends(two: Stack) -> None:
    """Case 3: 393 deletions of pods in two minutes, without end."""
    old = two.pods()
    two.set(nodeCount=4, sleepSeconds=SLEEPS + 2)
    two.up()
    assert two.settled() == "1,2,3,4"
    assert not old.keys() & two.pods().keys()
    assert deletions(two) <= 2
    write(two, "third")
    complete(two, "first", "second", "third")


def test_a_wrong_image_and_back(two: Stack) -> None:
    """Case 4: `up` waited for a pod that nobody replaced."""
    two.set(image="gluster-stack:nope")
    with ended(two, signal.SIGINT):
        wait_for("one pod has the wrong image", lambda: waits(two, "not ready") or waits(two, "do not"))
        write(two, "fourth")
    two.pulumi("config", "rm", "image")
    two.up()
    assert two.settled() == "1,2,3,4"
    complete(two, "first", "second", "third", "fourth")


def test_the_shrink_after_all_of_it_loses_nothing(two: Stack) -> None:
    two.set(nodeCount=2, sleepSeconds=SLEEPS)
    output = two.up()
    assert "leave: node 3 holds a brick of the volume" in output, "`up` says what it waits for"
    assert "1 x 2 = 2" in two.gluster("volume", "info", "data")
    complete(two, "first", "second", "third", "fourth")


# -- at random, beside a writer

FOLDER = "/mnt/glusterfs/guard"
WRITER = f"""
rm -f /tmp/stop /tmp/written {FOLDER}/w-*; n=0
while [ ! -e /tmp/stop ]; do
  n=$((n + 1)); echo $n > {FOLDER}/w-$n && echo $n >> /tmp/written; sleep 0.3
done
"""
MISSED = f"""
while read n; do
  found=$(cat {FOLDER}/w-$n 2>&1); [ "$found" = $n ] || echo "w-$n: $found"
done < /tmp/written
"""
CHOICES: dict[str, tuple[object, ...]] = {
    "nodeCount": (2, 4),
    "spareCount": (0, 1),
    "sleepSeconds": (5, 6, 7),
    "profile": ("general", "small-files"),
}
EVENTS = 40
"""About as many lines as an `up` prints that grows the cluster by two."""


@contextmanager
def writer(stack: Stack) -> Iterator[None]:
    """Files written one after another in the sample pod: each that was acknowledged must be there."""
    command = [str(stack.lab.paths.bin / "kubectl"), "exec", "gluster-sample-app", "--", "sh", "-c", WRITER]
    with subprocess.Popen(command, env={**os.environ, **stack.lab.environment()}) as process:
        try:
            wait_for("the writer writes", lambda: bool(stack.app("cat /tmp/written 2> /dev/null || true")))
            yield
        finally:
            stack.app("touch /tmp/stop")
            process.wait(60)
    written = int(stack.app("wc -l < /tmp/written"))
    assert stack.app(MISSED) == "", f"of {written} files"


def go_on(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next `up`, with what docs/operations.md says of a Pulumi that was killed while it created."""
    text = stack.pulumi("up", "--yes", "--skip-preview", ok=False)
    if "disks/" in text and "already exists" in text:
        holders = stack.gluster("volume", "info", "data")
        folder = Path(stack.lab.environment()["GLUSTER_LAB_DISKS"])
        for node in range(1, 7):
            if f"gluster-{node}." not in holders:
                for file in folder.rglob(f"{disk_name(node)}.*"):
                    file.unlink()
        text = stack.pulumi("up", "--yes", "--skip-preview", ok=False)
    if "already exists" in text:
        monkeypatch.setenv("PULUMI_K8S_UPSERT_EXISTING_OBJECTS", "true")
    stack.up()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_an_up_ended_anywhere_beside_a_writer_loses_no_file(
    two: Stack, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    before, after = ({key: chance.choice(values) for key, values in CHOICES.items()} for _ in range(2))
    number, events = chance.choice((signal.SIGINT, signal.SIGKILL)), chance.randrange(EVENTS)
    final = chance.choice((before, after))
    print(f"from {before} to {after}, {number.name} after {events} events, then {final}")
    two.set(**before)
    two.up()
    two.set(**after)
    with writer(two):
        with two.start("up", "--yes", "--skip-preview") as process:
            assert process.stdout
            told = (line for line in process.stdout if line.lstrip()[:2] in ("+ ", "- ", "~ "))
            for _ in zip(range(events), told, strict=False):
                pass
            os.killpg(process.pid, number)
            text, _ = process.communicate(timeout=120)
        assert "Traceback" not in text
        two.pulumi("cancel", "--yes")
        two.set(**final)
        go_on(two, monkeypatch)
    assert two.settled() == ("1,2" if final["nodeCount"] == 2 else "1,2,3,4")
    two.pulumi("preview", "--expect-no-changes")


def test_all_that_was_set_is_taken_back(two: Stack) -> None:
    """Also options and spares; what the next tests begin with."""
    for key in CHOICES:
        two.pulumi("config", "rm", key)
    two.set(nodeCount=2)
    two.up()
    assert two.settled() == "1,2"
    assert "features.cache-invalidation" not in two.gluster("volume", "info", "data")
    complete(two, "first", "second", "third", "fourth")
    two.pulumi("preview", "--expect-no-changes", "--refresh")
