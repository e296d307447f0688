"""A start of glusterd is harmless by itself; in the middle of a replacement it could cost the last good copy.

Seen on 11.1: the one that acts replaced a lost brick in the moment in which the glusterd of the only good
copy was started anew. The new brick did not find it, and the root folder was in split-brain.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import contract, daemon, hosts, planner, report, run_files
from gluster_sidecar.contract import MemberState
from gluster_sidecar.errors import ActionError
from gluster_sidecar.events import Events
from gluster_sidecar.execute import Executor
from gluster_sidecar.gluster import Cli
from gluster_sidecar.health import Health
from gluster_sidecar.lease import Lease
from gluster_sidecar.loop import Loop
from gluster_sidecar.model import Cluster, Peer
from gluster_sidecar.observe import Observer, Seen
from gluster_sidecar.planner.own import start_asked
from gluster_sidecar.settings import Identity, Settings

from lab.waiting import wait_for
from tests.sidecar.test_daemon import glusterd_that
from tests.sidecar.test_lease import OneLease
from tests.sidecar.test_planner_failures import formed, lose_disk, silence
from tests.sidecar.test_rest import NoObjects
from tests.sidecar.world import World, brick, host

MINUTE = timedelta(minutes=1)


def with_peer(
    cluster: Cluster, *, in_cluster: bool, rejected: bool = False, connected: bool = True
) -> Cluster:
    """Node 2 as this node's glusterd has it."""
    assert cluster.pool
    peer = Peer(host(2), "uuid-2", connected, in_cluster, rejected)
    return replace(cluster, pool=replace(cluster.pool, peers={host(2): peer}))


def stuck() -> Cluster:
    """Node 2 has been halfway in the pool for a minute."""
    cluster = with_peer(formed(1, 2).cluster(1), in_cluster=False)
    assert cluster.unwell
    return replace(cluster, own=replace(cluster.own, unwell_since=cluster.at - MINUTE))


def granted(cluster: Cluster, node: int, asked: str) -> Cluster:
    member = replace(cluster.members[node], start_asked=asked, start_granted=asked)
    return replace(cluster, members={**cluster.members, node: member})


def starts(cluster: Cluster) -> bool:
    return any(isinstance(s, do.RestartGlusterd) for s in planner.plan_own(cluster, Settings()).steps)


def words(cluster: Cluster) -> dict[str, str]:
    return report.own_member(cluster, report.readiness(cluster, 0), (1, 2), 0, None)


# -- who asks, and when


def test_a_peer_that_stays_halfway_in_the_pool_is_taken_in_by_a_start_by_leave_of_the_actor() -> None:
    """Seen on 11.1: one node had another as "Accepted peer request" and refused every replacement."""
    cluster = stuck()
    asked = words(cluster)["startAsked"]
    assert asked
    assert not starts(cluster)
    assert starts(granted(cluster, 1, asked))
    assert not starts(granted(cluster, 1, "another time"))


def test_it_does_not_ask_where_a_start_would_not_help_or_is_too_early() -> None:
    cluster = stuck()
    early = replace(cluster, own=replace(cluster.own, unwell_since=cluster.at - timedelta(seconds=1)))
    joins = replace(cluster.members[2], state=MemberState.PEER)
    for why, other in {
        "it may be in the middle of it": early,
        "node 2 does not know the volume yet": replace(cluster, members={**cluster.members, 2: joins}),
        "it was let in": with_peer(cluster, in_cluster=True),
        "it is rejected": with_peer(cluster, in_cluster=False, rejected=True),
        "it is away": with_peer(cluster, in_cluster=False, connected=False),
    }.items():
        assert words(other)["startAsked"] == "", why
        assert not starts(granted(other, 1, "")), why


@pytest.mark.parametrize(("minutes", "asks"), [(2, False), (4, True)])
def test_a_peer_without_a_brick_is_given_time_to_join_by_itself(minutes: int, asks: bool) -> None:
    """A spare that lost its disk: who has it halfway refuses every brick on it (found by the simulation)."""
    cluster = stuck()
    spare = replace(cluster.members[2], state=MemberState.PEER)
    since = cluster.at - minutes * MINUTE
    cluster = replace(
        cluster,
        members={**cluster.members, 2: spare},
        own=replace(cluster.own, unwell_since=since),
    )
    assert bool(words(cluster)["startAsked"]) is asks


