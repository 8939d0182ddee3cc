"""What `check` finds in a table's description, beside what the command's tests mend."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
from tests.conftest import MakeCopying

from twinrow import clock
from twinrow.app.check import clock_skew
from twinrow.app.check import dynamodb as check_dynamodb
from twinrow.clock import ServerClock, Stop


@pytest.mark.parametrize(("sort", "warned"), [("updated_at", True), ("reviewed_at", False), (None, False)])
def test_an_index_that_leaves_items_out_is_warned_of(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch, sort: str | None, warned: bool
) -> None:
    (context,), _ = make_copying().copies(Stop())
    told = context.table.describe()
    (index,) = told.indexes
    keys = (*index.keys, *([(sort, "S")] if sort is not None else []))
    monkeypatch.setattr(
        context.table.dynamodb, "describe", lambda _table: replace(told, indexes=(replace(index, keys=keys),))
    )  # fmt: skip
    found = {one.name: one for one in check_dynamodb.look(context, None)}
    assert ("sort key" in found) == warned
    if warned:
        assert found["sort key"].level == "warning"
        assert "'updated_at'" in found["sort key"].text


def test_a_clock_that_is_off_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    told, at = ServerClock("DynamoDB"), clock.boot_time()
    assert clock_skew.finding("", "DynamoDB", told).level == "warning"
    told.note(clock.wall(), clock.wall() + 1, at, at)
    assert clock_skew.finding("", "DynamoDB", told).level == "ok"
    monkeypatch.setattr(clock, "wall", lambda: time.time() - 240)
    found = clock_skew.finding("", "DynamoDB", told)
    assert (found.level, found.name) == ("warning", "clock of DynamoDB")
    assert re.fullmatch(r"this host's clock is 2[34]\d s behind DynamoDB's", found.text)


@pytest.mark.either_server
def test_an_index_with_several_hash_attributes_is_told_and_not_built_anew(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch
) -> None:
    (context,), _ = make_copying().copies(Stop())
    told = context.table.describe()
    index = replace(told.indexes[0], keys=(*told.indexes[0].keys, ("tenant", "S")), hashes=2)
    monkeypatch.setattr(context.table.dynamodb, "describe", lambda _table: replace(told, indexes=(index,)))
    found = {one.name: one for one in check_dynamodb.look(context, None)}["pending index"]
    assert (found.level, found.fix) == ("error", None)
    assert "several hash attributes ('migrated', 'tenant')" in found.text
    assert found.remedy
