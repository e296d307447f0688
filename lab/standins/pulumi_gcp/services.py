"""What each kind of resource does; the provider finds them by type."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from lab.standins.pulumi_gcp.disks import DiskId, Disks
from lab.standins.pulumi_gcp.fields import ATTACHMENT, DISK, RESOURCE_POLICY, Schema
from lab.standins.pulumi_plugin.errors import ProviderError
from lab.standins.pulumi_plugin.values import UNKNOWN, Object

API: Final = "https://www.googleapis.com/compute/v1/"
ROOT: Final = "GLUSTER_LAB_DISKS"
FAIL: Final = "GLUSTER_LAB_GCP_FAIL"
"""For tests: `create:NAME` makes the creation of that disk fail as a spent quota does."""
MINIMUM_SIZE: Final = 10
"""GiB."""
_DEFAULT_SIZE: Final = {"pd-standard": 500}
_OTHER_DEFAULT_SIZE: Final = 100


class Service(Protocol):
    @property
    def schema(self) -> Schema: ...

    def planned(self, inputs: Object) -> Object:
        """The state as far as a preview can tell."""

    def create(self, inputs: Object) -> tuple[str, Object]:
        """Id and state. Raises ProviderError."""

    def read(self, resource_id: str, state: Object) -> Object | None:
        """None where it is gone."""

    def update(self, resource_id: str, state: Object, inputs: Object) -> Object: ...
    def delete(self, resource_id: str, cancelled: threading.Event) -> None: ...


def _known(schema: Schema, values: Object) -> Object:
    """What of `values` is a property that a program may give."""
    return {name: value for name, value in values.items() if name in schema.fields}


class DiskService:
    schema = DISK

    def planned(self, inputs: Object) -> Object:
        computed = ("selfLink", "diskId", "creationTimestamp", "labelFingerprint", "physicalBlockSizeBytes")
        labels = inputs.get("labels") or {}
        return {
            **{name: UNKNOWN for name in computed},
            "size": UNKNOWN,
            "type": "pd-standard",
            "users": UNKNOWN,
            "effectiveLabels": {**labels, "goog-pulumi-provisioned": "true"}
            if labels != UNKNOWN
            else UNKNOWN,
            "pulumiLabels": labels,
            **_known(self.schema, inputs),
        }

    def create(self, inputs: Object) -> tuple[str, Object]:
        disk = DiskId(inputs["project"], inputs["zone"], inputs["name"])
        if os.environ.get(FAIL) == f"create:{disk.name}":
            what = "Error 403: Quota 'SSD_TOTAL_GB' exceeded.  Limit: 0.0 in region, quotaExceeded"
            raise ProviderError(f"Error creating Disk: googleapi: {what} (made by {FAIL})")
        type_ = inputs.get("type", "pd-standard")
        size = int(inputs.get("size") or _DEFAULT_SIZE.get(type_, _OTHER_DEFAULT_SIZE))
        if size < MINIMUM_SIZE and type_.startswith("pd-"):
            what = f"Error 400: Disk size cannot be smaller than {MINIMUM_SIZE} GB: '{size}', badRequest"
            raise ProviderError(f"Error creating Disk: googleapi: {what}")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")  # noqa: TID251 (a date on a label)
        state = {
            **self._state(disk, inputs, size),
            "creationTimestamp": now,
            "diskId": str(int(hashlib.sha256(f"{disk} {now}".encode()).hexdigest()[:15], 16)),
        }
        _disks().create(disk, size, state)
        return str(disk), state

    def _state(self, disk: DiskId, inputs: Object, size: int) -> Object:
        labels = inputs.get("labels") or {}
        return {
            "type": "pd-standard",
            "accessMode": "READ_WRITE_SINGLE",
            "enableConfidentialCompute": False,
            "physicalBlockSizeBytes": 4096,
            "provisionedIops": 0,
            "provisionedThroughput": 0,
            "users": [],
            **_known(self.schema, inputs),
            "size": size,
            "selfLink": f"{API}{disk}",
            "effectiveLabels": {**labels, "goog-pulumi-provisioned": "true"},
            "pulumiLabels": labels,
            "labelFingerprint": hashlib.sha256(repr(sorted(labels.items())).encode()).hexdigest()[:11],
        }

    def read(self, resource_id: str, state: Object) -> Object | None:
        disk, disks = DiskId.parse(resource_id), _disks()
        if not disks.exists(disk):
            return None
        user = disks.user(disk)
        users = [f"{API}projects/{disk.project}/zones/{disk.zone}/instances/{user}"] if user else []
        here = {"project": disk.project, "zone": disk.zone, "name": disk.name}
        return {**state, **here, **disks.description(disk), "users": users}

    def update(self, resource_id: str, state: Object, inputs: Object) -> Object:
        disk, disks = DiskId.parse(resource_id), _disks()
        if not disks.exists(disk):
            what = f"googleapi: Error 404: The resource '{disk}' was not found, notFound"
            raise ProviderError(f"Error updating Disk {str(disk)!r}: {what}")
        size = int(inputs.get("size") or disks.description(disk)["size"])
        kept = {name: value for name, value in state.items() if name not in ("labels", "deletionPolicy")}
        new = {**kept, **self._state(disk, {**_known(self.schema, kept), **inputs}, size)}
        disks.grow(disk, size)
        disks.describe(disk, new)
        return new

    def delete(self, resource_id: str, cancelled: threading.Event) -> None:
        _disks().delete(DiskId.parse(resource_id), cancelled)


def _disks() -> Disks:
    root = os.environ.get(ROOT)
    if not root:
        raise ProviderError(f"{ROOT} is not set: the stand-in of the gcp provider has nowhere to put disks")
    return Disks(Path(root))


@dataclass(frozen=True)
class StateOnly:
    """A resource that nothing in the lab looks at: it lives in Pulumi's state."""

    schema: Schema
    path: str
    """Of the id, with names of properties in braces."""

    def planned(self, inputs: Object) -> Object:
        return {
            **_known(self.schema, inputs),
            **({"selfLink": UNKNOWN} if self.schema is RESOURCE_POLICY else {}),
        }

    def create(self, inputs: Object) -> tuple[str, Object]:
        resource_id = self.path.format(**inputs)
        link = {"selfLink": API + resource_id} if self.schema is RESOURCE_POLICY else {}
        return resource_id, {**_known(self.schema, inputs), **link}

    def read(self, resource_id: str, state: Object) -> Object | None:
        return state or None

    def update(self, resource_id: str, state: Object, inputs: Object) -> Object:
        return {**state, **_known(self.schema, inputs)}

    def delete(self, resource_id: str, cancelled: threading.Event) -> None:
        pass


SERVICES: Final[dict[str, Service]] = {
    "gcp:compute/disk:Disk": DiskService(),
    "gcp:compute/resourcePolicy:ResourcePolicy": StateOnly(
        RESOURCE_POLICY, "projects/{project}/regions/{region}/resourcePolicies/{name}"
    ),
    "gcp:compute/diskResourcePolicyAttachment:DiskResourcePolicyAttachment": StateOnly(
        ATTACHMENT, "projects/{project}/zones/{zone}/disks/{disk}/{name}"
    ),
}
