"""What anybody may have written into our objects, and that it stops nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import documents, planner, report, trouble
from gluster_sidecar.contract import KIND_LABEL, PLAN_NAME, STATUS_NAME, Kind
from gluster_sidecar.gluster import Cli
from gluster_sidecar.kubernetes import Object
from gluster_sidecar.model import Notes, Plan
from gluster_sidecar.observe import Observer
from gluster_sidecar.settings import Identity, Settings

from tests.sidecar.test_guard import formed


def config_map(name: str, data: Mapping[str, str], kind: Kind = Kind.MEMBER) -> Object:
    meta = {"name": name, "labels": {KIND_LABEL: str(kind)}, "resourceVersion": "7"}
    return {"metadata": meta, "data": dict(data)}


@pytest.mark.parametrize(
    ("name", "data", "wrong"),
    [
        ("theirs", {}, "ConfigMap theirs: node is None: no number of a node"),
        ("gluster-member-3", {"node": "three"}, "node is 'three'"),
        ("copy-of-member-3", {"node": "3"}, "the member of that node is gluster-member-3"),
        ("theirs", {"node": "x" * 1000}, "x" * 39 + ": no number"),
    ],
)
def test_a_member_that_does_not_parse_is_set_aside_and_named(
    name: str, data: dict[str, str], wrong: str
) -> None:
    found, said = documents.members([config_map(name, data), config_map("gluster-member-1", {"node": "1"})])
    assert found.keys() == {1}
    assert len(said) == 1
    assert wrong in said[0]


BAD_PLANS = [
    ({"nodes": "x"}, "nodes is 'x': no list of node numbers"),
    ({}, "nodes is None: a plan names its nodes"),
    ({"nodes": "1,2", "spares": "3-5"}, "spares is '3-5'"),
    ({"nodes": "1,2", "options": "{bad"}, "options is '{bad': no JSON"),
    ({"nodes": "1,2", "options": "[1]"}, "no JSON object of texts"),
    ({"nodes": "1,2", "options": '{"a": 1}'}, "no JSON object of texts"),
    ({"nodes": "1,2", "graceSeconds": "soon"}, "graceSeconds is 'soon': no number of seconds"),
]


@pytest.mark.parametrize(("data", "wrong"), BAD_PLANS)
def test_a_plan_that_does_not_parse_is_named(data: dict[str, str], wrong: str) -> None:
    with pytest.raises(documents.Unreadable, match="ConfigMap gluster-plan: ") as error:
        documents.plan(config_map(PLAN_NAME, data, Kind.PLAN))
    assert wrong in str(error.value)


def test_notes_of_which_a_part_does_not_parse_keep_the_rest() -> None:
    data = {"away": "x=y", "peers": "1;2", "unproven": "a b", "whole": "c"}
    notes, wrong = documents.notes(config_map(STATUS_NAME, data, Kind.STATUS))
    assert notes == Notes(unproven=frozenset({"a", "b"}), whole=frozenset({"c"}))
    assert [line.partition(" is ")[0] for line in wrong] == [
        "ConfigMap gluster-status: away",
        "ConfigMap gluster-status: peers",
    ]


class Silent(Cli):
    """A glusterd that does not answer."""

    def __init__(self) -> None:
        super().__init__("/nowhere/gluster")


def test_a_look_at_objects_that_do_not_parse_goes_on_with_the_others() -> None:
    maps = [
        config_map(PLAN_NAME, {"nodes": "x"}, Kind.PLAN),
        config_map("theirs", {}),
        config_map("gluster-member-1", {"node": "1"}),
        config_map("gluster-member-5", {"node": "5", "spare": "true"}),
    ]
    observer = Observer(Settings(), Identity(1, "pod", "uid"), Silent(), list, lambda: maps)
    seen = observer.look(holds_lease=False)
    plan = seen.cluster.plan
    assert plan, "no plan would mean that the stack is being destroyed"
    assert plan == Plan(nodes=frozenset({1}), spares=frozenset({5}))
    assert seen.cluster.leaving == frozenset()
    assert len(seen.cluster.unreadable) == 2
    assert any("ConfigMap gluster-plan: nodes is 'x'" in line for line in trouble.troubles(seen.cluster))


def test_under_a_plan_that_cannot_be_read_repairs_go_on_and_nothing_is_settled() -> None:
    world = formed(1, 2, 3, 4)
    world.places, world.lost, world.down = {2: "/data/brick-2"}, {2}, {2}
    world.decide()
    cluster = world.cluster(1)
    blind = replace(cluster, plan=documents.as_it_is(cluster.members), unreadable=("the plan is odd",))
    decision = planner.plan(blind, Settings())
    assert any(isinstance(step, do.ReplaceBrick) for step in decision.steps)
    said = report.settled_document(blind, decision)
    assert said["plan"] == ""
    assert said["settled"].startswith("the plan is odd")


def test_under_a_plan_that_cannot_be_read_or_is_gone_options_stay_as_they_were_set() -> None:
    """What it asks for is not known: its options would have been reset, and those of ours set over them."""
    world = formed(1, 2)
    world.options = {"performance.nl-cache": "on", "network.ping-timeout": "30"}
    world.want(1, 2)
    world.run()
    cluster = world.cluster(1)
    for plan in (documents.as_it_is(cluster.members), None):
        steps = planner.plan(replace(cluster, plan=plan), Settings()).steps
        assert not any(isinstance(step, do.ResetOption | do.SetOption | do.NoteOptions) for step in steps)
