"""What one actor writes down is what the next one reads."""

from __future__ import annotations

from typing import Any, cast

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import documents
from gluster_sidecar.execute import Executor
from gluster_sidecar.gluster import Cli
from gluster_sidecar.kubernetes import Api
from gluster_sidecar.model import Notes
from gluster_sidecar.settings import Settings

from tests.sidecar.notes import noted
from tests.sidecar.world import START, brick

SOME, OTHER = frozenset({brick(1), brick(2)}), frozenset({brick(3)})


class Status:
    """The status object, as a merge leaves it."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}

    def merge(self, _: str, patch: dict[str, Any]) -> None:
        self.data |= patch["data"]


@pytest.mark.parametrize(
    ("step", "read"),
    [
        (do.NoteHealth(SOME, {2: START}), Notes(whole=SOME, away={2: START})),
        (do.NoteHealth(frozenset(), {}), Notes()),
        (do.NoteUnproven(SOME), Notes(unproven=SOME)),
        (do.NoteBalanced(SOME), Notes(balanced=SOME)),
        (do.NoteRebalance(SOME, "id"), Notes(rebalance_bricks=SOME, rebalance_after="id")),
        (do.NoteReplaced(SOME), Notes(replaced=SOME)),
        (do.NoteOptions(frozenset({"a.b", "c"})), Notes(options=frozenset({"a.b", "c"}))),
    ],
    ids=["health", "nothing", "unproven", "balanced", "rebalance", "replaced", "options"],
)
def test_what_is_noted_is_read(step: do.Note, read: Notes) -> None:
    status = Status()
    Executor(Settings(), Cli(), cast(Api, status)).apply(step)
    assert documents.notes({"data": status.data}) == (read, [])
    assert noted(Notes(), step) == read
