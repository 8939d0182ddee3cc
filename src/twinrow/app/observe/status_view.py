"""`status` as lines that a person reads at a glance: all tables in one line, the worst first, each trouble once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from twinrow.app.many import CUT, cut
from twinrow.app.observe.status import Status, TableStatus, span
from twinrow.app.observe.worst_first import SharedTrouble, not_well, shared, summary, worst_first
from twinrow.app.typed import in_text
from twinrow.state.member import LivingMember

if TYPE_CHECKING:
    from rich.text import Text

PHASE_STYLE: Final = {"LIVE": "green", "BROKEN": "bold red", "STOPPED": "red", "NEW": "dim"}
UNKNOWN: Final = "\N{EN DASH}"
NOT_RUNNING_STYLE: Final = "dim"
"""The style of a phase that was right when the last sync ended: nobody keeps it so."""
NAME_COLUMNS_MIN = 16
"""A name that is cut shorter could be any other."""
GAP_COLUMNS = 3
TABLES_LINES_MIN = 5
"""At least this many lines go to tables, however many troubles there are."""


class Cell(NamedTuple):
    """A text and its style."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column of the table; on a narrow terminal the columns with the highest `dropped` go first (0: stays)."""

    name: str
    dropped: int
    of: Callable[[TableStatus], Cell]
    left: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """How much can be shown: columns, and lines (None: as many as there are)."""

    columns: int | None = None
    lines: int | None = None


def view(status: Status, room: Room, *, only_bad: bool = False) -> list[Text]:
    """Lines for a terminal: a summary of several tables, the tables, and what to know of them with the remedies.

    No table takes two lines. Where there is no room for all, the worst are shown, and how many are left out.
    """
    ordered = worst_first(not_well(status.tables) if only_bad else status.tables)
    head = [_line(Cell(summary(status.tables), "bold"), room.columns)] if len(status.tables) > 1 else []
    head += [_line(Cell(_members(status.members)), room.columns)] if len(status.members) > 1 else []
    if not ordered:
        return [*head, _line(Cell("no table needs anybody", "green"), room.columns)]
    names, *rows = _table(ordered, room.columns)
    troubles = _troubles(ordered)
    needed = len(head) + len(names) + len(rows) + len(troubles)
    if room.lines is None or needed <= room.lines or len(status.tables) == 1:
        return [*head, *names, *(line for row in rows for line in row), *_texts(troubles, None)]
    left = room.lines - len(head) - len(names)
    shown = max(TABLES_LINES_MIN, left - len(troubles)) - 1
    lines = [line for row in rows[:shown] for line in row]
    if len(rows) > shown:
        lines.append(_line(Cell(_left_out(ordered[shown:]), "dim"), room.columns))
    below = max(1, left - len(lines))
    if len(troubles) > below:
        more = len(troubles) - below + 1
        troubles = [*troubles[: below - 1], Cell(f"{CUT} {more:,} lines more: twinrow status --only-bad | less", "dim")]
    return [*head, *names, *lines, *_texts(troubles, room.columns)]


def _members(members: Sequence[LivingMember]) -> str:
    return f"{len(members)} processes: {', '.join(f'{each.holder} holds {each.held}' for each in members)}"


def _left_out(tables: Sequence[TableStatus]) -> str:
    bad = len(not_well(tables))
    rest = f"{bad:,} of them not in step" if bad else "all in step"
    return f"{CUT} {len(tables):,} tables more, {rest}: twinrow status | less"


def _phase(table: TableStatus) -> Cell:
    style = NOT_RUNNING_STYLE if table.as_of is not None else PHASE_STYLE.get(table.phase, "yellow")
    if table.phase == "SNAPSHOT" and table.snapshot_share is not None:
        return Cell(f"SNAPSHOT {table.snapshot_share:.0%}", style)
    if table.reconcile_share is not None:
        return Cell(f"{table.phase}, reconcile {table.reconcile_share:.0%}", style)
    return Cell(table.phase, style)


def _alarm(count: int, bad: int) -> Cell:
    return Cell(f"{count:,}", "red" if bad else "")


