"""The table of the original's mistakes names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests import mutations

TESTS = Path(__file__).parents[1]
ROWS = [line for line in (TESTS / "MISTAKES.md").read_text().splitlines() if line.startswith("| ")]


def functions(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_table_names_exists() -> None:
    named = [match for row in ROWS for match in re.findall(r"`([\w/]+\.py)::(\w+)`", row)]
    assert len(named) > 45
    assert [f"{file}::{name}" for file, name in named if name not in functions(file)] == []


def test_every_mistake_has_its_row_with_a_test_or_says_what_is_missing() -> None:
    numbered = [int(match[1]) for row in ROWS if (match := re.match(r"\| (\d+) \|", row))]
    assert numbered == list(range(1, 29))
    rows = [row for row in ROWS if not row.startswith(("| # |", "| scenario |"))]
    assert [row for row in rows if "::" not in row and "missing:" not in row] == []


def test_each_mistake_is_put_into_the_code_by_make_mutants() -> None:
    firsts = {m[1]: m[2] for row in ROWS if (m := re.match(r"\| (\d+) \|[^`]*`([\w/]+\.py::\w+)`", row))}
    assert {one.row: one.test for one in mutations.MISTAKES} == firsts


def test_what_the_mutants_change_stands_in_the_code() -> None:
    for one in (*mutations.MISTAKES, *mutations.LAWS, *mutations.CLIENTS):
        assert isinstance(mutations.file_of(one, mutations.ROOT), Path), one.row
