"""Settings come from the environment, wrong ones are named together, and the record keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.addresses import Link
from lab.errors import LabError
from lab.settings import Record, Settings


def test_defaults() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings().zone(1) == Settings().zone(6)


def test_zones_are_given_in_turn() -> None:
    settings = Settings.from_environment({"LAB_ZONES": "a-b1-c, a-b1-d", "LAB_NODES": "3"})
    assert [settings.zone(n) for n in (1, 2, 3)] == ["a-b1-c", "a-b1-d", "a-b1-c"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(LabError, match=r"LAB_NODES=zero .*; LAB_NODE_GRACE=1 "):
        Settings.from_environment({"LAB_NODES": "zero", "LAB_NODE_GRACE": "1"})


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record(Settings(nodes=2, zones=("x", "y")), Link("169.254.1.1", "169.254.1.2"), "boot")
    record.write(tmp_path / "lab.json")
    assert Record.read(tmp_path / "lab.json") == record
    assert Record.read(tmp_path / "none.json") is None


def test_a_broken_record_says_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text("{}")
    with pytest.raises(LabError, match="make down"):
        Record.read(tmp_path / "lab.json")
