"""Any place can run a table's work: this one gives turns from a single caller."""

from __future__ import annotations

import threading

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import marked, put_all
from tests.workers.toy import copy_all

from twinrow.clock import Stop


@pytest.mark.either_server
def test_two_tables_are_copied_by_turns_of_one_caller(make_copying: MakeCopying) -> None:
    copying, other = make_copying(), make_copying()
    copying.tables |= other.tables
    for table in copying.tables:
        put_all(copying.client, table, [marked(number) for number in range(30)])
    contexts, mysql = copying.copies(Stop())
    place = copy_all(contexts, mysql)
    for table in copying.tables:
        copying.assert_equal(table, items=30)
        assert place.given.count(table) > 1, "a turn ends when its time is over, not when the table is copied"
    assert not any(thread.name.startswith("table-") for thread in threading.enumerate())
