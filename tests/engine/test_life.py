"""The life of a stack on the real engine: what `preview`, `up` and `destroy` promise."""

from __future__ import annotations

import pytest

from tests.engine.project import Project

pytestmark = pytest.mark.lab


def test_up_grow_spare_shrink_destroy(project: Project) -> None:
    project.configure(nodeCount=2, spareCount=1)
    project.go().ok()
    project.unchanged()
    project.unchanged("--refresh")
