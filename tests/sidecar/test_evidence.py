"""What bricks report of each other, and what may be done on it (law 3)."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import documents, entries, evidence, report, trouble
from gluster_sidecar.contract import MemberKey
from gluster_sidecar.errors import ActionError
from gluster_sidecar.evidence import Blames, Scan, Teller, Told, clients, parse_told, scan
from gluster_sidecar.model import Blame, Cluster

from tests.sidecar.test_documents import config_map
from tests.sidecar.test_planner_failures import formed, lose_disk, silence
from tests.sidecar.world import World, brick, host, process

PATH = "/data/brick"
CLEAR, MARKED = bytes(12), bytes(11) + b"\1"

# -- the marks on a disk


def indexed(brick: Path, *gfids: str) -> None:
    index = brick / evidence.INDEX
    index.mkdir(parents=True, exist_ok=True)
    for name in ("xattrop-base", *gfids):
        (index / name).touch()


def reading(marks: Mapping[str, Mapping[str, bytes] | OSError]) -> evidence.GetAttributes:
    def read(path: str) -> Mapping[str, bytes]:
        found = marks[os.path.basename(path)]
        if isinstance(found, OSError):
            raise found
        return found

    return read


def test_a_scan_names_whom_the_entries_of_the_index_blame(tmp_path: Path) -> None:
    indexed(tmp_path, "aa11", "bb22", "cc33")
    marks: dict[str, Mapping[str, bytes] | OSError] = {
        "aa11": {"trusted.afr.data-client-1": MARKED, "trusted.afr.data-client-2": CLEAR},
        "bb22": {"trusted.afr.data-client-1": MARKED},
        "cc33": OSError(errno.ENOENT, "deleted since"),
    }
    assert scan(str(tmp_path), reading(marks)) == Scan(
        frozenset({"data-client-1"}), frozenset({"aa11", "bb22"})
    )


def test_the_handle_of_a_symbolic_link_is_not_followed_and_that_of_a_directory_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a link of its user's a brick would else clear another of what it lacks."""
    mark = "trusted.afr.data-client-1"
    found = {
        ("link", False): {"trusted.gfid": b"x", mark: MARKED},
        ("link", True): {},  # whatever it leads to
        ("folder", False): {},
        ("folder", True): {"trusted.gfid": b"x", mark: MARKED, "trusted.afr.dirty": MARKED},
        ("file", False): {"trusted.gfid": b"x", mark: CLEAR},
    }

    def names(path: str, *, follow_symlinks: bool = True) -> list[str]:
        return list(found[path, follow_symlinks])

    def value(path: str, name: str, *, follow_symlinks: bool = True) -> bytes:
        return found[path, follow_symlinks][name]

    monkeypatch.setattr(os, "listxattr", names)
    monkeypatch.setattr(os, "getxattr", value)
    assert evidence.attributes("link") == {mark: MARKED}
    assert evidence.attributes("folder") == {mark: MARKED}
    assert evidence.attributes("file") == {mark: CLEAR}


def test_a_scan_that_cannot_be_ended_is_not_known(tmp_path: Path) -> None:
    assert scan(str(tmp_path)) is None, "no index"
    indexed(tmp_path, "aa11")
    assert scan(str(tmp_path), reading({"aa11": OSError(errno.EIO, "the disk")})) is None


@pytest.mark.parametrize(
    ("seconds", "mark", "blamed"),
    [(1, MARKED, False), (60, MARKED, True), (60, CLEAR, False)],
    ids=["at work", "left", "healed"],
)
def test_an_entry_that_a_dead_client_left_dirty_blames_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int, mark: bytes, blamed: bool
) -> None:
    """Nobody is left to say which copies have its last write; `heal info` counts it, too."""
    indexed(tmp_path)
    dirty, handle = tmp_path / evidence.DIRTY_INDEX, tmp_path / ".glusterfs/aa/11/aa11"
    dirty.mkdir()
    for name in ("dirty-base", "aa11", "gone"):
        (dirty / name).touch()
    handle.parent.mkdir(parents=True)
    handle.touch()
    changed = handle.stat().st_ctime
    monkeypatch.setattr(time, "time", lambda: changed + seconds)
    monkeypatch.setattr(os, "getxattr", lambda path, name, follow_symlinks: mark)
    assert scan(str(tmp_path)) == Scan(frozenset({evidence.ANYBODY} if blamed else ()))


