"""An error while a table's end is noted in MySQL is said: `status` cannot show it."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from twinrow.app.wiring import settings_of
from twinrow.clock import Stop
from twinrow.config import TableConfig
from twinrow.dynamodb import DynamoDB
from twinrow.errors import Broken, ConnectionLost
from twinrow.mysql import Connection, MySQL
from twinrow.table.context import context_of
from twinrow.table.table import Table
from twinrow.table.tenure import Tenure
from twinrow.workers.run import TableRun
from twinrow.workers.shared import Shared


class Gone:
    """The tenure of a copy whose MySQL is away; it holds no lease."""

    held = None
    let_go_of = False

    def open_writer(self) -> Connection:
        raise ConnectionLost("the connection to MySQL was lost", where="MySQL h:1/d")

    def let_go(self) -> None:
        self.let_go_of = True


@pytest.mark.parametrize("ends", [True, False], ids=["broken", "gives the lease back"])
def test_what_could_not_be_noted_is_said(ends: bool) -> None:
    said: list[tuple[str, str]] = []
    settings = settings_of(TableConfig(name="reviews", capture="scan"), "twinrow.toml")
    tenure = Gone()
    context = replace(
        context_of(Table(settings, cast(DynamoDB, None), cast(MySQL, None), Stop())), tenure=cast(Tenure, tenure)
    )
    shared = Shared("here", False, 0.0, on_waiting=lambda table, reason: said.append((table, reason)))
    run = TableRun(context, shared)
    if ends:
        run._broken(Broken("the MySQL table is gone"))
    else:
        shared.leases["reviews"] = context
        run._let_go(ended=True)
    assert said == [
        ("reviews", "how it stands could not be noted in MySQL: MySQL h:1/d: the connection to MySQL was lost")
    ]
    assert tenure.let_go_of
