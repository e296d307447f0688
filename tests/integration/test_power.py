"""Power goes, and with it what was not synced (law 12)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.pool import Pool, running, wait_for
from tests.integration.seen import MOUNT, all_well, fill

pytestmark = [pytest.mark.lab]

NODES = (1, 2)
FILES = 8
RENAMES = f"""{MOUNT} python3 -c "
import os
os.chdir('/run/t/d')
folder = os.open('.', os.O_RDONLY)
for number in range({FILES}):
    os.rename('old%d' % number, 'new%d' % number)
os.mkdir('folder')
os.unlink('gone')
os.fsync(folder)
" """


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with running(tmp_path_factory.mktemp("pool"), *NODES) as pool:
        pool.want(*NODES)
        pool.settled(*NODES)
        fill(pool, 1)
        yield pool


def test_what_the_fsync_of_a_directory_covered_is_there_after_any_cut(pool: Pool) -> None:
    """Both copies lose power at once. On 11.1-6 without sidecar/patches/posix-fsync-directories.patch the
    renames of the last seconds were undone, though the fsync had returned."""
    all_well(pool)
    names = " ".join(f"old{number}" for number in range(FILES))
    pool.shell(1, f"{MOUNT} mkdir /run/t/d && cd /run/t/d && touch {names} gone && sync /run/t/d && sync")
    pool.shell(1, RENAMES)
    pool.cut_power(*NODES)
    for node in NODES:
        pool.power_on(node)
    wait_for("it can be mounted", lambda: pool.shell(1, f"{{ {MOUNT} ls -d /run/t/d; }} || true") != "")
    all_well(pool)
    there = pool.shell(1, "ls /run/t/d").split()
    assert there == ["folder", *(f"new{number}" for number in range(FILES))]
