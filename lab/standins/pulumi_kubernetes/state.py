"""What the engine keeps of an object: as it lives, and beside it the inputs it was made from. Pure.

The form is the real provider's, so that one can take over the state of the other.
"""

from __future__ import annotations

from typing import Any, Final

from lab.standins.pulumi_kubernetes.objects import text_at
from lab.standins.pulumi_plugin.values import Object, Secret, conceal, reveal

INPUTS: Final = "__inputs"
API_VERSION: Final = "__initialApiVersion"
MANAGER: Final = "__fieldManager"


def checkpoint(inputs: Object, live: Object, like: Object, manager: str) -> Object:
    """`like` says what is secret: the inputs as the program gave them."""
    return {
        **hidden(live, like),
        INPUTS: hidden(inputs, like),
        API_VERSION: text_at(inputs, "apiVersion") or text_at(live, "apiVersion"),
        MANAGER: manager,
    }


def hidden(obj: Object, like: Object) -> Object:
    """With the secrets of `like`; the data of a Secret is one in any case."""
    if obj.get("kind") != "Secret":
        return conceal(obj, like)
    return {k: Secret(v) if k in ("data", "stringData") else v for k, v in obj.items()}


def parse_checkpoint(state: Object) -> tuple[Object, Object, str]:
    """Inputs, the live object, the field manager; without marks of secrecy."""
    plain: dict[str, Any] = reveal(state)
    inputs = plain.get(INPUTS)
    live = {name: value for name, value in plain.items() if not name.startswith("__")}
    return (inputs if isinstance(inputs, dict) else {}), live, text_at(plain, MANAGER)
