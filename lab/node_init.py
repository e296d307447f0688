"""PID 1 of a lab's machine: mounts what a machine has of its own, then keeps its services running.

Run by `lab.node` as a script, in new mount, uts, ipc, cgroup and pid namespaces, with the path of a
JSON file that says what to mount and to run. Uses the standard library only. Killing this process is
pulling the machine's plug: the kernel ends everything in its pid namespace.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

OWN = ("var", "mnt", "tmp")
"""Folders of the root file system that each machine has for itself; /run is empty at every start."""
PROPAGATE = "rshared"
RESTART_DELAY = 1.0
"""Seconds until a service that ended is started again, as systemd would."""


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def mount_kernel_views(cgroups: list[list[str]]) -> None:
    """proc, sys and cgroups as seen from this machine's namespaces."""
    mount("-t", "proc", "proc", "/proc")
    mount("-t", "sysfs", "sysfs", "/sys")
    root = Path("/sys/fs/cgroup")
    if cgroups == [["", ""]]:
        unified(root)
        return
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root))
    for name, options in cgroups:
        (root / name).mkdir()
        mount("-t", "cgroup", "-o", options, "cgroup", str(root / name))
        for alias in name.split(",") if "," in name else ():
            (root / alias).symlink_to(name)


def unified(root: Path) -> None:
    """cgroup v2: all processes go to a leaf, or the kernel refuses controllers for the others.

    `unshare`, our parent, is one of them; `lab.node` moves it, so this may take a moment.
    """
    mount("-t", "cgroup2", "cgroup2", str(root))
    (root / "init").mkdir(exist_ok=True)
    (root / "init/cgroup.procs").write_text("0")
    deadline = time.monotonic() + 10
    for controller in (root / "cgroup.controllers").read_text().split():
        while True:
            try:
                (root / "cgroup.subtree_control").write_text(f"+{controller}")
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def mount_own_folders(machine: Path, keep: list[str]) -> None:
    """Puts the machine's own folders over the root file system's; `keep` stays visible nevertheless."""
    kept = [(path, os.open(path, os.O_PATH)) for path in keep]
    for name in OWN:
        mount("--bind", str(machine / name), f"/{name}")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for folder in ("/run/lock", "/run/netns"):
        os.mkdir(folder)
    for path, handle in kept:
        os.makedirs(path, exist_ok=True)
        # By file descriptor: the path itself leads to the new, empty folder by now.
        mount("--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{handle}", path)
        os.close(handle)


def mount_files(etc: Path) -> None:
    for name in ("hosts", "resolv.conf"):
        mount("--bind", str(etc / name), f"/etc/{name}")
    boot = Path("/run/boot_id")
    boot.write_text(f"{uuid.uuid4()}\n")
    mount("--bind", str(boot), "/proc/sys/kernel/random/boot_id")  # by which the kubelet sees a reboot
    os.mkdir("/run/cni-conf")
    shutil.copy(etc / "podnet.conflist", "/run/cni-conf/")


def start(service: dict[str, Any], logs: Path) -> int:
    """Starts one service once what it needs is there; its pid."""
    needs = service.get("needs")
    deadline = time.monotonic() + 20
    while needs and not os.path.exists(needs) and time.monotonic() < deadline:
        time.sleep(0.02)
    with (logs / f"{service['log']}.log").open("ab") as log:
        child = subprocess.Popen(
            service["argv"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **service.get("env", {})},
        )
    child.returncode = 0  # waited for below, with all the orphans
    return child.pid


def main(file: str) -> None:
    spec = json.loads(Path(file).read_text())
    machine, logs = Path(spec["machine"]), Path(spec["logs"])
    subprocess.run(["hostname", spec["name"]], check=True)
    mount_kernel_views(spec["cgroups"])
    mount_own_folders(machine, spec["keep"])
    mount_files(machine / "etc")
    mount(f"--make-{PROPAGATE}", "/")  # mounts made in a pod with Bidirectional propagation reach others
    running = {start(service, logs): service for service in spec["services"]}
    print(f"{spec['name']}: {', '.join(s['name'] for s in spec['services'])}", flush=True)
    while True:
        pid, status = os.wait()
        service = running.pop(pid, None)
        if service is not None:
            print(f"{service['name']} ended with status {status}: starting it again", flush=True)
            time.sleep(RESTART_DELAY)
            running[start(service, logs)] = service


if __name__ == "__main__":
    main(sys.argv[1])
