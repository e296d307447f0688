"""The pool's names in the pod's hosts file.

kubelet gives all containers of a pod one writable /etc/hosts, so a line written here is seen by
glusterd at once (facts/lab). Without it a slow or dead cluster DNS costs every gluster command
10 to 30 s, and a glusterd that cannot resolve a brick's host does not start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .contract import host_name

FILE: Final = Path("/etc/hosts")
_BEGIN: Final = "# gluster-sidecar: the nodes of the pool"
_END: Final = "# gluster-sidecar: end"


def merged(text: str, addresses: Mapping[int, str], namespace: str) -> str:
    """`text` with our block replaced, and first.

    glusterd names a peer by the first name that a look-up of its address gives, and a pod on the
    machine's network gets the machine's own hosts file, which may know that address by another name.
    """
    kept, ours = [], False
    for line in text.splitlines():
        if line in (_BEGIN, _END):
            ours = line == _BEGIN
        elif not ours:
            kept.append(line)
    block = [f"{address}\t{host_name(node, namespace)}" for node, address in sorted(addresses.items())]
    return "\n".join([_BEGIN, *block, _END, *kept]) + "\n"


def write(addresses: Mapping[int, str], namespace: str, file: Path = FILE) -> bool:
    """Brings the file up to date; True if it was not. kubelet rewrites it when a container starts.

    Written in place, for it is a mount of its own and cannot be replaced by a rename.
    """
    text = file.read_text()
    new = merged(text, addresses, namespace)
    if new == text:
        return False
    with file.open("r+") as handle:
        handle.write(new)
        handle.truncate()
    return True
