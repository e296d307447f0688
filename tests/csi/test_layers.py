"""Which dead mounts at a target stay, by what the kernel tells of all namespaces."""

from __future__ import annotations

from gluster_sidecar.csi import layers, mounts
from gluster_sidecar.csi.mounts import FLOOR, FUSE, Mount

TARGET = "/var/lib/kubelet/pods/x/volumes/kubernetes.io~csi/pv/mount"
FLOOR_GROUP = 100


def line(number: int, parent: int, point: str, groups: str, kind: str = FUSE, source: str = "member") -> str:
    words = " ".join(["rw,relatime", groups]).strip()
    return f"{number} {parent} 0:{number} / {point} {words} - {kind} {source} rw"


def stack(*groups: int) -> list[Mount]:
    """On the machine: a floor, and one mount above the other of these peer groups."""
    lines = [line(40, 30, TARGET, f"shared:{FLOOR_GROUP}", "tmpfs", FLOOR)]
    lines += [line(41 + n, 40 + n, TARGET, f"shared:{group}") for n, group in enumerate(groups)]
    return mounts.parse("\n".join(lines))


def groups_of(found: list[Mount]) -> list[int]:
    return [one.shared for one in found]


GROUPS = {FLOOR_GROUP, 1, 2, 3}


def test_a_line_of_the_kernel() -> None:
    text = (
        "36 35 98:0 /mnt1 /a\\040b ro,noatime shared:7 master:1 propagate_from:2 - ext3 /dev/root rw,errors=x"
    )
    (one,) = mounts.parse(text)
    assert one == Mount("98:0", "/a b", True, "ext3", "/dev/root", 36, 35, 7, 1)
    (private,) = mounts.parse("36 35 98:0 / /a rw - ext3 none rw")
    assert (private.shared, private.follows, private.groups()) == (0, 0, set())


def test_the_lowest_and_those_that_somebody_follows_stay() -> None:
    assert groups_of(layers.plan(stack(1, 2, 3), set())) == [FLOOR_GROUP, 1]
    assert groups_of(layers.plan(stack(1, 2, 3), {2})) == [FLOOR_GROUP, 1, 2]
    assert groups_of(layers.plan(stack(1, 2, 3), {3})) == [FLOOR_GROUP, 1, 3]
    assert layers.plan(stack(1, 2, 3), {2, 3}) == stack(1, 2, 3)


def test_a_mount_that_is_seen_nowhere_else_is_followed_by_nobody() -> None:
    private = mounts.parse("\n".join(line(40 + n, 39 + n, TARGET, "") for n in range(4)))
    assert len(layers.plan(private, {1})) == 2


def test_the_machines_own_stack_and_copies_of_it_follow_nothing() -> None:
    """But for the floor, which stays anyhow."""
    assert layers.followed(stack(1, 2, 3), GROUPS) == {FLOOR_GROUP}
    agent = [line(90, 80, f"/host{TARGET}", f"master:{FLOOR_GROUP}", "tmpfs", FLOOR)]
    agent += [line(90 + n, 89 + n, f"/host{TARGET}", f"master:{n}") for n in (1, 2, 3)]
    assert layers.followed(mounts.parse("\n".join(agent)), GROUPS) == {FLOOR_GROUP}


def test_a_container_follows_what_it_was_started_with_alone() -> None:
    """What was laid upon it since came by itself."""
    container = [line(90, 80, "/data", "master:2"), line(91, 90, "/data", "master:3")]
    assert layers.followed(mounts.parse("\n".join(container)), GROUPS) == {2}
    both_ways = [line(90, 80, "/data", "shared:2"), line(91, 90, "/data", "shared:3")]
    assert layers.followed(mounts.parse("\n".join(both_ways)), GROUPS) == {2}
    handed_on = [line(90, 80, "/data", "shared:900 master:2")]
    assert layers.followed(mounts.parse("\n".join(handed_on)), GROUPS) == {2}


def test_a_container_without_propagation_and_one_of_another_volume_follow_nothing() -> None:
    others = [line(90, 80, "/data", ""), line(91, 80, "/more", "master:55")]
    assert layers.followed(mounts.parse("\n".join(others)), GROUPS) == set()
