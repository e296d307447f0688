"""The sidecar's settings: read once from the environment, written once by the stack.

`gluster_stack` calls `Settings.to_env`, the sidecar calls `Settings.from_env`; the names of the
variables stand here alone. The first nine are the original's and keep its defaults
(neshte/gluster-k8s-sidecar, README).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final

from .errors import SettingsError

PREFIX: Final = "GLUSTER_SIDECAR_"
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_GLUSTER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def _integer(minimum: int, maximum: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    return read


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"must be {what}")
        return text

    return read


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


_SET = _matching(re.compile(".+"), "set")


def _labels(text: str) -> Mapping[str, str]:
    labels: dict[str, str] = {}
    for pair in text.split(","):
        key, equals, value = pair.strip().partition("=")
        if not equals or not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise ValueError(f"{pair.strip()!r} is no label; write key=value,key=value")
        labels[key] = value
    return MappingProxyType(labels)


def _write_labels(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _setting(variable: str, read: Callable[[str], Any], default: Any) -> Any:
    return field(default=default, metadata={"variable": PREFIX + variable, "read": read})


@dataclass(frozen=True, slots=True)
class Settings:
    """What every sidecar of one storage cluster shares."""

    pod_labels: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({"role": "gluster", "environment": "test"}),
        metadata={"variable": PREFIX + "POD_LABELS", "read": _labels},
    )
    """Labels by which the cluster's pods are found."""

    sleep_seconds: int = _setting("SLEEP_SECONDS", _integer(1, 3600), 5)
    """Seconds between two cycles when nothing happens; a change in Kubernetes wakes the loop earlier."""

    unhealthy_seconds: int = _setting("UNHEALTHY_SECONDS", _integer(1, 3600), 15)
    """Seconds to wait after a cycle that failed."""

    cluster_name: str = _setting("CLUSTER_NAME", _matching(_DNS_LABEL, "a DNS label"), "glusterfs-cluster")
    """Name of the clients' Service."""

    cluster_port: int = _setting("CLUSTER_PORT", _integer(1, 65535), 1)
    """Port of the clients' Service. Clients fetch the volume file from glusterd's own port; the
    Service's port is kept for what the original's users wrote into their manifests."""

    volume_name: str = _setting("VOLUME_NAME", _matching(_GLUSTER_NAME, "a GlusterFS volume name"), "data")
    brick_name: str = _setting("BRICK_NAME", _matching(_GLUSTER_NAME, "one path component"), "data")
    """The disk is mounted at `/<brick_name>`."""

    replication: int = _setting("REPLICATION", _integer(2, 16), 2)
    """Copies of every file; nodes join and leave in sets of this size."""

    arbiter: bool = _setting("ARBITER", _boolean, False)
    """The last brick of each set keeps names and attributes only (`replica 3 arbiter 1`)."""

    namespace: str = _setting("K8SNAMESPACE", _matching(_DNS_LABEL, "a namespace"), "default")

    @property
    def disk(self) -> str:
        """Where the node's disk is mounted."""
        return f"/{self.brick_name}"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Reads all settings. An empty variable counts as absent.

        Raises SettingsError with one line for every variable that is wrong or not known.
        """
        return cls(**_read(cls, environ, also_known=_variables(Identity)))

    def to_env(self) -> dict[str, str]:
        """The environment from which `from_env` makes an equal value."""
        env = {str(f.metadata["variable"]): str(getattr(self, f.name)) for f in fields(self)}
        env[PREFIX + "ARBITER"] = str(self.arbiter).lower()
        env[PREFIX + "POD_LABELS"] = _write_labels(self.pod_labels)
        return env


@dataclass(frozen=True, slots=True)
class Identity:
    """Which of the cluster's nodes this pod is. Never guessed from addresses or host names
    (mistakes 3 and 4 of the original): the pod's own manifest says it."""

    node: int = field(metadata={"variable": PREFIX + "NODE_NUMBER", "read": _integer(1, 100_000)})
    pod_name: str = field(metadata={"variable": PREFIX + "POD_NAME", "read": _SET})
    pod_uid: str = _setting("POD_UID", _SET, "")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Identity:
        """Raises SettingsError with one line for every variable that is wrong or missing."""
        return cls(**_read(cls, environ, also_known=_variables(Settings)))


def _variables(kind: type[Settings] | type[Identity]) -> set[str]:
    return {str(f.metadata["variable"]) for f in fields(kind)}


def _read(
    kind: type[Settings] | type[Identity], environ: Mapping[str, str], also_known: set[str]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems: list[str] = []
    required = {f.name for f in fields(kind)} - _with_default(kind)
    for item in fields(kind):
        variable = item.metadata["variable"]
        text = environ.get(variable, "")
        if not text:
            if item.name in required:
                problems.append(f"{variable} is not set: the pod's manifest must name it")
            continue
        try:
            values[item.name] = item.metadata["read"](text)
        except ValueError as error:
            problems.append(f"{variable}={text!r}: {error}")
    known = _variables(kind) | also_known
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            problems.append(f"{variable} is not a setting: known are {', '.join(sorted(known))}")
    if problems:
        raise SettingsError(problems)
    return values


def _with_default(kind: type[Settings] | type[Identity]) -> set[str]:
    return {f.name for f in fields(kind) if f.default is not MISSING or f.default_factory is not MISSING}
