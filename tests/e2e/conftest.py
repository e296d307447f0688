"""One lab of its own for the whole run, and one stack in it that the tests move through its life.

The tests of a file run in order and lean on the one before: a cluster that has grown is what is
shrunk. Each names the state it starts from and fails at once if that is not so.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from lab.cluster import Lab
from tests.e2e.bench import ROOT, Stack, new_stack


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    state = Path(os.environ.get("LAB_STATE_E2E") or tmp_path_factory.mktemp("lab"))
    lab = Lab(state)
    try:
        lab.up(lambda line: print(line, file=sys.stderr, flush=True))
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="session")
def empty_objects(lab: Lab) -> str:
    """What the cluster holds before the stack is brought up."""
    return Stack(lab, ROOT).objects()


@pytest.fixture(scope="session")
def stack(lab: Lab, empty_objects: str, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return new_stack(lab, tmp_path_factory.mktemp("project"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure says how the cluster was, for it is gone when somebody reads of it."""
    report = yield
    stack = item.funcargs.get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("the cluster", stack.as_it_is()))
    return report
