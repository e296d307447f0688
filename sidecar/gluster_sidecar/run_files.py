"""What the two containers of a pod tell each other, in files under the `/run` that they share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .contract import RUN_DIRECTORY

_FOLDER: Final = f"{RUN_DIRECTORY}/gluster-sidecar"

START_FILE: Final = f"{_FOLDER}/start.json"
"""From the sidecar: names are in the hosts file and glusterd may start. `MemberKey.UUID` and
`MemberKey.OP_VERSION` in it are what a blank disk of a known node gets back, or null."""

RESTART_FILE: Final = f"{_FOLDER}/restart"
"""From the sidecar: the daemon shall restart glusterd, which starts bricks that died and leaves those that
run. The daemon renames it once the old glusterd has ended."""

END_FILE: Final = f"{_FOLDER}/end"
"""From the sidecar: the process (`Own.processes`) of a brick that the daemon shall end, for its disk hangs.
The daemon removes it."""

BRICKS_FILE: Final = f"{_FOLDER}/bricks"
"""From the daemon: which bricks run and have answered, `PROCESS PATH` a line. Only in its container can their
processes be seen, and to ask glusterd takes the lock of the whole pool."""

SERVICE_FILE: Final = f"{_FOLDER}/service.json"
"""From the daemon: what else it knows of the node's parts, as `model.Service`."""

BLAMES_FILE: Final = f"{_FOLDER}/blames"
"""From the daemon: which copies the bricks blame (`evidence.Teller`). Only its container may read the
marks."""

PROBLEM_FILE: Final = f"{_FOLDER}/problem"
"""From the daemon: why glusterd may not start on this disk; one line for an operator."""


def put(file: Path, text: str) -> None:
    """Writes one of them so that the other container never reads the half of it. Raises OSError."""
    file.parent.mkdir(exist_ok=True)
    draft = file.with_suffix(".new")
    draft.write_text(text)
    draft.rename(file)
