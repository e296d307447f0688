"""Every error this package raises on purpose, split by who must act on it.

    SidecarError
    ├── SettingsError      a person: the environment is wrong; exit code 2, all keys at once
    ├── ObservationError   nobody: the world could not be read, so nothing is planned; look again
    │   └── ApiError       ... because Kubernetes did not answer, or refused
    │       └── Conflict   ... because somebody else wrote first, or the object is there already
    └── ActionError        nobody: a step failed; the next cycle observes what came of it

Anything else is a bug: it ends the process and shows as a restart. Errors of libraries are mapped
at one edge each (`kubernetes.py`, `gluster.py`) and chained with `from`.
"""

from __future__ import annotations


class SidecarError(Exception):
    """Base of all errors of the sidecar; its text is one line for a person."""


class SettingsError(SidecarError):
    """The environment does not describe a sidecar. `problems` holds one line a key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class ObservationError(SidecarError):
    """Something that must be known could not be read."""


class ApiError(ObservationError):
    """The Kubernetes API did not answer, or answered with an error. `status` is 0 for no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Conflict(ApiError):
    """HTTP 409: the object changed since it was read, or exists already."""


class ActionError(SidecarError):
    """A gluster command was refused or did not end in time."""
