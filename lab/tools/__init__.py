"""The programs that a lab is made from: found, fetched or built, each once, in the user's cache."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.tools import apt, cache, engine, programs, stubs
from lab.tools.progress import Say


@dataclass(frozen=True)
class Tools:
    """Where each program is. Those of the cache stay for a day after their last use."""

    cache: Path
    """The folder that all but Debian's programs are in."""
    etcd: Path
    kube: Path
    """Every Kubernetes program and CoreDNS in one file; symlinks with their names are beside it."""
    pause: Path
    """What runs in a pod's sandbox; static."""
    attacher: Path
    """Kubernetes' own csi-attacher."""
    resizer: Path
    """Kubernetes' own csi-resizer."""
    csi_stubs: Path
    """Python modules of the CSI protocol, see `lab.tools.stubs`."""
    pulumi: Path
    pulumi_origin: engine.Origin
    language_exec: Path | None
    """Pulumi's `pulumi-language-python-exec` for a stand-in language host; None where the real host is."""


def ensure(say: Say) -> Tools:
    """Gets what is missing, saying what it does. Raises LabError."""
    apt.ensure(say)
    etcd = shutil.which("etcd")
    if etcd is None:
        raise LabError("etcd is not on the PATH: `apt-get install etcd-server`")
    kube, csi, pulumi = programs.kube(say), programs.csi(say), engine.ensure(say)
    return Tools(
        cache=cache.root(),
        etcd=Path(etcd),
        kube=kube / "kube",
        pause=kube / "pause",
        attacher=csi / "csi-attacher",
        resizer=csi / "csi-resizer",
        csi_stubs=stubs.ensure(say),
        pulumi=pulumi.program,
        pulumi_origin=pulumi.origin,
        language_exec=pulumi.language_exec,
    )
