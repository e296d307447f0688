"""Property paths of Pulumi's engine: `spec.ports[0].name`, `metadata.annotations["a.b/c"]`, `a[*]`."""

from __future__ import annotations

import re
from typing import Final

Path = tuple[str | int, ...]

_PART: Final = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\[(\*)\]|\.?([^.\[\]]+)')
ANY: Final = "*"


def parse_path(text: str) -> Path:
    """Raises ValueError for what is no path."""
    parts, at = list[str | int](), 0
    while at < len(text):
        found = _PART.match(text, at)
        if found is None:
            raise ValueError(f"{text!r} is no property path")
        quoted, index, star, name = found.groups()
        if quoted is not None:
            parts.append(quoted.replace('\\"', '"'))
        elif index is not None:
            parts.append(int(index))
        else:
            parts.append(star or name)
        at = found.end()
    return tuple(parts)


def format_path(path: Path) -> str:
    """The reverse of `parse_path`, as the engine writes it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.search(r'[."\[\]]', part):
            escaped = part.replace('"', '\\"')
            text += f'["{escaped}"]'
        else:
            text += f".{part}" if text else part
    return text


def contains(outer: Path, inner: Path) -> bool:
    """Whether `inner` is `outer` or lies beneath it."""
    return len(outer) <= len(inner) and all(a in (ANY, b) for a, b in zip(outer, inner, strict=False))
