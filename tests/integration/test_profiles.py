"""What one client writes, another reads: by every profile, on real daemons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gluster_sidecar.profiles import COMMON, PROFILES

from bench import pool as bench
from bench import staleness
from lab import rootfs

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bench.Pool]:
    made = bench.Pool(tmp_path_factory.mktemp("profiles"), rootfs.image())
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_change_is_seen_by_other_clients(pool: bench.Pool, profile: str) -> None:
    """How soon is printed by `make bench`; what is cached for ever here is a wrong file in a pod."""
    pool.create(profile, {**COMMON, **PROFILES[profile]})
    with pool.mounted(profile, "here") as here, pool.mounted(profile, "there") as there:
        longest = pool.files(Path(staleness.__file__), here, there, "3")
    never = {kind for kind, seconds in longest.items() if seconds >= staleness.PATIENCE_SECONDS}
    assert never == set()
