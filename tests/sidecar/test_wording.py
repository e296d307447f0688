"""What people read in Events."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar.wording import words

from tests.sidecar.world import START, brick, host

VALUES: dict[str, Any] = {
    "str": "x",
    "int": 3,
    "bool": True,
    "tuple[str, ...]": (brick(3), brick(4)),
    "frozenset[str]": frozenset({brick(3)}),
    "frozenset[int] | None": frozenset({1}),
    "Mapping[int, datetime]": {3: START},
}


@pytest.mark.parametrize("kind", get_args(do.Action), ids=lambda kind: kind.__name__)
def test_every_step_has_a_sentence_without_values_of_python(kind: type[Any]) -> None:
    said = words(kind(*(VALUES[str(field.type)] for field in dataclasses.fields(kind))))
    assert said[0].islower()
    assert not set(said) & set("()[]{}='\"")


def test_a_person_reads_nodes_and_paths() -> None:
    assert words(do.ProbePeer(host(3))) == "invites node 3 into the pool"
    assert words(do.ReplaceBrick("data", brick(2), f"{host(5)}:/data/brick-2")) == (
        "puts brick /data/brick-2 of node 5 in the place of brick /data/brick of node 2"
    )
    assert words(do.StartRemoval("data", (brick(3), brick(4)))) == (
        "starts to move the data off brick /data/brick of node 3, brick /data/brick of node 4"
    )
