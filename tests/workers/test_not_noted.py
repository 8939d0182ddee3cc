"""An error while a table's end is noted in MySQL is said: `status` cannot show it."""

from __future__ import annotations

from typing import cast

import pytest

from twinrow.errors import Broken, ConnectionLost
from twinrow.mysql import Connection
from twinrow.table.copy import Copy
from twinrow.workers.run import Shared, TableRun


class Gone:
    """A copy whose MySQL is away; it holds no lease."""

    table = "reviews"
    held = None
    let_go_of = False

    @property
    def writer(self) -> Connection:
        raise ConnectionLost("the connection to MySQL was lost", where="MySQL h:1/d")

    def let_go(self) -> None:
        self.let_go_of = True


@pytest.mark.parametrize("ends", [True, False], ids=["broken", "gives the lease back"])
def test_what_could_not_be_noted_is_said(ends: bool) -> None:
    said: list[tuple[str, str]] = []
    copy = Gone()
    shared = Shared("here", False, 0.0, on_waiting=lambda table, reason: said.append((table, reason)))
    run = TableRun(cast(Copy, copy), shared)
    if ends:
        run._broken(Broken("the MySQL table is gone"))
    else:
        shared.leases["reviews"] = cast(Copy, copy)
        run._let_go(ended=True)
    assert said == [
        ("reviews", "how it stands could not be noted in MySQL: MySQL h:1/d: the connection to MySQL was lost")
    ]
    assert copy.let_go_of
