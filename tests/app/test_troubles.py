"""What is wrong with a table, and the commands that mend it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from twinrow.app.observe.standing import SILENT_S_MAX, START_S_MAX, TOLD_S_MAX
from twinrow.app.observe.status import table_status_of
from twinrow.app.observe.troubles import Trouble, retention_left_s, troubles_of
from twinrow.config import TableConfig
from twinrow.errors import Reason
from twinrow.state import counted
from twinrow.state.counted import Counted
from twinrow.state.overview import Counts
from twinrow.state.tables import Registered

AT = 1_700_000_000.0
STREAM = TableConfig(name="reviews", capture="stream")
HELD = Counts(rows=10, holder="somebody")
WELL = Registered(
    table_name="reviews", into_table="reviews", source_id="arn", config="{}", table_schema="{}", phase="LIVE",
    reason="", started_at=AT - 100, snapshot_done_at=AT - 90, caught_up_at=AT, read_at=AT, oldest_at=None, backlog=0,
    retention_left_s=80_000.0, reconciled_at=None, items=10, verified=None, counters=None,
)  # fmt: skip


def of(known: Registered | None = WELL, counts: Counts = HELD, table: TableConfig = STREAM) -> tuple[Trouble, ...]:
    return troubles_of(table, known, counts, AT)


def test_a_table_in_step_has_none() -> None:
    assert of() == ()


def test_commands_come_as_data_and_never_from_a_sentence() -> None:
    text = "lacks the column 'text' (twinrow schema reviews --apply adds it again)"
    (trouble,) = of(replace(WELL, reason=text))
    assert trouble.commands == ("twinrow check reviews",)
    (trouble,) = of(replace(WELL, reason=text, reason_commands='["twinrow schema reviews --apply"]'))
    assert trouble == Trouble(True, text, ("twinrow schema reviews --apply",))
    refused = Reason("has no stream", ("twinrow check --fix",))
    assert of(None, Counts(refusal=refused))[0] == Trouble(True, "has no stream", ("twinrow check --fix",))


def test_a_broken_table_has_always_a_command() -> None:
    (trouble,) = of(replace(WELL, phase="BROKEN", reason="who knows"))

    assert trouble == Trouble(True, "who knows", ("twinrow sync reviews",))


def test_a_sync_that_reads_nothing_is_behind_by_as_much_and_not_in_step() -> None:
    """It may hang in a lock or in a call: what its last read saw says nothing of now."""

    def lag_of(silent_s: float, counts: Counts = HELD) -> float | None:
        return table_status_of(STREAM, replace(WELL, read_at=AT - silent_s), counts, AT).lag_s

    assert lag_of(TOLD_S_MAX) == 0.0
    assert lag_of(80.0) == 80.0
    assert [one.bad for one in of(replace(WELL, read_at=AT - 30.0))] == [True]


def test_without_a_sync_that_is_said() -> None:
    (trouble,) = of(replace(WELL, read_at=AT - 300, ended_at=AT - 300), replace(HELD, holder=""))

    assert trouble == Trouble(False, "no sync is running, last read 5 min ago", ("twinrow sync reviews",))


def test_a_start_may_take_its_time_before_it_reads() -> None:
    """The last read is that of the run before, which may have ended a week ago."""
    begins = replace(WELL, read_at=AT - 604_800, begun_at=AT - START_S_MAX, retention_left_s=None)

    assert of(begins) == ()
    assert [one.bad for one in of(replace(begins, begun_at=AT - START_S_MAX - 1))] == [True]
    assert [one.bad for one in of(replace(WELL, read_at=AT - SILENT_S_MAX - 1))] == [True], (
        "it hangs, and began long ago"
    )


def test_without_a_good_end_that_is_bad() -> None:
    (trouble,) = of(replace(WELL, read_at=AT - 300), replace(HELD, holder=""))

    assert trouble.bad
    assert trouble.commands == ("twinrow sync reviews",)
    assert "last read 5 min ago" in trouble.text
    assert "not known" in trouble.text


def test_a_silent_sync_is_bad() -> None:
    (trouble,) = of(replace(WELL, read_at=AT - 300))

    assert trouble.bad
    assert "has read nothing for 5 min" in trouble.text
    assert trouble.commands == ("twinrow check reviews",)


def test_the_time_until_trimming_runs_on_while_nobody_reads() -> None:
    stopped = replace(WELL, read_at=AT - 20 * 3600, ended_at=AT - 20 * 3600, retention_left_s=24 * 3600.0)

    assert retention_left_s(WELL, AT + 5) == 80_000.0
    assert retention_left_s(stopped, AT) == 4 * 3600.0
    assert Trouble(True, "changes not read yet are trimmed in 4 h", ("twinrow sync reviews",)) in of(
        stopped, replace(HELD, holder="")
    )
    later = of(replace(stopped, read_at=AT - 30 * 3600), replace(HELD, holder=""))
    assert "changes not read yet were trimmed" in [one.text for one in later]


@pytest.mark.parametrize("reason", ["DynamoDB does not answer", "MySQL is read-only", "DynamoDB throttles"])
def test_a_table_that_waits_has_always_a_command(reason: str) -> None:
    (trouble,) = of(replace(WELL, reason=reason))

    assert trouble == Trouble(True, reason, ("twinrow check reviews",))


def test_a_broken_table_wants_a_new_sync_after_it_was_mended() -> None:
    why = "has no stream (twinrow check --fix turns it on)"
    (trouble,) = of(replace(WELL, phase="BROKEN", reason=why, reason_commands='["twinrow check --fix"]'))

    assert trouble.commands == ("twinrow check --fix", "twinrow sync reviews")


def test_a_new_table_wants_its_first_sync() -> None:
    assert of(None, Counts()) == (Trouble(False, "not copied yet", ("twinrow sync reviews",)),)
    assert of(None, HELD) == (Trouble(False, "not copied yet"),)


def test_each_thing_that_stands_open_is_told_with_its_command() -> None:
    verified = {"at": AT - 60, "missing": 1, "extra": 0, "different": 2, "unlinked": 0, "dead_letters": 1}
    told = of(
        replace(WELL, retention_left_s=600.0, verified=json.dumps(verified)),
        replace(HELD, dead_letters=1, gaps=2, refused=1_234, unlinked=1_234),
    )

    assert all(one.bad for one in told)
    commands = {command for one in told for command in one.commands}
    assert commands >= {
        "twinrow dead-letters list reviews", "twinrow dead-letters retry reviews", "twinrow verify reviews",
        "twinrow repair reviews --execute",
    }  # fmt: skip
    text = "; ".join(one.text for one in told)
    for part in ("1 item that no row can hold", "2 gaps", "1,234 items cannot be linked", "3 differences, 60 s ago",
                 "trimmed in 10 min"):  # fmt: skip
        assert part in text


def test_the_bad_ones_come_first() -> None:
    table = TableConfig(name="reviews", capture="pending-index")
    told = of(replace(WELL, ended_at=AT), replace(HELD, holder="", dead_letters=1), table=table)

    assert [one.bad for one in told] == [True, False, False]
    assert told[-1].commands == ("twinrow repair reviews --execute",)


@pytest.mark.parametrize(
    ("dynamodb_s", "mysql_s", "told"),
    [
        (None, None, []),
        (29.0, -29.0, []),
        (-240.0, 0.0, ["the clock of the host that runs the sync is 240 s behind DynamoDB's"]),
        (0.0, 21_600.0, ["the clock of the host that runs the sync is 21,600 s ahead of MySQL's"]),
    ],
)
def test_a_clock_that_is_off_is_told_while_a_sync_runs(
    dynamodb_s: float | None, mysql_s: float | None, told: list[str]
) -> None:
    counters = Counted(AT - 100, dynamodb_skew_s=dynamodb_s, mysql_skew_s=mysql_s)
    known = replace(WELL, counters=counted.to_json(counters))
    assert [one.text for one in of(known)] == told
    assert not [one for one in of(known, replace(HELD, holder="")) if "clock" in one.text]


def test_changes_that_were_not_understood_are_told_but_are_no_fault() -> None:
    counters = counted.to_json(Counted(AT - 100, not_understood=3, last_doubt="a stream record: its event is 'SHRUG'"))
    known = replace(WELL, counters=counters)
    (trouble,) = of(known)
    assert not trouble.bad
    assert "3 changes not understood" in trouble.text
    assert "SHRUG" in trouble.text
    assert table_status_of(STREAM, known, HELD, AT).not_understood == 3
