"""Volume options for kinds of work, by name. Pure.

Chosen by measurement on GlusterFS 10.3, two sets of two copies, client without a brick (ratio to stock):
small files: stat after 4 s 7.9, look-ups of missing names 7.4, create 0.94 to 1.0, cold listing 0.5;
what one client writes another sees after 0.8 s at most, as with stock. Large files: nothing tried beat
stock for I/O (0.93 to 1.00); healing whole files at once took 0.7 of the time for 512 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_COMMON: Final = {
    # A member without power is given up after this many seconds. Stock (42) stops writers for 46 to 80.
    "network.ping-timeout": "10",
    # ... and a connection on which nothing is acknowledged, earlier: measured pause 5.3 to 5.5 s.
    "client.tcp-user-timeout": "5",
    "cluster.shd-max-threads": "1",  # more threads healed 1,000 small files slower: 17 s became 29
}

_SMALL_FILES: Final = {
    "features.cache-invalidation": "on",  # what makes the caches below safe: bricks call them back
    "features.cache-invalidation-timeout": "600",
    "performance.cache-invalidation": "on",
    "performance.stat-prefetch": "on",
    "performance.md-cache-timeout": "600",
    "performance.nl-cache": "on",
    "performance.nl-cache-timeout": "600",
    "network.inode-lru-limit": "200000",
}

GENERAL: Final = "general"

PROFILES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        GENERAL: MappingProxyType(_COMMON),
        "small-files": MappingProxyType({**_COMMON, **_SMALL_FILES}),
        "large-files": MappingProxyType({**_COMMON, "cluster.data-self-heal-algorithm": "full"}),
    }
)


def options(profile: str) -> Mapping[str, str]:
    """Raises ValueError, with the names that there are, for any other."""
    if profile not in PROFILES:
        raise ValueError(f"must be one of {', '.join(PROFILES)}")
    return PROFILES[profile]