COLUMNS: Final = (
    ShownColumn("capture", 4, lambda table: Cell(table.capture), left=True),
    ShownColumn("phase", 0, _phase, left=True),
    ShownColumn("rows", 2, lambda table: Cell(f"{table.rows:,}")),
    ShownColumn("lag", 0, lambda table: Cell(UNKNOWN if table.lag_s is None else span(table.lag_s))),
    ShownColumn("backlog", 3, lambda table: Cell(UNKNOWN if table.backlog is None else f"{table.backlog:,}")),
    ShownColumn("unlinked", 1, lambda table: _alarm(table.unlinked, table.links_refused)),
    ShownColumn("dead letters", 0, lambda table: _alarm(table.dead_letters, table.dead_letters)),
    ShownColumn("gaps", 0, lambda table: _alarm(table.gaps, table.gaps)),
)


def _table(tables: Sequence[TableStatus], columns_max: int | None) -> list[list[Text]]:
    """The head (names and a rule), then a list of one line for each table."""
    from rich.text import Text

    columns, cells = list(COLUMNS), [[column.of(table) for column in COLUMNS] for table in tables]
    widths = [max(len(column.name), *(len(row[n].text) for row in cells)) for n, column in enumerate(COLUMNS)]
    name_columns = max(len("table"), *(len(table.table) for table in tables))
    kept = list(range(len(columns)))
    if columns_max is not None:
        while (free := columns_max - 1 - sum(widths[n] + GAP_COLUMNS for n in kept)) < min(
            name_columns, NAME_COLUMNS_MIN
        ):
            worst = max(kept, key=lambda n: columns[n].dropped)
            if not columns[worst].dropped:
                break
            kept.remove(worst)
        name_columns = max(min(name_columns, free), 1)

    def line(name: str, parts: Sequence[Cell]) -> Text:
        text = Text(f" {cut(name, name_columns):<{name_columns}}")
        for n in kept:
            cell, width = parts[n], widths[n]
            text.append(" " * GAP_COLUMNS)
            text.append(f"{cell.text:<{width}}" if columns[n].left else f"{cell.text:>{width}}", style=cell.style)
        text.rstrip()
        return text

    head = line("table", [Cell(column.name, "bold") for column in columns])
    rule = Text(" " + "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * (len(head.plain) - 1))
    return [
        [head, rule],
        *([line(table.table, row), *_entities(table, columns_max)] for table, row in zip(tables, cells, strict=True)),
    ]


def _entities(table: TableStatus, columns_max: int | None) -> list[Text]:
    """An indented line for each entity of a split."""
    lines = []
    for entity in table.entities:
        share = f" ({entity.rows / table.rows:.0%})" if table.rows else ""
        moved = f", {entity.moved:,} moved here" if entity.moved else ""
        if entity.into is None:
            text = f"   {entity.name} (ignored)"
        elif entity.name:
            text = f"   {entity.name} {entity.rows:,}{share}{moved}"
        else:
            text = f"   {entity.into} {entity.rows:,}{share} (unmatched){moved}"
        lines.append(_line(Cell(text, "dim"), columns_max))
    return lines


def _troubles(tables: Sequence[TableStatus]) -> list[Cell]:
    """The notes on the tables, the bad first, each with the commands that mend it below."""
    new = {table.table for table in tables if table.phase == "NEW"}
    lines: list[Cell] = []
    for trouble in sorted(shared(tables), key=lambda trouble: not trouble.bad):
        lines.append(Cell(f"{trouble.where}: {in_text(trouble.text)}", "yellow" if trouble.bad else "dim"))
        if trouble.bad or not new.isdisjoint(trouble.tables):
            lines += _commands(trouble)
    return lines


def _commands(trouble: SharedTrouble) -> list[Cell]:
    return [Cell(f"{trouble.where}: → {command}", "cyan") for command in trouble.commands]


def _texts(cells: Sequence[Cell], columns: int | None) -> list[Text]:
    return [_line(cell, columns) for cell in cells]


def _line(cell: Cell, columns: int | None) -> Text:
    """A line as it is, or cut at the end."""
    from rich.text import Text

    text = cell.text if columns is None or len(cell.text) <= columns else cell.text[: columns - 1] + CUT
    return Text(text, style=cell.style)
