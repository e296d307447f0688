"""`python3 -m gluster_sidecar.csi.hold`: the process that holds this machine's mounts.

As little as can be: whatever would make it end or be restarted ends the I/O of every pod that uses the
volume on this machine, if only for seconds.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from gluster_sidecar.contract import KUBELET_FOLDER, NODE_LABEL, driver_folder
from gluster_sidecar.errors import ApiError, SettingsError
from gluster_sidecar.kubernetes import Api, Mirror
from gluster_sidecar.settings import Settings

from . import link
from .holder import Holder
from .names import Names
from .record import Record

log = logging.getLogger("gluster_sidecar.csi.hold")

PLACE: Final = Path("/run/gluster-clients")
"""Of this container alone: no pod and no other holder ever sees the clients' own mounts."""
LOGS: Final = Path("/var/log/glusterfs/clients")
TEND_SECONDS: Final = 60
LEAVE_SECONDS: Final = 10
"""When a machine goes down, its kubelet ends all pods at once, and most have something to write yet: so
long they keep their mounts. A holder that is only to be replaced loses nothing by it but this time."""
FIRST_NAMES_SECONDS: Final = 5
"""How long a start waits for the API; without it, cluster DNS has to do."""


def main() -> int:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings, api = Settings.from_env(os.environ), Api.in_cluster(os.environ)
    except SettingsError as error:
        for problem in error.problems:
            print(f"client holder: {problem}", file=sys.stderr)
        return 2
    except ApiError as error:
        print(f"client holder: {error}", file=sys.stderr)
        return 1
    run(settings, api, stop)
    return 0


def run(settings: Settings, api: Api, stop: threading.Event) -> None:
    """Holds until `stop`."""
    changed = threading.Event()
    names = _names(settings, api, changed)
    folder = Path(driver_folder(settings.namespace))
    folder.mkdir(parents=True, exist_ok=True)
    holder = Holder(PLACE, LOGS, Record(folder / "published.json"), names.servers, KUBELET_FOLDER)
    changed.wait(FIRST_NAMES_SECONDS)
    names.refresh()
    threading.Thread(target=_follow, args=(names, changed), name="names", daemon=True).start()
    log.info("holds the mounts of %s", settings)
    hold(holder, folder, stop)


def hold(holder: Holder, folder: Path, stop: threading.Event) -> None:
    """Does what the plugin asks until `stop`, then lets the pods of a machine that goes down go first."""
    holder.start()
    server = link.Server(folder / link.SOCKET, holder.methods())
    threading.Thread(target=server.serve_forever, name="link", daemon=True).start()
    while not stop.wait(TEND_SECONDS):
        holder.tend()
    holder.await_unpublished(LEAVE_SECONDS)
    server.shutdown()
    holder.stop()


def _names(settings: Settings, api: Api, changed: threading.Event) -> Names:
    labels = ",".join(f"{key}={value}" for key, value in settings.pod_labels.items())
    pods = Mirror(
        api,
        f"/api/v1/namespaces/{settings.namespace}/pods",
        {"labelSelector": f"{labels},{NODE_LABEL}"},
        changed.set,
    )
    slices = Mirror(
        api,
        f"/apis/discovery.k8s.io/v1/namespaces/{settings.namespace}/endpointslices",
        {"labelSelector": f"kubernetes.io/service-name={settings.cluster_name}"},
        changed.set,
    )
    for mirror in (pods, slices):
        mirror.start()
    return Names(settings, pods.objects, slices.objects)


def _follow(names: Names, changed: threading.Event) -> None:
    while True:
        changed.wait()
        changed.clear()
        try:
            names.refresh()
        except OSError as error:
            log.error("the hosts file stays as it is: %s", error)


if __name__ == "__main__":
    sys.exit(main())
