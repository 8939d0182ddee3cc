"""Whose fault a refusal is: halving, the verdict, and the first error told where the way back is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from twinrow.errors import TwinrowError
from twinrow.mysql import Connection, MySQLError
from twinrow.sink.alone import ALONE_MAX, Judged, Tried, in_halves, judge, undo

CHECK, DEFINER, SIGNAL = 3819, 1449, 1644


class _Transaction:
    """Takes savepoints; `gone`: the server has rolled the transaction back."""

    def __init__(self, *, gone: bool = False) -> None:
        self.statements: list[str] = []
        self.gone = gone

    def execute(self, sql: str, _args: Sequence[Any] = ()) -> int:
        self.statements.append(sql)
        if self.gone and sql.startswith("ROLLBACK TO"):
            raise MySQLError(1305, "SAVEPOINT twinrow_rows does not exist")
        return 0


def _tx(*, gone: bool = False) -> Connection:
    return cast("Connection", _Transaction(gone=gone))


def _refusing(*bad: int, code: int = CHECK) -> Callable[[Sequence[int]], int]:
    def run(part: Sequence[int]) -> int:
        if set(part) & set(bad):
            raise MySQLError(code, f"error {code}")
        return len(part)

    return run


def _tried(ones: Sequence[int], *bad: int, code: int = CHECK) -> Tried:
    tried = Tried()
    affected = in_halves(_tx(), ones, lambda one: b"%d" % one, _refusing(*bad, code=code), tried)
    assert affected == tried.passed
    return tried


def _verdict(tried: Tried, takes: bool | None, *, passed: int | None = None) -> Judged:
    return judge((tried,), tried.passed if passed is None else passed, "mysql", lambda: takes)


def test_halving_finds_the_rows_at_fault_and_takes_the_others() -> None:
    tried = _tried(range(100), 3, 4, 77)
    assert tried.passed == 97
    assert tried.refused.keys() == {b"3", b"4", b"77"}
    assert all(one.alone for one in tried.refused.values())
    assert _verdict(tried, takes=False).parked.keys() == tried.refused.keys(), "others passed: nothing else is asked"


def test_where_no_row_is_taken_not_all_are_tried_one_by_one() -> None:
    tried = _tried(range(2000), *range(2000), code=DEFINER)
    assert sum(one.alone for one in tried.refused.values()) == ALONE_MAX
    assert len(tried.refused) == 2000
    for takes in (True, False, None):
        with pytest.raises(MySQLError) as told:
            _verdict(tried, takes)
        assert told.value.code == DEFINER


@pytest.mark.parametrize(
    ("rows", "code", "takes", "verdict"),
    [
        (1, CHECK, True, "parked"),  # the server takes what it has: the row's own content
        (1, CHECK, None, "parked"),  # nothing stands that could be lost
        (1, SIGNAL, False, "waits"),  # a trigger refuses all: somebody has frozen the table
        (3, CHECK, True, "parked"),
        (3, CHECK, None, "waits"),  # all alike, and nothing to compare with
        (1, DEFINER, True, "put off"),  # not understood: nothing is removed
        (1, DEFINER, False, "waits"),
        (1, DEFINER, None, "waits"),
        (3, DEFINER, True, "put off"),
    ],
)
def test_a_batch_of_which_no_row_is_taken(rows: int, code: int, takes: bool | None, verdict: str) -> None:
    tried = _tried(range(rows), *range(rows), code=code)
    if verdict == "waits":
        with pytest.raises(MySQLError):
            _verdict(tried, takes)
        return
    judged = _verdict(tried, takes)
    assert (len(judged.parked), len(judged.put_off)) == ((rows, 0) if verdict == "parked" else (0, rows))


def test_what_is_not_understood_is_put_off_while_others_are_taken() -> None:
    tried = _tried(range(10), 5, code=DEFINER)
    assert _verdict(tried, takes=True).put_off.keys() == {b"5"}
    # no row that stands was taken, new ones were: the table goes on, and no row that stands is removed
    frozen = _tried(range(10), *range(10), code=SIGNAL)
    judged = _verdict(frozen, takes=False, passed=3)
    assert not judged.parked
    assert len(judged.put_off) == 10


@pytest.mark.parametrize("takes", [False, None])
def test_a_retry_of_which_no_row_is_taken_is_put_off_unless_rights_are_gone(takes: bool | None) -> None:
    frozen = _tried(range(3), *range(3), code=SIGNAL)
    judged = judge((frozen,), 0, "mysql", lambda: takes, waits_apart=True)
    assert (len(judged.parked), len(judged.put_off)) == (0, 3)
    with pytest.raises(MySQLError):
        judge((_tried([1], 1, code=1142),), 0, "mysql", lambda: takes, waits_apart=True)


def test_the_first_error_is_told_where_the_savepoint_is_gone() -> None:
    first = MySQLError(CHECK, "the row")
    with pytest.raises(TwinrowError) as told:
        undo(_tx(gone=True), "twinrow_rows", first)
    assert told.value is first
    with pytest.raises(MySQLError, match="error 3819"):
        in_halves(_tx(gone=True), [1, 2], lambda one: b"%d" % one, _refusing(1), Tried())
