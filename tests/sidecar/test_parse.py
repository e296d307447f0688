"""glusterd's own words, recorded from real daemons (`recorded/<version>/`), to the model."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from gluster_sidecar import parse
from gluster_sidecar.errors import ObservationError
from gluster_sidecar.model import TaskState, Volume

from tests.sidecar.world import brick, host

RECORDED = Path(__file__).with_name("recorded")
VERSIONS = sorted(p.name for p in RECORDED.iterdir())


@pytest.fixture(params=VERSIONS)
def folder(request: pytest.FixtureRequest) -> Path:
    return RECORDED / str(request.param)


def xml(folder: Path, name: str) -> ET.Element:
    """As `tests/integration/record.py` recorded it."""
    return ET.parse(folder / f"{name}.xml").getroot()


def volume(folder: Path, info: str = "volume-info") -> Volume:
    found = parse.volume(xml(folder, info), "data")
    assert found is not None
    return found


def test_peers(folder: Path) -> None:
    peers = parse.peers(xml(folder, "peer-status"))
    assert sorted(peers) == [host(2), host(3), host(4)]
    assert all(p.connected and p.in_cluster for p in peers.values())
    assert parse.peers(xml(folder, "peer-status-down"))[host(2)].connected is False


def test_a_peer_has_its_nodes_name_whichever_name_comes_first() -> None:
    """Mistake 27: one node under two names was taken for two, one of them gone."""
    names = ("machine-2.internal", host(2))
    for first, other in (names, names[::-1]):
        answer = (
            f"<cliOutput><peerStatus><peer><uuid>u</uuid><hostname>{first}</hostname><hostnames>"
            f"<hostname>{first}</hostname><hostname>{other}</hostname></hostnames>"
            "<connected>1</connected><state>3</state></peer></peerStatus></cliOutput>"
        )
        assert list(parse.peers(ET.fromstring(answer))) == [host(2)]


def test_a_volume_is_found_by_its_whole_name(folder: Path) -> None:
    """Mistake 11: `data` was taken to exist if `data2` did."""
    assert parse.volume(xml(folder, "volume-info"), "dat") is None
    assert parse.volume(xml(folder, "volume-info-none"), "data") is None


def test_a_volume(folder: Path) -> None:
    found = volume(folder, "volume-info-two-sets")
    assert found.started
    assert [[b.id for b in one] for one in found.sets] == [[brick(1), brick(2)], [brick(3), brick(4)]]
    assert found.options["network.ping-timeout"] == "10"
    assert not found.detailed


def test_bricks_online_and_away(folder: Path) -> None:
    assert parse.with_status(volume(folder), xml(folder, "volume-status")).all_online
    killed = parse.with_status(volume(folder), xml(folder, "status-brick-down"))
    assert [b.online for b in killed.bricks] == [True, False]
    unmentioned = parse.with_status(volume(folder), xml(folder, "status-peer-down"))
    assert [b.online for b in unmentioned.bricks] == [True, False]


@pytest.mark.parametrize(
    ("file", "task", "state"),
    [
        ("status-rebalancing", "rebalance", TaskState.RUNNING),
        ("status-rebalanced", "rebalance", TaskState.DONE),
        ("status-removing", "removal", TaskState.RUNNING),
        ("status-removed", "removal", TaskState.DONE),
    ],
)
def test_tasks(folder: Path, file: str, task: str, state: TaskState) -> None:
    seen = parse.with_status(volume(folder, "volume-info-two-sets"), xml(folder, file))
    assert {"rebalance": seen.rebalance, "removal": seen.removal}[task] is not None
    found = seen.rebalance or seen.removal
    assert found is not None
    assert found.state is state
    assert found.bricks == ((brick(3), brick(4)) if task == "removal" else ())


def test_no_task_once_the_removal_is_committed(folder: Path) -> None:
    seen = parse.with_status(volume(folder), xml(folder, "status-committed"))
    assert (seen.rebalance, seen.removal) == (None, None)


REMOVED, SPREAD = {host(3), host(4)}, {host(1), host(2), host(3), host(4)}


def set_text(answer: ET.Element, path: str, text: str) -> None:
    for element in answer.iterfind(path):
        element.text = text


def test_what_came_of_a_removal(folder: Path) -> None:
    answer = xml(folder, "remove-brick-status")
    assert parse.removal_result(answer, REMOVED, host(1)) == (TaskState.DONE, 0)
    set_text(answer, "volRemoveBrick/aggregate/failures", "2")
    set_text(answer, "volRemoveBrick/aggregate/skipped", "1")
    assert parse.removal_result(answer, REMOVED, host(1)) == (TaskState.DONE, 3)


@pytest.mark.parametrize(("status", "found"), [("1", (TaskState.RUNNING, 1)), ("0", (TaskState.DONE, 1))])
def test_a_removal_is_done_when_every_leaving_node_has_done_its_share(
    folder: Path, status: str, found: tuple[TaskState, int]
) -> None:
    """ "Not started" after its glusterd was started anew: its files are where they were."""
    answer = xml(folder, "remove-brick-status")
    set_text(answer, "volRemoveBrick/node[2]/status", status)
    assert parse.removal_result(answer, REMOVED, host(1)) == found


def test_heals_of_a_brick_that_does_not_answer_are_unknown_not_zero(folder: Path) -> None:
    assert parse.heals(xml(folder, "heal-summary")) == {brick(1): 0, brick(2): 0}
    away = parse.heals(xml(folder, "heal-brick-down"))
    waiting = {"glusterfs-10.3": 4, "glusterfs-11.1": 5}
    assert away == {brick(1): waiting[folder.name], brick(2): None}


def test_the_one_that_was_asked_is_no_peer_of_its_own(folder: Path) -> None:
    """Mistake 20: the leader, absent from its own peers, was taken for an orphan."""
    answer = xml(folder, "pool-list")
    peers = parse.peers(answer)
    assert host(2) in peers
    assert "localhost" not in peers
    assert len(parse.own_uuid(answer)) == 36
    assert parse.own_uuid(answer) not in {peer.uuid for peer in peers.values()}


def test_the_operating_version_is_told_or_not_known() -> None:
    one = "<Opt><Option>{}</Option><Value>{}</Value></Opt>"
    answer = f"<cliOutput><volGetopts><count>1</count>{one}</volGetopts></cliOutput>"
    assert parse.op_version(ET.fromstring(answer.format("cluster.op-version", "110000"))) == "110000"
    for other in (("cluster.max-op-version", "110000"), ("cluster.op-version", "")):
        with pytest.raises(ObservationError, match="no operating version"):
            parse.op_version(ET.fromstring(answer.format(*other)))


def test_what_came_of_a_rebalance(folder: Path) -> None:
    answer = xml(folder, "rebalance-status")
    assert parse.rebalance_result(answer, SPREAD, host(1)) == (TaskState.DONE, 0)
    set_text(answer, "volRebalance/aggregate/skipped", "7")
    assert parse.rebalance_result(answer, SPREAD, host(1)) == (TaskState.DONE, 0), "they stay"
    set_text(answer, "volRebalance/aggregate/failures", "3")
    assert parse.rebalance_result(answer, SPREAD, host(1)) == (TaskState.DONE, 3)
    assert parse.rebalance_result(answer, {*SPREAD, host(5)}, host(1)) == (TaskState.DONE, 4), (
        "one is missing"
    )


@pytest.mark.parametrize("which", ["gluster-3.default.svc.cluster.local", "localhost"])
def test_a_rebalance_is_done_when_every_node_has_done_its_share(folder: Path, which: str) -> None:
    for status, found in (("1", (TaskState.RUNNING, 1)), ("0", (TaskState.DONE, 1))):
        answer = xml(folder, "rebalance-status")
        set_text(answer, f"volRebalance/node[nodeName='{which}']/status", status)
        assert parse.rebalance_result(answer, SPREAD, host(1)) == found


def test_an_answer_that_lacks_a_field_is_no_answer() -> None:
    with pytest.raises(ObservationError, match="hostname"):
        parse.peers(ET.fromstring("<cliOutput><peerStatus><peer/></peerStatus></cliOutput>"))
