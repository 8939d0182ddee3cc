"""A pass that would delete most of a copy stops before the first delete, and goes on when a person says so."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import MakeCopying
from tests.fixtures.copying import Copying, Wire, key, put_all, review
from tests.fixtures.killing import lease_runs_out

from twinrow.app.options import accepted_deletes
from twinrow.compare import mass_delete
from twinrow.compare.seen import SeenRows
from twinrow.config import parse
from twinrow.errors import Broken, ConfigError
from twinrow.table.consent import Consent
from twinrow.table.context import TableContext

ITEMS = 150
LEFT = 30
GONE = ITEMS - LEFT


def _copied(make_copying: MakeCopying) -> Copying:
    copying = make_copying(capture="scan", reconcile_every="1s")
    put_all(copying.client, copying.table, [review(n) for n in range(ITEMS)])
    copying.once_well()
    return copying


def _delete(copying: Copying, items: Sequence[Wire]) -> None:
    for first in range(0, len(items), 25):
        requests = [{"DeleteRequest": {"Key": key(item)}} for item in items[first : first + 25]]
        copying.client.batch_write_item(RequestItems={copying.table: requests})


def _allow(count: int | None) -> Callable[[TableContext], TableContext]:
    def prepare(context: TableContext) -> TableContext:
        return replace(context, consent=Consent(deletes=count))

    return prepare


def _refused(copying: Copying, allowed: int | None = None) -> str:
    """Why the pass stops; no row has gone."""
    error = copying.once(prepare=_allow(allowed)).outcome.error
    assert isinstance(error, Broken), error
    assert error.exit_code == 1
    assert len(copying.rows("row_id")) == ITEMS
    assert copying.database.query("SELECT phase FROM _twinrow_table") == [("BROKEN",)]
    assert copying.state("_twinrow_recheck") == 0
    return str(error)


@given(gone=st.integers(0, 10_000), rows=st.integers(0, 10_000))
def test_a_person_is_asked_for_more_than_half_and_more_than_a_hundred(gone: int, rows: int) -> None:
    assert mass_delete.must_ask(gone, rows) == (gone > 100 and 2 * gone > rows)


@pytest.mark.parametrize("given", ["5", "orders=", "orders=-1", "=5", "nowhere=5"])
def test_what_is_no_number_of_a_table_is_told(given: str) -> None:
    config = parse('[mysql]\nurl = "mysql://u@h/d"\n[[tables]]\nname = "orders"\ncapture = "scan"')
    assert accepted_deletes(["orders=1234"], config) == {"orders": 1234}
    with pytest.raises(ConfigError):
        accepted_deletes([given], config)


def test_a_pass_stops_before_the_first_delete_until_the_number_is_allowed(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    _delete(copying, [review(n) for n in range(LEFT, ITEMS)])
    for allowed in (None, GONE - 1):
        told = _refused(copying, allowed)
        assert f"the items of {GONE} of {ITEMS} rows are gone" in told
        assert f"twinrow sync {copying.table} --accept-deletes {copying.table}={GONE}" in told
    copying.once_well(prepare=_allow(GONE))
    copying.assert_equal(items=LEFT)


def test_the_command_takes_the_number_and_it_holds_for_one_pass(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    _delete(copying, [review(n) for n in range(LEFT, ITEMS)])
    code, said = copying.process(arguments=["--accept-deletes", f"{copying.table}={GONE}"]).ended()
    assert code == 0, said
    copying.assert_equal(items=LEFT)
    put_all(copying.client, copying.table, [review(n) for n in range(ITEMS)])
    copying.once_well()
    _delete(copying, [review(n) for n in range(LEFT, ITEMS)])
    _refused(copying)


def test_killed_after_the_word_of_a_person_it_goes_on_without_another(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    _delete(copying, [review(n) for n in range(LEFT, ITEMS)])
    killed = copying.process(
        arguments=["--accept-deletes", f"{copying.table}={GONE}"],
        environment={"TWINROW_FAIL_POINT": "before-mass-delete:1"},
    )
    code, said = killed.ended()
    assert code == -signal.SIGKILL, said
    assert len(copying.rows("row_id")) == ITEMS
    lease_runs_out(copying)
    copying.once_well()
    copying.assert_equal(items=LEFT)


def test_killed_before_it_knows_its_number_it_asks(make_copying: MakeCopying) -> None:
    copying = _copied(make_copying)
    _delete(copying, [review(n) for n in range(LEFT, ITEMS)])
    killed = copying.process(environment={"TWINROW_FAIL_POINT": "after-scan-page:2"})
    code, said = killed.ended()
    assert code == -signal.SIGKILL, said
    lease_runs_out(copying)
    _refused(copying)


@pytest.mark.parametrize(("gone", "of"), [(100, 150), (110, 260)], ids=["a hundred", "less than half"])
def test_few_deletes_ask_nobody(make_copying: MakeCopying, gone: int, of: int) -> None:
    copying = _copied(make_copying)
    put_all(copying.client, copying.table, [review(n) for n in range(ITEMS, of)])
    copying.once_well()
    _delete(copying, [review(n) for n in range(gone)])
    copying.once_well()
    copying.assert_equal(items=of - gone)


def test_items_that_are_marked_as_deleted_ask_nobody(make_copying: MakeCopying) -> None:
    """A changed setting: all that carry the attribute are deleted items from now on."""
    copying = make_copying(reconcile_every="1h")
    put_all(copying.client, copying.table, [review(n, deleted={"BOOL": n >= LEFT}) for n in range(ITEMS)])
    copying.once_well()
    assert len(copying.rows("row_id")) == ITEMS
    index = copying.tables[copying.table]["pending_index"]
    copying.change(pending_index={**index, "deleted": "deleted"})
    copying.once_well()
    assert len(copying.rows("row_id")) == LEFT


def test_items_that_came_after_the_scan_had_passed_are_not_gone(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most rows are of new items: no scan has met them, and a consistent read finds them."""
    copying = _copied(make_copying)
    monkeypatch.setattr(SeenRows, "__contains__", lambda self, row_id: False)
    ran = copying.once_well()
    assert ran.requests["batch_get_item"] >= 2
    copying.assert_equal(items=ITEMS)


def test_repair_stops_before_the_first_delete_until_the_number_is_allowed(make_copying: MakeCopying) -> None:
    copying = make_copying()
    put_all(copying.client, copying.table, [review(n) for n in range(ITEMS)])
    copying.once_well()
    _delete(copying, [review(n) for n in range(LEFT, ITEMS)])
    for allowed in (None, GONE - 1):
        with pytest.raises(Broken, match=f"twinrow repair {copying.table} --execute --accept-deletes"):
            copying.repair(execute=True, accept_deletes=allowed)
        assert len(copying.rows("row_id")) == ITEMS
        assert copying.state("_twinrow_recheck") == 0
    assert copying.repair(execute=True, accept_deletes=GONE).found.extra == GONE
    copying.assert_equal(items=LEFT)
