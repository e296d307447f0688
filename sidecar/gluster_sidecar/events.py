"""Events: what is done, refused or waited for, where `kubectl describe` shows it (law 9)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from .contract import FIELD_MANAGER
from .errors import ApiError
from .kubernetes import Api, Object

log = logging.getLogger(__name__)

LONGEST: Final = 1000
"""Characters of a message; the API takes 1024."""


@dataclass(frozen=True, slots=True)
class Events:
    """Posts events in one namespace, as the pod that it is given."""

    api: Api
    namespace: str
    pod: str

    def post(self, about: Object, rule: str, message: str, *, warning: bool = False) -> None:
        """An event on the object; never in the way of what it tells of: a failure is only logged."""
        meta = about["metadata"]
        now = datetime.now(UTC)  # noqa: TID251
        stamp = now.isoformat(timespec="seconds").replace("+00:00", "Z")
        body: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{meta['name']}.{int(now.timestamp() * 1e6):x}",
                "namespace": self.namespace,
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": about.get("kind", "ConfigMap"),
                "namespace": self.namespace,
                "name": meta["name"],
                "uid": meta.get("uid", ""),
            },
            "reason": reason(rule),
            "message": message[:LONGEST],
            "type": "Warning" if warning else "Normal",
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "source": {"component": FIELD_MANAGER, "host": self.pod},
        }
        try:
            self.api.create(f"/api/v1/namespaces/{self.namespace}/events", body)
        except ApiError as error:
            log.warning("an event is lost (%s): %s", message, error)


def reason(rule: str) -> str:
    """A rule's name as Kubernetes writes reasons.

    >>> reason("replace_lost")
    'ReplaceLost'
    """
    return "".join(word.capitalize() for word in rule.split("_"))
