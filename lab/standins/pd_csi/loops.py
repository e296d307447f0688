"""Loop devices over a disk, of all machines: the kernel has one list of them.

A machine whose power is cut leaves its devices to the kernel, which writes what is left and frees them.
Until then nobody else may touch the disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.run import run
from lab.standins.pd_csi import filesystem
from lab.standins.pd_csi.errors import aborted
from lab.standins.pd_csi.mounts import mounts
from lab.waiting import wait_for

FREE_SECONDS: Final = 20.0
"""How long a dead machine's device may take to go."""
LEAVE_SECONDS: Final = 2.0
"""How long a living machine's device may take to go before the disk is pulled out."""


def over(image: Path) -> list[str]:
    """Devices whose content is this very file; not one that had its name before."""
    listed = run(["losetup", "--associated", str(image), "--noheadings", "--output", "NAME"])
    return listed.split()


def wait_until_free(image: Path, seconds: float = FREE_SECONDS) -> None:
    """Raises Refusal after that time."""
    try:
        wait_for(f"{image.name} is free", lambda: not over(image), seconds)
    except LabError as error:
        raise aborted(f"the disk is still in use by {', '.join(over(image))}: {error}") from error


def pull(image: Path) -> None:
    """No machine can use the disk any more; one that still has it mounted gets EIO. Raises Refusal.

    Then the disk becomes another file with the same content, so that its next machine does not see the
    devices that the unlucky one keeps.
    """
    try:
        wait_for("the disk is free", lambda: not over(image), LEAVE_SECONDS)
        return
    except LabError:
        users = [place for device in over(image) for place in _places(device)]
    if not users:
        return wait_until_free(image)
    for place in users:
        filesystem.cut_off(place)
    for device in over(image):
        run(["blockdev", "--flushbufs", device])
    new = image.with_name(f".{image.name}.pulled")
    run(["cp", "--sparse=always", "--reflink=auto", str(image), str(new)], timeout=600)
    new.replace(image)


def _places(device: str) -> Iterator[str]:
    """One folder, as seen from here, for each mount namespace in which the device is mounted."""
    status = os.stat(device)
    number, seen = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}", set()
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            space = os.readlink(f"/proc/{process}/ns/mnt")
            if space in seen:
                continue
            seen.add(space)
            found = [one.point for one in mounts(process) if one.device == number]
        except OSError:
            continue  # it ended meanwhile
        if found:
            yield f"/proc/{process}/root{found[0]}"
