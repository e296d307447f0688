"""Puts plugins where Pulumi looks for them: real ones where there are any, stand-ins elsewhere.

Pulumi looks on the PATH, beside itself, and in `$PULUMI_HOME/plugins/<kind>-<name>-v<version>/`, where
the version must be the one that the installed Python package asks for, and the folder no symlink.
A stand-in carries a file `STAND_IN` in its folder, and the mark in its launcher.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from lab.errors import LabError
from lab.standins.language_python.environment import Environment
from lab.standins.language_python.host import VERSION as HOST_VERSION
from lab.standins.pulumi_plugin.errors import ProviderError

CHECKOUT: Final = Path(__file__).resolve().parents[2]
STAND_IN: Final = "STAND-IN"
MARK: Final = "# A stand-in of gluster-stack's lab, not Pulumi's own."
PATIENCE: Final = 60
"""Seconds for a download; where there is no network it fails at once."""
_SHEBANG_LIMIT: Final = 120

Origin = Literal["real", "stand-in"]


@dataclass(frozen=True)
class Origins:
    kubernetes: Origin
    gcp: Origin
    language: Origin

    def parts(self) -> dict[str, str]:
        """For people: what each part is in this run."""
        names = ("kubernetes provider", "gcp provider", "Python language host")
        return dict(zip(names, asdict(self).values(), strict=True))


@dataclass(frozen=True)
class _Plugin:
    kind: str
    name: str
    version: str
    module: str
    """Where the stand-in's `main` is."""

    @property
    def folder(self) -> str:
        return f"{self.kind}-{self.name}-v{self.version}"

    @property
    def program(self) -> str:
        return f"pulumi-{self.kind}-{self.name}"


_failed = set[str]()
"""Downloads that failed in this process: they are not tried again."""


def install(pulumi_home: Path, bin_directory: Path, python: Path, language_exec: Path | None) -> Origins:
    """Installs for the program that `python` runs, and says what is what. Raises LabError.

    `bin_directory` holds the `pulumi` that is used. `language_exec` is the SDK's
    `pulumi-language-python-exec`, or None where a language host of its own came with pulumi.
    """
    try:
        versions = {p["name"]: p["version"] for p in _environment(python).plugins()}
    except ProviderError as error:
        raise LabError(f"the stack's Python packages: {error}") from error
    for name in ("kubernetes", "gcp"):
        if name not in versions:
            raise LabError(f"pulumi-{name} is not installed for {python}: pip install -r requirements.txt")
    plugins = pulumi_home / "plugins"
    kubernetes = _provider("kubernetes", versions["kubernetes"])
    return Origins(
        kubernetes=_install_provider(kubernetes, plugins, bin_directory, python),
        gcp=_install_google(_provider("gcp", versions["gcp"]), plugins, bin_directory, python),
        language=_install_language(plugins, bin_directory, python, language_exec),
    )


def _environment(python: Path) -> Environment:
    return Environment("pip", python.parent.parent, CHECKOUT)


def _provider(name: str, version: str) -> _Plugin:
    return _Plugin("resource", name, version, f"lab.standins.pulumi_{name}.provider")


def _install_provider(plugin: _Plugin, plugins: Path, bin_directory: Path, python: Path) -> Origin:
    target = plugins / plugin.folder
    if _on_path(plugin, bin_directory) or _is_real(target, plugin):
        return "real"
    for folder in _usual_folders(os.environ):
        real = folder / plugin.folder
        if real.resolve() != target.resolve() and _is_real(real, plugin):
            _link(real, target)
            return "real"
    if _download(plugin, target, bin_directory):
        return "real"
    _stand_in(plugin, target, python)
    return "stand-in"


def _install_google(plugin: _Plugin, plugins: Path, bin_directory: Path, python: Path) -> Origin:
    """Always a stand-in: there is no Google in a lab, and the real one would reach for it."""
    found = _on_path(plugin, bin_directory)
    if found is not None:
        raise LabError(f"{found} would be used in place of the lab's Google: take it off the PATH")
    _stand_in(plugin, plugins / plugin.folder, python)
    return "stand-in"


