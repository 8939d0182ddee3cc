"""A key is not rechecked while its link call is under way: the outbox must know of every call that may still arrive."""

from __future__ import annotations

import pytest
from tests.conftest import MakeCopying
from tests.fixtures.copying import key, marked, put_all, wire

from twinrow.clock import Stop
from twinrow.schema.row import fingerprint
from twinrow.state import outbox, recheck
from twinrow.state.outbox import PendingLink
from twinrow.sync.recheck import recheck_some
from twinrow.workers.held import held


@pytest.mark.either_server
def test_what_a_key_owes_stays_in_the_outbox_while_its_call_is_under_way(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [marked(n) for n in range(2)])
    copying.once_well()
    (context,), mysql = copying.copies(Stop())
    context.table.describe()
    with held(context, mysql):
        context.live.load()
        keys = [wire(key(marked(n))) for n in range(2)]
        flying, other = [fingerprint(context.live.keys, one) for one in keys]
        links = [
            PendingLink(flying, keys[0], 1, b"d" * 16, 1, {"S": "false"}),
            PendingLink(other, keys[1], 1, b"d" * 16, 2, None),
        ]
        outbox.owe(context.tenure.open_writer(), context.name, links)
        recheck.add(context.tenure.open_writer(), context.name, [(flying, keys[0]), (other, keys[1])], "test")
        assert recheck_some(context, {flying})[0] == 1
        assert outbox.owing(context.tenure.open_writer(), context.name, 10) == {flying}
        assert recheck_some(context, {flying}) == (0, None)
        assert recheck_some(context)[0] == 1
        assert outbox.owing(context.tenure.open_writer(), context.name, 10) == set()
    copying.assert_equal(items=2)
