"""No disagreement between Pulumi's state, the API and the volume costs data, and one more plain `up` settles
it.

In the fast tests every operation is interrupted at every point once, and some longer histories are drawn.
`GUARD_HISTORIES=5000 pytest tests/simulation/test_views.py` draws more, `GUARD_SEED` names the first.
"""

from __future__ import annotations

import copy
import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache

import pytest

from tests.simulation.views import CHAIN, Cloud, Engine, Hangs, Key, Program, Refused

HISTORIES = int(os.environ.get("GUARD_HISTORIES", "150"))
FIRST = int(os.environ.get("GUARD_SEED", "0"))
PROGRAMS = (Program(2), Program(4), Program(2, "b"), Program(4, "b"), Program(6))
Operation = Callable[[Engine], Iterator[str]]


def up(program: Program, *, refresh: bool) -> Operation:
    return lambda engine: engine.up(program, refresh=refresh)


OPERATIONS: dict[str, Operation] = {
    **{
        f"up to {p.count} with {p.template}{'' if r else ', no refresh'}": up(p, refresh=r)
        for p in PROGRAMS
        for r in (True, False)
    },
    "destroy": Engine.destroy,
}


@cache
def _settled(count: int) -> Engine:
    engine = Engine(Cloud())
    finish(engine, Program(count))
    return engine


def settled(count: int) -> Engine:
    """A stack of so many nodes to which nothing has happened."""
    known = _settled(count)
    cloud = copy.copy(known.cloud)  # what its containers hold never changes
    for one in fields(Cloud):
        if isinstance(value := getattr(cloud, one.name), dict | set | list):
            setattr(cloud, one.name, copy.copy(value))
    return Engine(cloud, dict(known.state))


def do(engine: Engine, operation: Operation, cut: int | None = None) -> str:
    """Carries it out, or ends it at its `cut`th point; what became of it, "" if it came to its end."""
    try:
        for number, point in enumerate(operation(engine)):
            if number == cut:
                return point
    except (Refused, Hangs) as error:
        return str(error)
    return ""


def finish(engine: Engine, program: Program, *, at_once: bool = False) -> None:
    """One more plain `up`; where a killed one left objects of which it does not know, as the documents
    say. `at_once`: before the sidecars have seen what came before it."""
    engine.cloud.destroyed = False
    end = do(engine, up(program, refresh=True)) if at_once else "the sidecars come first"
    if end:
        engine.cloud.sidecars()
        clear(engine, program)
        end = do(engine, up(program, refresh=True))
    if "already exists" in end:
        engine.upserts = True
        end = do(engine, up(program, refresh=True))
    if "('volume'" in end:  # held by a claim that was taken out of Pulumi's state
        clear(engine, program)
        end = do(engine, up(program, refresh=True))
    assert not end, end
    cloud = engine.cloud
    cloud.sidecars()
    clear(engine, program)
    assert engine.state == {key: program.wanted(key) for key in program.keys}
    nodes = set(program.nodes)
    assert cloud.volume
    for there in (
        {brick.node for brick in cloud.volume.bricks},
        *(cloud.disks, cloud.claims.keys(), cloud.controllers.keys(), cloud.living | cloud.terminating),
    ):
        assert nodes == there, there
    assert {cloud.pods[node].template for node in nodes} == {program.template}
    assert all(cloud.cluster(1).may_hold(node) for node in nodes)
    assert cloud.settled
    assert cloud.settled["settled"] == cloud.settled["plan"] == program.mark


def clear(engine: Engine, program: Program) -> None:
    """What Pulumi does not know goes by hand, as docs/operations.md says; what is needed is refused."""
    for kind in reversed(CHAIN):
        for node in range(1, 7):
            key = (kind, node)
            if key in engine.state or program.wanted(key) is not None or engine.cloud.live(key) is None:
                continue
            if kind == "disk" and engine.cloud.live(("claim", node)) is not None:
                continue  # nobody takes a disk from a node that is there
            try:
                engine.cloud.delete_key(key)
            except Refused:
                continue
            engine.cloud.sidecars()


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_interrupted_at_every_point(count: int, name: str) -> None:
    """Then the settings are kept or taken back, with sidecars that work meanwhile or learn of it late."""
    seen = 0
    for cut in itertools.count():
        end = ""
        for late, back in itertools.product(
            (False, True), (Program(count), Program(2), Program(4), Program(6))
        ):
            engine = settled(count)
            end = do(engine, OPERATIONS[name], cut)
            if name == "destroy" and (engine.cloud.controllers.keys() < set(Program(count).nodes)):
                break  # what a destroy has taken is gone
            if not late:
                engine.cloud.sidecars()
            finish(engine, back, at_once=late)
            seen += 1
        if not end:
            break
    assert seen


def edits(engine: Engine, chance: random.Random) -> dict[str, Callable[[], None]]:
    """What people do beside Pulumi's own commands."""
    cloud, node = engine.cloud, chance.choice((1, 2, 3, 4))
    kind = chance.choice(("plan", "settled", "member", "controller", "claim"))
    key: Key = (kind, 0 if kind in ("plan", "settled") else node)

    def delete() -> None:
        try:
            cloud.delete_key(key)
        except Refused:
            return

    def forget() -> None:
        """`pulumi state delete --target-dependents`."""
        after = {"disk": CHAIN, "volume": CHAIN[1:], "claim": CHAIN[2:], "controller": CHAIN[3:]}
        gone = {(k, node) for k in after.get(kind, ("member",))}
        for one in list(engine.state):
            if one in gone or one[0] == "settled" or (one[0] == "plan" and kind != "settled"):
                del engine.state[one]

    return {f"kubectl delete {key}": delete, f"pulumi state delete {key}": forget}


@pytest.mark.parametrize("block", range(4))
def test_longer_histories(block: int) -> None:
    for seed in range(FIRST + block, FIRST + HISTORIES, 4):
        chance, story = random.Random(seed), list[str]()
        engine = settled(chance.choice((2, 4)))
        saved = [dict(engine.state)]
        try:
            for _ in range(chance.randint(2, 6)):
                what = chance.random()
                if what < 0.15:
                    name, edit = chance.choice(list(edits(engine, chance).items()))
                    edit()
                elif what < 0.2:
                    name, engine.state = "an old checkpoint", dict(chance.choice(saved))
                else:
                    name = chance.choice([n for n in OPERATIONS if n != "destroy"])
                    cut = chance.choice((None, chance.randrange(40)))
                    engine.upserts = chance.random() < 0.3
                    name += f" -> {do(engine, OPERATIONS[name], cut)}"
                saved.append(dict(engine.state))
                story.append(name)
                if chance.random() < 0.7:
                    engine.cloud.sidecars()
                engine.cloud.check()
            engine.upserts = False
            finish(engine, chance.choice(PROGRAMS), at_once=chance.random() < 0.5)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}\n" + "\n".join(story)) from error
