"""`python -m lab.standins.pd_csi.controller --csi-address=SOCKET`: gives disks to machines, and grows them.

Called by Kubernetes' own external-attacher and external-resizer.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import grpc

from lab.standins.pd_csi import loops
from lab.standins.pd_csi.disks import Disks
from lab.standins.pd_csi.errors import Refusal, invalid, not_found, precondition
from lab.standins.pd_csi.identity import Identity
from lab.standins.pd_csi.names import DISKS, Instance
from lab.standins.pd_csi.protocol import answered, csi, csi_grpc, need, serve


class Controller(csi_grpc.ControllerServicer):  # type: ignore[misc]
    def __init__(self, disks: Disks) -> None:
        self._disks = disks

    @answered
    def ControllerGetCapabilities(self, request: Any, context: Any) -> Any:
        kind = csi.ControllerServiceCapability
        wanted = (kind.RPC.PUBLISH_UNPUBLISH_VOLUME, kind.RPC.EXPAND_VOLUME)
        return csi.ControllerGetCapabilitiesResponse(
            capabilities=[kind(rpc=kind.RPC(type=one)) for one in wanted]
        )

    @answered
    def ValidateVolumeCapabilities(self, request: Any, context: Any) -> Any:
        need(volume_id=request.volume_id, volume_capabilities=request.volume_capabilities)
        self._disks.find(request.volume_id)
        confirmed = csi.ValidateVolumeCapabilitiesResponse.Confirmed(
            volume_capabilities=request.volume_capabilities
        )
        return csi.ValidateVolumeCapabilitiesResponse(confirmed=confirmed)

    @answered
    def ControllerPublishVolume(self, request: Any, context: Any) -> Any:
        need(
            volume_id=request.volume_id,
            node_id=request.node_id,
            volume_capability=request.HasField("volume_capability"),
        )
        disk, machine = self._disks.find(request.volume_id), Instance.parse(request.node_id)
        if machine is None:
            raise not_found(f"there is no machine {request.node_id!r}")
        if machine.zone != disk.zone:
            raise invalid(f"{disk} is not in the zone of {machine}")
        holder = disk.attach(machine.name)
        if holder != machine.name:
            raise precondition(f"{disk} is already being used by {holder}")
        return csi.ControllerPublishVolumeResponse()

    @answered
    def ControllerUnpublishVolume(self, request: Any, context: Any) -> Any:
        """Also for a disk that is gone, or was never there: it is not on the machine, as is wanted."""
        need(volume_id=request.volume_id)
        disk, machine = self._disks.parse(request.volume_id), Instance.parse(request.node_id)
        if machine is None or disk.holder() == machine.name:
            if disk.exists():
                loops.pull(disk.image)
            disk.detach()
        return csi.ControllerUnpublishVolumeResponse()

    @answered
    def ControllerExpandVolume(self, request: Any, context: Any) -> Any:
        need(volume_id=request.volume_id, capacity_range=request.HasField("capacity_range"))
        wanted, limit = request.capacity_range.required_bytes, request.capacity_range.limit_bytes
        disk = self._disks.find(request.volume_id)
        if limit and max(wanted, disk.size()) > limit:
            raise Refusal(grpc.StatusCode.OUT_OF_RANGE, f"{disk} would be larger than {limit} bytes")
        return csi.ControllerExpandVolumeResponse(
            capacity_bytes=disk.grow(wanted), node_expansion_required=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csi-address", type=Path, required=True)
    address = parser.parse_args().csi_address
    controller = Controller(Disks(Path(os.environ[DISKS])))

    def register(server: grpc.Server) -> None:
        csi_grpc.add_IdentityServicer_to_server(Identity(), server)
        csi_grpc.add_ControllerServicer_to_server(controller, server)

    serve((address, register))


if __name__ == "__main__":
    main()
