"""Data moves to new bricks once the clients know of them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import parse
from gluster_sidecar.memory import Memory
from gluster_sidecar.planner.spread import LATE_CLIENTS, LATE_MACHINES

from tests.sidecar.test_planner_failures import formed
from tests.sidecar.world import World, brick

OLD, NEW = (brick(1), brick(2)), (brick(3), brick(4))

ANSWER = """\
<cliOutput><opRet>0</opRet><volStatus><volumes><volume><volName>data</volName>
<node><hostname>a</hostname><path>/data/brick</path><status>1</status><clientsStatus><clientCount>3</clientCount>
<client><hostname>10.9.0.12:49149</hostname></client><client><hostname>10.9.0.12:49141</hostname></client>
<client><hostname>10.9.0.11:49139</hostname></client></clientsStatus></node>
<node><hostname>b</hostname><path>/data/brick</path><status>0</status></node>
<node><hostname>c</hostname><path>/data/c</path><status>1</status>
<clientsStatus><clientCount>0</clientCount></clientsStatus></node>
</volume></volumes></volStatus></cliOutput>"""


def test_clients_are_counted_by_machine() -> None:
    """As glusterd 11.1 answers; each connection has a port of its own."""
    assert parse.clients(ET.fromstring(ANSWER)) == {
        "a:/data/brick": {"10.9.0.12": 2, "10.9.0.11": 1},
        "c:/data/c": {},
    }


def grown(old: dict[str, int], new: dict[str, int]) -> World:
    """By two bricks that the data is not spread over; which clients each of the old and of the new has."""
    world = formed(1, 2)
    world.add_nodes(3, 4)
    world.want(1, 2, 3, 4)
    while not any(isinstance(step, do.AddBricks) for step in world.done):
        for step in world.decide().steps:
            world.apply(step)
            world.done.append(step)
    world.clients = dict.fromkeys(OLD, old) | dict.fromkeys(NEW, new)
    return world


def spreads_after(world: World, waited: timedelta) -> bool:
    """Whether the data is spread when the leader has waited so long."""
    memory = Memory(gap=timedelta(days=1))
    memory.added_to(world.cluster(1))
    world.now += waited
    cluster = memory.added_to(world.cluster(1))
    world.late_since = cluster.own.clients_late_since
    return any(isinstance(step, do.StartRebalance) for step in world.decide().steps)


@pytest.mark.parametrize(
    ("old", "new", "waits"),
    [
        ({"x": 1, "y": 2}, {"x": 1, "y": 2}, None),
        ({"x": 1}, {"x": 1, "y": 1}, None),
        ({"x": 1, "y": 2}, {"x": 1, "y": 1}, LATE_CLIENTS),
        ({"x": 1, "y": 1}, {"x": 1}, LATE_MACHINES),
    ],
    ids=["all know", "one has just come", "a part of a machine's", "none of a machine's"],
)
def test_data_is_not_moved_before_clients_know_where(
    old: dict[str, int], new: dict[str, int], waits: timedelta | None
) -> None:
    world = grown(old, new)
    if waits is None:
        assert spreads_after(world, timedelta(0))
        return
    assert not spreads_after(world, waits - timedelta(seconds=1))
    assert "clients at y do not know of the new bricks yet" in world.decide().waits_for
    assert spreads_after(world, waits)


def test_that_it_is_not_known_who_knows_holds_for_a_minute() -> None:
    world = grown({}, {})
    world.clients = None
    assert not spreads_after(world, LATE_CLIENTS - timedelta(seconds=1))
    assert "not known" in world.decide().waits_for
    assert spreads_after(world, LATE_CLIENTS)


def test_who_comes_to_know_is_waited_for_no_longer_and_the_next_growth_waits_anew() -> None:
    world, memory = grown({"y": 1}, {}), Memory(gap=timedelta(days=1))
    assert memory.added_to(world.cluster(1)).own.clients_late_since == world.now
    world.clients = {name: {"y": 1} for name in (*OLD, *NEW)}
    assert memory.added_to(world.cluster(1)).own.clients_late_since is None
