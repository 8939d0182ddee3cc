"""The state that an older version has left is taken over."""

from __future__ import annotations

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.command_line import InProcess
from tests.fixtures.copying import marked, put_all

from twinrow.clock import Stop
from twinrow.errors import Reason
from twinrow.state import meta, refusal


@pytest.mark.parametrize("done", [0, 1], ids=("not begun", "killed before its version was noted"))
def test_a_state_of_the_first_version_is_migrated_at_the_start(make_copying: MakeCopying, done: int) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    if not done:
        copying.database.query("ALTER TABLE _twinrow_dead_letter DROP COLUMN row_id")
    copying.database.query("UPDATE _twinrow_meta SET value = '1' WHERE name = 'version'")
    copying.database.query(
        f"CREATE TRIGGER objects BEFORE UPDATE ON `{copying.table}` FOR EACH ROW "
        "IF NEW.rating = 9 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF"
    )
    put_all(copying.client, copying.table, [marked(2, rating={"N": "9"})])
    copying.once_well()
    assert copying.database.query("SELECT value FROM _twinrow_meta WHERE name = 'version'") == [(str(meta.VERSION),)]
    assert copying.database.query("SELECT COUNT(row_id) FROM _twinrow_dead_letter") == [(1,)]


@pytest.mark.either_server
def test_commands_that_only_read_say_that_an_older_state_waits_for_a_sync(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(5)])
    copying.once_well()
    for statement in meta.MIGRATIONS[meta.VERSION]:
        table, column = statement.split("`")[1], statement.split("ADD COLUMN ")[1].split()[0]
        copying.database.query(f"ALTER TABLE {table} DROP COLUMN {column}")
    copying.database.query("UPDATE _twinrow_meta SET value = %s WHERE name = 'version'", str(meta.VERSION - 1))
    copying.config_file()
    command = InProcess(copying.folder)
    for words in (("status",), ("verify",), ("schema",), ("dead-letters", "list"), ("item", copying.table, "--all")):
        ran = command.run(*words)
        assert ran.code in (1, 2), words
        assert "twinrow sync" in ran.err, words
        assert "1054" not in ran.err, words
    assert command.run("sync", "--once").code == 0
    assert command.run("status").code == 0
    copying.assert_equal(items=5)


def test_a_new_state_has_the_same_columns_as_a_migrated_one(make_copying: MakeCopying) -> None:
    copying = make_copying()
    session = copying.copies(Stop())[1].connect()
    columns = (
        "SELECT table_name, column_name, column_type, is_nullable FROM information_schema.columns "
        "WHERE table_schema = DATABASE() ORDER BY table_name, column_name"
    )
    meta.install(session)
    made = session.query(columns)
    for statements in meta.MIGRATIONS.values():
        for statement in statements:
            table, column = statement.split("`")[1], statement.split("ADD COLUMN ")[1].split()[0]
            session.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    session.execute("UPDATE _twinrow_meta SET value = '1' WHERE name = 'version'")
    meta.install(session)
    assert session.query(columns) == made
    session.close()


def test_what_stood_among_the_checkpoints_is_moved_to_its_own_place(make_copying: MakeCopying) -> None:
    copying = make_copying()
    session = copying.copies(Stop())[1].connect()
    meta.install(session)
    session.execute(
        "INSERT INTO _twinrow_checkpoint (table_name, part, position) VALUES (%s, 'refused', 'has no stream')",
        (copying.table,),
    )
    session.execute("UPDATE _twinrow_meta SET value = '2' WHERE name = 'version'")
    meta.install(session)
    assert refusal.of_all(session) == {copying.table: Reason("has no stream")}
    assert copying.state("_twinrow_checkpoint") == 0
    session.close()
