"""What tests of any pool of real glusterd ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.pool import Pool
from tests.integration.seen import SUM


@pytest.fixture
def unharmed(pool: Pool) -> Iterator[None]:
    """The data, before and after; `pool` is the module's own."""
    before = pool.shell(1, SUM)
    yield
    assert pool.shell(1, SUM) == before
