"""The committed Python of the protocols is what their sources say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gluster_sidecar.csi.proto
import pytest
from gluster_sidecar.csi.proto import csi_pb2, pluginregistration_pb2
from google.protobuf import descriptor_pb2

PROTO = Path(gluster_sidecar.csi.proto.__file__).parent


@pytest.mark.parametrize("module", [csi_pb2, pluginregistration_pb2])
def test_modules_are_made_from_the_sources_beside_them(module: object, tmp_path: Path) -> None:
    ours = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(ours)  # type: ignore[attr-defined]
    made = tmp_path / "set"
    command = [sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", f"-I{PROTO}"]
    subprocess.run([*command, f"--descriptor_set_out={made}", ours.name], check=True)
    (fresh,) = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes()).file
    assert [m.name for m in ours.message_type] == [m.name for m in fresh.message_type]
    assert ours.service == fresh.service
    for mine, theirs in zip(ours.message_type, fresh.message_type, strict=True):
        assert [(f.name, f.number, f.type) for f in mine.field] == [
            (f.name, f.number, f.type) for f in theirs.field
        ]
