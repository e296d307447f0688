"""What the sidecar reads of its node's disk. It reads only (law 5)."""

from __future__ import annotations

import itertools
from pathlib import Path


def next_brick(mount: str) -> str | None:
    """The first of `brick`, `brick-2`, `brick-3`... on the disk that does not exist.

    A folder that once was a brick keeps its mark, and glusterd rightly refuses it for a brick of
    another life; so a node that comes back after it was drained gets a new folder beside the old.
    None if the disk cannot be read.
    """
    try:
        taken = {entry.name for entry in Path(mount).iterdir()}
    except OSError:
        return None
    names = itertools.chain(["brick"], (f"brick-{n}" for n in itertools.count(2)))
    return str(Path(mount, next(name for name in names if name not in taken)))


def pending_heals(brick: str) -> int | None:
    """Entries in the brick's own index of what other bricks have yet to heal; None if it cannot be
    read. An upper bound: writes under way stand in it for a moment."""
    try:
        index = Path(brick, ".glusterfs/indices/xattrop")
        return sum(1 for entry in index.iterdir() if not entry.name.startswith("xattrop-"))
    except OSError:
        return None
