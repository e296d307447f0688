"""The product's own program on the real engine, with a scripted sidecar on a real API server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.standins.workbench import ROOT, Bench, Done

FILES = ("__main__.py", "Pulumi.yaml", "requirements.txt")
FOLDERS = ("gluster_stack", "sidecar")
OBJECTS = "rc,svc,endpointslices,pods,pvc,configmaps,leases,sa,roles,rolebindings,poddisruptionbudgets"
PROJECT, ZONE = "gluster-lab", "us-central1-b"


@dataclass
class Project(Bench):
    """One stack of the product in a namespace of its own. Its settings are the defaults, on small disks."""

    namespace: str = "default"

    def __post_init__(self) -> None:
        assert self.plane
        self.plane.kubectl("create", "namespace", self.namespace)
        (self.folder / "state").mkdir(parents=True)
        self.refusals.mkdir()
        for name in FILES:
            shutil.copy2(ROOT / name, self.folder / name)
        for name in FOLDERS:
            (self.folder / name).symlink_to(ROOT / name)
        (self.folder / ".venv").symlink_to(ROOT / ".venv")
        self.run("stack", "init", "dev").ok()
        self.configure(
            **{"gcp:project": PROJECT, "gcp:zone": ZONE, "diskSizeGb": 10, "namespace": self.namespace}
        )

    @property
    def refusals(self) -> Path:
        """Files in it tell the agent what not to do."""
        return self.folder / "refusals"

    @contextmanager
    def refused(self, what: str) -> Iterator[None]:
        """`no-drain` or `no-join`, for a while."""
        (self.refusals / what).touch()
        try:
            yield
        finally:
            (self.refusals / what).unlink()

    @contextmanager
    def agent(self) -> Iterator[subprocess.Popen[bytes]]:
        assert self.plane
        words = (str(self.plane.kubeconfig), str(self.refusals), self.namespace)
        command = self.plane.inside(sys.executable, "-m", "tests.engine.agent", *words)
        process = subprocess.Popen(
            command, cwd=ROOT, env={**self.env, "PYTHONPATH": f"{ROOT}:{ROOT}/sidecar"}
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)

    def configure(self, **config: object) -> None:
        """Written as `pulumi config set` leaves them; a command for each would take a second."""
        file = self.folder / "Pulumi.dev.yaml"
        saved: dict[str, Any] = yaml.safe_load(file.read_text()) if file.exists() else {}
        for key, value in config.items():
            saved.setdefault("config", {})[key if ":" in key else f"gluster-stack:{key}"] = value
        file.write_text(yaml.safe_dump(saved))

    def go(self, *argv: str) -> Done:
        """`pulumi up` as an impatient person runs it."""
        return self.run("up", "--skip-preview", *argv)

    def cancel(self) -> None:
        """The way out after `kill -9`, as docs/operations.md has it."""
        done = self.run("cancel", "--yes")
        if "failed to load checkpoint: EOF" in done.text:
            (self.folder / "state/.pulumi/stacks/gluster-stack/dev.json.attrs").unlink()
            done = self.run("cancel", "--yes")
        done.ok()

    def steps(self, *argv: str) -> dict[str, list[str]]:
        """What a preview would do, by operation: sorted names. What stays the same is left out."""
        with self.start("preview", "--json", *argv) as process:
            text, _ = process.communicate(timeout=120)
        assert process.returncode == 0, text
        found: dict[str, list[str]] = {}
        for step in json.loads(text[text.index("{") :])["steps"]:
            if step["op"] not in ("same", "refresh"):
                found.setdefault(step["op"], []).append(step["urn"].rpartition("::")[2])
        return {operation: sorted(names) for operation, names in found.items()}

    def unchanged(self, *argv: str) -> None:
        self.run("preview", "--expect-no-changes", *argv).ok()

    def saved(self) -> dict[str, Any]:
        """The whole state as it is saved."""
        whole: dict[str, Any] = json.loads(
            (self.folder / "state/.pulumi/stacks/gluster-stack/dev.json").read_text()
        )
        return whole

    def forget(self, kind: str) -> int:
        """Takes the records of all resources whose type begins so out of the state; how many."""
        saved = json.loads(self.run("stack", "export").ok().text)
        held = saved["deployment"]["resources"]
        saved["deployment"]["resources"] = kept = [r for r in held if not r["type"].startswith(kind)]
        known = {resource["urn"] for resource in kept}
        for resource in kept:
            after = (resource.get("dependencies", []), *resource.get("propertyDependencies", {}).values())
            for urns in filter(None, after):
                urns[:] = [urn for urn in urns if urn in known]
        file = self.folder / "forgotten.json"
        file.write_text(json.dumps(saved))
        self.run("stack", "import", "--file", str(file)).ok()
        return len(held) - len(kept)

    def everything(self) -> dict[str, str]:
        """What is there: identities of objects and of disks, by name. The same before and after means
        that nothing was made, deleted or made anew."""
        assert self.plane
        path = (
            "{range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.deletionTimestamp}\n{end}"
        )
        text = self.plane.kubectl("get", OBJECTS, "-n", self.namespace, "-o", f"jsonpath={path}")
        lines = [line.partition(" ") for line in text.splitlines()]
        found = {name: rest for name, _, rest in lines if "gluster" in name}
        return {**found, **self.disks()}

    def disks(self) -> dict[str, str]:
        """Which file each disk is."""
        return {f.stem: str(f.stat().st_ino) for f in (self.folder / "disks").rglob("*.img")}
