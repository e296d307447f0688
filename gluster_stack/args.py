"""What a person may say of a storage cluster, and what of it makes no sense.

The defaults stand here; Pulumi.yaml repeats them (a test keeps the two equal). Values that the
sidecar reads too are checked by the sidecar's own readers, so both sides refuse the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final

from gluster_sidecar.settings import Settings

from gluster_stack import layout

MAX_NODES: Final = 1000
SMALLEST_DISK_GB: Final = 10
LARGEST_DISK_GB: Final = 65_536
"""Google's limits of a persistent disk."""
FILE_SYSTEMS: Final = ("ext4", "xfs")
_SYSTEM_FOLDER = re.compile("bin|boot|dev|etc|lib(32|64|x32)?|proc|root|run|sbin|sys|tmp|usr|var")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class GlusterClusterArgs:
    """A storage cluster. Plain values, not outputs: names and counts must be known in a preview."""

    project: str
    """Google Cloud project of the disks."""
    zone: str
    """Zone of the disks and of the machines that use them."""
    node_count: int = 2
    """Nodes; a multiple of `replication`, each on a machine of its own."""
    replication: int = 2
    """Copies of every file."""
    environment: str = "test"
    """Value of the pods' label `environment`."""
    namespace: str = "default"
    cluster_name: str = "glusterfs-cluster"
    """Name of the clients' Service."""
    cluster_port: int = 1
    volume_name: str = "data"
    brick_name: str = "data"
    """A node's disk is mounted at `/<brick_name>`."""
    disk_size_gb: int = 1000
    disk_type: str = "pd-standard"
    file_system: str = "ext4"
    protect_disks: bool = False
    """Pulumi refuses to delete or replace the disks."""
    image: str = "gluster-stack:dev"
    sleep_seconds: int = 5
    unhealthy_seconds: int = 15
    sample_app: bool = True
    node_selector: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Labels that a machine must have to get a GlusterFS node."""

    def settings(self) -> Settings:
        """The sidecar's settings. Holds nothing that changes with the number of nodes."""
        return Settings(
            pod_labels=layout.shared_labels(self.environment),
            sleep_seconds=self.sleep_seconds,
            unhealthy_seconds=self.unhealthy_seconds,
            cluster_name=self.cluster_name,
            cluster_port=self.cluster_port,
            volume_name=self.volume_name,
            brick_name=self.brick_name,
            replication=self.replication,
            namespace=self.namespace,
        )


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
    kind = _kind(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return Problem(name, value, f"must be {_WORDS[kind]}", _mend(name))
    why = _by_sidecar(name, value) or (_OWN[name](value) if name in _OWN else None)
    return Problem(name, value, why, _mend(name)) if why else None


def _together(args: GlusterClusterArgs, wrong: set[str]) -> Iterator[Problem]:
    """What is wrong only in company."""
    if not wrong & {"node_count", "replication"} and args.node_count % args.replication:
        why = f"must be a multiple of replication ({args.replication}): nodes join and leave in whole sets"
        yield Problem("node_count", args.node_count, why, layout.next_full(args.node_count, args.replication))


def _kind(name: str) -> type:
    known = default(name)
    return str if known is None else Mapping if isinstance(known, Mapping) else type(known)


_WORDS: Final[Mapping[type, str]] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    Mapping: "an object of texts",
}

_EXAMPLES: Final = {"project": "my-project", "zone": "us-central1-b"}


def _mend(name: str) -> object:
    return _EXAMPLES[name] if name in _EXAMPLES else default(name)


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


def _selector(value: Any) -> str | None:
    for key, label in value.items():
        if not (isinstance(key, str) and _LABEL_KEY.fullmatch(key)):
            return f"has {shown(key)}, which is no label's key"
        if not (isinstance(label, str) and _LABEL_VALUE.fullmatch(label)):
            return f"has {shown(label)}, which is no label's value"
    return None


_OWN: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "project": _like(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", "the id of a Google Cloud project"),
    "zone": _like(r"[a-z]+-[a-z]+[0-9]+-[a-z]", "a Google Cloud zone"),
    "node_count": _between(2, MAX_NODES),
    "environment": _like(_LABEL_VALUE.pattern.removesuffix("?"), "the value of a label"),
    "cluster_name": _cluster_name,
    "brick_name": _brick_name,
    "disk_size_gb": _between(SMALLEST_DISK_GB, LARGEST_DISK_GB),
    "disk_type": _like(r"(pd|hyperdisk)-[a-z]+(-[a-z]+)*", "a type of Google's disks, such as pd-balanced"),
    "file_system": _like("|".join(FILE_SYSTEMS), " or ".join(FILE_SYSTEMS)),
    "image": _like(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,500}", "the name of an image"),
    "node_selector": _selector,
}
