"""File systems on disks: found, made on blank ones, mounted, grown, cut off."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.run import run
from lab.standins.pd_csi.mounts import Mount

DEFAULT: Final = "ext4"
MAKE: Final = {"ext4": ("mkfs.ext4", "-q", "-F", "-m0"), "xfs": ("mkfs.xfs", "-q", "-f")}
"""With the options that Kubernetes gives."""
_PROBE: Final = ("blkid", "-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "export")
_NOTHING_FOUND: Final = 2
_SHUTDOWN: Final = 0x8004587D
"""FS_IOC_SHUTDOWN, the same for ext4 and xfs."""
_WITHOUT_LOG: Final = 2


def found_on(device: Path) -> str:
    """What is on it, empty for a blank one, asked as Kubernetes does. Raises LabError.

    Kubernetes calls all that blkid knows no mark of blank, and so does this.
    """
    done = subprocess.run([*_PROBE, str(device)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == _NOTHING_FOUND:
        return ""
    if done.returncode != 0:
        raise LabError(f"blkid cannot tell what is on {device}: {done.stderr.strip() or done.returncode}")
    tags = dict(line.split("=", 1) for line in done.stdout.split("\n") if "=" in line)
    return "unknown data, probably partitions" if "PTTYPE" in tags else tags.get("TYPE", "unknown data")


def ensure(image: Path, kind: str, read_only: bool) -> None:
    """Makes one of that kind on a blank disk. Raises LabError where anything else is: it stays as it is."""
    found = found_on(image)
    if found == kind:
        return
    if found:
        raise LabError(f"{image.name} is to be {kind} and holds {found}: it is left as it is")
    if read_only:
        raise LabError(f"cannot mount unformatted disk {image.name} in read-only mode")
    run([*MAKE[kind], str(image)], timeout=300)


def mount(image: Path, target: str, kind: str, flags: Sequence[str]) -> None:
    """Through a loop device that the kernel frees with its last mount, however that ends."""
    run(["mount", "-t", kind, "-o", ",".join(["loop", *flags]), str(image), target])


def grow(mounted: Mount) -> None:
    """To the size of its disk, while it is in use."""
    run(["losetup", "--set-capacity", mounted.source])
    if mounted.kind == "ext4":
        run(["resize2fs", mounted.source], timeout=600)
    else:
        run(["xfs_growfs", "-d", mounted.point], timeout=600)


def size_of(device: str) -> int:
    """Bytes."""
    return int(run(["blockdev", "--getsize64", device]))


def cut_off(folder: str) -> None:
    """The file system there answers EIO from now on and writes no more, as if its disk were pulled."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _WITHOUT_LOG))
    finally:
        os.close(handle)