def test_leave_is_for_one_start() -> None:
    """A peer that is halfway still is another matter, and the actor may be at something else by then."""
    cluster = stuck()
    asked = words(cluster)["startAsked"]
    again = replace(
        cluster, at=cluster.at + 2 * MINUTE, own=replace(cluster.own, restarted=cluster.at + MINUTE / 2)
    )
    assert words(again)["startAsked"] not in ("", asked)
    assert not starts(granted(again, 1, asked))


def test_what_it_asked_stands_until_the_glusterd_that_was_started_answers() -> None:
    cluster = stuck()
    just = replace(cluster, own=replace(cluster.own, restarted=cluster.at))
    assert "startAsked" not in words(replace(just, own=replace(just.own, ending=True))), (
        "it has not ended yet"
    )
    assert "startAsked" not in words(replace(just, pool=None)), "it does not answer"
    assert words(just)["startAsked"] == ""


# -- what the actor does meanwhile


def asking(world: World, node: int, **words: str) -> Cluster:
    cluster = world.cluster(1)
    return replace(cluster, members={**cluster.members, node: replace(cluster.members[node], **words)})  # type: ignore[arg-type]


def replaces(cluster: Cluster) -> bool:
    return any(isinstance(step, do.ReplaceBrick) for step in planner.plan(cluster, Settings()).steps)


def test_the_actor_gives_leave_before_it_does_anything_else() -> None:
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    world.decide()
    assert replaces(world.cluster(1))
    assert planner.plan(asking(world, 3, start_asked="a"), Settings()).steps == (do.GrantStart(3, "a"),)
    for words in ({"start_asked": "a"}, {"start_asked": "a", "start_granted": "another time"}):
        two = asking(world, 3, **words)
        two = replace(two, members={**two.members, 2: replace(two.members[2], start_asked="b")})
        assert planner.plan(two, Settings()).steps == (do.GrantStart(2, "b"),), "one after the other"
    older = asking(world, 3, start_asked="b", start_granted="a")
    assert planner.plan(older, Settings()).steps == (do.GrantStart(3, "b"),)
    assert replaces(asking(world, 3, start_granted="b")), "it has been started"


@pytest.mark.parametrize("node", [2, 3, 4], ids=["another set's", "the last good copy's", "the lost brick's"])
def test_nothing_is_done_while_a_glusterd_has_leave_to_start_anew(node: int) -> None:
    """What changed in another set while the glusterd of a last copy was away made it start that brick anew,
    and nobody was left who could tell that it lacks nothing (seen on 11.1)."""
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    world.decide()
    started = asking(world, node, start_asked="a", start_granted="a")
    assert planner.plan(started, Settings()).waits_for == f"glusterd of node {node} is started anew"
    another = replace(started.members[1], start_asked="b")
    both = replace(started, members={**started.members, 1: another})
    assert planner.plan(both, Settings()).waits_for == f"glusterd of node {node} is started anew"


def test_the_start_of_one_that_stays_away_is_not_waited_for() -> None:
    world = formed(1, 2, 3, 4, spares=(5,))
    silence(world, 4)
    words = {"start_asked": "a", "start_granted": "a"}
    noted = planner.plan(asking(world, 4, **words), Settings())
    assert [type(step) for step in noted.steps] == [do.NoteHealth], "or it would be waited for for ever"
    world.decide()
    assert "is started anew" in planner.plan(asking(world, 4, **words), Settings()).waits_for
    world.now += timedelta(days=1)
    assert replaces(asking(world, 4, **words))


@pytest.mark.parametrize(
    ("known", "waits"),
    [
        ({"connected": False}, True),
        ({"in_cluster": False}, True),
        ({"in_cluster": False, "rejected": True}, False),
        ({}, False),
    ],
    ids=["not connected", "halfway", "rejected", "well"],
)
def test_no_brick_is_replaced_while_the_glusterd_of_another_set_would_miss_it(
    known: dict[str, Any], waits: bool
) -> None:
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    world.decide()
    cluster = world.cluster(1)
    assert cluster.pool
    peers = {**cluster.pool.peers, host(2): replace(cluster.pool.peers[host(2)], **known)}
    seen = replace(cluster, pool=replace(cluster.pool, peers=peers))
    assert replaces(seen) is not waits
    if waits:
        assert f"glusterd of bricks {brick(2)}" in planner.plan(seen, Settings()).waits_for


