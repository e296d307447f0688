"""The product's image as a plain folder: its programs for tests that need no container around them.

Real glusterd in network namespaces then is the very glusterd that is shipped, whatever this machine's
Debian has, and nothing needs to be installed.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Final

from lab import images
from lab import tools as lab_tools
from lab.tools import Tools, cache
from lab.tools.progress import Say

_WHITEOUT: Final = ".wh."
"""Prefix of a layer's entry that takes away what an earlier layer had (OCI image layer specification)."""
_OPAQUE: Final = ".wh..wh..opq"
"""An entry that takes away all that earlier layers had in its folder."""


def ensure(tools: Tools, say: Say) -> Path:
    """A folder with the image's file system, read-only by agreement: mount an overlay over it."""
    image = images.ensure(tools, say)
    target = cache.folder("rootfs", image.archive.parent.name)
    return cache.obtain(target, lambda draft: unpack(image.archive, draft), keep_seconds=600)


def image() -> Path:
    """The same where there are no tools yet; says on standard error what it does. Raises LabError."""

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    return ensure(lab_tools.ensure(say), say)


def unpack(archive: Path, target: Path) -> None:
    """Unpacks the layers of a docker archive, one over the other."""
    with tarfile.open(archive) as outer:
        manifest = outer.extractfile("manifest.json")
        assert manifest is not None, f"{archive} is no docker archive"
        for name in json.load(manifest)[0]["Layers"]:
            layer = outer.extractfile(name)
            assert layer is not None, f"{archive} lacks its layer {name}"
            with tarfile.open(fileobj=layer) as inner:
                _apply(inner, target)


def _apply(layer: tarfile.TarFile, target: Path) -> None:
    for member in layer:
        place = target / member.name
        if place.name == _OPAQUE:
            for entry in place.parent.iterdir():
                _remove(entry)
        elif place.name.startswith(_WHITEOUT):
            _remove(place.with_name(place.name.removeprefix(_WHITEOUT)))
        else:
            if place.is_symlink() or (place.exists() and not (place.is_dir() and member.isdir())):
                _remove(place)
            layer.extract(member, target, numeric_owner=True, filter="fully_trusted")


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
