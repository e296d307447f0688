"""Rounds of several variants in turn, and their ratios to the first as a table. Pure but for the calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

Rates = Mapping[str, float]


def in_turn(rounds: int, variants: Mapping[str, Callable[[], Rates]]) -> dict[str, dict[str, float]]:
    """The median rate of each operation by variant. In turn, forth and back, so that neither what else the
    machine does nor what one leaves behind meets always the same."""
    seen: dict[str, list[Rates]] = {name: [] for name in variants}
    for number in range(rounds):
        for name in list(variants)[:: -1 if number % 2 else 1]:
            seen[name].append(variants[name]())
    return {name: {what: median(r[what] for r in found) for what in found[0]} for name, found in seen.items()}


def lines(unit: str, scale: float, found: Mapping[str, Rates]) -> Sequence[str]:
    """A Markdown table: the first variant's rates in `unit`, then each other's ratio to it."""
    first, *others = found
    rows = [
        f"| {unit} | {first} | " + " | ".join(f"{name} : {first}" for name in others) + " |",
        "|---" * (2 + len(others)) + "|",
    ]
    for what, rate in found[first].items():
        ratios = [f"{found[name][what] / rate:.2f}" for name in others]
        rows.append(f"| {what} | {rate / scale:,.0f} | " + " | ".join(ratios) + " |")
    return rows


def plain(title: str, found: Mapping[str, Rates]) -> Sequence[str]:
    """A Markdown table of the values themselves."""
    rows = [f"| {title} | {' | '.join(found)} |", "|---" * (1 + len(found)) + "|"]
    for what in next(iter(found.values())):
        rows.append(f"| {what} | " + " | ".join(f"{rates[what]:.2f}" for rates in found.values()) + " |")
    return rows
