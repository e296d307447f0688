"""The arithmetic of the stack: everything that can be decided without declaring anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from gluster_sidecar import contract
from hypothesis import given
from hypothesis import strategies as st

from gluster_stack import layout

counts = st.integers(min_value=1, max_value=200)


def test_a_nodes_names_are_those_of_the_original() -> None:
    node = layout.Node(3, "default")
    assert node.controller == "gluster-3"
    assert node.disk == "gluster-persistent-storage-node-3-disk"
    assert node.host == "gluster-3.default.svc.cluster.local"
    assert layout.selector(node, "test") == {
        "name": "gluster-node-3",
        "role": "gluster",
        "environment": "test",
    }


@given(counts)
def test_no_two_nodes_share_a_name(count: int) -> None:
    nodes = layout.nodes(count, "default")
    for names in (
        {n.controller for n in nodes},
        {n.disk for n in nodes},
        {n.persistent_volume for n in nodes},
        {n.member for n in nodes},
        {n.host for n in nodes},
    ):
        assert len(names) == count


@given(counts, counts)
def test_growth_never_renumbers(before: int, more: int) -> None:
    assert layout.nodes(before + more, "ns")[:before] == layout.nodes(before, "ns")


@given(counts, counts, st.integers(0, 5), st.integers(1, 5))
def test_a_spare_has_what_a_node_of_its_number_has(
    before: int, more: int, spares: int, zone_count: int
) -> None:
    zones = [f"z{number}" for number in range(zone_count)]
    few = layout.nodes(before, "ns", spares=spares, zones=zones)
    many = layout.nodes(before + more, "ns", spares=spares, zones=zones)
    assert [n.spare for n in few] == [False] * before + [True] * spares
    for old, new in zip(few, many, strict=False):
        assert replace(old, spare=new.spare) == new


@given(st.integers(1, 20), st.integers(2, 5), st.integers(1, 6))
def test_copies_are_spread_over_the_zones_as_evenly_as_can_be(
    sets: int, copies: int, zone_count: int
) -> None:
    zones = [f"z{number}" for number in range(zone_count)]
    nodes = layout.nodes(sets * copies, "ns", zones=zones)
    for numbers in layout.replica_sets(sets * copies, copies):
        held = Counter(nodes[number - 1].zone for number in numbers)
        assert max(held.values()) <= -(-copies // zone_count)


@given(st.integers(1, 40), st.integers(2, 5))
def test_sets_are_full_and_growth_keeps_them(sets: int, replication: int) -> None:
    count = sets * replication
    found = layout.replica_sets(count, replication)
    assert all(len(one) == replication for one in found)
    assert [n for one in found for n in one] == list(range(1, count + 1))
    assert layout.replica_sets(count + replication, replication)[:sets] == found


@given(st.integers(-5, 1000), st.integers(2, 16))
def test_the_next_full_number_is_full_and_the_smallest(count: int, replication: int) -> None:
    full = layout.next_full(count, replication)
    assert full % replication == 0
    assert full >= max(count, replication)
    assert full - replication < max(count, 1)


def test_two_namespaces_share_no_name_that_belongs_to_none() -> None:
    one, other = layout.Node(1, "a"), layout.Node(1, "b")
    assert one.persistent_volume != other.persistent_volume
    assert layout.storage_class("a") != layout.storage_class("b")


def test_the_sidecar_finds_the_node_behind_a_host() -> None:
    assert contract.node_of_host(layout.Node(12, "storage").host) == 12


def test_a_volume_handle_is_what_the_driver_calls_the_disk() -> None:
    assert layout.volume_handle("p", "z", "d") == "projects/p/zones/z/disks/d"
