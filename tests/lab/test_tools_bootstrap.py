"""`lab/bootstrap`: right is silent and fast; wrong is one line. Making .venv itself takes a network."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "a checkout"
    (tree / "lab").mkdir(parents=True)
    shutil.copy2(CHECKOUT / "lab/bootstrap", tree / "lab")
    (tree / "sidecar").mkdir()
    (tree / "sidecar/pyproject.toml").touch()
    (tree / "requirements-dev.lock").write_text("one==1\n")
    return tree


def environment(tree: Path, pins: str, folder: Path | None = None) -> None:
    """A .venv that says it has these pins, made in `folder`."""
    bin = tree / ".venv/bin"
    bin.mkdir(parents=True)
    (bin / "pip").write_text(f"#!{folder or tree}/.venv/bin/python\n")
    (bin / "python").write_text(f'#!/bin/sh\ncase "$*" in *freeze*) echo "{pins}";; esac\n')
    (bin / "python").chmod(0o755)


def bootstrap(tree: Path) -> subprocess.CompletedProcess[str]:
    # Without a Python or an apt on the PATH, anything but the quick ways fails at once.
    path = tree / "path"
    path.mkdir(exist_ok=True)
    for name in ("sh", "dirname", "date", "cat", "sha256sum", "cut", "mktemp", "rm", "flock", "head", "grep"):
        found = shutil.which(name)
        assert found
        if not (path / name).exists():
            (path / name).symlink_to(found)
    (path / "id").write_text("#!/bin/sh\necho 1000\n")
    (path / "id").chmod(0o755)
    return subprocess.run([tree / "lab/bootstrap"], capture_output=True, text=True, env={"PATH": str(path)})


def test_an_environment_that_has_all_pins_is_taken_as_it_is(tree: Path) -> None:
    environment(tree, "one==1")
    for _ in range(2):
        done = bootstrap(tree)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        (tree / ".venv/bin/pip").unlink(missing_ok=True)  # the second time the note is enough


@pytest.mark.parametrize("pins", ["one==2", "two==1", "onee==1"])
def test_one_with_other_pins_is_made_anew(tree: Path, pins: str) -> None:
    environment(tree, pins)
    done = bootstrap(tree)
    assert done.returncode == 1
    assert done.stderr == (
        "bootstrap: Python 3.11 or newer with venv is needed: install python3 python3-venv first\n"
    )


def test_one_that_was_moved_is_made_anew(tree: Path) -> None:
    environment(tree, "one==1", folder=Path("/elsewhere"))
    assert bootstrap(tree).returncode == 1


def test_a_changed_lock_is_seen(tree: Path) -> None:
    environment(tree, "one==1")
    assert bootstrap(tree).returncode == 0
    (tree / "requirements-dev.lock").write_text("one==1\ntwo==2\n")
    assert bootstrap(tree).returncode == 1


def test_a_missing_lock_is_one_line(tree: Path) -> None:
    (tree / "requirements-dev.lock").unlink()
    done = bootstrap(tree)
    assert done.returncode == 1
    assert re.fullmatch(r"bootstrap: .*requirements-dev\.lock is missing.*\n", done.stderr)


def test_the_lock_pins_everything_that_is_asked_for() -> None:
    asked = {
        re.split(r"[<>=~]", line)[0].lower().replace("_", "-")
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (CHECKOUT / name).read_text().splitlines()
        if line and line[0] not in "#-"
    }
    lines = (CHECKOUT / "requirements-dev.lock").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!]+", pin) for pin in pins)
    assert asked <= {pin.split("==")[0].lower().replace("_", "-") for pin in pins}
