"""`python -m lab.standins.pd_csi.node --node NAME --zone ZONE`: mounts a machine's disks for its kubelet."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import grpc

from lab.standins.pd_csi import filesystem, loops, mounts
from lab.standins.pd_csi.disks import Disks
from lab.standins.pd_csi.errors import exists, invalid, not_found, precondition
from lab.standins.pd_csi.identity import Identity
from lab.standins.pd_csi.names import (
    DISKS,
    DRIVER,
    MAX_VOLUMES,
    PLUGIN_FOLDER,
    REGISTRY_FOLDER,
    ZONE_LABEL,
    Instance,
)
from lab.standins.pd_csi.protocol import (
    answered,
    csi,
    csi_grpc,
    log,
    need,
    registration,
    registration_grpc,
    serve,
)


class Node(csi_grpc.NodeServicer):  # type: ignore[misc]
    def __init__(self, disks: Disks, machine: Instance) -> None:
        self._disks, self._machine = disks, machine

    @answered
    def NodeGetInfo(self, request: Any, context: Any) -> Any:
        return csi.NodeGetInfoResponse(
            node_id=str(self._machine),
            max_volumes_per_node=MAX_VOLUMES,
            accessible_topology=csi.Topology(segments={ZONE_LABEL: self._machine.zone}),
        )

    @answered
    def NodeGetCapabilities(self, request: Any, context: Any) -> Any:
        kind = csi.NodeServiceCapability
        wanted = (kind.RPC.STAGE_UNSTAGE_VOLUME, kind.RPC.EXPAND_VOLUME, kind.RPC.GET_VOLUME_STATS)
        return csi.NodeGetCapabilitiesResponse(capabilities=[kind(rpc=kind.RPC(type=one)) for one in wanted])

    @answered
    def NodeStageVolume(self, request: Any, context: Any) -> Any:
        target, wanted = request.staging_target_path, request.volume_capability
        need(volume_id=request.volume_id, staging_target_path=target)
        kind = _file_system(wanted)
        disk = self._disks.find(request.volume_id)
        if disk.holder() != self._machine.name:
            raise precondition(f"{disk} is attached to {disk.holder() or 'no machine'}, not to this one")
        if mounts.at(target) is None:
            loops.wait_until_free(disk.image)
            filesystem.ensure(disk.image, kind, read_only=False)
            os.makedirs(target, exist_ok=True)
            filesystem.mount(disk.image, target, kind, list(wanted.mount.mount_flags))
        mounted = mounts.at(target)
        if mounted is not None:
            filesystem.grow(mounted)  # to a disk that grew while it was nowhere mounted
        return csi.NodeStageVolumeResponse()

    @answered
    def NodeUnstageVolume(self, request: Any, context: Any) -> Any:
        need(volume_id=request.volume_id, staging_target_path=request.staging_target_path)
        mounts.unmount(request.staging_target_path)
        return csi.NodeUnstageVolumeResponse()

    @answered
    def NodePublishVolume(self, request: Any, context: Any) -> Any:
        source, target = request.staging_target_path, request.target_path
        need(volume_id=request.volume_id, staging_target_path=source, target_path=target)
        _file_system(request.volume_capability)
        if mounts.at(source) is None:
            raise precondition(f"{request.volume_id} is not staged at {source}")
        there = mounts.at(target)
        if there is None:
            os.makedirs(target, exist_ok=True)
            mounts.bind(source, target, request.readonly)
        elif there.read_only != request.readonly:
            raise exists(f"{target} is mounted {'read-only' if there.read_only else 'writable'} already")
        return csi.NodePublishVolumeResponse()

    @answered
    def NodeUnpublishVolume(self, request: Any, context: Any) -> Any:
        need(volume_id=request.volume_id, target_path=request.target_path)
        mounts.unmount(request.target_path)
        if os.path.isdir(request.target_path):
            os.rmdir(request.target_path)
        return csi.NodeUnpublishVolumeResponse()

    @answered
    def NodeExpandVolume(self, request: Any, context: Any) -> Any:
        need(volume_id=request.volume_id, volume_path=request.volume_path)
        mounted = mounts.at(request.volume_path)
        if mounted is None:
            raise not_found(f"nothing is mounted on {request.volume_path}")
        filesystem.grow(mounted)
        return csi.NodeExpandVolumeResponse(capacity_bytes=filesystem.size_of(mounted.source))

    @answered
    def NodeGetVolumeStats(self, request: Any, context: Any) -> Any:
        need(volume_id=request.volume_id, volume_path=request.volume_path)
        if mounts.at(request.volume_path) is None:
            raise not_found(f"nothing is mounted on {request.volume_path}")
        found, unit = os.statvfs(request.volume_path), csi.VolumeUsage
        return csi.NodeGetVolumeStatsResponse(
            usage=[
                unit(
                    unit=unit.BYTES,
                    total=found.f_blocks * found.f_frsize,
                    available=found.f_bavail * found.f_frsize,
                    used=(found.f_blocks - found.f_bfree) * found.f_frsize,
                ),
                unit(
                    unit=unit.INODES,
                    total=found.f_files,
                    available=found.f_ffree,
                    used=found.f_files - found.f_ffree,
                ),
            ]
        )


def _file_system(capability: Any) -> str:
    """Raises Refusal for what this driver does not do."""
    if not capability.HasField("mount"):
        raise invalid("volume_capability must be of a mount: raw block volumes are not imitated")
    kind = capability.mount.fs_type or filesystem.DEFAULT
    if kind not in filesystem.MAKE:
        raise invalid(f"fs_type {kind!r} is none of {', '.join(filesystem.MAKE)}")
    return str(kind)


class Registration(registration_grpc.RegistrationServicer):  # type: ignore[misc]
    """How a kubelet gets to know the driver: what node-driver-registrar does for others."""

    def GetInfo(self, request: Any, context: Any) -> Any:
        return registration.PluginInfo(
            type="CSIPlugin", name=DRIVER, endpoint=f"{PLUGIN_FOLDER}/csi.sock", supported_versions=["1.0.0"]
        )

    def NotifyRegistrationStatus(self, request: Any, context: Any) -> Any:
        log.info("registered" if request.plugin_registered else f"not registered: {request.error}")
        return registration.RegistrationStatusResponse()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", required=True)
    parser.add_argument("--zone", required=True)
    words = parser.parse_args()
    node = Node(Disks(Path(os.environ[DISKS])), Instance(words.zone, words.node))

    def driver(server: grpc.Server) -> None:
        csi_grpc.add_IdentityServicer_to_server(Identity(), server)
        csi_grpc.add_NodeServicer_to_server(node, server)

    def registry(server: grpc.Server) -> None:
        registration_grpc.add_RegistrationServicer_to_server(Registration(), server)

    serve((Path(PLUGIN_FOLDER, "csi.sock"), driver), (Path(REGISTRY_FOLDER, f"{DRIVER}-reg.sock"), registry))


if __name__ == "__main__":
    main()
