"""What `check` finds in a table's description, beside what the command's tests mend."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.conftest import MakeCopying

from twinrow.app import check_dynamodb
from twinrow.clock import Stop


@pytest.mark.parametrize(("sort", "warned"), [("updated_at", True), ("reviewed_at", False), (None, False)])
def test_an_index_that_leaves_items_out_is_warned_of(
    make_copying: MakeCopying, monkeypatch: pytest.MonkeyPatch, sort: str | None, warned: bool
) -> None:
    (copy,), _ = make_copying().copies(Stop())
    told = copy.dynamodb.describe(copy.table)
    (index,) = told.indexes
    keys = (*index.keys, *([(sort, "S")] if sort is not None else []))
    monkeypatch.setattr(
        copy.dynamodb, "describe", lambda _table: replace(told, indexes=(replace(index, keys=keys),))
    )  # fmt: skip
    found = {one.name: one for one in check_dynamodb.look(copy, lambda *_: None, None)}
    assert ("sort key" in found) == warned
    if warned:
        assert found["sort key"].level == "warning"
        assert "'updated_at'" in found["sort key"].text
