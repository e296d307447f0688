"""Large I/O of a pod through its claim, against a mount by hand on the same machine, in the lab that is up.

Both clients run in the container of the machine's holder, so with the same share of the machine; what
the driver adds are the bind, the floor and the way into the pod.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from gluster_sidecar.contract import NODE_LABEL

from bench import fio, table
from bench.driver import WANTED
from lab.cluster import Lab
from lab.errors import LabError
from lab.images import PRODUCT

POD: Final = "bench-claim"
CLAIM: Final = "glusterfs-cluster"
PLACE: Final = "/mnt/volume"
BY_HAND: Final = "/mnt/by-hand"
SERVER: Final = "glusterfs-cluster.default.svc.cluster.local"


def report(rounds: int, say: Callable[[str], None]) -> None:
    """Raises LabError if no lab is up, or not with the stack."""
    lab = Lab.from_environment()
    machine = _free(lab)
    holder = _pod_on(lab, "gluster-client", machine)
    with _pod(lab, machine) as theirs, _mounted_by_hand(lab, machine, holder) as ours:
        variants = {"by hand": lambda: fio.measure(ours), "claim": lambda: fio.measure(theirs)}
        found = table.in_turn(rounds, variants)
    title = (
        f"Large files, a pod's claim against a mount by hand, median of {rounds} rounds (wanted: {WANTED}):"
    )
    say("\n".join([title, *table.lines("MB/s", 1e6, found), ""]))


def _free(lab: Lab) -> int:
    """A machine without a brick."""
    words = ("get", "pods", "-l", NODE_LABEL, "-o", "jsonpath={.items[*].spec.nodeName}")
    taken = lab.kubectl(*words).split()
    free = [n for n in lab.ready() if f"kn{n}" not in taken]
    if not taken or not free:
        raise LabError("`make up` brings up the stack, with a machine that has no brick")
    return free[0]


def _pod_on(lab: Lab, name: str, machine: int) -> str:
    return lab.kubectl(
        *("get", "pods", "-l", f"name={name}", "--field-selector", f"spec.nodeName=kn{machine}"),
        *("-o", "jsonpath={.items[0].metadata.name}"),
    )


@contextmanager
def _pod(lab: Lab, machine: int) -> Iterator[str]:
    """The claim's folder as the pod has it, for programs of this machine."""
    container = {
        "name": "bench",
        "image": PRODUCT,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "86399"],
        "volumeMounts": [{"name": "files", "mountPath": PLACE}],
    }
    volume = {"name": "files", "persistentVolumeClaim": {"claimName": CLAIM}}
    spec = {"nodeName": f"kn{machine}", "containers": [container], "volumes": [volume]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
    lab.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    try:
        lab.kubectl("wait", "--for=condition=Ready", f"pod/{POD}", "--timeout=120s")
        folder = f"{PLACE}/bench-claim"
        lab.kubectl("exec", POD, "--", "mkdir", "-p", folder)
        yield _root(lab, machine, "^sleep 86399") + folder
        lab.kubectl("exec", POD, "--", "rm", "-r", folder)
    finally:
        lab.kubectl("delete", "pod", POD, "--grace-period=1", "--timeout=60s")


@contextmanager
def _mounted_by_hand(lab: Lab, machine: int, holder: str) -> Iterator[str]:
    def run(script: str) -> None:
        lab.kubectl("exec", holder, "--", "sh", "-c", script)

    run(f"mkdir -p {BY_HAND} && mount -t glusterfs -o log-level=WARNING {SERVER}:/data {BY_HAND}")
    try:
        folder = f"{BY_HAND}/bench-by-hand"
        run(f"mkdir -p {folder}")
        yield _root(lab, machine, "^python3 -m gluster_sidecar.csi.hold") + folder
        run(f"rm -r {folder}")
    finally:
        run(f"umount {BY_HAND}")


def _root(lab: Lab, machine: int, command: str) -> str:
    """The root folder of a container on a machine, by the command that runs in it."""
    init = lab.node(machine).init()
    assert init is not None, "a machine that is Ready has power"
    (pid,) = lab.node_exec(machine, ["pgrep", "-f", command]).split()[:1]
    return f"/proc/{init.pid}/root/proc/{pid}/root"
