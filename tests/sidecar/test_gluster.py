"""The gluster CLI by a program in its place: what it is asked, and what its answers become."""

from __future__ import annotations

from pathlib import Path

import pytest
from gluster_sidecar.errors import ActionError
from gluster_sidecar.gluster import Cli


def cli(folder: Path, script: str) -> Cli:
    program = folder / "gluster"
    program.write_text(f'#!/bin/sh\necho "$*" >> {folder}/asked\n{script}\n')
    program.chmod(0o755)
    return Cli(str(program))


def answer(code: int, why: str = "") -> str:
    words = f"<cliOutput><opRet>{code}</opRet><opErrno>0</opErrno><opErrstr>{why}</opErrstr></cliOutput>"
    return f"echo '<?xml version=\"1.0\"?>{words}'"


def test_no_command_asks_a_question_or_waits_for_ever(tmp_path: Path) -> None:
    """Mistake 12: the CLI of today asks before it makes two copies, and nobody answers."""
    cli(tmp_path, answer(0)).change("volume", "create", "data")
    assert (tmp_path / "asked").read_text().split() == [
        *("--mode=script", "--timeout=120", "--xml", "volume", "create", "data")
    ]


def test_a_refusal_is_an_error_in_glusters_own_words(tmp_path: Path) -> None:
    """Mistakes 9 and 10: refusals were swallowed by their text."""
    busy = "Another transaction is in progress for data. Please try again after some time."
    for script in (answer(-1, busy), answer(-1, busy) + "; exit 1", f"echo '{busy}' >&2; exit 1"):
        with pytest.raises(ActionError, match="Another transaction is in progress"):
            cli(tmp_path, script).change("volume", "start", "data")
    for known in ("volume data already exists", "Volume data does not exist", "is already part of a volume"):
        with pytest.raises(ActionError, match=known):
            cli(tmp_path, answer(-1, known)).change("volume", "create", "data")


def test_an_answer_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ActionError, match="no XML"):
        cli(tmp_path, "echo Error : Request timed out").ask("volume", "status", "data")


def test_a_cli_that_hangs_or_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ActionError, match="timed out"):
        cli(tmp_path, "exec sleep 600").ask("peer", "status", seconds=-9)
    with pytest.raises(ActionError, match="No such file"):
        Cli(str(tmp_path / "absent")).ask("peer", "status")
