"""DDL that is done in part, or too late: names stay, and no column is narrowed."""

from __future__ import annotations

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import marked, put_all

from twinrow.clock import Stop
from twinrow.errors import LeaseLost, Transient
from twinrow.mysql import Connection
from twinrow.schema.evolve import WidenColumn, evolve
from twinrow.sink import ddl
from twinrow.state import lease


def test_a_column_added_beside_a_widening_that_must_wait_keeps_its_name(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n, visits={"N": "1"}) for n in range(5)])
    copying.once_well()
    run = ddl._run

    def run_adds(connection: Connection, sql: str) -> None:
        if "MODIFY" in sql:
            raise Transient("an analyst reads the table")
        run(connection, sql)

    with monkeypatch.context() as patch:
        patch.setattr(ddl, "_run", run_adds)
        put_all(copying.client, copying.table, [marked(1, visits={"N": "0.5"}, seen={"S": "first"})])
        copying.once_well()
    assert copying.rows("seen", "seen IS NOT NULL") == [("first",)]
    put_all(copying.client, copying.table, [marked(2, visits={"N": "0.25"}, seen={"S": "second"})])
    copying.once_well()
    assert set(copying.rows("seen", "seen IS NOT NULL")) == {("first",), ("second",)}
    columns = [row[0] for row in copying.database.query(f"SHOW COLUMNS FROM `{copying.table}`")]
    assert [name for name in columns if name.startswith("seen")] == ["seen"]
    copying.assert_equal(items=5)


def test_a_process_that_lost_its_lease_alters_nothing(make_copying: MakeCopying) -> None:
    """Paused before its ALTER, it would narrow the column that its successor has widened."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n, visits={"N": "1"}) for n in range(5)])
    copying.once_well()
    (sleeper,), mysql = copying.copies(Stop())
    session = mysql.connect()
    won = lease.acquire(session, copying.table, "sleeper", 0.001)
    assert won is not None
    sleeper.hold(won, 0.0)
    sleeper.load_schema()
    wanted = evolve(sleeper.schema, [{**copying.items()[0], "visits": {"N": "9" * 30}}])
    (step,) = wanted.steps
    assert isinstance(step, WidenColumn)
    put_all(copying.client, copying.table, [marked(1, visits={"N": "0.123456789012"})])
    copying.once_well()
    with pytest.raises(LeaseLost):
        sleeper.change_schema(wanted)
    sleeper.close()
    session.close()
    copying.assert_equal(items=5)
    assert str(copying.rows("visits", "visits < 1")[0][0]).startswith("0.123456789012")
