"""Leaving, as its user does it: what goes, what stays, and that a killed run goes on."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from typing import Any

import pytest
from tests.conftest import MakeCopying, MakeTable
from tests.fixtures.command_line import CommandLine, InProcess
from tests.fixtures.copying import Copying, key, marked, put_all, review
from tests.fixtures.databases import Database
from tests.fixtures.killing import lease_runs_out
from tests.fixtures.pseudo_terminal import PseudoTerminal

from twinrow.app.leaving.items import Pass
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import TwinrowError
from twinrow.state import made
from twinrow.sync import start
from twinrow.workers.held import held

ALL_OPTIONS = ("--marks", "--index", "--stream", "--pitr", "--drop-tables")


def tables_of(database: Database) -> set[str]:
    names = database.query("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
    return {str(name) for (name,) in names}


def described(copying: Copying) -> Any:
    return copying.client.describe_table(TableName=copying.table)["Table"]


def everything(copying: Copying) -> Any:
    """Both sides as they are."""
    rows = {
        name: sorted(map(repr, copying.database.query(f"SELECT * FROM `{name}`")))
        for name in tables_of(copying.database)
    }
    return sorted(map(json.dumps, copying.items())), described(copying), rows


@pytest.fixture
def noted(make_copying: MakeCopying, make_table: MakeTable) -> tuple[Copying, InProcess]:
    """A copy whose index was added by `check --fix`."""
    copying = make_copying()
    table = make_table()
    copying.tables = {table: copying.tables[copying.table]}
    put_all(copying.client, table, [marked(n) if n % 2 else review(n) for n in range(20)])
    copying.config_file()
    command = InProcess(copying.folder)
    fixed = command.run("check", "--fix", "--yes")
    assert fixed.code == 0, fixed.err
    return copying, command


def test_leaving_with_all_options_removes_every_trace_on_both_sides(noted: tuple[Copying, InProcess]) -> None:
    copying, command = noted
    copying.once_well()
    put_all(copying.client, copying.table, [marked(30), marked(31, mark={"S": "of the app"})])
    before = everything(copying)

    looked = command.run("uninstall", copying.table, *ALL_OPTIONS)
    assert looked.code == 0, looked.err
    assert "1 of them not copied yet" in looked.out
    assert everything(copying) == before, "a dry run has changed something"

    left = command.run("uninstall", copying.table, "--execute", "--yes", *ALL_OPTIONS)
    assert left.code == 0, left.err
    assert "taken off 22 items: 20 ids and 1 marks" in left.out
    assert tables_of(copying.database) == set()
    assert "GlobalSecondaryIndexes" not in described(copying)
    kept = {"of the app"}
    for item in copying.items():
        assert "mysql_id" not in item
        assert "migrated" not in item or item["migrated"]["S"] in kept
    assert len(copying.items()) == 22

    again = command.run("uninstall", copying.table, "--execute", "--yes", *ALL_OPTIONS)
    assert again.code == 0, again.err
    assert tables_of(copying.database) == set()


def test_without_options_ids_and_state_go_and_all_else_stays(noted: tuple[Copying, InProcess]) -> None:
    copying, command = noted
    copying.once_well()
    ours, app = copying.items()[0], copying.items()[1]
    put_all(
        copying.client,
        copying.table,
        [{**app, "mysql_id": {"N": "123456"}}, marked(40), {**review(41), "mysql_id": ours["mysql_id"]}],
    )

    left = command.run("uninstall", "--all", "--execute", "--yes")
    assert left.code == 0, left.err
    assert "2 ids stay" in left.out
    found = {json.dumps(key(item)): item for item in copying.items()}
    with_id = {one for one, item in found.items() if "mysql_id" in item}
    assert with_id == {json.dumps(key(one)) for one in (app, review(41))}, "another id than the row's has gone"
    assert found[json.dumps(key(marked(40)))]["migrated"] == {"S": "false"}
    assert described(copying)["GlobalSecondaryIndexes"]
    assert tables_of(copying.database) == {copying.table}


def test_an_index_that_was_there_before_stays(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(3)])
    copying.config_file()
    command = InProcess(copying.folder)
    assert command.run("check", "--fix", "--yes").code == 0
    copying.once_well()
    left = command.run("uninstall", copying.table, "--execute", "--yes", *ALL_OPTIONS)
    assert left.code == 0, left.err
    assert "not noted" in left.err
    assert described(copying)["GlobalSecondaryIndexes"]


@pytest.mark.either_server
def test_a_stream_goes_only_where_twinrow_has_turned_it_on(make_copying: MakeCopying, make_table: MakeTable) -> None:
    copying = make_copying()
    ours, others = make_table(), make_table(stream="KEYS_ONLY")
    copying.tables = {name: {"capture": "stream", "link": False} for name in (ours, others)}
    copying.config_file()
    command = InProcess(copying.folder)
    assert command.run("check", "--fix", "--yes").code == 0

    left = command.run("uninstall", "--all", "--execute", "--yes", "--stream")
    assert left.code == 0, left.err
    on = {
        name: copying.client.describe_table(TableName=name)["Table"].get("StreamSpecification", {}).get("StreamEnabled")
        for name in (ours, others)
    }
    assert not on[ours]
    assert on[others]


@pytest.mark.either_server
def test_a_table_that_a_sync_holds_is_refused(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(3)])
    copying.once_well()
    copying.config_file()
    (context,), mysql = copying.copies(Stop())
    with held(context, mysql):
        before = everything(copying)[0]
        refused = InProcess(copying.folder).run("uninstall", copying.table, "--execute", "--yes")
        assert refused.code == 2
        assert "is being copied by" in refused.err
        assert everything(copying)[0] == before
    assert "copies it now" not in InProcess(copying.folder).run("uninstall", copying.table).out


@pytest.mark.either_server
def test_a_link_write_of_a_killed_sync_is_waited_for(make_copying: MakeCopying) -> None:
    """It could arrive after the pass, and bring an id back."""
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(3)])
    copying.once_well()
    put_all(copying.client, copying.table, [marked(7)])
    code, _ = copying.process_once(environment={"TWINROW_FAIL_POINT": "after-link-signed:1"})
    assert code == -signal.SIGKILL
    lease_runs_out(copying)
    command = InProcess(copying.folder)
    refused = command.run("uninstall", copying.table, "--execute", "--yes")
    assert refused.code == 2
    assert "30 min" in refused.err

    copying.database.query("UPDATE _twinrow_heartbeat SET deadline = UTC_TIMESTAMP(6) - INTERVAL 1801 SECOND")
    assert command.run("uninstall", copying.table, "--execute", "--yes").code == 0
    assert not [item for item in copying.items() if "mysql_id" in item]


@pytest.mark.either_server
def test_killed_in_the_pass_it_goes_on_and_a_sync_in_between_makes_it_begin_anew(make_copying: MakeCopying) -> None:
    copying = make_copying(link=True, capture="scan")
    put_all(copying.client, copying.table, [{**key(review(n)), "n": {"N": str(n)}} for n in range(2_100)])
    copying.once_well()
    copying.config_file()
    process = CommandLine(copying.folder).start(
        "uninstall", copying.table, "--execute", "--yes", env={"TWINROW_FAIL_POINT": "after-leaving-page:1"}
    )
    process.communicate(timeout=90)
    assert process.returncode == -signal.SIGKILL
    lease_runs_out(copying)

    def scans() -> int:
        (context,), mysql = copying.copies(Stop())
        with held(context, mysql):
            context.live.load()
            run = Pass(
                context,
                start.keys_of(context.table.describe()),
                ids=True,
                marks=False,
                on_progress=lambda taken: context.table.stop.set(),
            )
            run._said_at = -1e9  # the first page is told of, and then it is stopped
            with pytest.raises(TwinrowError, match="stopped"):
                run.run()
        return context.table.dynamodb.requests["scan"]

    assert scans() == 1
    left = sum("mysql_id" in item for item in copying.items())
    assert left == 100, "the second run has not gone on where the first was killed"

    copying.once_well()
    again = CommandLine(copying.folder).run("uninstall", copying.table, "--execute", "--yes")
    assert again.code == 0, again.err
    assert "taken off 2,100 items: 2,100 ids" in again.out
    assert not [item for item in copying.items() if "mysql_id" in item]


@pytest.mark.either_server
def test_killed_as_the_state_is_dropped_it_is_dropped_by_the_next(noted: tuple[Copying, InProcess]) -> None:
    copying, command = noted
    copying.once_well()
    assert command.run("uninstall", copying.table, "--execute", "--yes").code == 0
    copying.database.query("CREATE TABLE _twinrow_meta (name VARCHAR(64) NOT NULL PRIMARY KEY, value VARCHAR(255))")
    copying.database.query("INSERT INTO _twinrow_meta VALUES ('version', '3')")
    again = command.run("uninstall", copying.table, "--execute", "--yes")
    assert again.code == 0, again.err
    assert tables_of(copying.database) == {copying.table}


@pytest.mark.either_server
def test_it_asks_before_each_step_and_does_what_is_agreed_to(noted: tuple[Copying, InProcess]) -> None:
    copying, command = noted
    copying.once_well()
    nobody = command.run("uninstall", copying.table, "--execute")
    assert nobody.code == 2
    assert "nobody is there to be asked" in nobody.err
    with PseudoTerminal(copying.folder, "uninstall", copying.table, "--execute", "--drop-tables") as terminal:
        for answer, question in (("n", "take off the items"), ("y", "drop the MySQL table"), ("n", "forget what")):
            terminal.wait_for(question)
            terminal.wait_for("Do it?")
            terminal.type(answer)
        assert terminal.ended() == 0
    assert all("mysql_id" in item for item in copying.items())
    assert copying.table not in tables_of(copying.database)
    assert "_twinrow_table" in tables_of(copying.database)


@pytest.mark.either_server
def test_the_pass_pays_its_writes_from_the_write_budget(make_copying: MakeCopying) -> None:
    copying = make_copying(write_capacity_max=40)
    put_all(copying.client, copying.table, [marked(n) for n in range(60)])
    copying.once_well()
    (context,), mysql = copying.copies(Stop())
    with held(context, mysql):
        context.live.load()
        taken = Pass(
            context, start.keys_of(context.table.describe()), ids=True, marks=True, on_progress=lambda taken: None
        ).run()
    assert taken.ids == 60
    assert context.table.write_budget.used >= 60
    assert context.table.read_budget.used > 0


@pytest.mark.either_server
def test_a_table_that_dynamodb_has_no_more_is_left(noted: tuple[Copying, InProcess]) -> None:
    copying, command = noted
    copying.once_well()
    copying.client.delete_table(TableName=copying.table)
    left = command.run("uninstall", copying.table, "--execute", "--yes", "--drop-tables")
    assert left.code == 0, left.err
    assert tables_of(copying.database) == set()


@pytest.mark.either_server
def test_what_is_noted_survives_a_reset(noted: tuple[Copying, InProcess]) -> None:
    copying, command = noted
    copying.once_well()
    assert command.run("reset", copying.table, "--yes").code == 0
    with closing(copying.copies(Stop())[1].connect()) as session:
        assert [one.what for one in made.of(session, copying.table)] == ["index"]
    left = command.run("uninstall", copying.table, "--execute", "--yes", "--index")
    assert left.code == 0, left.err
    assert "GlobalSecondaryIndexes" not in described(copying)


@pytest.mark.either_server
def test_point_in_time_recovery_goes_only_where_twinrow_has_turned_it_on(
    noted: tuple[Copying, InProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB Local knows none of it: the two calls are answered as AWS documents them."""
    copying, command = noted
    asked: list[Any] = []
    call = DynamoDB.call

    def answer(self: DynamoDB, operation: str, **parameters: Any) -> dict[str, Any]:
        if "continuous_backups" not in operation:
            return call(self, operation, **parameters)
        asked.append((operation, parameters.get("PointInTimeRecoverySpecification")))
        told = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}
        return {"ContinuousBackupsDescription": told}

    monkeypatch.setattr(DynamoDB, "call", answer)
    assert "stays as it is" in command.run("uninstall", copying.table, "--pitr").out
    assert asked == []
    with closing(copying.copies(Stop())[1].connect()) as session:
        made.note(
            session, copying.table, "pitr", "", described(copying).get("TableId") or described(copying)["TableArn"]
        )
    assert "--pitr turns it off" in command.run("uninstall", copying.table).out
    assert command.run("uninstall", copying.table, "--execute", "--yes", "--pitr").code == 0
    assert asked[-1] == ("update_continuous_backups", {"PointInTimeRecoveryEnabled": False})


def test_which_tables_has_to_be_said(noted: tuple[Copying, InProcess]) -> None:
    copying, command = noted
    for words in (("uninstall",), ("uninstall", copying.table, "--all")):
        assert command.run(*words).code == 2
