"""Waiting for the API to show something, until a time is up or everything is cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from lab.standins.pulumi_kubernetes.api import ApiError, Cancelled, Unreachable
from lab.standins.pulumi_kubernetes.readiness import Progress
from lab.standins.pulumi_plugin.engine import Messages

FIRST_STEP: Final = 0.05
LAST_STEP: Final = 1.0
"""Seconds between two looks: they grow, because a drain takes hours."""

TIMED_OUT: Final = "timed out waiting for the condition"
CANCELLED: Final = "context canceled"


class WaitFailed(Exception):
    """Time is up, or the person pressed Ctrl-C."""

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reasons = reasons


def wait(
    look: Callable[[], Progress], seconds: float, cancelled: threading.Event, messages: Messages
) -> None:
    """Returns once `look` says done. Raises WaitFailed.

    An API server that is away for a while is waited for like anything else.
    """
    deadline = time.monotonic() + seconds
    step, progress = FIRST_STEP, Progress(False)
    while True:
        progress = _look(look, progress)
        if progress.done:
            return
        messages.status(progress.message)
        if cancelled.wait(min(step, max(0.0, deadline - time.monotonic()))):
            raise WaitFailed(CANCELLED, progress.reasons)
        if time.monotonic() >= deadline:
            if _look(look, progress).done:
                return
            raise WaitFailed(TIMED_OUT, progress.reasons)
        step = min(LAST_STEP, step * 1.3)


def _look(look: Callable[[], Progress], last: Progress) -> Progress:
    try:
        return look()
    except Cancelled as error:
        raise WaitFailed(CANCELLED, last.reasons) from error
    except Unreachable as error:
        return Progress(False, f"the API server does not answer: {error}", last.reasons)
    except ApiError as error:
        return Progress(False, str(error), last.reasons)
