"""Properties of the resources: their types, and which of them replace the resource. Pure.

From the Terraform provider's schema (google: compute_disk, compute_resource_policy,
compute_disk_resource_policy_attachment), which Pulumi's provider is made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.standins.pulumi_plugin.values import UNKNOWN, Object

NAME: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
DEFAULTS: Final = "__defaults"
"""Names of the properties that were made up, not given."""
DELETION_POLICIES: Final = ("DELETE", "ABANDON", "PREVENT")


@dataclass(frozen=True)
class Field:
    type: type
    replaces: bool = True
    computed: bool = False
    """Whether Google fills it in where it is not given."""
    default: Any = None
    not_imitated: bool = False


@dataclass(frozen=True)
class Schema:
    fields: Mapping[str, Field]
    place: str
    """`zone` or `region`: where it lives."""
    required: tuple[str, ...] = ()
    autoname: bool = True

    def check(self, inputs: Object) -> Iterator[tuple[str, str]]:
        """Property and reason of all that is wrong."""
        for name, value in inputs.items():
            field = self.fields.get(name)
            if name.startswith("__"):
                continue
            if field is None:
                yield name, f"Unsupported argument: an argument named {name!r} is not expected here"
            elif value != UNKNOWN and not _is(value, field.type):
                yield name, f"expected type {_WORDS[field.type]!r}, got {value!r}"
            elif field.not_imitated and value:
                yield (
                    name,
                    f"the stand-in of the gcp provider does not know {name!r}: it makes blank disks only",
                )
        for name in self.required:
            if not inputs.get(name):
                yield name, f"Missing required argument: the argument {name!r} is required"
        yield from _check_values(inputs)


def _check_values(inputs: Object) -> Iterator[tuple[str, str]]:
    name, policy = inputs.get("name"), inputs.get("deletionPolicy")
    if isinstance(name, str) and name != UNKNOWN and not NAME.fullmatch(name):
        yield "name", f"{name!r} does not match regexp '^(?:{NAME.pattern})$'"
    if policy not in (None, UNKNOWN, *DELETION_POLICIES):
        yield "deletionPolicy", f"{policy!r} is none of {', '.join(DELETION_POLICIES)}"


_WORDS: Final = {str: "string", int: "number", bool: "bool", dict: "map", list: "list"}


def _is(value: Any, type_: type) -> bool:
    # The engine turns numbers in strings into numbers for a real provider too, not so other strings.
    if type_ is int:
        return not isinstance(value, bool) and (isinstance(value, int) or str(value).isdecimal())
    return isinstance(value, type_)


_POLICY: Final = Field(str, replaces=False, default="DELETE")
_SOURCES: Final = (
    *("image", "snapshot", "sourceDisk", "sourceInstantSnapshot", "sourceStorageObject", "storagePool"),
)

DISK: Final = Schema(
    {
        "accessMode": Field(str, replaces=False, computed=True),
        "architecture": Field(str, computed=True),
        "asyncPrimaryDisk": Field(dict, not_imitated=True),
        "createSnapshotBeforeDestroy": Field(bool, replaces=False, not_imitated=True),
        "createSnapshotBeforeDestroyPrefix": Field(str, replaces=False),
        "deletionPolicy": _POLICY,
        "description": Field(str),
        "diskEncryptionKey": Field(dict, not_imitated=True),
        "enableConfidentialCompute": Field(bool, computed=True),
        "eraseWindowsVssSignature": Field(bool),
        "guestOsFeatures": Field(list, computed=True),
        "interface": Field(str, default="SCSI"),
        "labels": Field(dict, replaces=False),
        "licenses": Field(list, computed=True),
        "multiWriter": Field(bool),
        "name": Field(str),
        "params": Field(dict),
        "physicalBlockSizeBytes": Field(int, computed=True),
        "project": Field(str, computed=True),
        "provisionedIops": Field(int, replaces=False, computed=True),
        "provisionedThroughput": Field(int, replaces=False, computed=True),
        "resourcePolicies": Field(list, computed=True),
        "size": Field(int, replaces=False, computed=True),
        "sourceImageEncryptionKey": Field(dict, not_imitated=True),
        "sourceSnapshotEncryptionKey": Field(dict, not_imitated=True),
        "type": Field(str, default="pd-standard"),
        "zone": Field(str, computed=True),
        **{name: Field(str, not_imitated=True) for name in _SOURCES},
    },
    place="zone",
)

RESOURCE_POLICY: Final = Schema(
    {
        "deletionPolicy": _POLICY,
        "description": Field(str),
        "diskConsistencyGroupPolicy": Field(dict),
        "groupPlacementPolicy": Field(dict),
        "instanceSchedulePolicy": Field(dict),
        "name": Field(str),
        "project": Field(str, computed=True),
        "region": Field(str, computed=True),
        "snapshotSchedulePolicy": Field(dict),
        "workloadPolicy": Field(dict),
    },
    place="region",
)

ATTACHMENT: Final = Schema(
    {
        "deletionPolicy": _POLICY,
        "disk": Field(str),
        "name": Field(str),
        "project": Field(str, computed=True),
        "zone": Field(str, computed=True),
    },
    place="zone",
    required=("disk",),
)
