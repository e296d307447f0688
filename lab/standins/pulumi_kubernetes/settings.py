"""The provider's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.standins.pulumi_kubernetes.kubeconfig import Choice
from lab.standins.pulumi_plugin.values import UNKNOWN, Object, reveal

_NOT_IMITATED: Final = {
    "renderYamlToDirectory": "the stand-in writes no YAML files",
}


@dataclass(frozen=True)
class Settings:
    choice: Choice
    cluster_identifier: str
    config_map_mutable: bool
    secret_mutable: bool
    delete_unreachable: bool
    skip_unreachable: bool
    patch_force: bool
    upsert: bool
    warnings: bool
    unknown: bool
    """Whether the cluster's choice is not known yet: the cluster itself is still to be made."""

    @staticmethod
    def parse(values: Object, environment: Mapping[str, str]) -> Settings:
        plain = reveal(values)

        def text(name: str, variable: str = "") -> str:
            value = plain.get(name)
            if value is None:
                return environment.get(variable, "") if variable else ""
            return str(value).lower() if isinstance(value, bool) else str(value)

        def flag(name: str, variable: str) -> bool:
            return text(name, f"PULUMI_K8S_{variable}") == "true"

        choice = Choice(text("kubeconfig"), text("context"), text("cluster"), text("namespace"))
        return Settings(
            choice=choice,
            cluster_identifier=text("clusterIdentifier", "PULUMI_K8S_CLUSTER_IDENTIFIER"),
            config_map_mutable=flag("enableConfigMapMutable", "ENABLE_CONFIGMAP_MUTABLE"),
            secret_mutable=flag("enableSecretMutable", "ENABLE_SECRET_MUTABLE"),
            delete_unreachable=flag("deleteUnreachable", "DELETE_UNREACHABLE"),
            skip_unreachable=flag("skipUpdateUnreachable", "SKIP_UPDATE_UNREACHABLE"),
            patch_force=flag("enablePatchForce", "ENABLE_PATCH_FORCE"),
            upsert=flag("upsertExistingObjects", "UPSERT_EXISTING_OBJECTS"),
            warnings=not flag("suppressDeprecationWarnings", "SUPPRESS_DEPRECATION_WARNINGS"),
            unknown=UNKNOWN in (choice.kubeconfig, choice.context, choice.cluster),
        )


def refusals(values: Object, environment: Mapping[str, str]) -> dict[str, str]:
    """Settings that the stand-in does not follow, and why."""
    plain: dict[str, Any] = reveal(values)
    found = {name: why for name, why in _NOT_IMITATED.items() if plain.get(name)}
    apply = plain.get("enableServerSideApply", environment.get("PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY"))
    if str(apply).lower() == "false":
        found["enableServerSideApply"] = "the stand-in knows server-side apply only"
    return found


def replaces_provider(old: Settings, new: Settings, servers: tuple[str, str]) -> bool:
    """Whether a change of settings means another cluster, and so replaces every object."""
    if old.cluster_identifier or new.cluster_identifier:
        return old.cluster_identifier != new.cluster_identifier
    return not new.unknown and servers[0] != servers[1]
