"""Mount options of a PersistentVolume as arguments of the FUSE client. Pure.

The names are those of `mount.glusterfs`, so what people know from fstab works in `mountOptions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from .errors import invalid

_SECONDS: Final = r"[0-9]{1,6}(\.[0-9]{1,3})?"
_NUMBER: Final = r"[0-9]{1,9}"
_SWITCH: Final = r"on|off|yes|no|true|false|enable|disable"

VALUED: Final[Mapping[str, str]] = {
    "attribute-timeout": _SECONDS,
    "entry-timeout": _SECONDS,
    "negative-timeout": _SECONDS,
    "log-level": "CRITICAL|ERROR|WARNING|INFO|DEBUG|TRACE|NONE",
    "direct-io-mode": f"{_SWITCH}|auto",
    "use-readdirp": _SWITCH,
    "gid-timeout": _NUMBER,
    "lru-limit": _NUMBER,
    "invalidate-limit": _NUMBER,
    "background-qlen": _NUMBER,
    "congestion-threshold": _NUMBER,
    "reader-thread-count": _NUMBER,
    "event-history": "on|off",
    "xlator-option": r"[A-Za-z0-9_*.-]+=[A-Za-z0-9_./:-]+",
}
"""Options of the form `name=value`, and what the value must look like."""

FLAGS: Final = (
    "acl",
    "selinux",
    "enable-ino32",
    "resolve-gids",
    "fopen-keep-cache",
    "root-squash",
    "no-root-squash",
)
"""Options without a value."""

IGNORED: Final = ("_netdev", "defaults", "rw", "nofail", "noauto", "x-systemd.automount")
"""Of a meaning in fstab only."""

READ_ONLY: Final = "ro"
DEFAULTS: Final[Mapping[str, str]] = {"log-level": "WARNING"}


def normal(flags: Iterable[str]) -> tuple[tuple[str, ...], bool]:
    """The options in one order, without repetition, and whether `ro` is among them.

    Two volumes with equal options share a FUSE process. Raises Refusal for one that is not known.

    >>> normal(["acl,entry-timeout=5", "_netdev", "ro"])
    (('acl', 'entry-timeout=5'), True)
    """
    wanted = [option for text in flags for option in text.split(",") if option]
    kept = {option for option in wanted if option not in (*IGNORED, READ_ONLY)}
    for option in sorted(kept):
        name, equals, value = option.partition("=")
        if not equals and name in FLAGS:
            continue
        if name not in VALUED:
            known = ", ".join(sorted((*VALUED, *FLAGS, READ_ONLY)))
            raise invalid(f"mountOptions: {option} is not known; known are {known}")
        if not re.fullmatch(VALUED[name], value):
            raise invalid(f"mountOptions: {option} has a value that {name} cannot take ({VALUED[name]})")
    return tuple(sorted(kept)), READ_ONLY in wanted


def arguments(options: Iterable[str]) -> list[str]:
    """Of `glusterfs`, for options as `normal` gives them."""
    given = list(options)
    names = {option.partition("=")[0] for option in given}
    defaults = [f"{name}={value}" for name, value in DEFAULTS.items() if name not in names]
    return [f"--{option}" for option in (*defaults, *given)]
