"""What comes from Debian, by the programs that are needed: installed only if one is missing.

A program of another origin counts: asking for Debian's containerd where Docker's is installed would
remove the latter.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.run import ok
from lab.tools.progress import Progress, Say, watch

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    # the cluster
    "etcd-server": ("etcd",),
    "containerd": ("containerd", "ctr"),
    "runc": ("runc",),
    "containernetworking-plugins": ("/usr/lib/cni/bridge", "/usr/lib/cni/host-local", "/usr/lib/cni/portmap"),
    "iptables": ("iptables",),
    # machines as namespaces
    "iproute2": ("ip",),
    "util-linux": ("nsenter", "unshare", "setpriv", "losetup", "blkid"),
    "mount": ("mount", "umount"),
    "kmod": ("modprobe",),
    "procps": ("sysctl",),
    "hostname": ("hostname",),
    # file systems of disks
    "e2fsprogs": ("mkfs.ext4", "resize2fs"),
    "xfsprogs": ("mkfs.xfs", "xfs_growfs"),
    # the image
    "mmdebstrap": ("mmdebstrap",),
    "buildah": ("buildah",),
}
"""Each package, and the programs in it that the lab runs."""
POLICY: Final = Path("/usr/sbin/policy-rc.d")
"""Asked by packages whether they may start their daemons; 101 is no."""


def missing(packages: Mapping[str, tuple[str, ...]] = PACKAGES) -> list[str]:
    """Packages of which a program is not there."""
    return [name for name, programs in packages.items() if not all(shutil.which(p) for p in programs)]


def ensure(say: Say) -> None:
    """Raises LabError if something is missing and cannot be installed."""
    # A root shell made by `su` may lack /usr/sbin.
    os.environ["PATH"] = ":".join(_unique([*os.environ.get("PATH", "").split(":"), *SYSTEM_PATH.split(":")]))
    wanted = missing()
    if not wanted:
        return
    names = " ".join(wanted)
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise LabError(f"install what the lab needs first (as root on Debian it does so itself): {names}")
    say(f"installing from Debian: {names}")
    progress = Progress("Debian packages", say)
    ok(["apt-get", "-q", "update"])  # one list that cannot be had is no reason to stop: the next step tells
    with _no_daemons():
        watch(
            [
                *("apt-get", "install", "-q", "--yes", "--no-install-recommends", "--no-remove"),
                *("-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold", *wanted),
            ],
            progress,
            log="apt",
            detail=lambda lines: f"{sum(line.startswith('Setting up') for line in lines)} set up",
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
    progress.done(f"Debian packages: installed in {progress.elapsed:.0f} s")
    if still := missing():
        raise LabError(f"installed, but without the programs that the lab needs: {' '.join(still)}")


def _unique(words: list[str]) -> list[str]:
    return list(dict.fromkeys(word for word in words if word))


@contextmanager
def _no_daemons() -> Iterator[None]:
    """Keeps packages from starting etcd, containerd and others on this machine."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
