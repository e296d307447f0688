"""Which API server, and who we are to it: kubeconfig files as kubectl reads them."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class ConfigError(Exception):
    """No cluster can be made out."""


@dataclass(frozen=True)
class Connection:
    server: str
    namespace: str
    authority: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    token: str = ""
    insecure: bool = False
    server_name: str = ""


@dataclass(frozen=True)
class Choice:
    """The provider's settings that choose a cluster; empty ones leave it to the file."""

    kubeconfig: str = ""
    """A path, or the contents of one."""
    context: str = ""
    cluster: str = ""
    namespace: str = ""


def connection(choice: Choice, environment: Mapping[str, str]) -> Connection:
    """Raises ConfigError."""
    config, folder = _load(choice.kubeconfig, environment)
    context_name = choice.context or _text(config, "current-context")
    context = _entry(config, "context", context_name) if context_name else {}
    cluster_name = choice.cluster or _text(context, "cluster")
    if not cluster_name:
        raise ConfigError("invalid configuration: no configuration has been provided")
    cluster = _entry(config, "cluster", cluster_name)
    user = _entry(config, "user", _text(context, "user")) if context.get("user") else {}
    if user.get("exec"):
        raise ConfigError("the stand-in takes no credentials from programs (users[].user.exec)")
    return Connection(
        server=_text(cluster, "server").rstrip("/"),
        namespace=choice.namespace or _text(context, "namespace") or "default",
        authority=_file(cluster, "certificate-authority", folder),
        certificate=_file(user, "client-certificate", folder),
        key=_file(user, "client-key", folder),
        token=_token(user, folder),
        insecure=cluster.get("insecure-skip-tls-verify") is True,
        server_name=_text(cluster, "tls-server-name"),
    )


def server_of(choice: Choice, environment: Mapping[str, str]) -> str:
    """The cluster's address; empty where none can be made out."""
    try:
        return connection(choice, environment).server
    except ConfigError:
        return ""


def _load(given: str, environment: Mapping[str, str]) -> tuple[dict[str, Any], Path]:
    if given and ("\n" in given or given.lstrip().startswith(("{", "apiVersion"))):
        return _parse(given, "the kubeconfig"), Path.cwd()
    named = given or environment.get("KUBECONFIG", "")
    home = Path(environment.get("HOME", "/root"))
    files = [Path(name).expanduser() for name in named.split(":") if name] or [home / ".kube" / "config"]
    merged: dict[str, Any] = {}
    for file in files:
        if file.exists():
            merged = _merge(merged, _parse(file.read_text(), str(file)))
        elif given:
            raise ConfigError(f"{file}: no such file")
    return merged, files[0].parent


def _parse(text: str, what: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{what} is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{what} holds no configuration")
    return found


def _merge(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The first file that says something wins."""
    lists = {name: [*(first.get(name) or []), *(second.get(name) or [])] for name in _LISTS}
    return {**second, **{k: v for k, v in first.items() if v}, **lists}


_LISTS = ("clusters", "contexts", "users")


def _entry(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    for item in config.get(f"{kind}s") or []:
        if isinstance(item, dict) and item.get("name") == name:
            found = item.get(kind)
            return found if isinstance(found, dict) else {}
    raise ConfigError(f'{kind} "{name}" does not exist')


def _text(values: dict[str, Any], name: str) -> str:
    found = values.get(name)
    return found if isinstance(found, str) else ""


def _file(values: dict[str, Any], name: str, folder: Path) -> bytes | None:
    data, path = _text(values, f"{name}-data"), _text(values, name)
    if data:
        return base64.b64decode(data)
    if not path:
        return None
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{name} {folder / path}: {os.strerror(error.errno or 0)}") from error


def _token(user: dict[str, Any], folder: Path) -> str:
    token, path = _text(user, "token"), _text(user, "tokenFile")
    return token or ((folder / path).read_text().strip() if path else "")
