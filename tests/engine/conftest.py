"""A stack of the product for each test that asks for one, with a scripted sidecar beside it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engine.project import Project
from tests.standins.conftest import installed, plane, programs
from tests.standins.control_plane import ControlPlane

__all__ = ["installed", "plane", "programs"]


@pytest.fixture
def new_project(
    plane: ControlPlane, installed: tuple[Path, Path], tmp_path: Path
) -> Iterator[Callable[[], Project]]:
    """Makes one in a namespace that no other has: what a test leaves is in nobody's way."""
    with ExitStack() as stack:

        def make() -> Project:
            name = f"test-{secrets.token_hex(3)}"
            made = Project(tmp_path / name, *installed, plane, namespace=name)
            stack.enter_context(made.agent())
            return made

        yield make


@pytest.fixture
def project(new_project: Callable[[], Project]) -> Project:
    return new_project()
