"""The record of what is published, as other versions and accidents leave it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gluster_sidecar.csi.record import Record
from gluster_sidecar.csi.request import Use

USE = Use("v", "data", "team/a", options=("acl",), group=7)
PLAIN: dict[str, Any] = {"volume_id": "v", "volume": "data"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "published.json"


def test_a_new_holder_reads_what_the_old_one_wrote(file: Path) -> None:
    record = Record(file)
    record.put("/a", USE)
    record.put("/b", Use("w", "data"))
    record.drop("/b")
    assert Record(file).all() == {"/a": USE}
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_no_file_is_an_empty_record(file: Path) -> None:
    assert Record(file).all() == {}


def test_a_field_of_a_newer_version_is_ignored(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text(json.dumps({"/a": {**USE.to_json(), "color": "green"}, "/b": PLAIN}))
    assert Record(file).all() == {"/a": USE, "/b": Use("v", "data")}
    assert "not known of /a: color" in caplog.text


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "text",
        ["list"],
        {},
        {"volume_id": "v"},
        {**PLAIN, "volume": 7},
        {**PLAIN, "volume": "../data"},
        {**PLAIN, "directory": "a/../../etc"},
        {**PLAIN, "directory": ["a"]},
        {**PLAIN, "read_only": "no"},
        {**PLAIN, "group": "staff"},
        {**PLAIN, "group": True},
        {**PLAIN, "options": "acl"},
        {**PLAIN, "options": [["acl"]]},
        {**PLAIN, "options": ["volfile-server=evil"]},
    ],
)
def test_an_entry_that_does_not_parse_is_set_aside_and_the_others_go_on(
    file: Path, odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(json.dumps({"/odd": odd, "/a": USE.to_json()}))
    record = Record(file)
    assert record.all() == {"/a": USE}
    assert record.get("/odd") is None
    assert "/odd" in caplog.text
    record.put("/b", USE)
    assert json.loads(file.read_text())["/odd"] == odd, "a version that can read it finds it"
    record.drop("/odd")
    assert set(json.loads(file.read_text())) == {"/a", "/b"}


def test_an_entry_set_aside_is_replaced_by_the_kubelets_next_call(file: Path) -> None:
    file.write_text(json.dumps({"/odd": 7}))
    record = Record(file)
    assert record.aside() == ["/odd"]
    record.put("/odd", USE)
    assert record.aside() == []
    assert Record(file).all() == {"/odd": USE}


@pytest.mark.parametrize("text", [b"nonsense", b'{"/a": {"volume_id"', b"[]", b'"text"', b"\xff\xfe", b""])
def test_a_file_that_does_not_parse_is_set_aside(
    file: Path, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_bytes(text)
    record = Record(file)
    assert record.all() == {}
    assert str(file) in caplog.text
    record.put("/a", USE)
    assert Record(file).all() == {"/a": USE}
    assert file.with_suffix(".unreadable").read_bytes() == text
