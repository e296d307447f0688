"""The images of a lab, built from the Dockerfile itself, and a containerd root that holds them.

`ensure` builds, or finds in the cache, one folder for the content it is made from. Machines get their
own containerd root by `clone`, which takes a moment: files of images are shared by hard links.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.paths import CHECKOUT
from lab.run import ok, run
from lab.tools import Tools, buildah, cache, debian
from lab.tools.progress import DIES_WITH_US, Progress, Say
from lab.waiting import wait_for

SIDECAR: Final = CHECKOUT / "sidecar"
PRODUCT: Final = "docker.io/library/gluster-stack:dev"
PAUSE: Final = "docker.io/library/pause:lab"
NAMESPACE: Final = "k8s.io"
"""containerd's namespace of what the kubelet sees."""
PAUSE_DOCKERFILE: Final = 'FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n'
_SNAPSHOTTERS: Final = ("btrfs", "zfs", "devmapper", "aufs")
_UNUSED: Final = ("grpc.v1.cri", "internal.v1.opt", "internal.v1.tracing")
FORMAT: Final = "2"
"""To be raised when this file makes something else of the same sources."""


@dataclass(frozen=True)
class Images:
    template: Path
    """A containerd root folder, of no running containerd; see `clone`."""
    archive: Path
    """The product's image as a docker archive, as `ctr images import` takes it."""
    pause_archive: Path
    product_image: str = PRODUCT
    pause_image: str = PAUSE


def ensure(tools: Tools, say: Say) -> Images:
    """Builds the images if their sources are new, in seconds if only the code is. Raises LabError."""
    sources: tuple[cache.Pin, ...] = (
        SIDECAR / "Dockerfile",
        SIDECAR / ".dockerignore",
        SIDECAR / "patches",
        SIDECAR / "gluster_sidecar",
    )
    version = run(["containerd", "--version"])  # what one wrote, an older one may not read
    target = cache.folder("images", FORMAT, *sources, tools.pause.parent.name, *debian.OPTIONS, version)
    folder = cache.obtain(target, lambda draft: _make(draft, tools, say), keep_seconds=600)
    return Images(folder / "template", folder / "gluster-stack.tar", folder / "pause.tar")


def clone(template: Path, target: Path) -> None:
    """A containerd root of its own, at `target`, which must not exist. Raises LabError.

    Blobs and unpacked layers are never written again, so they are shared with the template by hard
    links where both are on one file system; containerd's databases are copied.
    """
    draft = target.with_name(target.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    shared = template.stat().st_dev == draft.parent.stat().st_dev
    run(["cp", "-a", "--link" if shared else "--reflink=auto", str(template), str(draft)], timeout=600)
    for database in draft.glob("*/*.db"):
        own = database.with_suffix(".own")
        shutil.copy2(database, own)
        own.replace(database)
    draft.rename(target)


def _make(draft: Path, tools: Tools, say: Say) -> None:
    buildah.check_base(SIDECAR / "Dockerfile")
    store = buildah.store(say)
    progress = Progress("image gluster-stack:dev", say)
    images = {PRODUCT: draft / "gluster-stack.tar", PAUSE: draft / "pause.tar"}
    with cache.locked(store.folder), tempfile.TemporaryDirectory() as work:
        configuration = debian.configuration(Path(work))
        for stage in buildah.stages(SIDECAR / "Dockerfile"):
            # With a name of its own it is kept, and is not made again when only the code changes.
            store.build(f"{PRODUCT}-{stage}", SIDECAR, progress, configuration, stage)
        store.build(PRODUCT, SIDECAR, progress, configuration)
        store.build(PAUSE, _pause_context(Path(work) / "pause", tools.pause), progress)
        for name, archive in images.items():
            progress.show("exporting")
            store.export(name, archive)
        store.prune()
        store.close()
    progress.show("unpacking")
    fill(draft / "template", images)
    progress.done(f"{progress.title}: built in {progress.elapsed:.0f} s")


def _pause_context(folder: Path, pause: Path) -> Path:
    folder.mkdir()
    shutil.copy2(pause, folder / "pause")
    (folder / "Dockerfile").write_text(PAUSE_DOCKERFILE)
    return folder


def fill(template: Path, images: dict[str, Path]) -> None:
    """Makes a containerd root and has a containerd of its own unpack the archives into it."""
    template.mkdir()
    with containerd(template) as ctr:
        for archive in images.values():
            run([*ctr, "images", "import", str(archive)], timeout=600)
        there = run([*ctr, "images", "ls", "-q"]).split()
    if absent := sorted(set(images) - set(there)):
        raise LabError(f"containerd imported {', '.join(there) or 'nothing'}, not {', '.join(absent)}")


@contextmanager
def containerd(root: Path) -> Iterator[list[str]]:
    """A containerd on that root for as long as the context lasts; how to call ctr with it.

    It has mounts, state and socket of its own, so it disturbs none that runs on the machine.
    """
    own_mounts = ("unshare", "--mount", "--propagation", "private")
    with tempfile.TemporaryDirectory(dir="/run", prefix="gluster-lab-images-") as work:
        state = Path(work)
        config, socket, log = state / "config.toml", state / "sock", state / "log"
        config.write_text(_config(root, state))
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*DIES_WITH_US, *own_mounts, "containerd", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        ctr = ["ctr", "--address", str(socket), "--namespace", NAMESPACE]
        try:
            wait_for(
                "containerd answers",
                lambda: process.poll() is not None or ok([*ctr, "version"]),
                30,
                lambda: log.read_text()[-300:],
            )
            if process.poll() is not None:
                raise LabError(
                    f"containerd ended: {(log.read_text().strip().splitlines() or ['no word'])[-1]}"
                )
            yield ctr
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _config(root: Path, state: Path) -> str:
    disabled = [f"io.containerd.snapshotter.v1.{name}" for name in _SNAPSHOTTERS]
    disabled += [f"io.containerd.{name}" for name in _UNUSED]
    return f"""version = 2
root = "{root}"
state = "{state / "state"}"
disabled_plugins = [{", ".join(f'"{name}"' for name in disabled)}]
[grpc]
  address = "{state / "sock"}"
"""
