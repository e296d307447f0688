"""What a lab is made from: programs and images, got ready beforehand and shared by all labs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from lab.paths import Paths

Say = Callable[[str], None]


@dataclass(frozen=True)
class Supply:
    kube: Path
    """Every Kubernetes program and CoreDNS in one file, chosen by the first argument or its own name."""
    etcd: Path
    pulumi: Path
    template: Path
    """A containerd root folder that holds the images."""
    image_archive: Path
    """The product's image as `ctr images import` takes it; its folder is named by the content."""
    pause_image: str
    cache: Path
    """The folder that all of these are in; machines must see it."""
    attacher: Path | None = None
    resizer: Path | None = None
    language_exec: Path | None = None
    """What a stand-in of Pulumi's Python language host runs programs with; None beside the real host."""


def ensure(say: Say) -> Supply:
    """Gets and builds what is missing. Raises LabError."""
    tools = import_module("lab.tools").ensure(say)
    images = import_module("lab.images").ensure(tools, say)
    return Supply(
        kube=tools.kube,
        etcd=tools.etcd,
        pulumi=tools.pulumi,
        template=images.template,
        image_archive=images.archive,
        pause_image=images.pause_image,
        cache=tools.cache,
        attacher=tools.attacher,
        resizer=tools.resizer,
        language_exec=tools.language_exec,
    )


def install_plugins(paths: Paths, supply: Supply) -> Mapping[str, str]:
    """Makes Pulumi complete: real plugins where there are any, stand-ins elsewhere. Says which are which."""
    install = import_module("lab.standins.install").install
    parts: Mapping[str, str] = install(
        paths.pulumi_home, paths.bin, Path(sys.executable), supply.language_exec
    ).parts()
    return {"Pulumi engine": "real", **parts}
