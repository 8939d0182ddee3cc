"""Servers with pages of 4 and 8 KB: what a row has no room for is in extra, and no item is refused for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT_PASSWORD, MakeTable
from tests.fixtures.copying import PENDING_INDEX, Copying, Wire, marked, put_all
from tests.fixtures.databases import Database

from twinrow.flavour import Flavour
from twinrow.local_servers.servers import DynamoDBLocal, MySQLServer
from twinrow.sink import statements

ATTRIBUTES = 130
"""Of 60 bytes each: more than a page of 8 KB takes, by far."""


def _wide(number: int) -> Wire:
    return marked(number, **{f"text{n:03}": {"S": f"{n:03} " * 15} for n in range(ATTRIBUTES)})


@pytest.mark.timeout(300)
@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
@pytest.mark.parametrize("page_bytes", [4_096, 8_192])
def test_rows_of_many_attributes_keep_within_small_pages(
    flavour: Flavour,
    page_bytes: int,
    dynamodb: DynamoDBLocal,
    dynamodb_client: Any,
    make_table: MakeTable,
    tmp_path: Path,
) -> None:
    options = [f"--innodb-page-size={page_bytes}"]
    with MySQLServer.start(flavour, password=ROOT_PASSWORD, options=options) as server:
        database = Database(server, "own")
        database.create()
        table = make_table(index=("migrated-index", "migrated:S", "ALL"))
        wanted = {"capture": "pending-index", "pending_index": PENDING_INDEX}
        copying = Copying(database, dynamodb_client, dynamodb.endpoint_url, tmp_path, {table: wanted})
        put_all(dynamodb_client, table, [marked(0)])
        copying.once_well()
        put_all(dynamodb_client, table, [_wide(n) for n in range(3)])
        copying.once_well()
        copying.assert_equal(items=3)
        assert copying.state("_twinrow_dead_letter") == 0
        found = database.query("SELECT COUNT(*) FROM information_schema.columns WHERE table_name = %s", table)
        assert 25 * page_bytes // 4_096 < found[0][0] < ATTRIBUTES
        indexes = database.query(f"SHOW INDEX FROM `{table}` WHERE Key_name = '{statements.KEY_INDEX}'")
        assert indexes, "the index on the key columns fits as well"
