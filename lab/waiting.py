"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.errors import LabError

STEP = 0.1
"""Seconds between two looks."""


def wait_for(
    what: str, condition: Callable[[], bool], seconds: float, why_not: Callable[[], str] = lambda: ""
) -> None:
    """Returns once `condition` holds. Raises LabError after `seconds`, with what `why_not` says."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            reason = why_not()
            raise LabError(f"not within {seconds:.0f} s: {what}" + (f" ({reason})" if reason else ""))
        time.sleep(STEP)
