"""What is mounted where, as the kernel says; and mounting."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lab.run import run


@dataclass(frozen=True)
class Mount:
    device: str
    """Major and minor number, as in `7:0`."""
    point: str
    options: frozenset[str]
    kind: str
    """Of file system."""
    source: str

    @property
    def read_only(self) -> bool:
        return "ro" in self.options

    @staticmethod
    def parse(line: str) -> Mount:
        """One line of mountinfo.

        >>> m = Mount.parse("36 35 7:0 / /a" + chr(92) + "040b rw,relatime - ext4 /dev/loop0 rw")
        >>> m.point, m.kind, m.source, m.read_only
        ('/a b', 'ext4', '/dev/loop0', False)
        """
        left, _, right = line.partition(" - ")
        words, (kind, source, *_rest) = left.split(), right.split()
        return Mount(words[2], _plain(words[4]), frozenset(words[5].split(",")), kind, _plain(source))


def _plain(text: str) -> str:
    """Without the kernel's octal numbers for blanks."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def mounts(process: str = "self") -> list[Mount]:
    """All that this process sees. Raises OSError if it is gone."""
    return [Mount.parse(line) for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines()]


def at(path: str) -> Mount | None:
    """The uppermost mount on exactly this folder."""
    return next((one for one in reversed(mounts()) if one.point == os.path.realpath(path)), None)


def bind(source: str, target: str, read_only: bool) -> None:
    """Raises LabError; then the target is not mounted."""
    run(["mount", "--bind", source, target])
    if read_only:
        try:
            run(["mount", "-o", "remount,bind,ro", target])
        except BaseException:
            run(["umount", target])
            raise


def unmount(path: str) -> None:
    """All that is mounted on the folder. Raises LabError while something uses it."""
    while at(path) is not None:
        run(["umount", path])
