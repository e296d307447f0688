"""What holds for every test."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# How fast an example is depends on what else the machine does: no test fails for that.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

# What a shell began in its background ignores interrupts, and so would all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


class FileByFile(LoadScopeScheduling):  # type: ignore[misc]
    """A file's tests run in their order on one worker, and all of e2e on the one that has the lab."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        return "tests/e2e" if file.startswith("tests/e2e/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileByFile | None:
    return FileByFile(config, log) if config.getoption("dist") == "loadfile" else None
