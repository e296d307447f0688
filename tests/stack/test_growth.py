"""Growth and shrink as the difference of two recordings: what `pulumi up` would be asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stack.recording import CLUSTER, DISK, MAP, Recording, record

sizes = st.integers(1, 7)
kinds = st.integers(2, 3)


@cache
def of_sets(sets: int, replication: int, protect: bool = False) -> Recording:
    return record(node_count=sets * replication, replication=replication, protect_disks=protect)


def changed(before: Recording, after: Recording) -> set[str]:
    """What is in both and not asked for in the very same words."""
    both = before.requests.keys() & after.requests.keys()
    return {urn for urn in both if before.requests[urn].whole != after.requests[urn].whole}


def without(request: Mapping[str, Any], *path: str) -> dict[str, Any]:
    copy = dict(request)
    if len(path) == 1:
        copy.pop(path[0], None)
    elif path[0] in copy:
        copy[path[0]] = without(copy[path[0]], *path[1:])
    return copy


@settings(max_examples=40)
@given(sizes, sizes, kinds)
def test_growth_only_adds_and_updates_the_plan(one: int, other: int, replication: int) -> None:
    before, after = of_sets(min(one, other), replication), of_sets(max(one, other), replication)
    assert before.requests.keys() <= after.requests.keys()
    both = plan_and_settled(before)
    assert changed(before, after) == (set() if one == other else both)
    for urn in both:
        old, new = before.requests[urn].whole, after.requests[urn].whole
        for path in (
            ("object", "data", "nodes"),
            ("object", "data", "plan"),
            ("object", "metadata", "annotations", "pulumi.com/waitFor"),
            ("dependencies",),
            ("customTimeouts", "update"),
        ):
            old, new = without(old, *path), without(new, *path)
        assert old == new, "of the plan only what is wanted may change"


def plan_and_settled(found: Recording) -> set[str]:
    """What is wanted, and where `up` waits for it."""
    return {found.one(MAP, name).urn for name in ("gluster-plan", "gluster-settled")}


@settings(max_examples=25)
@given(sizes, sizes, kinds)
def test_what_growth_adds_belongs_to_the_new_nodes(one: int, other: int, replication: int) -> None:
    few, many = sorted((one, other))
    before, after = of_sets(few, replication), of_sets(many, replication)
    new = range(few * replication + 1, many * replication + 1)
    added = after.requests.keys() - before.requests.keys()
    names = {
        urn.rsplit("::", 1)[-1].removesuffix("-disk").removesuffix("-hold").removesuffix("-volume")
        for urn in added
    }
    assert {name.rsplit("-", 1)[-1] for name in names} == {str(n) for n in new}
    # Component, disk, volume, claim, Service, controller, two roles and their bindings, member.
    assert len(added) == 11 * len(new)


few_sizes = st.integers(1, 4)
spares = st.integers(0, 3)
zones = st.lists(st.sampled_from([f"us-east1-{z}" for z in "abcd"]), unique=True, max_size=4).map(tuple)


@cache
def whole(sets: int, spare_count: int, zone_names: tuple[str, ...], arbiter: bool = False) -> Recording:
    copies = 3 if arbiter else 2
    return record(
        node_count=sets * copies,
        replication=copies,
        arbiter=arbiter,
        spare_count=spare_count,
        zones=zone_names,
        volume_options={"network.ping-timeout": 7},
    )


@settings(max_examples=25)
@given(few_sizes, few_sizes, spares, spares, zones, st.booleans())
def test_between_any_two_sizes_no_disk_and_no_controller_changes(
    one: int, other: int, few: int, many: int, names: tuple[str, ...], arbiter: bool
) -> None:
    """Spares that become nodes, and nodes that become spares, change in their member object alone."""
    before, after = whole(one, few, names, arbiter), whole(other, many, names, arbiter)
    copies = 3 if arbiter else 2
    both = set(range(1, min(one * copies + few, other * copies + many) + 1))
    turned = {n for n in both if (n > one * copies) != (n > other * copies)}
    members = {before.one(MAP, f"gluster-member-{n}").urn for n in turned}
    plan = plan_and_settled(before) if (one, few) != (other, many) else set()
    assert changed(before, after) == members | plan
    for urn in members:
        old, new = before.requests[urn].whole, after.requests[urn].whole
        for path in (
            ("object", "data", "spare"),
            ("object", "metadata", "annotations", "pulumi.com/waitFor"),
        ):
            old, new = without(old, *path), without(new, *path)
        assert old == new


@settings(max_examples=5)
@given(sizes, kinds)
def test_the_same_settings_ask_for_the_same(sets: int, replication: int) -> None:
    again = record(node_count=sets * replication, replication=replication)
    assert again.requests.keys() == of_sets(sets, replication).requests.keys()
    assert not changed(of_sets(sets, replication), again)


@settings(max_examples=15)
@given(sizes, kinds)
def test_names_in_kubernetes_and_at_google_are_unique(sets: int, replication: int) -> None:
    recording = of_sets(sets, replication)
    objects = [
        (r.type, r.object["metadata"]["name"]) for r in recording.requests.values() if "metadata" in r.object
    ]
    disks = [r.object["name"] for r in recording.of(DISK)]
    assert len(set(objects)) == len(objects)
    assert len(set(disks)) == len(disks) == sets * replication


def test_protection_changes_nothing_but_who_may_be_deleted() -> None:
    before, after = of_sets(2, 2), of_sets(2, 2, protect=True)
    for urn in changed(before, after):
        old, new = dict(before.requests[urn].whole), dict(after.requests[urn].whole)
        assert new.pop("protect", False), urn
        assert not old.pop("protect", False), urn
        if urn != before.one(MAP, "gluster-protection").urn:
            assert old == new


def test_a_bigger_disk_changes_no_pod() -> None:
    before, after = record(disk_size_gb=10), record(disk_size_gb=20)
    kinds = {urn.split("::")[2].split("$")[-1].split(":")[-1] for urn in changed(before, after)}
    assert kinds == {"Disk", "PersistentVolume", "PersistentVolumeClaim"}


def test_the_comparison_sees_a_difference() -> None:
    """Else all of the above could pass on an empty comparison."""
    before, after = of_sets(1, 2), record(node_count=2, image="other:1")
    assert len(before.of(CLUSTER)) == 1
    with_the_image = {"gluster-1", "gluster-2", "gluster-plan", "gluster-settled", "gluster-sample-app"}
    with_the_image |= {"gluster-client", "gluster-csi"}
    assert with_the_image == {urn.rsplit("::", 1)[-1] for urn in changed(before, after)}