def test_one_that_stays_away_or_lost_its_own_brick_has_nothing_to_miss() -> None:
    world = formed(1, 2, 3, 4)
    silence(world, 2)
    lose_disk(world, 4)
    assert "is away" in world.decide().waits_for
    world.now += timedelta(minutes=2)
    assert any(isinstance(step, do.ReplaceBrick) for step in world.decide().steps)
    world = formed(1, 2, 3, 4)
    lose_disk(world, 2)
    lose_disk(world, 4)
    world.away.add(2)
    world.decide()
    assert replaces(world.cluster(1))


def test_the_actor_does_nothing_while_its_own_glusterd_is_about_to_end() -> None:
    cluster = formed(1, 2).cluster(1)
    ending = replace(cluster, own=replace(cluster.own, ending=True))
    assert planner.plan(ending, Settings()).waits_for == "glusterd on this node is started anew"


def test_leave_is_written_where_the_node_reads_it() -> None:
    written: list[tuple[str, Any]] = []

    class Objects:
        def merge(self, path: str, body: Any) -> None:
            written.append((path, body))

    executor = Executor(Settings(), Cli(), Objects())  # type: ignore[arg-type]
    executor.apply(do.GrantStart(3, "a"))
    assert written == [
        ("/api/v1/namespaces/default/configmaps/gluster-member-3", {"data": {"startGranted": "a"}})
    ]


def test_the_actors_own_start_ends_its_cycle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What it decided in the same look relies on the glusterd that is about to end."""
    monkeypatch.setattr(hosts, "write", lambda *_: False)
    (started := tmp_path / "start").touch()
    deeds: Any = Deeds()
    nothing: Any = NoObjects()
    lease = Lease(OneLease(), "default", "pod-1")  # type: ignore[arg-type]
    assert lease.contend(0)
    events = Events(nothing, "default", "pod")
    loop = Loop(Settings(), nothing, deeds, nothing, lease, Health(), events, started, clock=lambda: 0)
    cluster = stuck()
    starting = granted(cluster, 1, start_asked(cluster))
    leave = planner.Decision("grant_starts", (do.GrantStart(2, "a"),))
    for seen, done in ((starting, [do.RestartGlusterd]), (cluster, [do.GrantStart])):
        deeds.done.clear()
        assert loop._follow(Seen(seen, {}), planner.plan_own(seen, Settings()), leave)
        assert [type(step) for step in deeds.done] == done


class NoAnswer:
    """Of a glusterd that is away."""

    def ask(self, *words: str, seconds: int) -> None:
        raise ActionError("nobody answers")


class Deeds:
    gluster = NoAnswer()

    def __init__(self) -> None:
        self.done: list[do.Action] = []

    def apply(self, step: do.Action) -> None:
        self.done.append(step)


# -- between sidecar and daemon


def test_the_daemon_answers_when_what_ran_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it sooner, an answer of the old glusterd could be taken for one of the new."""
    asked, seen = tmp_path / "restart", tmp_path / "seen"
    glusterd_that(
        f"trap 'test -e {asked} && echo asked >> {seen}; exit 0' TERM; echo started >> {seen};"
        " while :; do sleep 0.05; done",
        tmp_path,
        monkeypatch,
    )
    stop, done = threading.Event(), asked.with_suffix(".done")
    thread = threading.Thread(
        target=daemon.supervise,
        args=(stop, asked, tmp_path / "problem", lambda: None, daemon.Running(), lambda: None),
    )
    thread.start()
    try:
        wait_for("it was started", lambda: seen.exists(), 30)
        asked.touch()
        wait_for(
            "it was started anew", lambda: seen.read_text().split() == ["started", "asked", "started"], 30
        )
        assert (asked.exists(), done.exists()) == (False, True)
    finally:
        stop.set()
        thread.join()


@dataclass
class Answers:
    """Of a glusterd that ends while it is asked."""

    note: Path
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def ask(self, *words: str, seconds: int = 0) -> Any:
        self.asked.append(words)
        self.note.unlink(missing_ok=True)
        raise ActionError("it ended")

    def volfile(self, volume: str) -> str:
        raise ActionError("it ended")


def test_a_look_that_began_before_glusterd_ended_says_so(tmp_path: Path) -> None:
    note = tmp_path / Path(run_files.RESTART_FILE).relative_to(contract.RUN_DIRECTORY)
    note.parent.mkdir()
    note.touch()
    answers: Any = Answers(note)
    observer = Observer(Settings(), Identity(1, "pod", "here"), answers, list, list, tmp_path)
    assert observer.look(False).cluster.own.ending
    assert not observer.look(False).cluster.own.ending
