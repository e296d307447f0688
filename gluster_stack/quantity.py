"""Kubernetes' amounts of things as numbers. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_FORM: Final = re.compile(r"([+-]?\d{1,18}(?:\.\d{1,9})?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?", re.ASCII)
_UNITS: Final[dict[str | None, Decimal]] = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate(("K", "M", "G", "T", "P", "E"), 1)},
}


def quantity(text: str) -> Decimal | None:
    """None for a text that is no amount.

    >>> quantity("500m") < quantity("1") < quantity("1Ki")
    True
    """
    found = _FORM.fullmatch(text)
    return Decimal(found[1]) * _UNITS[found[2]] if found else None
