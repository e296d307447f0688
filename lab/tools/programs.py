"""The programs that are built from Go modules: which packages, which flags."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.tools import cache, go
from lab.tools.go import Program
from lab.tools.progress import Say

NO_DEBUG: Final = "-ldflags=-s -w"

KUBERNETES: Final = "v1.34.4"
_VERSION: Final = "k8s.io/component-base/version"
KUBE: Final = Program(
    "kube",
    KUBERNETES,
    (".", "./pause"),
    (
        # A third less to compile and to link.
        "-gcflags=all=-dwarf=false",
        f"{NO_DEBUG} -X {_VERSION}.gitVersion={KUBERNETES} -X {_VERSION}.gitMajor=1 "
        f"-X {_VERSION}.gitMinor=34 -X {_VERSION}.gitTreeState=clean "
        f"-X k8s.io/client-go/pkg/version.gitVersion={KUBERNETES}",
    ),
)
KUBE_NAMES: Final = (
    *("coredns", "kube-apiserver", "kube-controller-manager", "kube-proxy"),
    *("kube-scheduler", "kubectl", "kubelet"),
)

CSI: Final = Program(
    "csi",
    "(external-attacher v4.12.0, external-resizer v2.2.0)",
    (
        "github.com/kubernetes-csi/external-attacher/v4/cmd/csi-attacher",
        "github.com/kubernetes-csi/external-resizer/v2/cmd/csi-resizer",
    ),
    ("-gcflags=all=-dwarf=false", NO_DEBUG),
)

SANITY: Final = Program(
    "sanity",
    "(csi-sanity v5.3.1)",
    ("github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity",),
    ("-gcflags=all=-dwarf=false", NO_DEBUG),
)


def kube(say: Say) -> Path:
    """A folder with `kube`, a symlink to it for each of its programs, and `pause`."""

    def make(draft: Path) -> None:
        go.build(KUBE, draft, say)
        for name in KUBE_NAMES:
            (draft / name).symlink_to("kube")

    return cache.obtain(KUBE.folder, make)


def csi(say: Say) -> Path:
    """A folder with `csi-attacher` and `csi-resizer`, Kubernetes' own."""
    return cache.obtain(CSI.folder, lambda draft: go.build(CSI, draft, say))


def sanity(say: Say) -> Path:
    """Kubernetes' own csi-sanity, the conformance suite of CSI drivers: for tests, no part of a lab."""
    return cache.obtain(SANITY.folder, lambda draft: go.build(SANITY, draft, say)) / "csi-sanity"
