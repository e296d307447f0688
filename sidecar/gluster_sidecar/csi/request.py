"""What a pod asks for: a volume, a folder in it, how to mount it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from . import options
from .errors import Code, Refusal, invalid

VOLUME: Final = "volume"
"""Attribute of a PersistentVolume: the GlusterFS volume; that of the stack where it is absent."""
DIRECTORY: Final = "directory"
"""Attribute: the folder of the volume to show; the whole volume where it is absent."""
MAKE_DIRECTORY: Final = "makeDirectory"
"""Attribute: `true` makes that folder (owner root, mode 0755) where it is not there yet."""
ATTRIBUTES: Final = (VOLUME, DIRECTORY, MAKE_DIRECTORY)

_VOLUME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_GROUP: Final = re.compile(r"[0-9]{1,9}")
_LONGEST_NAME: Final = 255


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "volume_id": (str,),
    "volume": (str,),
    "directory": (str,),
    "make_directory": (bool,),
    "options": (list,),
    "read_only": (bool,),
    "group": (int, type(None)),
}
"""Of the members of a Use in JSON."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one target path shows."""

    volume_id: str
    volume: str
    directory: str = ""
    """Without slashes at the ends; empty for the whole volume."""
    make_directory: bool = False
    options: tuple[str, ...] = ()
    read_only: bool = False
    group: int | None = None
    """The pod's fsGroup."""

    def words(self) -> str:
        """For a person."""
        where = f"{self.volume}/{self.directory}".rstrip("/")
        more = ["read-only"] if self.read_only else [] if self.group is None else [f"fsGroup {self.group}"]
        how = ", ".join([self.volume_id, *more, *self.options])
        return f"{where} ({how})"

    def to_json(self) -> dict[str, Any]:
        """Without what nobody asked for: a holder is often older than the plugin, and knows less."""
        usual = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Use:
        """Raises TypeError for what `to_json` did not write, Refusal for what only a newer one writes."""
        if unknown := sorted(found.keys() - {field.name for field in fields(cls)}):
            raise Refusal(
                Code.FAILED_PRECONDITION,
                f"the gluster-client pod of this machine is too old for {', '.join(unknown)}: delete it, and"
                " its DaemonSet makes one of the new version",
            )
        return cls(**{**found, "options": tuple(found.get("options", ()))})

    @classmethod
    def recorded(cls, found: object) -> tuple[Use, list[str]]:
        """What a holder of any version wrote down, and the fields that this one does not know. Raises
        Refusal for what none can have written."""
        if not isinstance(found, dict):
            raise invalid(f"not an object: {found!r}")
        known = {field.name for field in fields(cls)}
        words = {name: value for name, value in found.items() if name in known}
        for name, value in words.items():
            if type(value) not in _TYPES[name]:
                raise invalid(f"{name}: {value!r}")
        for name in ("volume_id", "volume"):
            if not words.get(name):
                raise invalid(f"{name} is missing")
        flags = words.get("options", [])
        if not all(isinstance(flag, str) for flag in flags):
            raise invalid(f"options: {flags!r}")
        use = cls(**{**words, "options": options.normal(flags)[0]})
        if not _VOLUME.fullmatch(use.volume):
            raise invalid(f"volume: {use.volume!r} is no name of a GlusterFS volume")
        _directory(use.directory)
        return use, sorted(found.keys() - known)


def read(
    volume_id: str,
    attributes: Mapping[str, str],
    flags: Iterable[str],
    *,
    read_only: bool,
    default_volume: str,
    group: str = "",
) -> Use:
    """Raises Refusal with the attribute, its value and what would do."""
    own = {key: value for key, value in attributes.items() if "/" not in key}  # Kubernetes adds some with
    for key in sorted(own.keys() - set(ATTRIBUTES)):
        raise invalid(f"volumeAttributes: {key} is not known; known are {', '.join(ATTRIBUTES)}")
    volume = own.get(VOLUME) or default_volume
    if not _VOLUME.fullmatch(volume):
        raise invalid(f"volumeAttributes: {VOLUME}={volume!r} is no name of a GlusterFS volume")
    make = own.get(MAKE_DIRECTORY) or "false"
    if make not in ("true", "false"):
        raise invalid(f"volumeAttributes: {MAKE_DIRECTORY}={make!r} must be true or false")
    if group and not _GROUP.fullmatch(group):
        raise invalid(f"volume_mount_group: {group!r} is no number of a group")
    chosen, says_read_only = options.normal(flags)
    return Use(
        volume_id=volume_id,
        volume=volume,
        directory=_directory(own.get(DIRECTORY, "")),
        make_directory=make == "true",
        options=chosen,
        read_only=read_only or says_read_only,
        group=int(group) if group else None,
    )


def _directory(text: str) -> str:
    parts = [part for part in text.split("/") if part]
    for part in parts:
        if part in (".", "..") or "\0" in part or len(part.encode()) > _LONGEST_NAME:
            raise invalid(f"volumeAttributes: {DIRECTORY}={text!r} must be plain names with / between them")
    return "/".join(parts)
