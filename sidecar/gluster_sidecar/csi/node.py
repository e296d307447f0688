"""The Identity and Node services of CSI, on the protocol's messages; the holder does what they ask.

Every method may be called twice: kubelet repeats what it did not hear the end of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from . import link, request
from .errors import Code, Refusal, invalid
from .proto import csi_pb2 as csi

VERSION: Final = "1"
FILE_SYSTEMS: Final = ("", "glusterfs", "fuse.glusterfs")

Ask = Callable[..., Any]
"""`ask(method, **words)` of the holder. Raises Refusal."""

_Mode = csi.VolumeCapability.AccessMode
READ_ONLY_MODES: Final = (_Mode.SINGLE_NODE_READER_ONLY, _Mode.MULTI_NODE_READER_ONLY)
_Rpc = csi.NodeServiceCapability.RPC
CAPABILITIES: Final = (_Rpc.GET_VOLUME_STATS, _Rpc.VOLUME_CONDITION, _Rpc.VOLUME_MOUNT_GROUP)


@dataclass(frozen=True, slots=True)
class Identity:
    name: str
    ask: Ask

    def get_plugin_info(self, _: csi.GetPluginInfoRequest) -> csi.GetPluginInfoResponse:
        return csi.GetPluginInfoResponse(name=self.name, vendor_version=VERSION)

    def get_plugin_capabilities(
        self, _: csi.GetPluginCapabilitiesRequest
    ) -> csi.GetPluginCapabilitiesResponse:
        """None: volumes are declared, not made on demand, and are the same from every machine."""
        return csi.GetPluginCapabilitiesResponse()

    def probe(self, _: csi.ProbeRequest) -> csi.ProbeResponse:
        """Ready is what can publish: with the holder of this machine."""
        answer = csi.ProbeResponse()
        try:
            self.ask(link.PING)
            answer.ready.value = True
        except Refusal:
            answer.ready.value = False
        return answer


@dataclass(frozen=True, slots=True)
class Node:
    machine: str
    default_volume: str
    ask: Ask

    def node_get_info(self, _: csi.NodeGetInfoRequest) -> csi.NodeGetInfoResponse:
        return csi.NodeGetInfoResponse(node_id=self.machine)

    def node_get_capabilities(self, _: csi.NodeGetCapabilitiesRequest) -> csi.NodeGetCapabilitiesResponse:
        capabilities = [csi.NodeServiceCapability(rpc=_Rpc(type=kind)) for kind in CAPABILITIES]
        return csi.NodeGetCapabilitiesResponse(capabilities=capabilities)

    def node_publish_volume(self, asked: csi.NodePublishVolumeRequest) -> csi.NodePublishVolumeResponse:
        _given(volume_id=asked.volume_id, target_path=asked.target_path)
        if not asked.HasField("volume_capability"):
            raise invalid("volume_capability is missing")
        capability = asked.volume_capability
        mode = capability.access_mode.mode
        if capability.WhichOneof("access_type") != "mount":
            raise invalid("volume_capability: only file systems can be had, no block devices")
        if mode == _Mode.UNKNOWN:
            raise invalid("volume_capability: access_mode is missing")
        if capability.mount.fs_type not in FILE_SYSTEMS:
            raise invalid(
                f"volume_capability: fs_type {capability.mount.fs_type} cannot be had; leave it out"
            )
        use = request.read(
            asked.volume_id,
            asked.volume_context,
            capability.mount.mount_flags,
            read_only=asked.readonly or mode in READ_ONLY_MODES,
            default_volume=self.default_volume,
            group=capability.mount.volume_mount_group,
        )
        self.ask("publish", target=asked.target_path, use=use.to_json())
        return csi.NodePublishVolumeResponse()

    def node_unpublish_volume(self, asked: csi.NodeUnpublishVolumeRequest) -> csi.NodeUnpublishVolumeResponse:
        _given(volume_id=asked.volume_id, target_path=asked.target_path)
        self.ask("unpublish", target=asked.target_path)
        return csi.NodeUnpublishVolumeResponse()

    def node_get_volume_stats(self, asked: csi.NodeGetVolumeStatsRequest) -> csi.NodeGetVolumeStatsResponse:
        _given(volume_id=asked.volume_id, volume_path=asked.volume_path)
        found = self.ask("stats", path=asked.volume_path)
        if found["wrong"] is not None:
            condition = csi.VolumeCondition(abnormal=True, message=found["wrong"])
            return csi.NodeGetVolumeStatsResponse(volume_condition=condition)
        units = {"bytes": csi.VolumeUsage.BYTES, "inodes": csi.VolumeUsage.INODES}
        return csi.NodeGetVolumeStatsResponse(
            usage=[csi.VolumeUsage(unit=unit, **found[name]) for name, unit in units.items()],
            volume_condition=csi.VolumeCondition(abnormal=False, message="answers"),
        )


def unsupported(asked: object) -> Any:
    """What a driver without staging and growth answers."""
    raise Refusal(Code.UNIMPLEMENTED, f"{type(asked).__name__}: not a capability of this driver")


def _given(**fields: str) -> None:
    for name, value in fields.items():
        if not value:
            raise invalid(f"{name} is missing")
