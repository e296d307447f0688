"""Which Python runs a project: the runtime options of Pulumi.yaml."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.standins.pulumi_plugin.errors import ProviderError

REQUIREMENTS: Final = "requirements.txt"
_DEFAULT_FOLDER: Final = {"pip": "", "uv": ".venv"}
_PLUGINS: Final = """
import glob, json, os, sys
for folder in dict.fromkeys(p or "." for p in sys.path):
    for name in ("pulumi-plugin.json", "pulumiplugin.json"):
        for file in glob.glob(os.path.join(glob.escape(folder), "*", name)):
            print(json.dumps(json.load(open(file))))
"""
_DISTRIBUTIONS: Final = """
import json, re
from importlib import metadata
plain = lambda name: re.sub("[-_.]+", "-", name).lower()
all_ = {plain(d.metadata["Name"]): d for d in metadata.distributions()}
needed = {plain(re.match("[A-Za-z0-9._-]+", r)[0]) for d in all_.values() for r in d.requires or ()
          if "extra ==" not in r}
print(json.dumps([[d.metadata["Name"], d.version, name in needed] for name, d in all_.items()]))
"""


@dataclass(frozen=True)
class Environment:
    toolchain: str
    folder: Path | None
    """The virtual environment; None for the Python of the shell."""
    root: Path
    """Where requirements.txt is looked for, beside Pulumi.yaml."""

    @staticmethod
    def of(options: Mapping[str, Any], root: Path) -> Environment:
        """Raises ProviderError for a toolchain that the stand-in does not know."""
        toolchain = str(options.get("toolchain") or "pip")
        if toolchain not in _DEFAULT_FOLDER:
            raise ProviderError(
                f"Pulumi.yaml: the stand-in language host knows toolchain pip and uv, not {toolchain!r}"
            )
        named = str(options.get("virtualenv") or _DEFAULT_FOLDER[toolchain])
        return Environment(toolchain, root / named if named else None, root)

    @property
    def python(self) -> str:
        """Raises ProviderError where there is none."""
        if self.folder is not None:
            return str(self.folder / "bin" / "python")
        found = os.environ.get("PULUMI_PYTHON_CMD") or shutil.which("python3") or shutil.which("python")
        if not found:
            raise ProviderError("no python3 on the PATH; name one by PULUMI_PYTHON_CMD or option virtualenv")
        return found

    @property
    def exists(self) -> bool:
        return self.folder is None or Path(self.python).exists()

    def variables(self) -> dict[str, str]:
        """The whole environment of a program that runs in it."""
        env = dict(os.environ)
        if self.folder is not None:
            env.pop("PYTHONHOME", None)
            env["VIRTUAL_ENV"] = str(self.folder)
            env["PATH"] = f"{self.folder / 'bin'}:{env.get('PATH', os.defpath)}"
        return env

    def making(self, program: Path) -> Iterator[list[str]]:
        """Commands that make it and install what the project requires."""
        if self.toolchain == "uv":
            yield ["uv", "sync", "--directory", str(self.root)]
            return
        if not self.exists:
            yield [shutil.which("python3") or "python3", "-m", "venv", str(self.folder)]
        for folder in dict.fromkeys((program, self.root)):
            if (folder / REQUIREMENTS).exists():
                yield [self.python, "-m", "pip", "install", "-r", str(folder / REQUIREMENTS)]
                return

    def _ask(self, script: str) -> list[str]:
        done = subprocess.run(
            [self.python, "-c", script], capture_output=True, text=True, env=self.variables()
        )
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise ProviderError(f"{self.python}: {said[-1] if said else done.returncode}")
        return done.stdout.splitlines()

    def plugins(self) -> list[dict[str, Any]]:
        """What the installed packages say of the Pulumi plugins that they need."""
        found = [json.loads(line) for line in self._ask(_PLUGINS)]
        return [plugin for plugin in found if plugin.get("resource") and plugin.get("name")]

    def distributions(self, transitive: bool) -> list[tuple[str, str]]:
        """Names and versions of the installed packages; only those that no other needs, if not transitive."""
        listed: list[tuple[str, str, bool]] = json.loads(self._ask(_DISTRIBUTIONS)[0])
        return sorted((name, version) for name, version, needed in listed if transitive or not needed)

    def version(self) -> str:
        return self._ask("import platform; print(platform.python_version())")[0]
