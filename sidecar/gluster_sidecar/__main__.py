"""`python3 -m gluster_sidecar`: the loop of one node. Exit code 2 for settings that are wrong."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from typing import Final

from . import health as health_server
from . import logs, planner
from .contract import CLUSTER_LABEL, KIND_LABEL, NODE_LABEL
from .errors import ApiError, SettingsError
from .events import Events
from .execute import Executor
from .gluster import Cli
from .health import Health
from .kubernetes import Api, Mirror, Object
from .lease import Lease
from .loop import Loop
from .observe import Observer
from .settings import Identity, Settings

log = logging.getLogger("gluster_sidecar")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="gluster_sidecar", description="Forms and keeps a GlusterFS cluster."
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be done now, and why; do nothing"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        settings, identity = _settings()
        api = Api.in_cluster(os.environ)
    except SettingsError as error:
        for problem in error.problems:
            print(f"gluster_sidecar: {problem}", file=sys.stderr)
        return 2
    except ApiError as error:
        print(f"gluster_sidecar: {error}", file=sys.stderr)
        return 1
    return _run(settings, identity, api, dry_run=options.dry_run)


def _settings() -> tuple[Settings, Identity]:
    """Both halves of the environment; raises one SettingsError with the problems of both."""
    problems: list[str] = []
    for kind in (Settings, Identity):
        try:
            kind.from_env(os.environ)
        except SettingsError as error:
            problems += [p for p in error.problems if p not in problems]
    if problems:
        raise SettingsError(problems)
    return Settings.from_env(os.environ), Identity.from_env(os.environ)


def _run(settings: Settings, identity: Identity, api: Api, *, dry_run: bool) -> int:
    wake = threading.Event()
    core = f"/api/v1/namespaces/{settings.namespace}"
    labels = ",".join(f"{key}={value}" for key, value in settings.pod_labels.items())
    pods = Mirror(api, f"{core}/pods", {"labelSelector": labels}, wake.set)
    documents = Mirror(api, f"{core}/configmaps", {"labelSelector": KIND_LABEL}, wake.set)
    for mirror in (pods, documents):
        mirror.start()
    gluster = Cli(tally=api.tally)
    ours = {"labelSelector": f"{CLUSTER_LABEL}={settings.cluster_name},{NODE_LABEL}"}
    observer = Observer(
        *(settings, identity, gluster, pods.objects, documents.objects),
        controllers=Mirror(api, f"{core}/replicationcontrollers", ours, wake.set),
        claims=Mirror(api, f"{core}/persistentvolumeclaims", ours, wake.set),
        volume=lambda name: _volume(api, name),
    )
    loop = Loop(
        settings=settings,
        observer=observer,
        executor=Executor(settings, gluster, api),
        api=api,
        lease=Lease(api, settings.namespace, identity.pod_name),
        health=Health(tally=api.tally),
        events=Events(api, settings.namespace, identity.pod_name),
        wake=wake,
    )
    if dry_run:
        return _dry_run(loop, settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.request_stop())
    health_server.serve(loop.health)
    logs.keep_bounded(loop.stop)
    log.info("node %d, pod %s, %s", identity.node, identity.pod_name, settings)
    loop.run()
    return 0


def _volume(api: Api, name: str) -> Object | None:
    try:
        return api.get(f"/api/v1/persistentvolumes/{name}")
    except ApiError as error:
        log.info("%s", error)
        return None


LISTED_SECONDS: Final = 10
"""How long a dry run waits for Kubernetes' lists."""


def _dry_run(loop: Loop, settings: Settings) -> int:
    """Looks once as if this node held the lease and prints the decision."""
    deadline = time.monotonic() + LISTED_SECONDS
    while True:
        loop.wake.clear()
        try:
            seen = loop.observer.look(holds_lease=True)
            break
        except ApiError as error:
            if time.monotonic() > deadline:
                print(f"gluster_sidecar: {error}", file=sys.stderr)
                return 1
            loop.wake.wait(1)  # set by each list that has come
    print(f"seniority: {', '.join(map(str, seen.cluster.seniority)) or 'none'}")
    for what, decision in (
        ("for this node", planner.plan_own(seen.cluster, settings)),
        ("for the cluster", planner.plan(seen.cluster, settings)),
    ):
        print(f"{what}, rule {decision.rule}:")
        for step in decision.steps or ("nothing to do",):
            print(f"  {step}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
