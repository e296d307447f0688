"""Python modules for the CSI and the kubelet's plugin registration protocols, made from their sources.

The sources come with the Go modules that the lab is built from, so driver and kubelet agree.
`csi_pb2`, `csi_pb2_grpc`, `pluginregistration_pb2` and `pluginregistration_pb2_grpc` are in `folder()`,
which has to be put on `sys.path`.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

from lab.run import run
from lab.tools import cache, go
from lab.tools.programs import CSI, KUBE
from lab.tools.progress import Progress, Say

GENERATOR: Final = "grpcio-tools"
REGISTRATION: Final = "pkg/apis/pluginregistration/v1/api.proto"


def folder() -> Path:
    """Where the modules are once `ensure` has run."""
    pins = (CSI.source / "go.mod", KUBE.source / "go.mod", version(GENERATOR), REGISTRATION)
    return cache.folder("csi-stubs", *pins)


def ensure(say: Say) -> Path:
    """Raises LabError if they cannot be made."""
    return cache.obtain(folder(), lambda draft: _make(draft, say))


def _make(draft: Path, say: Say) -> None:
    progress = Progress("CSI protocol", say)
    spec = go.module(CSI.source, "github.com/container-storage-interface/spec", say) / "csi.proto"
    registration = go.module(KUBE.source, "k8s.io/kubelet", say) / REGISTRATION
    (draft / "csi.proto").write_text(spec.read_text())
    # Annotations for the Go generator only; their definitions are in yet another module.
    lines = [line for line in registration.read_text().splitlines(keepends=True) if "gogo" not in line]
    (draft / "pluginregistration.proto").write_text("".join(lines))
    out = [f"--python_out={draft}", f"--grpc_python_out={draft}"]
    run(
        [
            *(sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", f"-I{draft}", *out),
            *("csi.proto", "pluginregistration.proto"),
        ]
    )
    progress.done(f"CSI protocol: made in {progress.elapsed:.0f} s")
