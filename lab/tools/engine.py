"""The Pulumi command line: on the PATH, else downloaded, else built from its Go modules."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final, Literal

from lab.errors import LabError
from lab.run import run
from lab.tools import cache, go
from lab.tools.go import Program
from lab.tools.progress import Progress, Say

VERSION: Final = "3.259.0"
OLDEST: Final = (3, 200)
"""The oldest on the PATH that is taken: what requirements.txt asks of the SDK."""
DOWNLOAD: Final = "https://get.pulumi.com/releases/sdk/pulumi-v{version}-linux-{machine}.tar.gz"
PATIENCE: Final = 10
"""Seconds that the download may stand still before Pulumi is built instead."""
MACHINES: Final = {"x86_64": "x64", "aarch64": "arm64"}
LANGUAGE_HOST: Final = "pulumi-language-python"
LANGUAGE_EXEC: Final = f"{LANGUAGE_HOST}-exec"
"""What the language host runs the program with; a part of the SDK's Go module too."""

PROGRAM: Final = Program(
    "pulumi",
    f"v{VERSION}",
    ("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
    (
        "-tags=osusergo,grpcnotrace",
        "-gcflags=all=-dwarf=false",
        f"-ldflags=-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}",
    ),
)

Origin = Literal["path", "download", "built"]


@dataclass(frozen=True)
class Pulumi:
    program: Path
    origin: Origin
    language_exec: Path | None
    """Where `pulumi-language-python-exec` is; None if a language host of its own came with the program."""


def ensure(say: Say) -> Pulumi:
    """Raises LabError if all three ways fail."""
    found = next(on_path(os.environ), None)
    if found is not None:
        return Pulumi(found, "path", None)
    folder = cache.obtain(cache.folder("pulumi", *PROGRAM.pins(), DOWNLOAD), lambda draft: _make(draft, say))
    program = folder / "pulumi"
    if (folder / LANGUAGE_HOST).exists():
        return Pulumi(program, "download", None)
    return Pulumi(program, "built", folder / LANGUAGE_EXEC)


def on_path(environment: Mapping[str, str]) -> Iterator[Path]:
    """Every complete and new enough `pulumi` on the PATH that is not the cache's own.

    A lab's bin folder, which may be on the PATH, leads to the cache. One without its Python language
    host would need a stand-in of unknown fit: it counts as none.
    """
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        program = Path(folder or ".") / "pulumi"
        if not os.access(program, os.X_OK) or program.resolve().is_relative_to(cache.root().resolve()):
            continue
        beside = (program.parent / LANGUAGE_HOST, program.resolve().parent / LANGUAGE_HOST)
        if any(os.access(host, os.X_OK) for host in beside) and _version(program) >= OLDEST:
            yield program.absolute()


def _version(program: Path) -> tuple[int, int]:
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        said = run([str(program), "version"], env=environment, timeout=20)
    except LabError:
        return (0, 0)
    match = re.match(r"v(\d+)\.(\d+)\.", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _make(draft: Path, say: Say) -> None:
    try:
        download(draft, say)
    except (OSError, HTTPException, tarfile.TarError, EOFError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        say(f"Pulumi v{VERSION} cannot be downloaded ({reason}): it is built")
        shutil.rmtree(draft)
        draft.mkdir()
        go.build(PROGRAM, draft, say)
        sdk = go.module(PROGRAM.source, "github.com/pulumi/pulumi/sdk/v3", say)
        shutil.copy(sdk / "python/cmd" / LANGUAGE_EXEC, draft / LANGUAGE_EXEC)
        (draft / LANGUAGE_EXEC).chmod(0o755)


def download(draft: Path, say: Say) -> None:
    """The official release with its language hosts. Raises what networks and broken archives raise."""
    machine = MACHINES.get(os.uname().machine)
    if machine is None:
        raise LabError(f"there is no Pulumi for {os.uname().machine}: put one on the PATH")
    progress = Progress(f"downloading Pulumi v{VERSION}", say)
    with (
        urllib.request.urlopen(DOWNLOAD.format(version=VERSION, machine=machine), timeout=PATIENCE) as answer,
        tarfile.open(fileobj=answer, mode="r|gz") as archive,
    ):
        for member in archive:
            progress.show(Path(member.name).name)
            if member.isfile():
                member.name = Path(member.name).name
                archive.extract(member, draft, filter="data")
    progress.done(f"Pulumi v{VERSION}: downloaded in {progress.elapsed:.0f} s")
