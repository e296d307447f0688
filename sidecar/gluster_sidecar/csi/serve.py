"""gRPC: methods that take and return messages, served on a Unix socket."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc

from .errors import Refusal
from .node import Identity, Node, unsupported
from .patience import WORKERS
from .proto import csi_pb2 as csi
from .proto import pluginregistration_pb2 as registration

log = logging.getLogger(__name__)

IDENTITY: Final = "csi.v1.Identity"
NODE: Final = "csi.v1.Node"
REGISTRATION: Final = "pluginregistration.Registration"

Method = tuple[Any, Callable[[Any], Any]]
"""The request's class and who answers it."""


def csi_services(identity: Identity, node: Node) -> dict[str, dict[str, Method]]:
    return {
        IDENTITY: {
            "GetPluginInfo": (csi.GetPluginInfoRequest, identity.get_plugin_info),
            "GetPluginCapabilities": (csi.GetPluginCapabilitiesRequest, identity.get_plugin_capabilities),
            "Probe": (csi.ProbeRequest, identity.probe),
        },
        NODE: {
            "NodeStageVolume": (csi.NodeStageVolumeRequest, unsupported),
            "NodeUnstageVolume": (csi.NodeUnstageVolumeRequest, unsupported),
            "NodePublishVolume": (csi.NodePublishVolumeRequest, node.node_publish_volume),
            "NodeUnpublishVolume": (csi.NodeUnpublishVolumeRequest, node.node_unpublish_volume),
            "NodeGetVolumeStats": (csi.NodeGetVolumeStatsRequest, node.node_get_volume_stats),
            "NodeExpandVolume": (csi.NodeExpandVolumeRequest, unsupported),
            "NodeGetCapabilities": (csi.NodeGetCapabilitiesRequest, node.node_get_capabilities),
            "NodeGetInfo": (csi.NodeGetInfoRequest, node.node_get_info),
        },
    }


def registration_services(
    name: str, endpoint: str, heard: Callable[[bool, str], None]
) -> dict[str, dict[str, Method]]:
    """What the kubelet asks of a socket in its registry: who are you, and where; then, how it went."""
    info = registration.PluginInfo(
        type="CSIPlugin", name=name, endpoint=endpoint, supported_versions=["1.0.0"]
    )

    def status(asked: registration.RegistrationStatus) -> registration.RegistrationStatusResponse:
        heard(asked.plugin_registered, asked.error)
        return registration.RegistrationStatusResponse()

    return {
        REGISTRATION: {
            "GetInfo": (registration.InfoRequest, lambda _: info),
            "NotifyRegistrationStatus": (registration.RegistrationStatus, status),
        }
    }


def server(path: Path, services: Mapping[str, Mapping[str, Method]]) -> grpc.Server:
    """Serves at `path` until `stop`. Raises OSError or RuntimeError if that cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # left by a predecessor; the kubelet takes note of the new one
    made = grpc.server(ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix=path.name))
    for service, methods in services.items():
        handlers = {name: _handler(name, *method) for name, method in methods.items()}
        made.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    if made.add_insecure_port(f"unix://{path}") == 0:
        raise RuntimeError(f"{path} cannot be served")
    made.start()
    return made


def _handler(name: str, kind: Any, method: Callable[[Any], Any]) -> Any:
    def answer(asked: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(asked)
        except Refusal as refusal:
            log.warning("%s is refused, %s: %s", name, refusal.code, refusal)
            context.abort(grpc.StatusCode[refusal.code], str(refusal))

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=kind.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )
