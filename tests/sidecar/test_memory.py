"""What one look cannot tell."""

from __future__ import annotations

from gluster_sidecar.memory import Lasting


def test_what_lasts_is_told_once_and_what_passes_is_not() -> None:
    told = Lasting(seconds=30)
    assert told.news(["a", "b"], 0) == []
    assert told.news(["a"], 29) == []
    assert told.news(["a", "b"], 30) == ["a"]
    assert told.news(["a", "b"], 59) == []
    assert told.news(["a", "b"], 60) == ["b"]


def test_what_was_mended_and_comes_back_is_told_again() -> None:
    told = Lasting(seconds=30)
    told.news(["a"], 0)
    assert told.news(["a"], 30) == ["a"]
    assert told.news([], 31) == []
    assert told.news(["a"], 32) == []
    assert told.news(["a"], 62) == ["a"]
