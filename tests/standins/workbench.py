"""Pulumi projects of tests: resources as data, run by the real engine on the stand-ins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.standins.control_plane import ControlPlane, wait_for

ROOT = Path(__file__).resolve().parents[2]
PROJECT = f"""\
name: bench
runtime:
  name: python
  options: {{toolchain: pip, virtualenv: {ROOT}/.venv}}
"""
PROGRAM = """\
import importlib, json, pathlib, re, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)  # as the engine ends it, also after an error: no traceback
import pulumi

bench = json.loads(pathlib.Path("resources.json").read_text())
made = {}

def snake(value):  # arguments as in YAML, but for names of keyword arguments
    return {re.sub("([A-Z])", lambda m: "_" + m[1].lower(), k): v for k, v in value.items()}

for name, resource in bench["resources"].items():
    module, _, kind = resource["type"].rpartition(".")
    options = dict(resource.get("options", {}))
    options["depends_on"] = [made[other] for other in options.get("depends_on", [])]
    if "custom_timeouts" in options:
        options["custom_timeouts"] = pulumi.CustomTimeouts(**options["custom_timeouts"])
    if "provider" in options:
        options["provider"] = made[options["provider"]]
    arguments = snake(resource.get("arguments", {}))
    for key in resource.get("secret", []):
        arguments[key] = pulumi.Output.secret(arguments[key])  # spelled as in Python
    for key, (other, attribute) in resource.get("from", {}).items():
        arguments[key] = getattr(made[other], attribute).apply(
            lambda v: {"from": v if isinstance(v, str) else v["name"]}
        )
    cls = getattr(importlib.import_module(module), kind)
    made[name] = cls(name, **arguments, opts=pulumi.ResourceOptions(**options))
"""

Resources = Mapping[str, Mapping[str, Any]]


@dataclass
class Done:
    status: int
    text: str

    def ok(self) -> Done:
        assert self.status == 0, self.text
        return self

    def failed(self, *words: str) -> Done:
        assert self.status != 0, self.text
        for word in words:
            assert word in self.text, f"{word!r} is not in:\n{self.text}"
        return self


@dataclass
class Bench:
    """One stack. `home` and `bin` are as `lab.standins.install` left them."""

    folder: Path
    home: Path
    bin: Path
    plane: ControlPlane | None = None
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "state").mkdir(parents=True)
        (self.folder / "Pulumi.yaml").write_text(PROJECT)
        (self.folder / "__main__.py").write_text(PROGRAM)
        self.run("stack", "init", "dev").ok()

    @property
    def env(self) -> dict[str, str]:
        own = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PULUMI_HOME": str(self.home),
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_CONFIRMATIONS": "true",
            "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "1",
            "NO_COLOR": "1",
            "KUBECONFIG": str(self.plane.kubeconfig) if self.plane else "/nowhere/kubeconfig",
            "GLUSTER_LAB_DISKS": str(self.folder / "disks"),
        }
        return {**os.environ, **own, **self.variables}

    def declare(self, resources: Resources) -> None:
        (self.folder / "resources.json").write_text(json.dumps({"resources": resources}))

    def start(self, *argv: str) -> subprocess.Popen[str]:
        command: Sequence[str] = ("pulumi", *argv, "--non-interactive")
        if self.plane:
            command = self.plane.inside(*command)
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # As under a shell: a group of its own, which gets the person's Ctrl-C.
            process_group=0,
        )

    def run(self, *argv: str) -> Done:
        with self.start(*argv) as process:
            text, _ = process.communicate(timeout=120)
        return Done(process.returncode, text)

    def stopped(self, number: signal.Signals, when: Callable[[], bool], *argv: str) -> Done:
        """Runs pulumi and sends `number` to its process group as soon as `when` holds."""
        with self.start(*argv) as process:
            try:
                wait_for(f"the moment to stop pulumi {' '.join(argv)}", when)
            finally:
                os.killpg(process.pid, number)
            text, _ = process.communicate(timeout=60)
        return Done(process.returncode, text)

    def processes(self) -> dict[int, str]:
        """Pulumi's of this stack and all that it started: their command lines by number."""
        mark, found = f"PULUMI_BACKEND_URL=file://{self.folder}/state\0".encode(), {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        return found

    def up(self, resources: Resources, *argv: str) -> Done:
        self.declare(resources)
        return self.run("up", "--skip-preview", *argv)

    def destroy(self) -> Done:
        return self.run("destroy", "--skip-preview")

    def clean(self, resources: Resources) -> None:
        """Asserts that a preview has nothing to do."""
        self.declare(resources)
        self.run("preview", "--expect-no-changes").ok()

    def plan(self, resources: Resources) -> dict[str, list[str]]:
        """What a preview would do to each resource, in order; `same` left out."""
        self.declare(resources)
        with self.start("preview", "--json") as process:
            text, _ = process.communicate(timeout=120)
        assert process.returncode == 0, text
        steps: dict[str, list[str]] = {}
        for step in json.loads(text[text.index("{") :])["steps"]:
            if step["op"] != "same":
                steps.setdefault(step["urn"].rpartition("::")[2], []).append(step["op"])
        return steps

    def exported(self) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """Of `pulumi stack export`: the resources by name, and the kinds of the pending operations."""
        deployment = json.loads(self.run("stack", "export").ok().text)["deployment"]
        resources = {item["urn"].rpartition("::")[2]: item for item in deployment.get("resources") or []}
        return resources, [item["type"] for item in deployment.get("pending_operations") or []]

    def state(self) -> dict[str, dict[str, Any]]:
        """The resources as they are saved, by name."""
        saved = json.loads((self.folder / "state/.pulumi/stacks/bench/dev.json").read_text())
        found = saved["checkpoint"]["latest"].get("resources") or []
        return {item["urn"].rpartition("::")[2]: item for item in found}
