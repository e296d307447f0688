"""Each profile of volume options against stock ones: the same pool, the same run, by turns."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gluster_sidecar.profiles import COMMON, PROFILES

from bench import fio, table
from bench.pool import CLIENT, Pool

FILES: Final = 400
SCRIPT: Final = Path(__file__).parent / "small_files.py"
STALENESS: Final = Path(__file__).parent / "staleness.py"
CHANGES: Final = 10
STOCK: Final = "stock"

_folders = (f"r{number}" for number in itertools.count())


def create(pool: Pool) -> list[str]:
    """A volume with stock options and one for each profile; their names."""
    volumes: dict[str, Mapping[str, str]] = {STOCK: {}}
    volumes |= {name: {**COMMON, **options} for name, options in PROFILES.items()}
    for name, options in volumes.items():
        pool.create(name, options)
    return list(volumes)


def small_files(pool: Pool, volume: str) -> dict[str, float]:
    return by_two_clients(pool, volume, SCRIPT, FILES)


def large_files(pool: Pool, volume: str) -> dict[str, float]:
    with pool.mounted(volume) as here:
        return fio.measure(pool.seen_from_here(here))


def seconds_until_seen(pool: Pool, volume: str) -> dict[str, float]:
    return by_two_clients(pool, volume, STALENESS, CHANGES)


def by_two_clients(pool: Pool, volume: str, script: Path, count: int) -> dict[str, float]:
    """What the script finds in a folder of its own, with clients that have seen nothing yet."""
    folder = next(_folders)
    with pool.mounted(volume, "here") as here, pool.mounted(volume, "there") as there:
        pool.inside(CLIENT, "mkdir", f"{here}/{folder}")
        return pool.files(script, f"{here}/{folder}", f"{there}/{folder}", str(count))


def compare(pool: Pool, volumes: list[str], rounds: int, say: Callable[[str], None]) -> None:
    for title, unit, scale, measure in (
        ("Small files (4 KiB), one process", "operations a second", 1.0, small_files),
        ("Large files", "MB/s", 1e6, large_files),
    ):
        found = table.in_turn(rounds, {v: functools.partial(measure, pool, v) for v in volumes})
        say("\n".join([f"{title}, median of {rounds} rounds:", *table.lines(unit, scale, found), ""]))
    late = {volume: seconds_until_seen(pool, volume) for volume in volumes}
    title = f"Seconds until another client sees a change, the longest of {CHANGES}:"
    say("\n".join([title, *table.plain("change", late), ""]))
