"""What of a storage cluster's settings makes no sense, said before anything is declared.

Values that the sidecar reads too are checked by the sidecar's own readers, so both sides refuse the
same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from gluster_sidecar.profiles import PROFILES
from gluster_sidecar.settings import Settings

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs
from gluster_stack.quantity import quantity

MAX_NODES: Final = 1000
SMALLEST_DISK_GB: Final = 10
LARGEST_DISK_GB: Final = 65_536
"""Google's limits of a persistent disk."""
LONGEST_DISK_NAME: Final = 63
FILE_SYSTEMS: Final = ("ext4", "xfs")
_SYSTEM_FOLDER = re.compile("bin|boot|dev|etc|lib(32|64|x32)?|proc|root|run|sbin|sys|tmp|usr|var")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_ZONE = re.compile(r"([a-z]+-[a-z]+[0-9]+)-[a-z]")
_OPTION = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+")
_OPTION_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
_TOLERATION: Final[Mapping[str, tuple[str, ...] | type]] = {
    "key": str,
    "operator": ("Exists", "Equal"),
    "value": str,
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "tolerationSeconds": int,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that cannot be."""

    field: str
    value: object
    why: str
    mend: object
    """A value that would do."""


def shown(value: object) -> str:
    """A value on one line, shortened."""
    try:
        text = json.dumps(dict(value) if isinstance(value, Mapping) else value)
    except (TypeError, ValueError):
        text = json.dumps(repr(value))
    return text if len(text) <= 60 else text[:56] + ' ..."'


def problems(args: GlusterClusterArgs) -> list[Problem]:
    """All that is wrong, in the order of the fields."""
    found = [problem for item in fields(args) if (problem := _check(item.name, getattr(args, item.name)))]
    wrong = {problem.field for problem in found}
    found += [problem for problem in _together(args, wrong) if problem.field not in wrong]
    order = [item.name for item in fields(args)]
    return sorted(found, key=lambda problem: order.index(problem.field))


def default(name: str) -> Any:
    """Default of a field; None for one that must be given."""
    item = next(item for item in fields(GlusterClusterArgs) if item.name == name)
    if item.default is not MISSING:
        return item.default
    return item.default_factory() if item.default_factory is not MISSING else None


def _check(name: str, value: object) -> Problem | None:
    kind, words = _kind(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return Problem(name, value, f"must be {words}", _mend(name))
    why = _by_sidecar(name, value) or (_OWN[name](value) if name in _OWN else None)
    return Problem(name, value, why, _mend(name)) if why else None


def _together(args: GlusterClusterArgs, wrong: set[str]) -> Iterator[Problem]:
    """What is wrong only in company; pairs of which one is wrong by itself are not looked at."""
    if not wrong & {"node_count", "replication"} and args.node_count % args.replication:
        why = f"must be a multiple of replication ({args.replication}): nodes join and leave in whole sets"
        yield Problem("node_count", args.node_count, why, layout.next_full(args.node_count, args.replication))
    if not wrong & {"node_count", "spare_count"} and args.node_count + args.spare_count > MAX_NODES:
        why = f"makes more than {MAX_NODES} nodes with nodeCount ({args.node_count})"
        yield Problem("spare_count", args.spare_count, why, max(0, MAX_NODES - args.node_count))
    if not wrong & {"arbiter", "replication"} and args.arbiter and args.replication != 3:
        why = f"needs replication 3, which is {args.replication}: it is the third of three copies"
        yield Problem("arbiter", args.arbiter, why, False)
    for part in ("glusterd", "sidecar"):
        names = (f"{part}_requests", f"{part}_limits")
        if not wrong & {*names}:
            yield from _above_limit(*names, *(getattr(args, name) for name in names))


def _above_limit(
    name: str, limits_name: str, requests: Mapping[str, Any], limits: Mapping[str, Any]
) -> Iterator[Problem]:
    for resource in sorted(requests.keys() & limits.keys()):
        asked, most = quantity(str(requests[resource])), quantity(str(limits[resource]))
        if asked is not None and most is not None and asked > most:
            why = f"gives {resource} {limits[resource]}, less than the {requests[resource]} requested"
            yield Problem(limits_name, limits, why, default(name))
            return


def _kind(name: str) -> tuple[type | tuple[type, ...], str]:
    known = default(name)
    if isinstance(known, Mapping):
        return Mapping, "an object of texts"
    if isinstance(known, tuple):
        return (list, tuple), "a list"
    kind = str if known is None else type(known)
    return kind, {str: "a text", int: "a whole number", bool: "true or false"}[kind]


EXAMPLES: Final = {"project": "my-project", "zone": "us-central1-b"}
"""Of what must be given."""


def _mend(name: str) -> object:
    return EXAMPLES[name] if name in EXAMPLES else default(name)


def _by_sidecar(name: str, value: object) -> str | None:
    """Why the sidecar would not start with this value; None if it would, or does not read it."""
    for item in fields(Settings):
        if item.name == name:
            try:
                item.metadata["read"](str(value).lower() if isinstance(value, bool) else str(value))
            except ValueError as error:
                return str(error)
    return None


def _between(least: int, most: int) -> Callable[[Any], str | None]:
    return lambda value: None if least <= value <= most else f"must be from {least} to {most}"


def _like(pattern: str, what: str) -> Callable[[Any], str | None]:
    compiled = re.compile(pattern)
    return lambda value: None if compiled.fullmatch(value) else f"must be {what}"


def _cluster_name(value: Any) -> str | None:
    if not value[0].isalpha():
        return "must begin with a letter, for it is the name of a Service"
    return "is what a node's own Service is called" if re.fullmatch(r"gluster-[0-9]+", value) else None


def _brick_name(value: Any) -> str | None:
    taken = _SYSTEM_FOLDER.fullmatch(value)
    return f"cannot be: the disk would be mounted over the image's own /{value}" if taken else None


def _zones(value: Any) -> str | None:
    for zone in value:
        if not (isinstance(zone, str) and _ZONE.fullmatch(zone)):
            return f"has {shown(zone)}, which is no Google Cloud zone"
    if len(set(value)) < len(value):
        return "names a zone twice"
    regions = sorted({layout.region(zone) for zone in value})
    return f"are of the regions {' and '.join(regions)}, and a cluster is of one" if regions[1:] else None


def _disk_prefix(value: Any) -> str | None:
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", value):
        return "must be lower-case letters, digits and hyphens, a letter first"
    most = LONGEST_DISK_NAME - len(layout.disk_name(MAX_NODES, ""))
    return f"must have at most {most} characters" if len(value) > most else None


def _volume_options(value: Any) -> str | None:
    for key, option in value.items():
        if not (isinstance(key, str) and _OPTION.fullmatch(key)):
            return f"has {shown(key)}, which is no volume option such as network.ping-timeout"
        if not (isinstance(option, str | int | float) and _OPTION_VALUE.fullmatch(str(option))):
            return f"has {shown(option)}, which is no value of an option"
    return None


def _selector(value: Any) -> str | None:
    for key, label in value.items():
        if not (isinstance(key, str) and _LABEL_KEY.fullmatch(key)):
            return f"has {shown(key)}, which is no label's key"
        if not (isinstance(label, str) and _LABEL_VALUE.fullmatch(label)):
            return f"has {shown(label)}, which is no label's value"
    return None


def _tolerations(value: Any) -> str | None:
    for item in value:
        if not isinstance(item, Mapping) or not item.keys() <= _TOLERATION.keys():
            return f"has {shown(item)}: a toleration is of {', '.join(_TOLERATION)}"
        for key, given in item.items():
            allowed = _TOLERATION[key]
            if isinstance(allowed, tuple) and given not in allowed:
                return f"has the {key} {shown(given)}: it is one of {', '.join(allowed)}"
            if isinstance(allowed, type) and (not isinstance(given, allowed) or isinstance(given, bool)):
                return f"has the {key} {shown(given)}, which must be {_WORD[allowed]}"
        if why := _toleration(item):
            return f"has {shown(item)}: {why}"
    return None


_WORD: Final = {str: "a text", int: "a whole number"}


def _toleration(item: Mapping[str, Any]) -> str | None:
    """What the API server would refuse, in its sense."""
    exists, key = item.get("operator") == "Exists", item.get("key", "")
    if exists and item.get("value"):
        return "with the operator Exists there is no value"
    if not exists and not key:
        return "without a key the operator must be Exists"
    if key and not _LABEL_KEY.fullmatch(key):
        return f"{shown(key)} is no taint's key"
    if not _LABEL_VALUE.fullmatch(item.get("value", "")):
        return f"{shown(item['value'])} is no taint's value"
    if "tolerationSeconds" in item and item.get("effect") != "NoExecute":
        return "tolerationSeconds goes with the effect NoExecute"
    return None


def _amounts(value: Any) -> str | None:
    for key, amount in value.items():
        if key not in _RESOURCES:
            return f"has {shown(key)}, which is none of {', '.join(_RESOURCES)}"
        number = quantity(str(amount)) if isinstance(amount, str | int | float) else None
        if number is None or isinstance(amount, bool) or number < 0:
            return f"has {shown(amount)}, which is no quantity such as 500m or 1Gi"
    return None


_OWN: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "project": _like(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", "the id of a Google Cloud project"),
    "zone": _like(_ZONE.pattern, "a Google Cloud zone"),
    "zones": _zones,
    "node_count": _between(2, MAX_NODES),
    "spare_count": _between(0, MAX_NODES),
    "grace_seconds": _between(60, 604_800),
    "environment": _like(_LABEL_VALUE.pattern.removesuffix("?"), "the value of a label"),
    "cluster_name": _cluster_name,
    "brick_name": _brick_name,
    "profile": _like("|".join(PROFILES), " or ".join(PROFILES)),
    "volume_options": _volume_options,
    "disk_size_gb": _between(SMALLEST_DISK_GB, LARGEST_DISK_GB),
    "disk_type": _like(r"(pd|hyperdisk)-[a-z]+(-[a-z]+)*", "a type of Google's disks, such as pd-balanced"),
    "disk_prefix": _disk_prefix,
    "file_system": _like("|".join(FILE_SYSTEMS), " or ".join(FILE_SYSTEMS)),
    "snapshot_hours": _between(0, 24),
    "snapshot_days": _between(1, 3650),
    "image": _like(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,500}", "the name of an image"),
    "node_selector": _selector,
    "tolerations": _tolerations,
    "priority_class": _like(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?", "the name of a priority class"),
    "glusterd_requests": _amounts,
    "glusterd_limits": _amounts,
    "sidecar_requests": _amounts,
    "sidecar_limits": _amounts,
}
