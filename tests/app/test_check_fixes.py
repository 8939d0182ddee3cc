"""`check --fix` says how long it waits and ends; it builds nothing of what `check` calls invalid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.command_line import InProcess, config_text
from tests.fixtures.copying import marked, put_all
from tests.fixtures.databases import Database

from twinrow import clock
from twinrow.app.check import fixes as check_fixes
from twinrow.clock import Stop
from twinrow.errors import TwinrowError
from twinrow.kinds.pending_index.index import wait_for_index
from twinrow.local_servers.servers import DynamoDBLocal

pytestmark = pytest.mark.either_server
"""Fixes change tables of DynamoDB."""


class _Clock:
    """Every look at DynamoDB takes so long."""

    def __init__(self, step_s: float) -> None:
        self.now, self.step_s = 0.0, step_s

    def monotonic(self) -> float:
        self.now += self.step_s
        return self.now


def test_waiting_for_an_index_says_how_long_and_ends(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (context,), _ = make_copying().copies(Stop())
    told = context.table.describe()
    building = replace(told, indexes=(replace(told.indexes[0], status="CREATING"),))
    monkeypatch.setattr(context.table.dynamodb, "describe", lambda _table: building)
    monkeypatch.setattr(clock, "monotonic", _Clock(100.0).monotonic)
    monkeypatch.setattr(check_fixes, "POLL_S", 0.001)
    fix = check_fixes.fix_of(context.table.dynamodb, told, wait_for_index(told.indexes[0].name))
    with pytest.raises(TwinrowError, match=r"not ready after 3. min .*CREATING.*goes on by itself"):
        fix.act(Stop())
    lines = capsys.readouterr().err.splitlines()
    assert "30 min at most" in lines[0]
    assert 10 <= len(lines) <= 25, "it says again how long it has waited, but not at each look"
    assert "after 1700 s" in lines[-2]


def test_an_index_on_a_key_attribute_is_not_built(
    tmp_path: Any, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database, make_table: MakeTable
) -> None:
    table = make_table()
    command = InProcess(tmp_path)
    pending = '[tables.pending_index]\nindex = "marks"\nattribute = "username"\n'
    command.write_config(
        config_text(dynamodb, database, f'[[tables]]\nname = "{table}"\ncapture = "pending-index"\n{pending}')
    )
    done = command.run("check", "--fix", "--yes")
    assert done.code == 1
    assert "the mark 'username' is a key attribute" in done.out
    assert "mend the settings first" in done.out
    assert "GlobalSecondaryIndexes" not in dynamodb_client.describe_table(TableName=table)["Table"]


def test_a_fix_that_fails_keeps_no_other_table_from_its_own(
    tmp_path: Any, dynamodb: DynamoDBLocal, dynamodb_client: Any, database: Database, make_table: MakeTable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first, second = make_table(), make_table()
    put_all(dynamodb_client, second, [marked(1)])
    part = (
        '[[tables]]\nname = "{}"\ncapture = "pending-index"\n[tables.pending_index]\nindex = "marks"\nattribute = "m"\n'
    )
    command = InProcess(tmp_path)
    command.write_config(config_text(dynamodb, database, part.format(first), part.format(second)))
    fix_of = check_fixes.fix_of

    def failing(dynamodb: Any, description: Any, *more: Any) -> Any:
        fix = fix_of(dynamodb, description, *more)
        if description.name != first:
            return fix

        def act(_stop: Stop) -> None:
            raise TwinrowError("no room for one more index", remedy="remove one")

        return replace(fix, act=act)

    monkeypatch.setattr(check_fixes, "fix_of", failing)
    done = command.run("check", "--fix", "--yes")
    assert done.code == 1
    assert f"NO  {first}: pending index: not done" in done.out
    assert "no room for one more index  → remove one" in done.out
    assert f"ok  {second}: pending index: done" in done.out
