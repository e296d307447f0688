"""Volume options: those that every volume gets, and what profiles add for a kind of use. Pure.

A person's `volumeOptions` win over both. Chosen by `make bench` on glusterfs 11.1, two sets of two copies, a
client without a brick; as ratios to stock. Small files: stat after 4 s 6.1, look-ups of missing names 4.2,
reading again 2.7, appending 1.3, all else 0.8 to 1.2; what one client writes another sees no later than with
stock. Large files: nothing tried beat stock for I/O. The whole table: docs/clients.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

COMMON: Final[Mapping[str, str]] = MappingProxyType(
    {
        # A machine whose power is cut stops answering without a word; clients wait one to two times
        # this long, in seconds (42 by default: 46 to 80 s of silence were measured).
        "network.ping-timeout": "10",
        # ... and give up on bytes that are not acknowledged after this long: 5.3 to 5.5 s measured.
        "client.tcp-user-timeout": "5",
        # With it on, as it is by default, files were missed and others could not be created ("no subvolume in
        # layout", ESTALE) beside and right after a rebalance, by a client that had the new bricks (seen in
        # two of two runs on the lab, 11.1; not with it off). Why is not known.
        "cluster.lookup-optimize": "off",
    }
)

BY_MAJORITY: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Copies that blame each other (two failures before the first was healed): what two of three have was
        # acknowledged, and what only one has was not. Without it their files are EIO for ever (seen on 11.1).
        # Not with an arbiter: it counts its own empty file as a copy, by size and time of change, and could
        # outvote the only copy that has the data together with one that lacks it.
        "cluster.favorite-child-policy": "majority",
    }
)
"""For volumes of three full copies."""


def common(replica: int, *, arbiter: bool) -> dict[str, str]:
    """What every volume of that kind gets."""
    return {**COMMON, **(BY_MAJORITY if replica >= 3 and not arbiter else {})}


_SMALL_FILES: Final = {
    "features.cache-invalidation": "on",  # what makes the caches below safe: bricks call them back
    "features.cache-invalidation-timeout": "600",
    "network.inode-lru-limit": "200000",
    "performance.cache-invalidation": "on",
    "performance.md-cache-timeout": "600",
    "performance.nl-cache": "on",
    "performance.nl-cache-timeout": "600",
    # Content is kept, too, and without this compared with attributes that are themselves kept: a file
    # written anew elsewhere, in the same length, was read as it had been for as long as one looked.
    "performance.quick-read-cache-invalidation": "on",
    "performance.stat-prefetch": "on",
}

PROFILES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "general": MappingProxyType({}),
        "small-files": MappingProxyType(_SMALL_FILES),
        # Healing compares nothing and copies the file: 1.4 times as fast for one of 512 MB.
        "large-files": MappingProxyType({"cluster.data-self-heal-algorithm": "full"}),
    }
)
