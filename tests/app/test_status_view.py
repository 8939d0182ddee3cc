"""`status` for a person: the worst first, all tables in a line, nothing wrapped, each trouble once."""

from __future__ import annotations

import pytest
from tests.fixtures.statuses import table_status

from twinrow.app.observe.status import Status, TableStatus
from twinrow.app.observe.status_view import Room, view
from twinrow.app.observe.troubles import Trouble
from twinrow.app.observe.worst_first import worst_first

SCREEN = Room(80, 22)
LONG = "prod-eu-west-1-the-service-with-a-long-name-customer-orders-"


def lines(tables: list[TableStatus], room: Room = SCREEN, *, only_bad: bool = False) -> list[str]:
    return [line.plain for line in view(Status(1.0, tuple(tables)), room, only_bad=only_bad)]


def broken(name: str, why: str = "something else writes `mysql_id`") -> TableStatus:
    trouble = Trouble(True, why, (f"twinrow sync {name}",))
    return table_status(table=name, phase="BROKEN", lag_s=None, reason=why, troubles=(trouble,), known=False)


def with_letters(name: str, count: int) -> TableStatus:
    trouble = Trouble(True, f"{count:,} items that no row can hold", (f"twinrow dead-letters list {name}",))
    return table_status(table=name, dead_letters=count, troubles=(trouble,))


def two_hundred() -> list[TableStatus]:
    well = [table_status(table=f"{LONG}{n:03d}", rows=1_234_567_890, items=1) for n in range(195)]
    bad = [with_letters(f"{LONG}letters-{n}", 3 + n) for n in range(3)]
    silent = table_status(table="silent", known=False, lag_s=None, backlog=None)
    return [*well[:100], silent, *well[100:], *bad, broken(f"{LONG}broken")]


def test_two_hundred_tables_fit_a_screen_and_the_worst_is_first() -> None:
    shown = lines(two_hundred())
    assert len(shown) <= 22
    assert max(map(len, shown)) <= 80
    assert shown[0].startswith("200 tables: 1 broken, 3 not in step, 1 not known, 195 in step; lag up to 0 s, ")
    assert "BROKEN" in shown[3]
    assert [line.split()[0][-1] for line in shown[4:7]] == ["0", "1", "2"], "equally bad ones keep their order"
    assert "silent" in shown[7]
    (more,) = [line for line in shown if "tables more" in line]
    assert "all in step" in more


def test_names_are_cut_in_their_middle_and_stay_apart() -> None:
    names = [line.split()[0] for line in lines(two_hundred()) if "\N{HORIZONTAL ELLIPSIS}" in line.split()[0]]
    tables = [name for name in names if name != "\N{HORIZONTAL ELLIPSIS}"]
    assert len(set(tables)) == len(tables) >= 5
    assert all(name.startswith("prod") for name in tables)


def test_a_trouble_of_thirty_tables_is_a_line_with_its_number() -> None:
    shown = lines([with_letters(f"table{n}", 3 + n) for n in range(30)])
    (line,) = [each for each in shown if "that no row can hold" in each]
    assert line.startswith("30 tables (table0, table1, table2, …): 3 items")
    assert "30 tables (table0, table1, table2, …): → twinrow dead-letters list TABLE" in shown


def test_only_bad_leaves_out_what_is_in_step_and_keeps_what_is_not_known() -> None:
    text = "\n".join(lines(two_hundred(), Room(), only_bad=True))
    assert text.splitlines()[0].startswith("200 tables: ")
    assert LONG + "broken" in text
    assert "\n silent " in text
    assert LONG + "194" not in text
    assert lines([table_status(), table_status(table="b")], only_bad=True)[1] == "no table needs anybody"


def test_in_a_pipe_everything_is_there_and_whole() -> None:
    shown = lines(two_hundred(), Room())
    assert sum(LONG in line and "LIVE" in line for line in shown) == 198
    assert not [line for line in shown if "\N{HORIZONTAL ELLIPSIS}" in line.split()[0]]


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 200])
def test_no_line_of_the_table_is_wider_than_the_terminal(columns: int) -> None:
    assert max(map(len, lines(two_hundred(), Room(columns, 22)))) <= columns


def test_one_table_is_shown_with_every_column_and_its_notes_whole() -> None:
    note = Trouble(False, "writes without the mark and hard deletes are not seen: reconcile_every is off " * 3)
    shown = lines([table_status(capture="pending-index", troubles=(note,))], Room(89, 10))
    assert shown[0].split() == [
        "table", "capture", "phase", "rows", "lag", "backlog", "unlinked", "dead", "letters", "gaps",
    ]  # fmt: skip
    assert shown[-1] == f"reviews: {note.text}"


def test_the_order_is_by_what_a_person_has_to_do() -> None:
    waits = Trouble(True, "a sync waits and tries again: MySQL", ())
    names = ["stopped", "late", "waits", "well", "copying", "broken", "new", "gap"]
    tables = {
        "stopped": table_status(table="stopped", phase="STOPPED", known=False, lag_s=None),
        "late": table_status(table="late", lag_s=400.0), "well": table_status(table="well", lag_s=1.0),
        "waits": table_status(table="waits", waits="MySQL", known=False, lag_s=None, troubles=(waits,)),
        "broken": broken("broken"), "new": table_status(table="new", phase="NEW", known=False, lag_s=None),
        "gap": table_status(table="gap", gaps=1), "copying": table_status(table="copying", phase="SNAPSHOT"),
    }  # fmt: skip
    ordered = [table.table for table in worst_first(tables[name] for name in names)]
    assert ordered == ["broken", "stopped", "gap", "waits", "new", "copying", "late", "well"]
