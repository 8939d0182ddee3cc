"""Memory changes after the commit and never before: a transaction on a MySQL that is played."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.fixtures.decisions import AT, LINK, settings_of

from twinrow.change import Change, Item
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import ConnectionLost, TransactionRetry, TwinrowError
from twinrow.mysql import Connection, MySQL
from twinrow.schema.row import fingerprint
from twinrow.schema.table import KeyAttribute, empty_schema
from twinrow.state.lease import Lease, Locked
from twinrow.table.context import TableContext, context_of
from twinrow.table.table import Table
from twinrow.table.tenure import Tenure
from twinrow.write.apply import apply
from twinrow.write.batch import Batch

KEYS = (KeyAttribute("k", "S"),)
ITEM: Item = {"k": {"S": "a"}}
KEY_HASH = fingerprint(KEYS, ITEM)
ROW_ID = 7
GENERATION = 4


class PlayedConnection:
    """One row stands in the table, and nothing in Twinrow's own tables."""

    flavour = "mysql"
    packet_bytes_max = 1_000_000
    local_infile = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    def query(self, sql: str, _args: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self.asked.append(sql)
        if "COUNT(" in sql:
            return [(1,)]
        return [(KEY_HASH, ROW_ID, None)] if "`t`" in sql else []

    def write(self, _sql: str) -> tuple[int, int]:
        return 2, 0

    def literal(self, value: object) -> str:
        return repr(value)

    def execute(self, _sql: str, _args: Sequence[Any] = ()) -> int:
        return 1

    def now(self) -> float:
        return AT


class PlayedTenure(Tenure):
    """A lease that is held; the commit ends with an error where `fails` is one."""

    fails: TwinrowError | None = None

    played = PlayedConnection()

    def open_writer(self) -> Connection:
        return cast(Connection, self.played)

    @contextmanager
    def row_transaction(self, schema_version: int) -> Iterator[tuple[Connection, Locked]]:
        yield self.open_writer(), Locked(GENERATION, schema_version, 1)
        if self.fails is not None:
            raise self.fails


def played(fails: TwinrowError | None) -> TableContext:
    stop = Stop()
    stop.set()  # a transaction that is to be run again is not
    context = context_of(Table(settings_of("stream"), cast(DynamoDB, None), cast(MySQL, None), stop))
    tenure = PlayedTenure("t", cast(MySQL, None))
    tenure.played = PlayedConnection()
    tenure.hold(Lease("t", 1, "here", 10.0, taken_over=False), 0.0)
    tenure.fails = fails
    context.live.take(empty_schema("t", "t", KEYS, frozenset({LINK}), (), False))
    return replace(context, tenure=tenure)


@pytest.mark.parametrize(
    ("fails", "remembers", "generation"),
    [
        (None, True, GENERATION),
        (TransactionRetry("the commit was refused"), False, 0),
        (ConnectionLost("nobody knows whether it committed"), True, 0),
    ],
    ids=["committed", "rolled back", "unknown"],
)
def test_the_id_of_a_deleted_row_is_remembered_once_its_delete_may_be_committed(
    fails: TwinrowError | None, remembers: bool, generation: int
) -> None:
    context = played(fails)
    with suppress(TransactionRetry, ConnectionLost):
        apply(context, Batch([Change("DELETE", "STREAM", ITEM)]))
    assert context.ids.was_ours(KEY_HASH, ROW_ID) is remembers
    assert context.tenure.generation == generation
    counted = context.counters.now().applied
    assert counted == ({("DELETE", "STREAM"): 1} if fails is None else {})
    assert context.state.sets_apart is (False if fails is None else None)


def test_an_ordinary_change_costs_few_questions() -> None:
    """No id is odd, nothing is parked, put off or set apart: each more would be a round trip for every batch."""
    context = played(None)
    item = {**ITEM, LINK: {"N": str(ROW_ID)}}
    for first in (True, False):
        session = cast(PlayedTenure, context.tenure).played
        session.asked.clear()
        applied = apply(context, Batch([Change("PUT", "STREAM", ITEM, item)]))
        assert (applied.written.updated, applied.debts) == (1, [])
        tables = [sql.partition(" FROM ")[2].split()[0] for sql in session.asked]
        rows_there_and_proved = ["`t`", "`t`"]
        asked_once = ["_twinrow_set_apart"] if first else []
        assert sorted(tables) == sorted([*rows_there_and_proved, "_twinrow_dead_letter", "_twinrow_link", *asked_once])