def test_what_blames_anybody_blames_each_other_brick(clock: Callable[[float], None]) -> None:
    """But those that it has cleared as they run: they were up when that client died."""
    cluster = seen()
    found = Blames().of(cluster, told(11, evidence.ANYBODY), names)
    assert found == {brick(n): Blame(process(n), blamed=True) for n in (2, 3)}
    cleared = {brick(2): Blame(process(2), blamed=False), brick(3): Blame("earlier", blamed=False)}
    me = replace(cluster.members[1], blames=cleared)
    found = Blames().of(
        replace(cluster, members={**cluster.members, 1: me}), told(11, evidence.ANYBODY), names
    )
    assert found == {brick(2): cleared[brick(2)], brick(3): Blame(process(3), blamed=True)}


def test_a_brick_that_never_ran_blames_nobody(tmp_path: Path) -> None:
    (tmp_path / ".glusterfs").mkdir()
    assert scan(str(tmp_path)) == Scan()


def test_what_the_daemon_tells_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a brick that cannot be scanned nothing is told; the time is when the scan began."""
    found = {"/data/brick": Scan(frozenset({"data-client-1"})), "/data/a brick": Scan(), "/broken": None}
    times = iter((5.0, 6.0))
    monkeypatch.setattr(evidence, "scan", found.get)
    file = tmp_path / "run" / "blames"
    Teller(lambda: [f"7.1 {path}" for path in found], file, lambda: next(times)).tell()
    told = parse_told(file.read_text())
    blamed = {
        "/data/brick": ("7.1", frozenset({"data-client-1"})),
        "/data/a brick": ("7.1", frozenset[str]()),
    }
    assert told == Told(5.0, blamed, {"/data/brick": (), "/data/a brick": ()})
    assert parse_told("") is None


def test_entries_that_blame_others_for_long_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, entries, file = [0.0], {"a", "b"}, tmp_path / "blames"
    monkeypatch.setattr(evidence, "scan", lambda path: Scan(frozenset({"c"}), frozenset(entries)))
    monkeypatch.setattr(evidence, "path_of", lambda brick, gfid: f"/{gfid}")
    teller = Teller(lambda: ["7.1 /data/brick"], file, lambda: now[0])

    def named() -> tuple[str, ...]:
        teller.tell()
        told = parse_told(file.read_text())
        assert told
        return told.unhealed["/data/brick"]

    assert named() == ()
    now[0] = evidence.LASTING_SECONDS
    entries.remove("b")
    entries |= {"new", "newer"}
    assert named() == ("/a",)
    now[0] += evidence.LASTING_SECONDS
    entries.add("b")
    assert named() == ("/a", "/new", "/newer"), "one that was healed between begins again"
    entries |= {f"more{k}" for k in range(9)}
    now[0] += evidence.LASTING_SECONDS
    assert len(named()) == evidence.NAMED


def test_an_entry_is_named_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As seen on 11.1: a directory's handle is a link by way of its parent's, a file's an ordinary link."""
    handles = tmp_path / ".glusterfs"
    for folder in ("00/00", "dd/11", "ff/22", "ee/33"):
        (handles / folder).mkdir(parents=True)
    (tmp_path / "some" / "folder").mkdir(parents=True)
    (handles / "00/00/0000root").symlink_to("../../..")
    (handles / "dd/11/dd11").symlink_to("../../00/00/0000root/some/folder")
    (handles / "ff/22/ff22").touch()
    (handles / "ee/33/ee33").touch()
    monkeypatch.setattr(
        os, "listxattr", lambda p, follow_symlinks: ["trusted.gfid2path.1"] if "ff22" in p else []
    )
    monkeypatch.setattr(os, "getxattr", lambda p, name, follow_symlinks: b"dd11/a file")
    brick = str(tmp_path)
    assert entries.path_of(brick, "dd11") == "/some/folder"
    assert entries.path_of(brick, "ff22") == "/some/folder/a file"
    assert entries.path_of(brick, "0000root") == "/"
    assert entries.path_of(brick, "ee33") == "<gfid:ee33>"


