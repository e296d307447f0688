"""The product's program on a lab, as a person at its command line would use it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from gluster_sidecar.contract import KIND_LABEL, settled_mark

from lab.cluster import Lab
from lab.errors import LabError

ROOT = Path(__file__).resolve().parents[2]
GLUSTER_PODS = ("get", "pods", "-l", "role=gluster", "-o", "name")
CLIENT_PODS = ("get", "pods", "-l", "name=gluster-client", "-o", "name")
CLIENT = "hostname; cat /etc/hosts; grep -h '^\\[.*] [WE] ' /var/log/glusterfs/clients/*.log | tail -n 60"
PROJECT_FILES = (
    "__main__.py",
    "gluster_stack",
    "sidecar",
    "Pulumi.yaml",
    "Pulumi.dev.yaml",
    "requirements.txt",
)


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 240) -> float:
    """Seconds until `condition` held. Fails with `what` if it does not within `seconds`."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.5)
    return time.monotonic() - started


@dataclass(frozen=True)
class Stack:
    """The product's program on the lab's engine, in a copy of the project so that the checkout's own
    stack settings stay as they are."""

    lab: Lab
    project: Path

    def pulumi(self, *words: str, ok: bool = True) -> str:
        """What it printed. One that takes ten minutes is ended by Ctrl-C, so that it leaves no lock."""
        with self.start(*words) as process:
            try:
                output, _ = process.communicate(timeout=600)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGINT)
                output, _ = process.communicate(timeout=120)
                pytest.fail(f"pulumi {' '.join(words)}: not within 600 s\n{output[-6000:]}")
        if ok and process.returncode != 0:
            pytest.fail(f"pulumi {' '.join(words)}: {process.returncode}\n{output[-6000:]}")
        return output

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Pulumi at work, for a test that interrupts it."""
        return subprocess.Popen(
            ["pulumi", *words],
            cwd=self.project,
            env={**os.environ, **self.lab.environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,  # as under a shell
        )

    def set(self, **config: object) -> None:
        for key, value in config.items():
            self.pulumi("config", "set", key, value if isinstance(value, str) else json.dumps(value))

    def up(self) -> str:
        return self.pulumi("up", "--yes", "--skip-preview")

    def kubectl(self, *words: str) -> str:
        return self.lab.kubectl(*words)

    def pods(self, selector: str = "role=gluster") -> dict[str, str]:
        """Names and UIDs of the gluster pods that are not going away."""
        text = self.kubectl(
            *("get", "pods", "-l", selector, "--no-headers", "-o"),
            "custom-columns=:.metadata.name,:.metadata.uid,:.metadata.deletionTimestamp",
        )
        return {w[0]: w[1] for line in text.splitlines() if (w := line.split())[2] == "<none>"}

    def pod(self, node: int) -> str:
        """Name of the node's pod; empty while there is none."""
        return next(iter(self.pods(f"name=gluster-node-{node}")), "")

    def containers(self, node: int) -> str:
        """Ids of the containers that the node's pod runs, or ran last."""
        ids = "{.items[*].status.containerStatuses[*].containerID}"
        return self.kubectl("get", "pods", "-l", f"name=gluster-node-{node}", "-o", f"jsonpath={ids}")

    def machine(self, pod: str) -> int:
        """Number of the lab's machine that the pod runs on."""
        name = self.kubectl("get", "pod", pod, "-o", "jsonpath={.spec.nodeName}")
        return int(name.removeprefix("kn"))

    def ready(self, pod: str) -> bool:
        status = '{.status.conditions[?(@.type=="Ready")].status}'
        command = ("get", "pod", pod, "--ignore-not-found", "-o", f"jsonpath={status}")
        return bool(pod) and self.kubectl(*command) == "True"

    def gluster(self, *words: str, node: int = 1) -> str:
        return self.kubectl(
            "exec", self.pod(node), "-c", "glusterd", "--", "gluster", "--mode=script", *words
        )

    def data(self, configmap: str, key: str) -> str:
        return self.kubectl(
            "get", "configmap", configmap, "--ignore-not-found", "-o", f"jsonpath={{.data.{key}}}"
        )

    def settled(self) -> str:
        """The nodes of the plan if all that it asks for holds, else nothing."""
        plan = json.loads(self.kubectl("get", "configmap", "gluster-plan", "-o", "jsonpath={.data}"))
        holds = self.data("gluster-settled", "settled") == settled_mark(plan)
        return str(plan["nodes"]) if holds else ""

    def whole(self) -> int:
        """How many bricks are known to have every write."""
        return len(self.data("gluster-status", "whole").split())

    def app(self, script: str) -> str:
        """Runs a shell script in the sample pod."""
        return self.kubectl("exec", "gluster-sample-app", "--", "sh", "-c", script)

    def brick(self, script: str, node: int = 1) -> str:
        """Runs a shell script beside a node's glusterd."""
        return self.kubectl("exec", self.pod(node), "-c", "glusterd", "--", "sh", "-c", script)

    def as_it_is(self) -> str:
        """What a person would look at first: the pods, our documents, what sidecars and clients said last."""
        data = "jsonpath={range .items[*]}{.metadata.name}: {.data}{'\\n'}{end}"
        return "\n".join(
            self._try(*command)
            for command in (
                ("get", "pods", "-o", "wide"),
                ("get", "configmaps", "-l", KIND_LABEL, "-o", data),
                *(("logs", pod, "-c", "sidecar", "--tail=20") for pod in self._try(*GLUSTER_PODS).split()),
                *(("exec", pod, "--", "sh", "-c", CLIENT) for pod in self._try(*CLIENT_PODS).split()),
            )
        )

    def _try(self, *words: str) -> str:
        try:
            return self.kubectl(*words)
        except LabError as error:
            return f"{error}\n"

    def objects(self) -> str:
        kinds = (
            "rc,svc,endpointslices,pods,pvc,pv,configmaps,leases,serviceaccounts,roles,rolebindings,"
            "storageclasses"
        )
        return self.kubectl("get", kinds, "-o", "name")


def new_stack(lab: Lab, project: Path, name: str = "dev") -> Stack:
    """A stack of that name, with the settings of `dev`; `project` is an empty folder for it."""
    for file in PROJECT_FILES:
        source = ROOT / file
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, project / file, ignore=ignored)
        else:
            shutil.copy2(source, project / file.replace(".dev.", f".{name}."))
    (project / ".venv").symlink_to(ROOT / ".venv")
    stack = Stack(lab, project)
    stack.pulumi("stack", "init", name)
    return stack
