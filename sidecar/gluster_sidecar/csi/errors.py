"""Why a call of CSI is refused.

Refusal(SidecarError)    with the gRPC code that CSI prescribes for the case
"""

from __future__ import annotations

from enum import StrEnum

from gluster_sidecar.errors import SidecarError


class Code(StrEnum):
    """The gRPC codes in use, by their names in `grpc.StatusCode`."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    """The target shows something else than is asked for now."""
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    """Another call for the same thing is under way: the kubelet asks again."""
    UNAVAILABLE = "UNAVAILABLE"
    """The cluster, or the holder on this machine, does not answer now: the kubelet asks again."""
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"


class Refusal(SidecarError):
    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refusal:
    return Refusal(Code.INVALID_ARGUMENT, message)
