"""What a shell needs to work with a lab: variables, and commands in the lab's own bin folder."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lab.paths import Paths
from lab.supply import Supply

GLUSTER: Final = """#!/bin/sh
# gluster ARGUMENTS: runs GlusterFS's command line in a gluster pod that is Ready.
namespace=${GLUSTER_NAMESPACE:-default}
ready='{range .items[*]}{.metadata.name}'
ready=$ready'{range .status.conditions[?(@.type=="Ready")]} {.status}{end}{"\\n"}{end}'
pod=$(kubectl get pods -n "$namespace" -l role=gluster -o jsonpath="$ready" | sed -n '/ True$/{s/ .*//p;q}')
if [ -z "$pod" ]; then
    echo "gluster: no pod with label role=gluster is Ready in namespace $namespace (GLUSTER_NAMESPACE)" >&2
    exit 1
fi
exec kubectl exec -n "$namespace" "$pod" -c glusterd -- gluster "$@"
"""


def variables(paths: Paths) -> dict[str, str]:
    """What to add to the environment, but for PATH."""
    return {
        "KUBECONFIG": str(paths.kubeconfig),
        "KUBECACHEDIR": str(paths.kube_cache),
        "PULUMI_HOME": str(paths.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{paths.pulumi_state}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # A plugin that is missing is an error at once, not a download that hangs.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "1",
        "GLUSTER_LAB_DISKS": str(paths.disks),
        "LAB_STATE": str(paths.state),
    }


def environment(paths: Paths, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables, and a PATH on which the lab's commands come first."""
    outer = (os.environ if base is None else base).get("PATH", os.defpath).split(":")
    path = [str(paths.bin), *(folder for folder in outer if folder != str(paths.bin))]
    return {"PATH": ":".join(path), **variables(paths)}


def exports(paths: Paths) -> str:
    """For `eval` in a shell."""
    lines = [f'export PATH={shlex.quote(str(paths.bin))}:"$PATH"']
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables(paths).items()]
    return "\n".join(lines)


def install_commands(paths: Paths, supply: Supply) -> None:
    """Puts kubectl, pulumi and gluster into the lab's bin folder."""
    for name, target in (("kubectl", supply.kube), ("pulumi", supply.pulumi)):
        link = paths.bin / name
        if not (link.is_symlink() and link.readlink() == target):
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    _write(paths.bin / "gluster", GLUSTER)


def _write(file: Path, text: str) -> None:
    if not file.exists() or file.read_text() != text:
        new = file.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o755)
        new.replace(file)
