"""Who the driver is: the same in the hub and on every machine."""

from __future__ import annotations

from typing import Any

from lab.standins.pd_csi.names import DRIVER, VERSION
from lab.standins.pd_csi.protocol import answered, csi, csi_grpc


class Identity(csi_grpc.IdentityServicer):  # type: ignore[misc]
    @answered
    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return csi.GetPluginInfoResponse(name=DRIVER, vendor_version=VERSION)

    @answered
    def GetPluginCapabilities(self, request: Any, context: Any) -> Any:
        kinds = csi.PluginCapability
        return csi.GetPluginCapabilitiesResponse(
            capabilities=[
                kinds(service=kinds.Service(type=kinds.Service.CONTROLLER_SERVICE)),
                kinds(service=kinds.Service(type=kinds.Service.VOLUME_ACCESSIBILITY_CONSTRAINTS)),
                kinds(volume_expansion=kinds.VolumeExpansion(type=kinds.VolumeExpansion.ONLINE)),
            ]
        )

    @answered
    def Probe(self, request: Any, context: Any) -> Any:
        return csi.ProbeResponse()
