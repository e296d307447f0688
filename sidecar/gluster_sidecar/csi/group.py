"""A pod's `fsGroup`: the group that is to read and write in the folder it gets.

The kubelet would walk through all files of the volume and change each, at the start of every pod, on a
volume that others use at the same time. So the driver takes it over (VOLUME_MOUNT_GROUP), and does what
is safe for what many share: the folder itself, once, and nothing below it.
"""

from __future__ import annotations

import os
import stat
from typing import Final

ROOT_GROUP: Final = 0
_SHARED: Final = stat.S_ISGID | stat.S_IRWXG
"""Set-group-ID: what is made in the folder is of its group, and folders hand that on."""


def give(folder: int, group: int) -> bool:
    """Gives an open folder that nobody's group has been given yet to `group`; whether it is that group's.

    A folder of another group stays as it is: it was given to somebody else. One that is the group's
    already stays, too: a person may have narrowed its mode. Raises OSError.
    """
    found = os.fstat(folder)
    if found.st_gid != ROOT_GROUP or group == ROOT_GROUP:
        return found.st_gid == group
    # The mode first: after a crash between the two the folder is still nobody's, and is given again.
    os.fchmod(folder, stat.S_IMODE(found.st_mode) | _SHARED)
    os.fchown(folder, -1, group)
    return True
