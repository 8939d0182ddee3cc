"""Which rows a server does not take, and whose fault that is.

A statement that is refused is halved until the row at fault stands alone. A row is to blame only for an error that its
content can cause, and only where the server takes other rows. An error that is not understood puts a row off, and
removes no row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from twinrow.errors import TwinrowError
from twinrow.flavour import Flavour
from twinrow.mysql import Connection, MySQLError
from twinrow.mysql_error import KNOWN_CODES, can_be_content

ALONE_MAX: Final = 20
"""After this many rows that were refused alone, with none taken, the rest of the statement is not tried alone."""
SAVEPOINT: Final = "twinrow_rows"
ROW_TOO_LARGE: Final = 1118
"""Never the server's fault, even where no row is taken: another form of the row, with less in its cells, fits."""

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server's error for one row; `alone`: it was tried by itself."""

    code: int
    reason: str
    alone: bool


@dataclass(slots=True)
class Tried:
    """Rows of one kind of work (new rows, rows that are there, deletes): how many were taken, and which were not."""

    passed: int = 0
    refused: dict[bytes, Refusal] = field(default_factory=dict)
    first: MySQLError | None = None

    def refuse(self, key: bytes, error: MySQLError, *, alone: bool) -> None:
        """Note a row that was not taken."""
        self.first = self.first or error
        self.refused[key] = Refusal(error.code, error.what, alone)


@dataclass(slots=True)
class Judged:
    """`parked`: rows whose own content is at fault, with the reason. `put_off`: rows to be tried again later."""

    parked: dict[bytes, str] = field(default_factory=dict)
    put_off: dict[bytes, Refusal] = field(default_factory=dict)


def undo(tx: Connection, savepoint: str, error: TwinrowError) -> None:
    """Roll back to a savepoint after `error`. Where that fails the transaction is gone, and `error` is raised."""
    try:
        tx.execute(f"ROLLBACK TO SAVEPOINT {savepoint}")
    except TwinrowError as also:
        raise error from also


def in_halves(
    tx: Connection, ones: Sequence[One], key: Callable[[One], bytes], run: Callable[[Sequence[One]], int], tried: Tried
) -> int:
    """`run` them under a savepoint, in halves where that is refused; the sum of what `run` returns."""
    failed, passed = 0, 0
    affected = 0
    parts = [ones] if ones else []
    while parts:
        part = parts.pop()
        if failed >= ALONE_MAX and not passed and tried.first is not None:
            for row in part:
                tried.refuse(key(row), tried.first, alone=False)
            continue
        tx.execute(f"SAVEPOINT {SAVEPOINT}")
        try:
            affected += run(part)
        except MySQLError as error:
            undo(tx, SAVEPOINT, error)
            if len(part) == 1:
                failed += 1
                tried.refuse(key(part[0]), error, alone=True)
            else:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
        else:
            passed += len(part)
    tried.passed += passed
    return affected


def judge(
    kinds: Sequence[Tried],
    passed: int,
    flavour: Flavour,
    takes_known_good: Callable[[], bool | None],
    *,
    waits_apart: bool = False,
) -> Judged:
    """Whose fault each refusal is. Raises the server's error where it is the server's: it takes no row at all.

    `passed`: rows of this batch that the server took. `takes_known_good` asks whether it takes a row that stands there
    already, written onto itself; None where there is no row. It is asked only where no row of a kind was taken.

    `waits_apart`: such rows are put off instead. They stand in `_twinrow_recheck`; an error would hold up all others.
    """
    judged = Judged()
    for tried in kinds:
        if tried.first is None:
            continue
        takes = True if tried.passed else takes_known_good()
        if not passed and _is_the_servers(tried, flavour, takes=takes):
            if not waits_apart or tried.first.code in KNOWN_CODES:
                raise tried.first
            judged.put_off.update(tried.refused)
            continue
        for key, error in tried.refused.items():
            if error.alone and takes is not False and can_be_content(error.code, flavour):
                judged.parked[key] = error.reason
            else:
                judged.put_off[key] = error
    return judged


def _is_the_servers(tried: Tried, flavour: Flavour, *, takes: bool | None) -> bool:
    """Whether the server is at fault, of which this batch has no row that was taken."""
    if {error.code for error in tried.refused.values()} == {ROW_TOO_LARGE}:
        return False
    if takes is False:
        return True
    by_content = all(can_be_content(error.code, flavour) for error in tried.refused.values())
    if takes is None:
        alike = len(tried.refused) > 1 and len({error.code for error in tried.refused.values()}) == 1
        return alike or not by_content
    return not by_content and len(tried.refused) > ALONE_MAX


def taken(tx: Connection, sql: str, savepoint: str) -> bool:
    """Whether the server takes rows as they are; a warning is as bad as an error, since it bends a value.

    What is not taken is undone back to `savepoint`, which is set here. Raises what ends the transaction.
    """
    tx.execute(f"SAVEPOINT {savepoint}")
    try:
        _, warnings = tx.write(sql)
    except MySQLError as error:
        undo(tx, savepoint, error)
        return False
    if warnings:
        tx.execute(f"ROLLBACK TO SAVEPOINT {savepoint}")
    return not warnings
