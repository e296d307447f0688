"""What a call of CSI can answer instead of a result.

Refusal(LabError)    with the gRPC code that CSI prescribes
"""

from __future__ import annotations

import grpc

from lab.errors import LabError


class Refusal(LabError):
    """Any other LabError or OSError is answered as INTERNAL."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refusal:
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> Refusal:
    return Refusal(grpc.StatusCode.NOT_FOUND, message)


def precondition(message: str) -> Refusal:
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, message)


def exists(message: str) -> Refusal:
    """It was done before, in another way than is asked for now."""
    return Refusal(grpc.StatusCode.ALREADY_EXISTS, message)


def aborted(message: str) -> Refusal:
    """The caller shall try again."""
    return Refusal(grpc.StatusCode.ABORTED, message)
