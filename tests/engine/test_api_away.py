"""The API server is away before and during a preview, an `up` and a destroy: nothing is lost by it."""

from __future__ import annotations

from subprocess import Popen

import pytest

from tests.engine.project import Project
from tests.engine.test_interrupted import draining

pytestmark = pytest.mark.lab

AWAY = "unreachable cluster"
GONE = "configured Kubernetes cluster is unreachable"


@pytest.fixture
def two(project: Project) -> Project:
    project.configure(nodeCount=2, sampleApp=False)
    project.go().ok()
    return project


def test_what_begins_without_an_api_server_fails_clearly_and_goes_on_later(two: Project) -> None:
    assert two.plane
    before = two.everything()
    with two.plane.api_away():
        two.run("preview").failed(AWAY)
        # As Pulumi's provider has it: a preview that does not refresh asks the state alone.
        assert two.steps("--refresh=false") == {}
        two.configure(nodeCount=4)
        planned = two.steps("--refresh=false")
        for flag in ("--refresh=false", "--refresh=true"):
            said = GONE if flag.endswith("false") else AWAY
            two.go(flag).failed(said)
            two.run("destroy", "--skip-preview", flag).failed(said)
        two.run("refresh", "--skip-preview").failed(AWAY)
        disks = two.disks()
        assert before.items() >= {(name, disk) for name, disk in disks.items() if name in before}
    assert planned.keys() == {"create", "update"}
    assert before.items() <= two.everything().items()
    two.go().ok()
    two.unchanged("--refresh")
    assert before.items() <= two.everything().items()


def waits(process: Popen[str]) -> None:
    """Returns when the `up` waits until the plan holds."""
    assert process.stdout
    assert any("Waiting for {.data.settled}" in line for line in process.stdout)


def test_what_waits_meanwhile_goes_on_when_the_api_server_is_back(two: Project) -> None:
    assert two.plane
    two.configure(nodeCount=4)
    with two.refused("no-join"):
        process = two.start("up", "--skip-preview")
        waits(process)
        with two.plane.api_away():
            pass
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 0, text
    two.configure(nodeCount=2)
    with two.refused("no-drain"):
        process = two.start("up", "--skip-preview")
        waits(process)
        assert draining(two)
        with two.plane.api_away():
            pass
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 0, text
    two.unchanged("--refresh")
    two.run("destroy", "--skip-preview").ok()
    assert two.everything() == {}
