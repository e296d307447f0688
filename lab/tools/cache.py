"""Folders that are named by what they are made from, and that are there whole or not at all.

`<cache>/<kind>-<first 16 hex digits of the sha256 of its pins>`. They are shared by all labs of a
user. A folder is made under another name and renamed when it is complete, so an interrupted build
never looks finished; the next one starts it anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

KEEP: Final = 2
"""Generations of a kind that are kept however old they are: two checkouts may take turns."""
KEEP_SECONDS: Final = 24 * 3600
"""A running lab may still start programs from a folder used within this time."""

Pin = str | Path
"""A text, or a file or folder whose content counts."""


def root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").absolute() / "gluster-stack"


def logs() -> Path:
    """Where builds leave their output."""
    folder = root() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def digest(*pins: Pin) -> str:
    """16 hex digits that change when any of the pins does; of folders names count, of single files not."""
    sha = hashlib.sha256()
    for pin in pins:
        for name, content in _content(pin):
            for part in (name, content):
                sha.update(len(part).to_bytes(8, "big") + part)
    return sha.hexdigest()[:16]


def _content(pin: Pin) -> Iterator[tuple[bytes, bytes]]:
    if isinstance(pin, str):
        yield b"", pin.encode()
    elif pin.is_dir():
        for file in sorted(path for path in pin.rglob("*") if path.is_file()):
            if "__pycache__" not in file.parts:
                yield str(file.relative_to(pin)).encode(), file.read_bytes()
    else:
        yield b"", pin.read_bytes()


def folder(kind: str, *pins: Pin) -> Path:
    """Where the folder is, or will be."""
    return root() / f"{kind}-{digest(*pins)}"


def obtain(target: Path, make: Callable[[Path], None], keep_seconds: float = KEEP_SECONDS) -> Path:
    """`target`, filled by `make` if it is not there. What `make` raises goes through.

    `make` gets the path of an empty folder that will be renamed: what it writes must not contain that
    path. Others who want the same folder wait for the first.
    """
    if not target.is_dir():
        with locked(target):
            if not target.is_dir():
                draft = target.with_name(target.name + ".new")
                shutil.rmtree(draft, ignore_errors=True)
                draft.mkdir(parents=True)
                make(draft)
                draft.rename(target)
        prune(target, keep_seconds)
    os.utime(target)
    return target


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Only one process at a time is in here for the same target; the kernel frees a dead one's lock."""
    locks = root() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / target.name).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def prune(newest: Path, keep_seconds: float) -> None:
    """Removes generations of the folder's kind that were not used for so long, but for the last ones."""
    os.utime(newest)
    kind = newest.name.rpartition("-")[0]
    # A generation is `kind-digest`; a kind whose name begins with this one's is another kind.
    others = [p for p in newest.parent.glob(f"{kind}-*") if p.name.rpartition("-")[0] == kind and p != newest]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    now = newest.stat().st_mtime
    for number, old in enumerate(others, start=1):
        if number >= KEEP and now - old.stat().st_mtime > keep_seconds:
            shutil.rmtree(old, ignore_errors=True)
