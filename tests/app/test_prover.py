"""`verify_every`: a running sync proves its tables by itself."""

from __future__ import annotations

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import marked, put_all
from tests.fixtures.statuses import table_status
from tests.fixtures.waiting import wait_until

from twinrow.app.observe.status import TableStatus, collect
from twinrow.app.prover import due
from twinrow.config import parse
from twinrow.mysql import MySQL

WAIT_S = 200.0


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (table_status(verified=None), True),
        (table_status(verified={"at": 100.0}), False),
        (table_status(verified={"at": 40.0}), True),
        (table_status(verified={"at": 400.0}), True),
        (table_status(verified=None, running=False), False),
        (table_status(verified=None, phase="SNAPSHOT"), False),
        (table_status(verified=None, phase="BROKEN"), False),
        (table_status(verified=None, known=False), False),
    ],
)
def test_a_proof_is_due_when_the_last_is_old_or_from_a_time_to_come(status: TableStatus, expected: bool) -> None:
    assert due(status, 60.0, 110.0) is expected


@pytest.mark.either_server
def test_a_running_sync_proves_its_table_and_tells_what_differs(make_copying: MakeCopying) -> None:
    copying = make_copying(verify_every="7d")
    put_all(copying.client, copying.table, [marked(number) for number in range(3)])
    copying.once_well()
    copying.database.query(f"UPDATE `{copying.table}` SET text = 'changed by hand' LIMIT 1")

    def verified() -> TableStatus:
        config = parse(copying.text())
        session = MySQL(config.mysql).connect()
        try:
            return collect(session, config.chosen([])).tables[0]
        finally:
            session.close()

    process = copying.process(once=False)
    try:
        wait_until(lambda: verified().verified is not None, WAIT_S, what="a proof")
        wait_until(lambda: "3 items, 3 rows: 1 difference" in process.said(), what="its line", timeout_s=WAIT_S)
    finally:
        process.kill()
    found = verified().verified
    assert found is not None
    assert (found["items"], found["different"], found["in_step"]) == (3, 1, False)
