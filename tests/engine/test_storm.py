"""`up` ended by Ctrl-C and by `kill -9` after each of its events; then the settings are kept or taken back.

`STORM_ROUNDS=all` ends it after every event of every scenario by both; a number takes as many of these,
evenly spread. `STORM_ONLY=12,40` takes those of these numbers. What the next `up` is told is drawn.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from typing import Any

import pytest
from gluster_sidecar import contract

from tests.engine.project import Project
from tests.engine.test_interrupted import take_over
from tests.engine.test_refused import holds, volume
from tests.standins.workbench import Done

pytestmark = pytest.mark.lab

SCENARIOS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "growth": ({"nodeCount": 2}, {"nodeCount": 4}),
    "shrink": ({"nodeCount": 4}, {"nodeCount": 2}),
    "roll": ({"sleepSeconds": 5}, {"sleepSeconds": 7}),
    "growth and roll": ({"nodeCount": 2, "sleepSeconds": 5}, {"nodeCount": 4, "sleepSeconds": 7}),
    "shrink and option": ({"nodeCount": 4, "profile": "general"}, {"nodeCount": 2, "profile": "small-files"}),
}
"""Settings before and after."""
EVENTS = {"growth": 56, "shrink": 86, "roll": 8, "growth and roll": 66, "shrink and option": 86}
"""How many lines an `up` prints, one for each step of the engine that begins or ends."""
CASES = [
    (name, number, after)
    for name, count in EVENTS.items()
    for after in range(count)
    for number in (signal.SIGINT, signal.SIGKILL)
]


def chosen() -> list[int]:
    """Which of the cases this run takes."""
    if only := os.environ.get("STORM_ONLY"):
        return [int(word) for word in only.split(",")]
    rounds = os.environ.get("STORM_ROUNDS", "4")
    count = len(CASES) if rounds == "all" else int(rounds)
    return sorted({round((k + 0.5) * len(CASES) / count) % len(CASES) for k in range(count)})


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


@pytest.mark.parametrize("case", chosen())
def test_an_up_ended_after_any_event_costs_nothing_and_the_next_settles_it(
    project: Project, case: int
) -> None:
    name, number, events = CASES[case]
    before, after = SCENARIOS[name]
    chance = random.Random(case)
    flags, back = chance.choice(((), ("--refresh=false",))), chance.random() < 0.5
    print(f"{name}, {number.name} after {events} events, {'taken back' if back else 'kept'}, {flags}")
    project.configure(**{"nodeCount": 2, "sampleApp": False} | before)
    project.go().ok()
    project.configure(**after)
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
    print(text)
    assert "Traceback" not in text
    project.cancel()  # also after Ctrl-C: one in the very last moment of `up` leaves the lock
    final = {"nodeCount": 2} | (before if back else after)
    project.configure(**final)
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
    holds(project, final["nodeCount"])
