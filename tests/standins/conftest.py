"""The real engine with the stand-ins installed, and a real API server; each made once a run."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.standins.install import install
from tests.standins.control_plane import ControlPlane
from tests.standins.workbench import ROOT, Bench


@dataclass(frozen=True)
class Programs:
    kube: Path
    etcd: Path
    pulumi: Path
    language_exec: Path | None


@pytest.fixture(scope="session")
def programs() -> Programs:
    """As given by LAB_TEST_KUBE, LAB_TEST_PULUMI and LAB_TEST_LANGUAGE_EXEC, else the lab's own."""
    kube, pulumi = os.environ.get("LAB_TEST_KUBE"), os.environ.get("LAB_TEST_PULUMI")
    etcd = shutil.which("etcd")
    if kube and pulumi and etcd:
        runner = os.environ.get("LAB_TEST_LANGUAGE_EXEC")
        return Programs(Path(kube), Path(etcd), Path(pulumi), Path(runner) if runner else None)
    from lab import tools

    found = tools.ensure(print)
    return Programs(found.kube, found.etcd, found.pulumi, found.language_exec)


@pytest.fixture(scope="session")
def installed(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Pulumi's home with the stand-ins, and the folder with `pulumi`."""
    folder = tmp_path_factory.mktemp("pulumi")
    home, bin_ = folder / "home", folder / "bin"
    bin_.mkdir()
    (bin_ / "pulumi").symlink_to(programs.pulumi)
    install(home, bin_, ROOT / ".venv/bin/python", programs.language_exec)
    return home, bin_


@pytest.fixture(scope="session")
def plane(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    name = f"glst-{secrets.token_hex(3)}"
    made = ControlPlane(programs.kube, programs.etcd, tmp_path_factory.mktemp("plane"), name)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def offline(installed: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Bench]:
    """Makes stacks without a cluster; the argument is more of their environment."""
    number = itertools.count()

    def make(**variables: str) -> Bench:
        folder = tmp_path_factory.mktemp("stack") / str(next(number))
        return Bench(folder, *installed, variables=variables)

    return make


@pytest.fixture
def bench(plane: ControlPlane, installed: tuple[Path, Path], tmp_path: Path) -> Bench:
    """A stack of the test's own, on the API server that all share."""
    return Bench(tmp_path / "stack", *installed, plane)
