"""Pods that use the claim, as people would write them, and what they met."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lab.images import PRODUCT
from tests.e2e.bench import Stack, wait_for

PLACE = "/mnt/volume"
WRITER = f"""
import os, time
count, worst = 0, 0.0
while True:
    began = time.monotonic()
    try:
        with open("{PLACE}/" + os.environ["FILE"], "a") as file:
            file.write(f"{{count}}\\n")
            file.flush()
            os.fsync(file.fileno())
        count += 1
    except OSError as error:
        with open("/tmp/errors", "a") as file:
            file.write(f"{{error}}\\n")
    worst = max(worst, time.monotonic() - began)
    with open("/tmp/new", "w") as file:
        file.write(f"{{count}} {{worst:.2f}}")
    os.rename("/tmp/new", "/tmp/state")
    time.sleep(0.01)
"""
"""Appends a number at a time and never gives up; counts, and notes the longest time one took (s)."""


def spec(
    command: list[str],
    *,
    claim: str = "glusterfs-cluster",
    machine: int | None = None,
    propagation: str | None = "HostToContainer",
    read_only: bool = False,
    file: str = "",
    group: int | None = None,
) -> dict[str, Any]:
    """`group`: the pod's fsGroup; its program then is an ordinary user's."""
    mount: dict[str, Any] = {"name": "files", "mountPath": PLACE}
    if propagation:
        mount["mountPropagation"] = propagation
    container = {
        "name": "app",
        "image": PRODUCT,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "volumeMounts": [mount],
        "env": [{"name": "FILE", "value": file}],
    }
    source = {"claimName": claim, "readOnly": read_only}
    where = {"nodeName": f"kn{machine}"} if machine else {}
    who = {"securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": group}} if group else {}
    return {
        "containers": [container],
        "volumes": [{"name": "files", "persistentVolumeClaim": source}],
        "terminationGracePeriodSeconds": 1,
        **where,
        **who,
    }


@dataclass(frozen=True)
class App:
    """One pod."""

    stack: Stack
    name: str
    namespace: str = "default"

    def kubectl(self, *words: str) -> str:
        return self.stack.kubectl("-n", self.namespace, *words)

    def start(self, command: list[str], **words: Any) -> App:
        meta = {"name": self.name, "namespace": self.namespace, "labels": {"app": self.name}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec(command, **words)}
        self.stack.lab.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
        return self

    def write(self, **words: Any) -> App:
        return self.start(["python3", "-c", WRITER], file=self.name, **words)

    def sleep(self, **words: Any) -> App:
        return self.start(["sleep", "infinity"], **words)

    def ready(self) -> App:
        self.kubectl("wait", "--for=condition=Ready", f"pod/{self.name}", "--timeout=300s")
        return self

    def shell(self, script: str) -> str:
        return self.kubectl("exec", self.name, "--", "sh", "-c", script)

    def written(self) -> int:
        return int(self.shell("cat /tmp/state 2>/dev/null || echo 0 0").split()[0])

    def worst(self) -> float:
        """Seconds that the slowest write took."""
        return float(self.shell("cat /tmp/state").split()[1])

    def errors(self) -> list[str]:
        return self.shell("cat /tmp/errors 2>/dev/null || true").splitlines()

    def writes_on(self) -> None:
        before = self.written()
        wait_for(f"{self.name} writes on", lambda: self.written() > before)

    def uid(self) -> str:
        return self.kubectl("get", "pod", self.name, "-o", "jsonpath={.metadata.uid}")

    def delete(self, *words: str) -> None:
        self.kubectl("delete", "pod", self.name, "--ignore-not-found", "--timeout=300s", *words)


def free_machines(stack: Stack) -> list[int]:
    """Without a brick: what a member's end does is not mixed with what a client's machine does."""
    taken = {stack.machine(pod) for pod in stack.pods()}
    return [number for number in stack.lab.ready() if number not in taken]


def on_machine(stack: Stack, machine: int, script: str) -> str:
    return stack.lab.node_exec(machine, ["sh", "-c", script])


def clients(stack: Stack, machine: int) -> list[str]:
    """Process ids of the FUSE clients on a machine."""
    return on_machine(stack, machine, "pgrep -f '^glusterfs .*process-name=fuse' || true").split()


def pod_on(stack: Stack, name: str, machine: int) -> str:
    """The pod of a DaemonSet on a machine; empty while there is none."""
    return stack.kubectl(
        *("get", "pods", "-l", f"name={name}", "--field-selector", f"spec.nodeName=kn{machine}"),
        *("-o", "jsonpath={.items[*].metadata.name}"),
    )
