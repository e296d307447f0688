"""How an operation of a plugin fails.

ProviderError            nothing was done, or what was done is as before
└── PartialFailure       the resource exists, but is not what it should be; its state is saved
"""

from __future__ import annotations

from typing import Any, cast

import grpc
from pulumi.runtime.proto import provider_pb2, status_pb2

from lab.standins.pulumi_plugin.values import Object, encode


class ProviderError(Exception):
    """One line (rarely a few) for the person at the terminal."""


class PartialFailure(ProviderError):
    """The next `up` goes on from `state`: the engine saves it as not initialised."""

    def __init__(
        self, resource_id: str, reasons: list[str], state: Object, inputs: Object | None = None
    ) -> None:
        super().__init__(reasons[0])
        self.resource_id, self.reasons, self.state, self.inputs = resource_id, reasons, state, inputs


class _Status(grpc.Status):
    def __init__(self, message: str, packed: bytes) -> None:
        self.code = grpc.StatusCode.UNKNOWN
        self.details = message
        self.trailing_metadata = (("grpc-status-details-bin", packed),)


def refuse(context: grpc.ServicerContext, error: ProviderError) -> None:
    """Ends the call with `error`; does not return."""
    if not isinstance(error, PartialFailure):
        context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id,
        reasons=error.reasons,
        properties=encode(error.state),
        inputs=None if error.inputs is None else encode(error.inputs),
    )
    status = status_pb2.Status(code=cast(Any, grpc.StatusCode.UNKNOWN.value)[0], message=str(error))
    status.details.add().Pack(detail)
    context.abort_with_status(_Status(str(error), status.SerializeToString()))
