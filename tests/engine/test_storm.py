"""`up` ended by Ctrl-C or `kill -9` after any of its events; then the settings are kept or taken back.

`STORM_ROUNDS=200 pytest -m lab tests/engine/test_storm.py` ends more of them, `STORM_SEED` names the first.
Each round draws what is asked for, the event, the signal, and what the next `up` is told.
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

ROUNDS = int(os.environ.get("STORM_ROUNDS", "4"))
FIRST = int(os.environ.get("STORM_SEED", "0"))
SCENARIOS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "growth": ({"nodeCount": 2}, {"nodeCount": 4}),
    "shrink": ({"nodeCount": 4}, {"nodeCount": 2}),
    "roll": ({"sleepSeconds": 5}, {"sleepSeconds": 7}),
    "growth and roll": ({"nodeCount": 2, "sleepSeconds": 5}, {"nodeCount": 4, "sleepSeconds": 7}),
    "shrink and option": ({"nodeCount": 4, "profile": "general"}, {"nodeCount": 2, "profile": "small-files"}),
}
"""Settings before and after."""
EVENTS = 70
"""About as many lines as an `up` of a growth prints."""


def patient(project: Project, *flags: str) -> Done:
    """An `up`; one that refreshes nothing may wait for what nobody does, and is ended by Ctrl-C."""
    with project.start("up", "--skip-preview", *flags) as process:
        try:
            text, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            assert flags, "a plain `up` must come to its end"
            os.killpg(process.pid, signal.SIGINT)
            text, _ = process.communicate(timeout=60)
    return Done(process.returncode, text)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + ROUNDS))
def test_an_up_ended_after_any_event_costs_nothing_and_the_next_settles_it(
    project: Project, seed: int
) -> None:
    chance = random.Random(seed)
    name = list(SCENARIOS)[seed % len(SCENARIOS)]
    before, after = SCENARIOS[name]
    number = chance.choice((signal.SIGINT, signal.SIGKILL))
    flags = chance.choice(((), ("--refresh=false",)))
    events, back = chance.randrange(EVENTS), chance.random() < 0.5
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
    if done.status:  # also one that looked at nothing, and believed an old state
        project.go().ok()
    holds(project, final["nodeCount"])
