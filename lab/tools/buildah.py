"""Building images from Dockerfiles with storage of our own: nothing else on the machine sees them.

A store is a folder of the cache that holds the base image and, as buildah's layer cache, the last
build of each image. No registry is ever asked.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.run import run
from lab.tools import cache, debian
from lab.tools.progress import Progress, Say, watch

NO_REGISTRY: Final = """unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
blocked = true
"""
ANY_SIGNATURE: Final = '{"default": [{"type": "insecureAcceptAnything"}]}\n'
"""All images are made here: there is nobody to sign them."""
STEP: Final = "STEP "


@dataclass(frozen=True)
class Store:
    folder: Path

    def buildah(self, command: str, *words: str) -> list[str]:
        """A command line for buildah on this store; runs as it is, without a daemon."""
        return [
            *("buildah", "--root", str(self.folder / "root"), "--runroot", str(self._run)),
            *("--storage-driver", "overlay", "--registries-conf", str(self.folder / "registries.conf")),
            *(command, *words),
        ]

    @property
    def _run(self) -> Path:
        """Must be empty after a reboot. A cache beside this one has a store of the same name: in one
        place, both would note their mounts in one file, and who is done first would remove it."""
        return Path("/run") / f"gluster-lab-{self.folder.name}-{cache.digest(str(self.folder.absolute()))}"

    @property
    def _policy(self) -> tuple[str, str]:
        return ("--signature-policy", str(self.folder / "policy.json"))

    def prepare(self) -> None:
        (self.folder / "registries.conf").write_text(NO_REGISTRY)
        (self.folder / "policy.json").write_text(ANY_SIGNATURE)

    def build(
        self,
        name: str,
        context: Path,
        progress: Progress,
        mounts: Sequence[tuple[Path, str]] = (),
        stage: str = "",
    ) -> None:
        """Builds the Dockerfile in `context`, or one stage of it.

        `mounts` are there while it runs, and not in the image.
        """
        volumes = [word for source, target in mounts for word in ("--volume", f"{source}:{target}:ro")]
        watch(
            self.buildah(
                *("build", "--isolation", "chroot", "--pull-never", "--layers", *self._policy),
                *(*volumes, "--tag", name),
                *(("--target", stage) if stage else ()),
                str(context),
            ),
            progress,
            log=f"image-{name.rpartition('/')[2].replace(':', '-')}",
            detail=lambda lines: next((line[:60] for line in reversed(lines) if line.startswith(STEP)), ""),
            env=environment(),
        )

    def export(self, name: str, archive: Path) -> None:
        """Writes the image as a docker archive, with its name."""
        run(
            self.buildah("push", "--quiet", *self._policy, name, f"docker-archive:{archive}:{name}"),
            env=environment(),
            timeout=600,
        )

    def prune(self) -> None:
        """Removes what earlier builds left and no image needs: also containers of builds that failed."""
        run(self.buildah("rm", "--all"), env=environment(), timeout=600)
        run(self.buildah("rmi", "--prune"), env=environment(), timeout=600)

    def close(self) -> None:
        """Leaves nothing outside of the cache."""
        shutil.rmtree(self._run, ignore_errors=True)


def environment() -> dict[str, str]:
    """Without the machine's own storage settings, which could name another place or driver."""
    return {**os.environ, "CONTAINERS_STORAGE_CONF": "/dev/null", "BUILDAH_ISOLATION": "chroot"}


def store(say: Say) -> Store:
    """The store with the base image in it. Raises LabError."""
    pins = (debian.SUITE, debian.IMAGE, *debian.OPTIONS)
    folder = cache.obtain(cache.folder("buildah", *pins), lambda draft: _make(draft, say))
    return Store(folder)


def _make(draft: Path, say: Say) -> None:
    new = Store(draft)
    new.prepare()
    with tempfile.TemporaryDirectory(dir=cache.root(), prefix="work-") as work:
        context = Path(work)
        debian.bootstrap(context / "base.tar", context, say)
        (context / "Dockerfile").write_text('FROM scratch\nADD base.tar /\nCMD ["bash"]\n')
        new.build(debian.IMAGE, context, Progress("base image", say))
        new.close()


def stages(dockerfile: Path) -> list[str]:
    """Names of the stages that the last one takes from."""
    words = [line.split() for line in dockerfile.read_text().splitlines() if line.startswith("FROM ")]
    return [line[3] for line in words if len(line) == 4 and line[2].upper() == "AS"]


def check_base(dockerfile: Path) -> None:
    """Raises LabError if the Dockerfile stands on an image that cannot be made here."""
    wanted = [line.split()[1] for line in dockerfile.read_text().splitlines() if line.startswith("FROM ")]
    known = debian.IMAGE.rpartition("/")[2]
    if strange := [image for image in wanted if image not in (known, debian.IMAGE, "scratch")]:
        raise LabError(
            f"{dockerfile}: FROM {strange[0]}, but without a registry the lab can make {known} only"
        )
