"""Entries of a brick by the handles that it keeps of them, one for each GFID."""

from __future__ import annotations

import os
import re
from typing import Final

GFID_TO_PATH: Final = "trusted.gfid2path."
_OF_A_DIRECTORY: Final = re.compile(r"\.\./\.\./(\.\.$|[0-9a-f]{2}/[0-9a-f]{2}/[^/]+/.)")


def handle_of(brick: str, gfid: str) -> str:
    return f"{brick}/.glusterfs/{gfid[:2]}/{gfid[2:4]}/{gfid}"


def leads_to_a_directory(handle: str) -> bool:
    """The handle of a directory is a link by way of its parent's; that of a symbolic link leads anywhere."""
    return os.path.islink(handle) and _OF_A_DIRECTORY.match(os.readlink(handle)) is not None


def path_of(brick: str, gfid: str) -> str:
    """The path in the volume of the entry with that handle, or the handle where it cannot be told.

    The handle of a directory leads to it; a file keeps its parent's handle and its name in an attribute
    (`storage.gfid2path`, on by default).
    """
    handle = handle_of(brick, gfid)
    try:
        if leads_to_a_directory(handle):
            return "/" + os.path.relpath(os.path.realpath(handle), os.path.realpath(brick)).removeprefix(".")
        name = next(n for n in os.listxattr(handle, follow_symlinks=False) if n.startswith(GFID_TO_PATH))
        parent, _, leaf = os.getxattr(handle, name, follow_symlinks=False).decode().partition("/")
    except (OSError, StopIteration, UnicodeDecodeError):
        return f"<gfid:{gfid}>"
    return f"{path_of(brick, parent).rstrip('/')}/{leaf}"
