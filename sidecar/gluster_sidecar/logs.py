"""The logs of GlusterFS's programs are bounded: in a container nobody else rotates them, and they grow for
years (Debian's package leaves that to logrotate, which is not in the image)."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

FOLDER: Final = Path("/var/log/glusterfs")
MOST_BYTES: Final = 16 << 20
"""Of one log; as much again of what it said before is beside it, in `NAME.1`."""
EVERY_SECONDS: Final = 60.0


def bound(folder: Path = FOLDER, most: int = MOST_BYTES) -> list[str]:
    """Sets aside what the logs that are above `most` bytes have said; their names.

    They are emptied in place, for the programs keep them open, and go on at their new end (they append). What
    is said between the copy and that is lost.
    """
    found = []
    for file in sorted(folder.rglob("*.log")):
        try:
            if file.stat().st_size > most:
                draft = file.with_name(file.name + ".new")
                _copy_end(file, draft, most)
                draft.rename(file.with_name(file.name + ".1"))
                os.truncate(file, 0)
                found.append(file.name)
        except OSError as error:
            log.warning("log %s is not bounded: %s", file, error)
    return found


def _copy_end(file: Path, to: Path, most: int) -> None:
    with file.open("rb") as source, to.open("wb") as target:
        source.seek(max(0, os.fstat(source.fileno()).st_size - most))
        shutil.copyfileobj(source, target)


def keep_bounded(stop: threading.Event) -> None:
    """In a thread of its own, until `stop` is set."""

    def run() -> None:
        while not stop.wait(EVERY_SECONDS):
            for name in bound():
                log.info("%s was too long: it begins again, and its end is in %s.1", name, name)

    threading.Thread(target=run, name="logs", daemon=True).start()
