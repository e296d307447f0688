"""Calls that wait for a volume that hangs leave workers for the others."""

from __future__ import annotations

from contextlib import ExitStack

from gluster_sidecar.csi.patience import SHORT_SECONDS, WAITERS, WORKERS, Patience

LONG = 10 * SHORT_SECONDS


def test_a_call_waits_long_while_there_are_workers_to_spare() -> None:
    assert WAITERS < WORKERS
    patience = Patience(2)
    with ExitStack() as waiting:
        assert waiting.enter_context(patience.lend(LONG, hangs=False)) == LONG
        with patience.lend(LONG, hangs=False) as seconds:
            assert seconds == LONG
            assert waiting.enter_context(patience.lend(LONG, hangs=False)) == SHORT_SECONDS
        assert waiting.enter_context(patience.lend(LONG, hangs=False)) == LONG


def test_what_is_known_to_hang_is_hardly_waited_for_and_takes_no_place() -> None:
    patience = Patience(1)
    with patience.lend(LONG, hangs=True) as short, patience.lend(LONG, hangs=False) as long:
        assert (short, long) == (SHORT_SECONDS, LONG)
    with patience.lend(SHORT_SECONDS / 2, hangs=True) as seconds:
        assert seconds == SHORT_SECONDS / 2
