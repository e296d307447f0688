"""glusterd's own files on a node's disk: what it cannot start with is set aside, for the pool tells it again.

glusterd starts only if it can read all of them and knows a peer for each brick. A power cut leaves files half
written, or empty; a glusterd that ends in the moment in which it is let in again can know the volume and not
yet all peers (seen on 11.1). No start after that mends it. People do it by hand, by removing everything but
glusterd.info (gluster's guide, "Resolving Peer Rejected"); here nothing is removed, and only what is in the
way is moved.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

ASIDE: Final = "set-aside"
"""Beside the files that glusterd reads; holds the last of each name."""


def set_aside_unreadable(state: Path, own_host: str) -> list[str]:
    """Moves what glusterd cannot start with out of its way; their names below `state`.

    Only while it can read of a peer who tells it again: what nobody else may know stays, for a person.
    `own_host`: the node's name in the pool. Raises OSError.
    """
    peers = {file: _peer_host(file) for file in sorted((state / "peers").glob("*"))}
    hosts = {host for host in peers.values() if host}
    if not hosts:
        return []
    volumes = sorted(path for path in (state / "vols").glob("*") if path.is_dir())
    unreadable = [file for file, host in peers.items() if not host]
    unreadable += [volume for volume in volumes if not _readable(volume, hosts | {own_host})]
    for path in unreadable:
        _move(path, state / ASIDE / path.relative_to(state))
    return [str(path.relative_to(state)) for path in unreadable]


def _peer_host(file: Path) -> str:
    told = _read(file)
    return told.get("hostname1", "") if told.get("uuid") else ""


def _readable(volume: Path, hosts: set[str]) -> bool:
    """As glusterd 11.1 needs it: seen by leaving out and emptying one file after the other."""
    info = _read(volume / "info")
    bricks = [value for key, value in info.items() if key.startswith("brick-")]
    whole = "volume-id" in info and info.get("count") == str(len(bricks))
    return whole and all(b.partition(":")[0] in hosts and (volume / "bricks" / b).exists() for b in bricks)


def _read(file: Path) -> dict[str, str]:
    """Its `key=value` lines; none if it cannot be read."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def _move(path: Path, place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    path.rename(place)


def mend_state(state: Path, own_host: str) -> None:
    """What glusterd may be unable to start with, once it was started in vain."""
    try:
        for name in set_aside_unreadable(state, own_host):
            log.warning("glusterd cannot start with its %s: it is set aside, and a peer tells it again", name)
    except OSError as error:
        log.error("glusterd's state could not be mended: %s", error)