@pytest.mark.parametrize(("minutes", "told"), [(4, False), (5, True)])
def test_entries_that_no_heal_mends_are_told_with_their_paths(minutes: int, told: bool) -> None:
    cluster = formed(1, 2, 3, 4).cluster(1)
    since = cluster.at - timedelta(minutes=minutes)
    member = replace(cluster.members[2], unhealed=("/a file",))
    assert cluster.pool
    assert cluster.pool.volume
    volume = replace(cluster.pool.volume, pending={b.id: 1 for b in cluster.pool.volume.bricks})
    waiting = replace(
        cluster,
        members={**cluster.members, 2: member},
        own=replace(cluster.own, heals_wait_since=since),
        pool=replace(cluster.pool, volume=volume),
    )

    def named(cluster: Cluster) -> bool:
        return any("/a file has waited for minutes" in line for line in trouble.troubles(cluster))

    assert named(waiting) is told
    down = tuple(replace(b, online=False) if b.node == 1 else b for b in volume.bricks)
    away = replace(cluster.pool, volume=replace(volume, bricks=down))
    assert not named(replace(waiting, pool=away)), "it waits for the one that is away"


def test_a_name_with_a_line_end_in_it_is_one_line() -> None:
    cluster = formed(1, 2).cluster(1)
    named = replace(cluster, own=replace(cluster.own, unhealed=("/a\nb", "/ü\udcff\x1b")))
    data = report.own_member(named, report.readiness(named, 0), (), 0, None)
    assert data[MemberKey.UNHEALED] == "/a\\nb\n/ü\\udcff\\x1b"
    known = documents.member(config_map("gluster-member-2", {**data, MemberKey.NODE: "2"}))
    assert known
    assert known.unhealed == ("/a\\nb", "/ü\\udcff\\x1b")


VOLFILE = """\
volume data-client-0
    type protocol/client
    option password 1
    option remote-subvolume /data/brick
    option remote-host a
end-volume

volume data-client-4
    type protocol/client
    option remote-host b
    option remote-subvolume /data/brick-2
end-volume

volume data-replicate-0
    type cluster/replicate
    subvolumes data-client-0 data-client-4
end-volume
"""


def test_clients_are_named_as_in_the_volume_file() -> None:
    assert clients(VOLFILE) == {"data-client-0": "a:/data/brick", "data-client-4": "b:/data/brick-2"}


# -- what a node reports


def volfile(*nodes: int) -> str:
    part = (
        "volume data-client-{n}\n option remote-host {h}\n option remote-subvolume /data/brick\nend-volume\n"
    )
    return "".join(part.format(n=n, h=host(n)) for n in nodes)


def seen(me: int = 1, *, runs: bool = True) -> Cluster:
    cluster = formed(1, 2, 3, replication=3).cluster(me)
    return replace(cluster, own=replace(cluster.own, processes={PATH: process(me)} if runs else {}))


