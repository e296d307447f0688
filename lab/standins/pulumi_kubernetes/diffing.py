"""Diff: whether an object, or the provider itself, changes, and whether it is replaced."""

from __future__ import annotations

from collections.abc import Mapping

from pulumi.runtime.proto import provider_pb2

from lab.standins.pulumi_kubernetes.cluster import Cluster
from lab.standins.pulumi_kubernetes.diff import Change, Kind, changes, normal
from lab.standins.pulumi_kubernetes.kubeconfig import server_of
from lab.standins.pulumi_kubernetes.naming import is_autonamed
from lab.standins.pulumi_kubernetes.objects import (
    name_of,
    namespace_of,
    pluck,
    prune,
    without_read_only,
)
from lab.standins.pulumi_kubernetes.paths import format_path, parse_path
from lab.standins.pulumi_kubernetes.replacing import replace_rules
from lab.standins.pulumi_kubernetes.settings import Settings, replaces_provider
from lab.standins.pulumi_kubernetes.state import parse_checkpoint
from lab.standins.pulumi_plugin.values import Object, decode, reveal


def diff(request: provider_pb2.DiffRequest, cluster: Cluster) -> provider_pb2.DiffResponse:
    old_inputs, live, _ = parse_checkpoint(decode(request.olds))
    new = without_read_only(reveal(decode(request.news)))
    old = _comparable(prune(live, without_read_only(normal(old_inputs))), live, new, cluster)
    new = _within_namespace(new, cluster)
    settings = cluster.settings
    rules = replace_rules(new, settings.config_map_mutable, settings.secret_mutable)
    found = changes(old, new, rules, [parse_path(path) for path in request.ignoreChanges])
    replaces = [format_path(change.path) for change in found if change.replace]
    same_place = name_of(new) == name_of(live) and namespace_of(new) == namespace_of(live)
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=replaces,
        # Two objects cannot have one name; a name that was made up here is simply made up anew.
        deleteBeforeReplace=bool(replaces) and same_place and not is_autonamed(new),
        detailedDiff={format_path(change.path): _property(change) for change in found},
        hasDetailedDiff=True,
    )


def _comparable(old: Object, live: Object, new: Object, cluster: Cluster) -> Object:
    """Without differences that are none: who names no namespace means the default one."""
    old = _within_namespace({**new, **old} if not old.get("kind") else old, cluster)
    if pluck(new, "metadata", "name"):
        old = {**old, "metadata": {**old["metadata"], "name": name_of(live)}}
    return old


def _within_namespace(obj: Object, cluster: Cluster) -> Object:
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "namespace"}
    if cluster.kinds.is_namespaced(obj):
        meta["namespace"] = pluck(obj, "metadata", "namespace") or "default"
    return {**obj, "metadata": meta}


def _property(change: Change) -> provider_pb2.PropertyDiff:
    name = change.kind + ("_REPLACE" if change.replace else "")
    kind = provider_pb2.PropertyDiff.Kind.Value(name)
    return provider_pb2.PropertyDiff(kind=kind, inputDiff=change.kind is Kind.DELETE)


def diff_config(old: Object, new: Object, environment: Mapping[str, str]) -> provider_pb2.DiffResponse:
    """Of the provider's own settings."""
    names = sorted(
        name
        for name in old.keys() | new.keys()
        if name != "version" and reveal(old.get(name)) != reveal(new.get(name))
    )
    before, after = Settings.parse(old, environment), Settings.parse(new, environment)
    servers = (server_of(before.choice, environment), server_of(after.choice, environment))
    replaced = bool(names) and replaces_provider(before, after, servers)
    some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some if names else none, diffs=names, replaces=names if replaced else []
    )
