"""What leaving does, as tables and laws: which steps, in which order, and what is taken off an item."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.copying import review

from twinrow.app.leaving.plan import LeavingPlan, LeftTable, Pending, Wanted, plan
from twinrow.app.leaving.removal import removal_of
from twinrow.app.wiring import settings_of
from twinrow.config import parse
from twinrow.state.made import Made, MadeKind
from twinrow.table.settings import Settings
from twinrow.table_description import IndexDescription, TableDescription

KEY = {"username": {"S": "a"}, "reviewed_at": {"S": "b"}}
ARN = "arn:aws:dynamodb:us-east-1:1:table/reviews/stream/2026"
EVERYTHING = Wanted(marks=True, index=True, stream=True, pitr=True, drop_tables=True)


def standing(**changes: Any) -> LeftTable:
    description = TableDescription(
        "reviews", "arn", "table-id", "ACTIVE", (("username", "S"),), 10, 81_920,
        (IndexDescription("migrated-index", (("migrated", "S"),), "ALL", (), "ACTIVE"),), ARN, "NEW_AND_OLD_IMAGES",
        None, None, (),
    )  # fmt: skip
    things: tuple[tuple[MadeKind, str], ...] = (("index", "migrated-index"), ("stream", ARN), ("pitr", ""))
    made = tuple(Made(*thing, "table-id", 1.0) for thing in things)
    found = LeftTable(
        table="reviews", into="copy", description=description, rows=9, is_there=True, is_ours=True,
        link_attribute="mysql_id", mark_attribute="migrated", index="migrated-index", marks=Pending(), pending_links=0,
        dead_letters=0, pitr_on=True, made=made, others=(),
    )  # fmt: skip
    return replace(found, **changes)


def parts(planned: LeavingPlan) -> list[str]:
    return [step.part for step in planned.steps]


def text(planned: LeavingPlan) -> str:
    return "\n".join([*(step.text for step in planned.steps), *planned.stays])


def test_without_options_only_ids_and_state_go() -> None:
    planned = plan(standing(), Wanted())
    assert parts(planned) == ["items", "state"]
    for option in ("--marks", "--index", "--stream", "--pitr", "--drop-tables"):
        assert option in text(planned)


def test_the_items_come_first_and_the_state_last() -> None:
    assert parts(plan(standing(), EVERYTHING)) == ["items", "index", "stream", "pitr", "rows", "state"]


OPTIONS = {"marks": "items", "index": "index", "stream": "stream", "pitr": "pitr", "drop_tables": "rows"}


@pytest.mark.parametrize("named", list(chain.from_iterable(combinations(OPTIONS, n) for n in range(6))))
def test_each_option_adds_its_step_and_no_other(named: tuple[str, ...]) -> None:
    planned = plan(standing(), Wanted(**dict.fromkeys(named, True)))
    assert set(parts(planned)) == {"items", "state", *(OPTIONS[one] for one in named)}
    (items,) = (step for step in planned.steps if step.part == "items")
    assert ("`migrated`" in items.text) == ("marks" in named)


@pytest.mark.parametrize(
    ("made", "stays"),
    [
        ((), "index"),
        ((Made("index", "migrated-index", "another table", 1.0),), "index"),
        ((Made("stream", "other", "table-id", 1.0),), "stream"),
    ],
    ids=("nothing noted", "noted for a table that is gone", "noted for an earlier stream"),
)  # fmt: skip
def test_what_twinrow_is_not_noted_to_have_made_stays(made: tuple[Made, ...], stays: str) -> None:
    planned = plan(standing(made=made), EVERYTHING)
    assert stays not in parts(planned)
    assert "not noted" in text(planned)


def test_point_in_time_recovery_that_twinrow_has_not_turned_on_is_not_asked_for() -> None:
    planned = plan(standing(pitr_on=False, made=()), Wanted(pitr=True))
    assert "pitr" not in parts(planned)
    assert "point-in-time recovery: stays as it is" in text(planned)


def test_without_a_copy_no_id_is_taken_off() -> None:
    for gone in ({"rows": None}, {"is_there": False, "is_ours": False}):
        planned = plan(standing(**gone), Wanted())
        assert parts(planned) == ["state"]
        assert "`mysql_id` stays" in text(planned)


def test_a_table_that_is_not_ours_is_not_dropped() -> None:
    assert "rows" not in parts(plan(standing(is_ours=False), EVERYTHING))


def test_a_table_that_dynamodb_has_no_more_leaves_mysql_alone_to_be_cleaned() -> None:
    planned = plan(standing(description=None, pitr_on=False), EVERYTHING)
    assert parts(planned) == ["rows", "state"]


@pytest.mark.parametrize("wanted", [Wanted(), EVERYTHING], ids=("stay", "go"))
def test_marks_that_were_not_copied_yet_are_told(wanted: Wanted) -> None:
    assert "1,234 marked items are not copied yet" in text(plan(standing(marks=Pending(1234)), Wanted()))
    assert "more than 1,234" in text(plan(standing(marks=Pending(1234, more=True)), wanted))


def test_the_state_tables_go_with_the_last_table() -> None:
    assert "_twinrow_*" in text(plan(standing(), Wanted()))
    assert "_twinrow_*" not in text(plan(standing(others=("visits",)), Wanted()))
    assert "_twinrow_*" in text(plan(standing(others=("visits",)), Wanted(), {"reviews", "visits"}))


def test_what_is_lost_with_the_state_is_told() -> None:
    (state,) = (
        step for step in plan(standing(pending_links=3, dead_letters=2), Wanted()).steps if step.part == "state"
    )
    assert "3 links" in state.cost
    assert "2 dead letters" in state.cost


def settings(done: str = "") -> Settings:
    config = parse(
        '[mysql]\nurl = "mysql://u@h/d"\n[[tables]]\nname = "reviews"\ncapture = "pending-index"\n'
        f'[tables.pending_index]\nindex = "i"\nattribute = "migrated"\npending = ["false"]\ndone = "{done}"\n'
    )
    return settings_of(config.tables[0], "")


VALUES = st.one_of(
    st.none(),
    st.sampled_from([{"N": "7"}, {"N": "8"}, {"N": "7.0"}, {"S": "7"}, {"S": "false"}, {"S": "true"}, {"S": "x"}]),
)


@given(VALUES, VALUES, st.sampled_from([None, 7, 8]), st.booleans(), st.booleans(), st.sampled_from(["", "true"]))
def test_only_the_rows_own_id_and_configured_marks_are_taken_off(
    link: Any, mark: Any, row_id: int | None, ids: bool, marks: bool, done: str
) -> None:
    item = review(1, **{name: one for name, one in (("mysql_id", link), ("migrated", mark)) if one is not None})
    found = removal_of(settings(done), KEY, item, row_id, ids=ids, marks=marks)

    wanted = set()
    if ids and row_id is not None and link == {"N": str(row_id)}:
        wanted.add("mysql_id")
    if marks and mark in ({"S": "false"}, *([{"S": done}] if done else [])):
        wanted.add("migrated")
    assert (found.update.removes if found.update is not None else set()) == wanted
    if found.update is not None:
        assert found.update.only_if == {name: item[name] for name in wanted}, "a newer write would be undone"
        assert not found.update.sets
    assert found.other_id == (ids and link is not None and "mysql_id" not in wanted)
