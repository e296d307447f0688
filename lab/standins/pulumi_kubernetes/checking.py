"""Check: the inputs made whole, or what is wrong with them."""

from __future__ import annotations

from pulumi.runtime.proto import provider_pb2

from lab.standins.pulumi_kubernetes.cluster import Cluster
from lab.standins.pulumi_kubernetes.naming import named
from lab.standins.pulumi_kubernetes.objects import annotation, pluck, without_read_only
from lab.standins.pulumi_kubernetes.readiness import WAIT_FOR, wait_conditions
from lab.standins.pulumi_kubernetes.state import hidden
from lab.standins.pulumi_plugin.errors import ProviderError
from lab.standins.pulumi_plugin.values import UNKNOWN, Object, decode, encode, reveal


def check(request: provider_pb2.CheckRequest, cluster: Cluster) -> provider_pb2.CheckResponse:
    given, old = decode(request.news), reveal(decode(request.olds))
    refused = _refusal(request.urn, reveal(given))
    if refused:
        raise ProviderError(refused)
    proposed = request.autonaming.proposed_name if request.HasField("autonaming") else ""
    new = without_read_only(reveal(given))
    new = named(new, old, request.urn.rpartition("::")[2], request.randomSeed, proposed)
    if not pluck(new, "metadata", "namespace") and cluster.kinds.is_namespaced(new):
        new = {**new, "metadata": {**(new.get("metadata") or {}), "namespace": cluster.namespace}}
    failures = [provider_pb2.CheckFailure(property=name, reason=why) for name, why in wrong(new)]
    return provider_pb2.CheckResponse(inputs=encode(hidden(new, given)), failures=failures)


def wrong(obj: Object) -> list[tuple[str, str]]:
    """Property and reason. The real provider finds the second only after it has made the object."""
    found = []
    if pluck(obj, "metadata", "generateName"):
        what = "the `.metadata.generateName` field is not supported in Server-Side Apply mode"
        found.append(("metadata.generateName", what))
    wait_for = annotation(obj, WAIT_FOR)
    if wait_for and UNKNOWN not in wait_for:
        try:
            wait_conditions(wait_for)
        except ValueError as error:
            found.append((f'metadata.annotations["{WAIT_FOR}"]', str(error)))
    return found


def _refusal(urn: str, obj: Object) -> str:
    kind = _token(urn).rpartition(":")[2]
    if not obj.get("kind") or not obj.get("apiVersion"):
        return f"the stand-in of the kubernetes provider knows objects only, not {_token(urn)}"
    if kind.endswith("Patch"):
        return f"the stand-in of the kubernetes provider does not know patches ({kind})"
    if kind.endswith("List"):
        return (
            "list resources exist for compatibility with YAML manifests and Helm charts, and cannot be "
            "created directly. Use the underlying resource type instead"
        )
    return ""


def _token(urn: str) -> str:
    """The resource's type, without those of its parents."""
    return urn.split("::")[2].rpartition("$")[2]


def from_urn(urn: str, identity: str) -> Object:
    """The least that names an object which nobody has read yet."""
    _, version, kind = _token(urn).split(":")
    namespace, _, name = identity.rpartition("/")
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": version.removeprefix("core/"), "kind": kind, "metadata": meta}
