"""Every session is what the statements rest on, whatever defaults, `init_connect` or a pooler made of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeTable
from tests.fixtures.copying import PENDING_INDEX, Copying, marked, put_all
from tests.fixtures.databases import Database
from tests.fixtures.waiting import wait_until

from twinrow.config import mysql_config
from twinrow.errors import Transient
from twinrow.flavour import Flavour
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer
from twinrow.mysql import MySQL
from twinrow.mysql_error import MySQLError, meaning
from twinrow.mysql_session import SessionRefused, Variable, check, reading, setting, variables

WAIT_S = 60.0
ITEMS = 120
BENT_BOTH = {
    "autocommit": "0", "completion_type": "'CHAIN'", "sql_mode": "''", "sql_select_limit": "50", "sql_big_selects": "0",
    "sql_safe_updates": "1", "sql_auto_is_null": "1", "sql_notes": "0", "unique_checks": "0", "foreign_key_checks": "0",
    "time_zone": "'+05:30'", "character_set_client": "'latin1'", "character_set_results": "'latin1'",
    "character_set_connection": "'latin1'", "collation_connection": "'latin1_swedish_ci'",
    "div_precision_increment": "0", "group_concat_max_len": "8", "wait_timeout": "1", "innodb_lock_wait_timeout": "1",
    "lock_wait_timeout": "1",
}  # fmt: skip
BENT = {
    "mysql": {
        **BENT_BOTH, "max_execution_time": "1", "transaction_isolation": "'SERIALIZABLE'", "transaction_read_only": "1",
    },
    "mariadb": {
        **BENT_BOTH, "max_statement_time": "0.000001", "check_constraint_checks": "0", "sql_if_exists": "1",
        "alter_algorithm": "'INSTANT'", "idle_transaction_timeout": "1", "idle_write_transaction_timeout": "1",
        "idle_readonly_transaction_timeout": "1", "tx_isolation": "'SERIALIZABLE'", "tx_read_only": "1",
    },
}  # fmt: skip
"""The opposite of what a session must be, for each variable of the list."""


def _mysql(url: str) -> MySQL:
    return MySQL(mysql_config(url, "test", {}))


@pytest.fixture
def bent(fresh_mysql_server: MySQLServer) -> Database:
    """A server whose `init_connect` bends each variable; it runs for everybody but root."""
    database = Database(fresh_mysql_server, "own")
    database.create()
    database.query("CREATE USER 'app'@'%' IDENTIFIED BY 'word'")
    database.query("GRANT ALL ON own.* TO 'app'@'%'")
    bends = ", ".join(f"@@SESSION.{name} = {value}" for name, value in BENT[database.flavour].items())
    database.query("SET GLOBAL init_connect = %s", f"SET {bends}")
    return database


def test_each_session_is_set_to_the_whole_list(bent: Database) -> None:
    url = bent.server.url("own", "app", "word")
    with closing(_mysql(url).connect(idle_s=600)) as session:
        wanted = variables(session.flavour, session.version.number, 600)
        assert {one.name for one in wanted} == BENT[session.flavour].keys(), "each variable is bent by this test"
        check(wanted, session.query(reading(wanted))[0], "here")


def test_a_server_that_bends_every_session_is_copied_all_the_same(
    bent: Database, dynamodb: DynamoDBLocal, dynamodb_client: Any, make_table: MakeTable, tmp_path: Path
) -> None:
    table = make_table(index=("migrated-index", "migrated:S", "ALL"))
    options = {"capture": "pending-index", "pending_index": PENDING_INDEX}
    copying = Copying(bent, dynamodb_client, dynamodb.endpoint_url, tmp_path, {table: options})
    copying.mysql_url = bent.server.url("own", "app", "word")
    put_all(dynamodb_client, table, [marked(n) for n in range(ITEMS)])
    code, said = copying.process_once()
    assert code == 0, said
    process = copying.process(once=False)
    try:
        put_all(dynamodb_client, table, [marked(n, turn={"N": "1"}) for n in range(ITEMS)])
        wait_until(lambda: not any("migrated" in item for item in copying.items()), WAIT_S, what="all is copied")
    finally:
        process.kill()
    assert copying.state("_twinrow_dead_letter") == 0
    copying.assert_equal(items=ITEMS, settled=False)


def test_defaults_of_the_server_are_no_defaults_of_a_session(fresh_mysql_server: MySQLServer) -> None:
    database = Database(fresh_mysql_server, "own")
    database.create()
    with closing(database.connect()) as root, root.cursor() as cursor:
        for name, value in BENT[database.flavour].items():
            if not name.startswith(("wait_timeout", "max_", "idle_")):  # these would end root's own sessions
                cursor.execute(f"SET GLOBAL {name} = {value}")
    with closing(_mysql(database.url).connect(idle_s=600)) as session:
        wanted = variables(session.flavour, session.version.number, 600)
        check(wanted, session.query(reading(wanted))[0], "here")
        session.execute("CREATE TABLE kept (n INT PRIMARY KEY)")
        session.execute("INSERT INTO kept VALUES (1)")
    assert database.query("SELECT n FROM kept") == [(1,)], "committed without a transaction"


def test_a_variable_that_does_not_take_is_named_with_what_it_would_break() -> None:
    wanted = (Variable("autocommit", 1, "nothing would be committed"), Variable("sql_mode", "A,B", "values would bend"))
    check(wanted, [1, "B,A"], "MySQL here")
    with pytest.raises(SessionRefused, match=r"MySQL here: .*autocommit stays 0.*nothing would be committed"):
        check(wanted, [0, "A,B"], "MySQL here")
    with pytest.raises(SessionRefused, match="sql_mode stays 'A'"):
        check(wanted, [1, "A"], "MySQL here")
    assert SessionRefused("").exit_code == 2


def test_a_variable_that_the_server_does_not_know_keeps_nobody_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = (Variable("no_such_variable", 1, "-"), Variable("sql_safe_updates", 0, "-"))
    monkeypatch.setattr("twinrow.mysql.variables", lambda *_: odd)
    with closing(_mysql(database.url).connect()) as session:
        assert session.query("SELECT @@sql_safe_updates") == [(0,)]
    refused = (Variable("sql_select_limit", "many", "-"),)
    monkeypatch.setattr("twinrow.mysql.variables", lambda *_: refused)
    with pytest.raises(SessionRefused, match="sql_select_limit"):
        _mysql(database.url).connect()


def test_a_time_limit_of_others_is_told_as_that(database: Database) -> None:
    name = "max_execution_time" if database.flavour == "mysql" else "max_statement_time"
    with closing(_mysql(database.url).connect()) as session:
        session.execute(f"SET @@SESSION.{name} = {1 if database.flavour == 'mysql' else 0.001}")
        with pytest.raises(Transient, match=f"time limit \\({name}\\) that Twinrow did not set"):
            session.query("SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b")
        assert session.open, "it is not the connection that was lost"


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_one_statement_sets_and_one_reads(flavour: Flavour) -> None:
    wanted = variables(flavour, (10, 11, 6), 8)
    assert setting(wanted).count("@@SESSION.") == reading(wanted).count("@@SESSION.") == len(wanted)
    assert isinstance(meaning(9999, "", flavour, ""), MySQLError)
