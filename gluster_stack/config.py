"""The only reader of the stack's configuration.

Everything that is wrong is reported together, one line each, before anything is declared: key,
value, what is wrong with it, and the command that mends it.
"""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import pulumi
from pulumi.runtime import config as runtime_config

from gluster_stack.args import GlusterClusterArgs
from gluster_stack.checks import EXAMPLES, Problem, default, problems, shown

CONTEXT_KEY: Final = "kubeContext"
_GOOGLE: Final = ("project", "zone")
"""Fields that are read from the keys of Pulumi's provider for Google, which people set anyway."""


@dataclass(frozen=True, slots=True)
class StackConfig:
    """All that the program is told from outside."""

    cluster: GlusterClusterArgs
    kube_context: str | None
    """Context of the kubeconfig; None for the current one."""

    @staticmethod
    def load() -> StackConfig:
        """Raises RunError, which Pulumi prints without a traceback, with one line for each bad key."""
        own = pulumi.Config()
        wrong: dict[str, str] = {}
        values: dict[str, Any] = {}
        for item in fields(GlusterClusterArgs):
            text = _text(item.name, own)
            if text is None:
                continue
            try:
                values[item.name] = _parse(text, default(item.name))
            except ValueError as error:
                wrong[item.name] = _line(_key(item.name, own), text, str(error), default(item.name))
        if "zone" not in values and (zones := values.get("zones")):
            values["zone"] = zones[0]  # not looked at
        for name in _GOOGLE:
            if name not in values:
                wrong[name] = _line(_key(name, own), None, "must be set", EXAMPLES[name])
        args = GlusterClusterArgs(**{**EXAMPLES, **values})
        for problem in problems(args):
            if problem.field == "zone" and values.get("zones"):
                continue
            wrong.setdefault(problem.field, line(problem))
        lines = [wrong[item.name] for item in fields(GlusterClusterArgs) if item.name in wrong]
        lines += _unknown(own)
        if lines:
            raise pulumi.RunError("\n".join(["the configuration cannot be used:", *lines]))
        return StackConfig(args, own.get(CONTEXT_KEY) or None)


def camel_case(name: str) -> str:
    """
    >>> camel_case("disk_size_gb")
    'diskSizeGb'
    """
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def keys() -> dict[str, Any]:
    """All keys of ours with their defaults, as Pulumi.yaml must declare them."""
    found = {camel_case(f.name): default(f.name) for f in fields(GlusterClusterArgs) if f.name not in _GOOGLE}
    return {**found, CONTEXT_KEY: ""}


def _key(name: str, own: pulumi.Config) -> str:
    return f"gcp:{name}" if name in _GOOGLE else f"{own.name}:{camel_case(name)}"


def _text(name: str, own: pulumi.Config) -> str | None:
    source = pulumi.Config("gcp") if name in _GOOGLE else own
    return source.get(name if name in _GOOGLE else camel_case(name))


def _parse(text: str, like: object) -> Any:
    """The value in the type of its default. Raises ValueError with what it must be."""
    if isinstance(like, bool):
        if text not in ("true", "false"):
            raise ValueError("must be true or false")
        return text == "true"
    if isinstance(like, int):
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise ValueError("must be a whole number")
        return int(text)
    if isinstance(like, Mapping | tuple):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(
                f"must be {'a list' if isinstance(like, tuple) else 'an object of texts'}"
            ) from None
        return tuple(found) if isinstance(found, list) and isinstance(like, tuple) else found
    return text


def line(problem: Problem) -> str:
    """What is wrong with a setting of the stack's, and the command that mends it."""
    return _line(_key(problem.field, pulumi.Config()), problem.value, problem.why, problem.mend)


def _line(key: str, value: object, why: str, mend: object) -> str:
    short = key.split(":")[1] if not key.startswith("gcp:") else key
    if isinstance(mend, Mapping):
        command = f"pulumi config set --path {shlex.quote(short + '.KEY')} VALUE"
    elif isinstance(mend, Sequence) and not isinstance(mend, str):
        command = f"pulumi config set --path {shlex.quote(short + '[0]')} VALUE"
    else:
        text = str(mend).lower() if isinstance(mend, bool) else str(mend)
        command = f"pulumi config set {short} {shlex.quote(text)}"
    said = "is not set:" if value is None else f"is {_hidden(key) or shown(value)}:"
    return f"{key} {said} {why}; mend it with `{command}`"


def _hidden(key: str) -> str:
    """A word instead of a value that is kept encrypted."""
    secret = runtime_config.is_config_secret(key) or key in runtime_config.get_config_secret_keys_env()
    return "[secret]" if secret else ""


def _unknown(own: pulumi.Config) -> list[str]:
    given = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    known = list(keys())
    lines = []
    for full in sorted(given):
        name = full.removeprefix(f"{own.name}:")
        if name == full or name in known:
            continue
        near = difflib.get_close_matches(name, known, 1)
        meant = f", {near[0]} may be meant" if near else ""
        value = _hidden(full) or shown(given[full])
        command = f"pulumi config rm {shlex.quote(name)}"
        lines.append(f"{full} is {value}: there is no such setting{meant}; mend it with `{command}`")
    return lines
