"""What leaving does, as tables and laws: which steps, in which order, and what is taken off an item."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from itertools import chain, combinations
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.copying import review

from twinrow.app.leaving import carry_out, remembered
from twinrow.app.leaving.plan import LeavingPlan, LeftTable, Pending, Wanted, plan
from twinrow.app.leaving.removal import removal_of
from twinrow.app.wiring import settings_of
from twinrow.config import parse
from twinrow.errors import ConfigError
from twinrow.state import made as made_state
from twinrow.state.made import Made, MadeKind
from twinrow.state.tables import Registered
from twinrow.sync import changed_settings
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


STREAM = "arn:aws:kinesis:us-east-1:1:stream/changes"
NOTED = Made("destination", STREAM, "table-id", 1.0)


def test_a_kinesis_destination_goes_with_the_stream_where_twinrow_has_turned_it_on() -> None:
    noted = standing(made=(NOTED,), destination=STREAM)
    assert "destination" in parts(plan(noted, Wanted(stream=True)))
    assert "--stream turns it off" in text(plan(noted, Wanted()))
    assert "destination" not in parts(plan(standing(), Wanted(stream=True)))
    another = standing(made=(replace(NOTED, source_id="another table"),), destination=STREAM)
    assert "destination" not in parts(plan(another, Wanted(stream=True)))


@pytest.mark.parametrize(("state", "turned_off"), [("ACTIVE", True), ("DISABLED", False), (None, False)])
def test_a_destination_is_turned_off_once(monkeypatch: pytest.MonkeyPatch, state: str | None, turned_off: bool) -> None:
    """DynamoDB Local has no destinations: its answers are made up."""
    asked, said = [], list[str]()

    def call(operation: str, **parameters: Any) -> dict[str, Any]:
        asked.append(operation)
        assert parameters["TableName"] == "reviews"
        found = [{"StreamArn": STREAM, "DestinationStatus": state}] if state else []
        return {"KinesisDataStreamDestinations": found}

    context: Any = SimpleNamespace(
        name="reviews", table=SimpleNamespace(dynamodb=SimpleNamespace(call=call)),
        tenure=SimpleNamespace(open_writer=lambda: None),
    )  # fmt: skip
    monkeypatch.setattr(made_state, "forget", lambda *arguments: None)
    carry_out._STEPS["destination"](context, standing(destination=STREAM), EVERYTHING, said.append)
    assert ("disable_kinesis_streaming_destination" in asked) is turned_off
    assert said == [f"DynamoDB writes no more changes to {STREAM}"]


def test_a_table_that_the_configuration_names_no_more_is_left_as_it_was_copied() -> None:
    """Link attribute, mark and MySQL table are those that it had; whatever cannot be known refuses it."""
    head = '[mysql]\nurl = "mysql://u:p@h/d"\n[[sources]]\nname = "eu"\n'
    part = (
        '[[tables]]\nname = "reviews"\nsource = "eu"\ninto = "copy"\ncapture = "pending-index"\n'
        'link_attribute = "id"\n[tables.pending_index]\nindex = "marks"\nattribute = "todo"\npending = [0, 1]\n'
    )
    (before,) = parse(head + part, environment={}).tables
    kept = json.dumps(changed_settings.summary(settings_of(before, "")))
    empty = dict.fromkeys((field.name for field in fields(Registered)), None)
    copied = Registered(**{**empty, "table_name": "eu:reviews", "into_table": "copy", "config": kept})  # type: ignore[arg-type]
    config = parse(head + '[[tables]]\nname = "other"\ncapture = "scan"\n', environment={})
    now, was = settings_of(remembered.table_of(config, copied), ""), settings_of(before, "")
    assert (now.into, now.own, now.link_attribute, now.pending) == (was.into, was.own, was.link_attribute, was.pending)
    assert remembered.table_of(config, copied).source == "eu"
    never_linked = json.dumps({**json.loads(kept), "linked": False, "link_attribute": "mysql_id", "own": []})
    assert remembered.table_of(config, replace(copied, config=never_linked)).link_attribute is None
    protected = replace(copied, config=json.dumps({**json.loads(kept), "protection": {}}))
    for unknown in (protected, replace(copied, table_name="us:reviews")):
        with pytest.raises(ConfigError, match="cannot be left without"):
            remembered.table_of(config, unknown)
