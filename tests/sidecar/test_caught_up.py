"""What a node knows of its own brick: has it caught up since it was started, is it lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gluster_sidecar import disk, observe
from gluster_sidecar.loop import Loop
from gluster_sidecar.model import Blame, Cluster, Notes
from gluster_sidecar.service import parts, running_bricks
from gluster_sidecar.settings import Settings

from tests.sidecar.test_rest import PROCESS, well
from tests.sidecar.world import brick

NODE = 3


def loop_that_has_caught_up() -> Loop:
    nothing: Any = None
    loop = Loop(Settings(), nothing, nothing, nothing, nothing, nothing, nothing)
    loop._caught_up = PROCESS
    return loop


def seen(process: str = PROCESS, *, glusterd: bool = True) -> Cluster:
    cluster = well(NODE)
    own = replace(cluster.own, processes={"/data/brick": process} if process else {})
    running = replace(cluster.pool, brick_running=bool(process)) if cluster.pool and glusterd else None
    return replace(cluster, own=own, pool=running)


def test_a_brick_has_caught_up_still_when_its_glusterd_was_started_anew() -> None:
    """Who asked again could be the last of its set and get no answer."""
    loop = loop_that_has_caught_up()
    assert loop._behind(seen(glusterd=False)) is None
    assert loop._behind(seen()) == 0
    assert loop._caught_up == PROCESS


def test_what_the_others_report_of_it_as_it_runs_wins_over_what_it_knew() -> None:
    """A brick that clients did not reach for a while lacks writes, though it ran all the time."""
    loop, cluster = loop_that_has_caught_up(), seen()
    for blamed, behind in ((True, 1), (False, 0)):
        told = replace(cluster.members[4], blames={brick(NODE): Blame(PROCESS, blamed)})
        assert loop._behind(replace(cluster, members={**cluster.members, 4: told})) == behind
        assert bool(loop._caught_up) is not blamed


@pytest.mark.parametrize("process", ["", "99.5000"], ids=["it ended", "it is another"])
@pytest.mark.parametrize("glusterd", [True, False], ids=["answers", "is away"])
def test_a_brick_that_was_started_anew_has_not_caught_up(process: str, glusterd: bool) -> None:
    loop = loop_that_has_caught_up()
    assert loop._behind(seen(process, glusterd=glusterd)) is None
    assert loop._caught_up == ""


def test_each_start_of_a_brick_is_another_process(tmp_path: Path) -> None:
    run, proc = tmp_path / "run", tmp_path / "proc"
    (run / "gluster/vols/data").mkdir(parents=True)
    (run / "gluster/vols/data/data-brick.pid").write_text("71\n")
    (proc / "71").mkdir(parents=True)
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text("d903fc9e-e91d-49b6-8274-9c3fed14bcdd\n")
    (proc / "71/cmdline").write_text(
        "glusterfsd\0-s\0me\0-S\0/run/x.socket\0--brick-name\0/data/a brick\0-l\0log\0"
    )
    (proc / "71/stat").write_text(f"71 (gluster (fsd) S {' '.join(map(str, range(4, 22)))} 4711 23 24\n")
    assert running_bricks(parts(run, proc)) == ["71.4711.d903fc9e /data/a brick"]
    (proc / "71/cmdline").write_text("another program that has its number now\0")
    assert running_bricks(parts(run, proc)) == []


@pytest.mark.parametrize(("there", "lost"), [(False, True), (True, False), (None, False)])
@pytest.mark.parametrize("glusterd", [True, False], ids=["knows the volume", "is away"])
def test_a_brick_whose_folder_is_not_on_the_disk_is_lost(
    monkeypatch: pytest.MonkeyPatch, there: bool | None, lost: bool, glusterd: bool
) -> None:
    """Also while glusterd is let in again, and does not know the volume yet: then by what is noted."""
    monkeypatch.setattr(disk, "is_there", lambda path: there if path == "/data/brick" else True)
    noted = replace(seen(glusterd=glusterd), notes=Notes(whole=frozenset({brick(NODE), brick(4)})))
    assert observe._lost(noted) == (frozenset({brick(NODE)}) if lost else frozenset())


def test_a_disk_on_which_nothing_was_is_not_lost() -> None:
    assert not observe._lost(replace(seen(glusterd=False), notes=Notes(whole=frozenset({brick(4)}))))
