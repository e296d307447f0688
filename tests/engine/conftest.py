"""A stack of the product for each test that asks for one, with a scripted sidecar beside it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.project import Project
from tests.standins.conftest import installed, plane, programs
from tests.standins.control_plane import ControlPlane

__all__ = ["installed", "plane", "programs"]


@pytest.fixture
def project(plane: ControlPlane, installed: tuple[Path, Path], tmp_path: Path) -> Iterator[Project]:
    """In a namespace that no other test has: what a test leaves is in nobody's way."""
    made = Project(tmp_path / "project", *installed, plane, namespace=f"test-{secrets.token_hex(3)}")
    with made.agent():
        yield made
