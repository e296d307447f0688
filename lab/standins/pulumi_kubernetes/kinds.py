"""From `apiVersion` and `kind` to the path of a request: the API server's discovery, remembered."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from lab.standins.pulumi_kubernetes.api import Api, ApiError, Unreachable
from lab.standins.pulumi_kubernetes.objects import group_version_kind, name_of, namespace_of
from lab.standins.pulumi_plugin.values import Object

_OF_THE_CLUSTER: Final = frozenset(
    {
        *("APIService", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding"),
        *("CSIDriver", "CSINode", "CustomResourceDefinition", "FlowSchema", "IngressClass"),
        *("MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass"),
        *("PriorityLevelConfiguration", "RuntimeClass", "StorageClass"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
        *("ValidatingWebhookConfiguration", "VolumeAttachment"),
    }
)
"""Kinds without a namespace, for a preview without a cluster."""


class NoSuchKind(Exception):
    """The API server does not serve it."""


@dataclass(frozen=True)
class Resource:
    prefix: str
    plural: str
    namespaced: bool

    def collection(self, namespace: str) -> str:
        within = f"/namespaces/{namespace or 'default'}" if self.namespaced else ""
        return f"{self.prefix}{within}/{self.plural}"


class Kinds:
    """Thread-safe."""

    def __init__(self, api: Api | None) -> None:
        self._api, self._lock = api, threading.Lock()
        self._known: dict[str, dict[str, Resource]] = {}

    def resource(self, obj: Object) -> Resource:
        """Raises NoSuchKind, ApiError, Unreachable."""
        group, version, kind = group_version_kind(obj)
        prefix = f"/apis/{group}/{version}" if group else f"/api/{version}"
        with self._lock:
            # A kind that is not there may be a CustomResourceDefinition's that has just been made.
            if kind not in self._known.get(prefix, {}):
                self._known[prefix] = self._ask(prefix)
            found = self._known[prefix].get(kind)
        if found is None:
            version_text = f"{group}/{version}" if group else version
            raise NoSuchKind(f'no matches for kind "{kind}" in version "{version_text}"')
        return found

    def _ask(self, prefix: str) -> dict[str, Resource]:
        if self._api is None:
            return {}
        try:
            # The real provider's discovery is a cache, which Ctrl-C leaves alone.
            listed = self._api.get(prefix, even_cancelled=True)
        except ApiError as error:
            if error.code == 404:
                return {}
            raise
        return {
            item["kind"]: Resource(prefix, item["name"], item["namespaced"])
            for item in listed.get("resources", [])
            if "/" not in item["name"]
        }

    def is_namespaced(self, obj: Object) -> bool:
        """By a list where no cluster can be asked; an unknown kind is taken to have a namespace."""
        if self._api is None:
            return group_version_kind(obj)[2] not in _OF_THE_CLUSTER
        try:
            return self.resource(obj).namespaced
        except NoSuchKind:
            return True
        except (ApiError, Unreachable):
            return group_version_kind(obj)[2] not in _OF_THE_CLUSTER

    def exists(self, obj: Object) -> bool:
        try:
            self.resource(obj)
        except NoSuchKind:
            return False
        return True

    def collection(self, obj: Object) -> str:
        return self.resource(obj).collection(namespace_of(obj))

    def item(self, obj: Object) -> str:
        return f"{self.collection(obj)}/{name_of(obj)}"