def told(scanned: float, *names: str, of: str = process(1)) -> Told:
    return Told(scanned, {PATH: (of, frozenset(names))})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time."""
    at = [10.0]
    monkeypatch.setattr(evidence, "now", lambda: at[0])

    def set_time(now: float) -> None:
        at[0] = now

    return set_time


def names(_: str) -> str:
    return volfile(1, 2, 3)


def test_a_brick_clears_another_by_a_scan_that_began_when_it_was_known_to_run(
    clock: Callable[[float], None],
) -> None:
    blames = Blames()
    assert blames.of(seen(), told(9), names) == {}, "both were met after the scan"
    assert blames.of(seen(), told(11), names) == {
        brick(2): Blame(process(2), blamed=False),
        brick(3): Blame(process(3), blamed=False),
    }
    cluster, again = seen(), "72.99"
    back = {**cluster.members, 2: replace(cluster.members[2], process=again)}
    clock(20)
    assert blames.of(replace(cluster, members=back), told(19), names) == {
        brick(3): Blame(process(3), blamed=False)
    }
    assert (blames.of(replace(cluster, members=back), told(21), names) or {})[brick(2)] == Blame(
        again, blamed=False
    )


def test_blame_is_reported_at_once_and_what_was_said_stands_until_the_next_scan(
    clock: Callable[[float], None],
) -> None:
    cluster = seen()
    before = {brick(3): Blame("73.0", blamed=False)}
    said = replace(cluster, members={**cluster.members, 1: replace(cluster.members[1], blames=before)})
    assert Blames().of(said, told(9, "data-client-2"), names) == before | {
        brick(2): Blame(process(2), blamed=True)
    }


@pytest.mark.parametrize(
    ("cluster", "told", "found"),
    [
        (seen(runs=False), told(11), None),
        (seen(), None, {}),
        (replace(seen(), pool=None), told(11), None),
        (seen(), told(11, of="71.0"), {}),
        (seen(), Told(11, {}), {}),
    ],
    ids=["does not run", "not told yet", "glusterd is away", "of another process", "not scanned"],
)
def test_what_is_not_known_of_a_brick(
    clock: Callable[[float], None],
    cluster: Cluster,
    told: Told | None,
    found: dict[str, Blame] | None,
) -> None:
    assert Blames().of(cluster, told, names) == found


def test_names_that_glusterd_does_not_tell_leave_everybody_unknown(clock: Callable[[float], None]) -> None:
    def refuses(_: str) -> str:
        raise ActionError("it ended")

    blames = Blames()
    blames.of(seen(), told(9), names)
    assert Blames().of(seen(), told(11), refuses) == {}
    assert Blames().of(seen(), told(11), lambda _: volfile(1, 2, 4)) == {}, "of another volume"


def test_a_report_is_read_as_it_was_written() -> None:
    blames = {brick(2): Blame("7.1", blamed=False), brick(3): Blame("", blamed=True)}
    cluster = seen()
    cluster = replace(cluster, own=replace(cluster.own, blames=blames))
    said = report.own_member(cluster, report.Readiness(True, "x"), (), 0, None)
    member = documents.member(config_map("gluster-member-1", said | {"node": "1"}))
    assert member
    assert (member.process, member.blames) == (process(1), blames)


@pytest.mark.parametrize("lost", [frozenset(), frozenset({brick(1)})], ids=["does not run", "lost"])
def test_of_a_brick_that_does_not_run_the_last_report_stands(lost: frozenset[str]) -> None:
    cluster = seen(runs=False)
    cluster = replace(cluster, own=replace(cluster.own, lost=lost))
    said = report.own_member(cluster, report.Readiness(True, "x"), (), 0, None)
    assert MemberKey.BLAMES not in said


# -- what may be done on it


def replaces(world: World) -> bool:
    return any(isinstance(step, do.ReplaceBrick) for step in world.decide().steps)


def report_clear(world: World, *nodes: int) -> None:
    for one in nodes:
        world.blames[one] = {brick(o): Blame(process(o), blamed=False) for o in nodes if o != one}


def three_with_a_lost_disk_and_no_memory() -> World:
    """Issue 13, case 1: nodes 2 and 3 lost their power before the disk of node 1 was replaced."""
    world = formed(1, 2, 3, replication=3)
    lose_disk(world, 1)
    world.notes = replace(world.notes, whole=frozenset())
    world.caught_up = {2: "", 3: ""}
    report_clear(world, 2, 3)
    return world


def test_of_three_a_majority_that_blames_nobody_in_it_is_enough() -> None:
    world = three_with_a_lost_disk_and_no_memory()
    assert replaces(world)


def test_also_for_a_machine_that_stays_away() -> None:
    world = formed(1, 2, 3, replication=3, spares=(4,))
    silence(world, 3)
    world.decide()
    world.caught_up = {1: "", 2: ""}
    report_clear(world, 1, 2)
    world.now += timedelta(seconds=700)
    assert replaces(world)


def blamed(world: World) -> None:
    world.blames[2] = {brick(3): Blame(process(3), blamed=True)}


def of_an_earlier_start(world: World) -> None:
    world.blames[2] = {brick(3): Blame("73.0", blamed=False)}


def silent(world: World) -> None:
    del world.blames[3]


def down(world: World) -> None:
    world.down.add(3)


def unproven(world: World) -> None:
    world.notes = replace(world.notes, unproven=frozenset({brick(3)}))


def without_quorum(world: World) -> None:
    assert world.volume
    world.options = {"cluster.quorum-type": "none"}
    world.volume = replace(world.volume, options={**world.volume.options, **world.options})


@pytest.mark.parametrize(
    "change", [blamed, of_an_earlier_start, silent, down, unproven, without_quorum], ids=lambda f: f.__name__
)
def test_of_three_it_is_not_enough(change: Callable[[World], None]) -> None:
    world = three_with_a_lost_disk_and_no_memory()
    change(world)
    assert not replaces(world)


def two_of_which_one_was_restarted_before_the_other_was_lost() -> World:
    """Whom it could ask is gone; only its last report is left."""
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    world.caught_up[3] = ""
    return world


def test_of_two_the_last_report_of_a_lost_disk_clears_the_other() -> None:
    world = two_of_which_one_was_restarted_before_the_other_was_lost()
    assert not replaces(world), "it reported nothing"
    world.blames[4] = {brick(3): Blame("73.0", blamed=False)}
    assert replaces(world)


def test_of_two_the_last_report_blames_the_other() -> None:
    world = two_of_which_one_was_restarted_before_the_other_was_lost()
    world.blames[4] = {brick(3): Blame("73.0", blamed=True)}
    assert not replaces(world)


def test_of_two_the_last_report_of_one_that_is_away_clears_nobody() -> None:
    """It may have taken writes alone after it, and can still bring them back."""
    world = formed(1, 2, 3, 4, spares=(5,))
    silence(world, 4)
    world.decide()
    world.caught_up[3] = ""
    world.blames[4] = {brick(3): Blame(process(3), blamed=False)}
    world.now += timedelta(seconds=700)
    assert not replaces(world)
    world.notes = replace(world.notes, whole=world.notes.whole | {brick(3)})
    world.caught_up.clear()
    assert replaces(world), "what keeps it is the survivor"


def test_a_brick_that_was_to_be_made_clears_nobody_of_it() -> None:
    """The last report of a lost disk is of the brick that was there, not of its successor."""
    world = two_of_which_one_was_restarted_before_the_other_was_lost()
    world.blames[4] = {f"{host(3)}:/data/brick-2": Blame("73.0", blamed=False)}
    assert not replaces(world)


# -- an operator decides


def one_copy_in_doubt() -> World:
    world = two_of_which_one_was_restarted_before_the_other_was_lost()
    world.blames[4] = {brick(3): Blame("73.0", blamed=True)}
    world.decide()
    return world


def told_of(world: World) -> str:
    return "\n".join(trouble.troubles(world.cluster(world.cluster(1).server1 or 1)))


def test_a_copy_in_doubt_is_told_with_the_command_that_decides() -> None:
    world = one_copy_in_doubt()
    command = f"gluster-member-3 'gluster-stack.dev/take-as-right={brick(3)} {process(3)}'"
    assert command in told_of(world)
    world.overrides[3] = f"{brick(3)} {process(3)}"
    assert told_of(world) == ""


def test_an_operators_word_is_enough_and_is_used_once() -> None:
    world = one_copy_in_doubt()
    world.overrides[3] = f"{brick(3)} {process(3)}"
    steps = world.decide().steps
    replaced = next(i for i, step in enumerate(steps) if isinstance(step, do.ReplaceBrick))
    assert do.SpendOverride(3) in steps[replaced:], "not before it is done"
    assert do.SpendOverride(4) not in steps


@pytest.mark.parametrize("word", [f"{brick(3)} 73.0", f"{brick(1)} {process(1)}", brick(3)])
def test_an_operators_word_about_another_copy_is_told_and_not_used(word: str) -> None:
    world = one_copy_in_doubt()
    world.overrides[3] = word
    assert not replaces(world)
    assert f"says '{word}', but its copy is {brick(3)} {process(3)}" in told_of(world)


def test_a_copy_that_is_known_to_be_right_is_nobodys_to_judge() -> None:
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    assert told_of(world) == ""
