"""`pulumi up` of the project on the lab, and the short report at the end of `make up`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from lab.cluster import Lab
from lab.errors import LabError
from lab.process import MARK, look

Say = Callable[[str], None]
STACK = "dev"
SAMPLE_POD = "gluster-sample-app"
SAMPLE_CONTAINER = "app"
MOUNT = "/mnt/glusterfs"


def up(lab: Lab, project: Path) -> None:
    """Runs `pulumi up` in the project's folder; what it says goes to the terminal. Raises LabError."""
    env = {**os.environ, **lab.environment(), MARK: lab.paths.id}
    _quiet(["pulumi", "login", env["PULUMI_BACKEND_URL"]], project, env)
    _quiet(["pulumi", "stack", "select", "--create", STACK], project, env)
    if _abandoned(lab.paths.pulumi_state):
        _quiet(["pulumi", "cancel", "--yes", STACK], project, env)
    child = subprocess.Popen(["pulumi", "up", "--yes", "--skip-preview"], cwd=project, env=env)
    try:
        status = child.wait()
    except KeyboardInterrupt:
        # The terminal told pulumi too: it ends what is under way and saves its state.
        child.wait()
        raise
    if status != 0:
        raise LabError(f"pulumi up in {project} failed; the lab runs: `make shell`, then try `pulumi up`")


def _quiet(argv: list[str], project: Path, env: Mapping[str, str]) -> None:
    done = subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise LabError(f"{' '.join(argv)}: {said[-1] if said else done.returncode}")


def _abandoned(state: Path) -> bool:
    """Whether the stack is locked by a pulumi that was killed."""
    owners = [json.loads(file.read_text()).get("pid") for file in state.glob(".pulumi/locks/**/*.json")]
    return bool(owners) and not any(isinstance(pid, int) and look(pid) for pid in owners)


def report(lab: Lab, parts: Mapping[str, str], say: Say) -> None:
    """The pool, the volume, the sample pod and its file, what is real, and what to try next."""
    for title, command in (
        ("Pool", ["gluster", "pool", "list"]),
        ("Volume", ["gluster", "volume", "info"]),
        ("Sample pod", ["kubectl", "get", "pod", SAMPLE_POD, "-o", "wide"]),
        (f"What it wrote to {MOUNT}", _in_sample_pod("ls -l . | head -5; tail -n 2 $(ls -t | head -1)")),
    ):
        say(f"\n== {title}\n{_answer(lab, command)}")
    say("\n== In this run\n" + "\n".join(f"{part:22} {what}" for part, what in parts.items()))
    say(NEXT.rstrip())


def _in_sample_pod(script: str) -> list[str]:
    return [
        *("kubectl", "exec", SAMPLE_POD, "-c", SAMPLE_CONTAINER, "--"),
        *("sh", "-c", f"cd {MOUNT} && {script}"),
    ]


def _answer(lab: Lab, argv: list[str]) -> str:
    done = subprocess.run(
        [str(lab.paths.bin / argv[0]), *argv[1:]],
        env={**os.environ, **lab.environment()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return (done.stdout + done.stderr).strip() or "nothing"


NEXT = """
== Try
eval "$(make -s env)"                     # pulumi, kubectl and gluster, pointed at the lab
kubectl get rc,svc,endpointslices,pods,pvc -o wide
gluster volume heal data info summary
pulumi config set nodeCount 6 && pulumi preview && pulumi up
python -m lab power-off 3                 # then power-on 3; also cut, mend, lose-disk, pause-api
pulumi destroy
make down
"""
