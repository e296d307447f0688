"""What a lab needs of the machine itself. Limits are only ever raised, and stay so: no harm to others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.run import ok

INOTIFY: Final = Path("/proc/sys/fs/inotify/max_user_instances")
INSTANCES: Final = 1024
"""A lab of six machines uses 60; Debian's limit is 128 for all processes of root."""
MODULES: Final = {"overlay": "/sys/module/overlay", "fuse": "/dev/fuse", "loop": "/dev/loop-control"}


def ensure(say: Callable[[str], None]) -> None:
    """Raises LabError if this cannot be the machine of a lab."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and mounts: run it as root on Linux")
    for module, sign in MODULES.items():
        if not Path(sign).exists():
            ok(["modprobe", module])
    if int(INOTIFY.read_text()) < INSTANCES:
        say(f"raising {INOTIFY} from {INOTIFY.read_text().strip()} to {INSTANCES}")
        INOTIFY.write_text(str(INSTANCES))
