"""`up` ended by Ctrl-C and by `kill -9` after each of its events; then the settings are kept or taken back.

Each case goes on with the stack that the case before has left, so what accumulates is tested too.
`STORM_ROUNDS=all` ends it after every event of every scenario by both; a number takes as many of these,
evenly spread. `STORM_ONLY=12,40` takes those of these numbers. `STORM_LANES` stacks share them
(`-n` as many).
What the next `up` is told is drawn.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable
from typing import Any, Final

import pytest
from gluster_sidecar import contract

from tests.engine.project import Project
from tests.engine.test_interrupted import take_over
from tests.engine.test_refused import holds, volume
from tests.standins.workbench import Done

pytestmark = pytest.mark.lab

START: Final = {"nodeCount": 2, "sleepSeconds": 5, "profile": "general"}
FLIPPED: Final[dict[str, dict[Any, Any]]] = {
    "nodeCount": {2: 4, 4: 2},
    "sleepSeconds": {5: 7, 7: 5},
    "profile": {"general": "small-files", "small-files": "general"},
}
SCENARIOS: Final = {
    "growth": (2, ("nodeCount",)),
    "shrink": (4, ("nodeCount",)),
    "roll": (2, ("sleepSeconds",)),
    "growth and roll": (2, ("nodeCount", "sleepSeconds")),
    "shrink and option": (4, ("nodeCount", "profile")),
}
"""How many nodes there are before, and which settings change together."""
EVENTS = {"growth": 56, "shrink": 86, "roll": 8, "growth and roll": 66, "shrink and option": 86}
"""How many lines an `up` prints, one for each step of the engine that begins or ends."""
CASES = [
    (name, number, after)
    for name, count in EVENTS.items()
    for after in range(count)
    for number in (signal.SIGINT, signal.SIGKILL)
]
LANES: Final = int(os.environ.get("STORM_LANES", "1"))


def chosen() -> list[int]:
    """Which of the cases this run takes."""
    if only := os.environ.get("STORM_ONLY"):
        return [int(word) for word in only.split(",")]
    rounds = os.environ.get("STORM_ROUNDS", "4")
    count = len(CASES) if rounds == "all" else int(rounds)
    return sorted({int((k + 0.5) * len(CASES) / count) for k in range(count)})


def patient(project: Project, *flags: str) -> Done:
    """An `up`; one that refreshes nothing may wait for what nobody does, and is ended by Ctrl-C."""
    with project.start("up", "--skip-preview", *flags) as process:
        try:
            text, _ = process.communicate(timeout=60 if flags else 300)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)
            text, _ = process.communicate(timeout=60)
            assert flags, f"a plain `up` must come to its end: {text}"
    return Done(process.returncode, text)


def ended_after(project: Project, events: int, number: signal.Signals) -> str:
    """What an `up` still said that was ended after so many events."""
    with project.start("up", "--skip-preview") as process:
        assert process.stdout
        told = (
            line for line in process.stdout if line[:3].strip() in ("+", "-", "~") and "refresh" not in line
        )
        for count, _ in enumerate(told):
            if count == events:
                os.killpg(process.pid, number)
                break
        text, _ = process.communicate(timeout=120)
    project.cancel()  # also after Ctrl-C: one in the very last moment of `up` leaves the lock
    return text


def settle(project: Project, flags: tuple[str, ...]) -> None:
    """What a person does next, as docs/operations.md says."""
    done = patient(project, *flags)
    if done.status and "disks/" in done.text and "already exists" in done.text:
        # Created by a Pulumi that was killed before it knew: blank, as docs/operations.md says.
        for disk in set(project.disks()) - {contract.disk_name(node) for node in volume(project)}:
            for file in (project.folder / "disks").rglob(f"{disk}.*"):
                file.unlink()
        done = project.go()
    if done.status and "already exists" in done.text:
        take_over(project)
    if done.status or flags:  # one that looked at nothing believed an old state
        project.go().ok()


def run(project: Project, case: int, at: dict[str, Any]) -> dict[str, Any]:
    """One case, on a stack that is settled with the settings `at`; those that it ends with."""
    name, number, events = CASES[case]
    before = at | {"nodeCount": SCENARIOS[name][0]}
    if before != at:
        project.configure(**before)
        project.go().ok()
    after = before | {key: FLIPPED[key][before[key]] for key in SCENARIOS[name][1]}
    chance = random.Random(case)
    flags, back = chance.choice(((), ("--refresh=false",))), chance.random() < 0.5
    print(
        f"case {case}: {name}, {number.name} after {events} events,",
        f"{'taken back' if back else 'kept'}, {flags}",
        flush=True,
    )
    project.configure(**after)
    text = ended_after(project, events, number)
    print(text)
    assert "Traceback" not in text
    final = before if back else after
    project.configure(**final)
    settle(project, flags)
    holds(project, final["nodeCount"])
    return final


@pytest.mark.parametrize("lane", range(LANES))
def test_an_up_ended_after_any_event_costs_nothing_and_the_next_settles_it(
    new_project: Callable[[], Project], lane: int
) -> None:
    project, at, failed = None, START, list[str]()
    left = chosen()[lane::LANES]
    while left:
        if project is None:
            project, at = new_project(), START
            project.configure(sampleApp=False, **at)
            project.go().ok()
        # The next that starts where the last has ended, if there is one.
        case = next((c for c in left if SCENARIOS[CASES[c][0]][0] == at["nodeCount"]), left[0])
        left.remove(case)
        try:
            at = run(project, case, at)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            print(f"case {case} failed: {error}", flush=True)
            failed.append(str(case))
            project = None
    assert not failed, f"STORM_ONLY={','.join(failed)}"
