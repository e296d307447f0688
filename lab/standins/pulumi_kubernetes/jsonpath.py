"""Conditions of `pulumi.com/waitFor`: `jsonpath={.data.x}=value` or `jsonpath={.data.x}`. Pure.

The syntax is strict, as the real provider's: braces, no shell quotes, a leading dot. Of RFC 9535 it
knows names, indices, wildcards, and filters that compare one member with a literal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

PREFIX: Final = "jsonpath="
_STEP: Final = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*|\*)
      | \[\s*(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*\]
      | \[\s*(?P<index>-?\d+)\s*\]
      | \[\s*(?P<all>\*)\s*\]
      | \[\s*\?\s*\(?\s*@(?P<member>[^=!<>]*?)\s*
        (?:(?P<operator>==|!=)\s*(?P<literal>'[^']*'|"[^"]*"|[\w.+-]+)\s*)?\)?\s*\]""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Filter:
    member: tuple[Step, ...]
    operator: str
    literal: Any


Step = str | int | _Filter
_ALL: Final = "*"


@dataclass(frozen=True)
class Found:
    matched: bool
    message: str


@dataclass(frozen=True)
class Condition:
    path: str
    """As written, with its braces."""
    value: str
    """Empty where existence is enough."""
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.path}={self.value}" if self.value else self.path

    def look(self, obj: Any) -> Found:
        """Raises ValueError where a map or list is to be compared with a value."""
        found = next(_select(obj, self.steps), _MISSING)
        if found is _MISSING:
            return Found(False, f"{self.path} selected nothing")
        if isinstance(found, dict | list):
            if self.value:
                raise ValueError(f"{json.dumps(self.path)} has a non-primitive value ({found})")
            return Found(True, f"Found {self}")
        text = _as_text(found)
        if not self.value or self.value == text:
            return Found(True, f"Found {self}")
        return Found(False, f"Waiting for {self} (found {json.dumps(text)})")


class _Missing:
    pass


_MISSING: Final = _Missing()


def _as_text(value: Any) -> str:
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse(text: str) -> Condition:
    """Raises ValueError with the way out."""
    if not text.startswith(PREFIX):
        raise ValueError(f"JSONPath expression must begin with a '{PREFIX}' prefix")
    raw = text.removeprefix(PREFIX)
    path, equals, value = _split(raw)
    if equals and not value:
        raise ValueError(f"{path}= requires a value")
    if "=" in value:
        raise ValueError(f"format should be {{.path}}=value or {{.path}}, got {json.dumps(raw)}")
    if path.startswith("'") and path.endswith("'"):
        raise ValueError(f"{path} should omit shell quotes")
    if not (path.startswith("{") and path.endswith("}")):
        raise ValueError(f"{path} should be wrapped in brackets {{ ... }}")
    return Condition(path, value, _steps(path[1:-1].strip().removeprefix("$"), path))


def _split(raw: str) -> tuple[str, str, str]:
    """At the first `=` outside braces and quotes."""
    depth, quote = 0, ""
    for at, letter in enumerate(raw):
        if quote:
            quote = "" if letter == quote else quote
        elif depth and letter in "'\"":
            quote = letter
        elif letter in "{}":
            depth += 1 if letter == "{" else -1
        elif letter == "=" and not depth:
            return raw[:at], "=", raw[at + 1 :]
    return raw, "", ""


def _steps(text: str, whole: str) -> tuple[Step, ...]:
    steps, at = list[Step](), 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"parsing {json.dumps(whole)}: unexpected {text[at:]!r}")
        steps.append(_step(found, whole))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str], whole: str) -> Step:
    if found["quoted"]:
        return re.sub(r"\\(.)", r"\1", found["quoted"][1:-1])
    if found["index"]:
        return int(found["index"])
    if found["member"] is not None:
        member = _steps(found["member"].strip(), whole)
        return _Filter(member, found["operator"] or "", _literal(found["literal"]))
    return found["name"] or _ALL


def _literal(text: str | None) -> Any:
    if text is None:
        return None
    if text[0] in "'\"":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _select(value: Any, steps: tuple[Step, ...]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    for below in _children(value, steps[0]):
        yield from _select(below, steps[1:])


def _children(value: Any, step: Step) -> Iterator[Any]:
    members = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if isinstance(step, _Filter):
        yield from (member for member in members if _passes(member, step))
    elif isinstance(step, int):
        if isinstance(value, list) and -len(value) <= step < len(value):
            yield value[step]
    elif step == _ALL:
        yield from members
    elif isinstance(value, dict) and step in value:
        yield value[step]


def _passes(member: Any, filter_: _Filter) -> bool:
    found = next(_select(member, filter_.member), _MISSING)
    if not filter_.operator:
        return found is not _MISSING
    return bool(found == filter_.literal) is (filter_.operator == "==")