def _install_language(plugins: Path, bin_directory: Path, python: Path, language_exec: Path | None) -> Origin:
    plugin = _Plugin("language", "python", HOST_VERSION, "lab.standins.language_python.host")
    target = plugins / plugin.folder
    beside = (bin_directory / "pulumi").resolve().parent / plugin.program
    if _on_path(plugin, bin_directory) or _is_executable(beside):
        _remove(target)
        return "real"
    if language_exec is None:
        raise LabError(
            f"no {plugin.program} beside {beside.parent / 'pulumi'} or on the PATH: install Pulumi anew"
        )
    runner = target / language_exec.name
    _stand_in(plugin, target, python, f"Path({str(runner)!r})")
    if not runner.exists() or runner.read_bytes() != language_exec.read_bytes():
        shutil.copyfile(language_exec, runner)
        runner.chmod(0o755)
    return "stand-in"


def _usual_folders(environment: Mapping[str, str]) -> list[Path]:
    homes = (environment.get("PULUMI_HOME"), str(Path(environment.get("HOME", "/root")) / ".pulumi"))
    return [Path(home) / "plugins" for home in homes if home]


def _on_path(plugin: _Plugin, bin_directory: Path) -> Path | None:
    """A real one that Pulumi would find before all others."""
    path = f"{bin_directory}:{os.environ.get('PATH', os.defpath)}"
    found = shutil.which(plugin.program, path=path)
    return Path(found) if found and not _is_marked(Path(found)) else None


def _is_executable(file: Path) -> bool:
    return file.is_file() and os.access(file, os.X_OK) and not _is_marked(file)


def _is_real(folder: Path, plugin: _Plugin) -> bool:
    return not (folder / STAND_IN).exists() and _is_executable(folder / plugin.program)


def _is_marked(file: Path) -> bool:
    with file.open("rb") as start:
        return MARK.encode() in start.read(1024)


def _link(real: Path, target: Path) -> None:
    """A folder of its own, because Pulumi follows no symlink to a folder of plugins."""
    _remove(target)
    target.mkdir(parents=True)
    for file in real.iterdir():
        (target / file.name).symlink_to(file.resolve())


def _download(plugin: _Plugin, target: Path, bin_directory: Path) -> bool:
    """Beside its place first: the stand-in that is there may be at work."""
    if plugin.folder in _failed:
        return False
    home = target.parent.parent / "download"
    _remove(home)
    environment = {**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    environment.pop("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", None)
    command = [str(bin_directory / "pulumi"), "plugin", "install", plugin.kind, plugin.name, plugin.version]
    try:
        subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE, check=True)
        found = home / "plugins" / plugin.folder
        if not _is_real(found, plugin):
            raise FileNotFoundError(found)
        _remove(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        found.rename(target)
    except (OSError, subprocess.SubprocessError):
        _failed.add(plugin.folder)
        return False
    finally:
        _remove(home)
    return True


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _stand_in(plugin: _Plugin, target: Path, python: Path, arguments: str = "") -> None:
    """Replaces what is there only where it differs: another `up` may be running."""
    if _is_real(target, plugin):
        _remove(target)
    target.mkdir(parents=True, exist_ok=True)
    (target / STAND_IN).write_text(f"Made by {CHECKOUT}/lab/standins/install.py\n")
    program, text = target / plugin.program, _launcher(plugin, python, arguments)
    if not program.exists() or program.read_text() != text:
        new = target / f".{plugin.program}.new"
        new.write_text(text)
        new.chmod(0o755)
        new.replace(program)


def _launcher(plugin: _Plugin, python: Path, arguments: str) -> str:
    line = f"#!{python}"
    if len(line) > _SHEBANG_LIMIT or " " in line:
        # The kernel takes neither long nor spaced lines: a shell reads the second, Python skips it.
        line = f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''"
    return f"""{line}
{MARK}
import sys
from pathlib import Path

sys.path[0] = {str(CHECKOUT)!r}

from {plugin.module} import main

main({arguments})
"""
