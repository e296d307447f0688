"""The protocols' modules, made from their sources by `lab.tools.stubs`, and how a call is answered.

The modules carry no types, so they are `Any` here; wrong fields show in the tests.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from concurrent import futures
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import grpc

from lab.errors import LabError
from lab.standins.pd_csi.errors import Refusal, invalid

log = logging.getLogger("pd-csi")

csi: Final[Any] = import_module("csi_pb2")
csi_grpc: Final[Any] = import_module("csi_pb2_grpc")
registration: Final[Any] = import_module("pluginregistration_pb2")
registration_grpc: Final[Any] = import_module("pluginregistration_pb2_grpc")

Call = Callable[[Any, Any, grpc.ServicerContext], Any]


def answered(call: Call) -> Call:
    """Logs the call, and answers with a gRPC status what it raises."""

    @functools.wraps(call)
    def wrapped(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        shown = " ".join(str(request).split())
        try:
            answer = call(self, request, context)
        except Refusal as refusal:
            log.warning("%s %s: %s", call.__name__, shown, refusal)
            context.abort(refusal.code, str(refusal))
        except (LabError, OSError) as error:
            log.error("%s %s: %s", call.__name__, shown, error)
            context.abort(grpc.StatusCode.INTERNAL, str(error))
        log.info("%s %s", call.__name__, shown)
        return answer

    return wrapped


def need(**fields: object) -> None:
    """Raises Refusal for the first field that is empty."""
    for name, value in fields.items():
        if not value:
            raise invalid(f"{name} is missing")


def serve(*sockets: tuple[Path, Callable[[grpc.Server], None]]) -> None:
    """Serves each socket until the process ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    servers = []
    for path, register in sockets:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        server = grpc.server(futures.ThreadPoolExecutor(8))
        register(server)
        server.add_insecure_port(f"unix:{path}")
        server.start()
        servers.append(server)
    log.info("serves %s as %d", ", ".join(str(path) for path, _ in sockets), os.getpid())
    for server in servers:
        server.wait_for_termination()
