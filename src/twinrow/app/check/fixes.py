"""How `check --fix` changes a table as its capture asks, and waits until the change is in force."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from twinrow import clock
from twinrow.app.check.finding import Fix
from twinrow.app.terminal import say
from twinrow.app.wiring import connect
from twinrow.capture_kind import TableChange
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import Transient, TwinrowError
from twinrow.mysql import MySQL
from twinrow.state import made
from twinrow.table_description import TableDescription, described

POLL_S = 1.0
WAIT_S_MAX = 1800.0
"""An index on a large table takes hours; whoever waits for it should not have to guess whether anything goes on."""
SAY_AGAIN_S = 60.0


def fix_of(
    dynamodb: DynamoDB,
    description: TableDescription,
    change: TableChange,
    mysql: MySQL | None = None,
    describe: Callable[[], TableDescription] | None = None,
) -> Fix:
    """The change, ready to be carried out: UpdateTable, and waiting until it is in force, as `describe` says.

    The changes are noted in `mysql`, so that `twinrow uninstall` may take them down again.
    """
    look = describe or (lambda: dynamodb.describe(description.name))

    def act(stop: Stop) -> None:
        if change.update is not None:
            where = f"table {description.name}"
            answer = dynamodb.call(change.operation, where=where, TableName=description.name, **change.update)
            if change.makes is not None and mysql is not None:
                table = answer.get("TableDescription")  # only UpdateTable's answer has it
                now = replace(described(table), name=description.name) if table is not None else description
                note(mysql, now, change.makes, change.name)
        _wait(look, description.name, change.waits_for, change.is_there, stop)

    return Fix(change.what, change.cost, act)


def note(mysql: MySQL, description: TableDescription, what: made.MadeKind, name: str) -> None:
    """Note what was made, once DynamoDB has taken it: a note from before could be taken for somebody else's change."""
    try:
        with closing(connect(mysql)) as session:
            known_as = name or description.stream_arn or ""
            made.note(session, description.name, what, known_as, description.table_id or description.arn)
    except TwinrowError as error:
        say(f"{description.name}: not noted in MySQL, so `twinrow uninstall` will leave it: {error}")


def _wait(
    look: Callable[[], TableDescription],
    table: str,
    what: str,
    through: Callable[[TableDescription], bool],
    stop: Stop,
) -> None:
    """Until the change is in force, at most WAIT_S_MAX; how long it takes is said.

    Raises TwinrowError when stopped, or when it takes longer: the change goes on by itself.
    """
    began, said, said_at = clock.monotonic(), "", 0.0
    while True:
        try:
            described = look()
        except Transient as trouble:
            state = str(trouble)
        else:
            if through(described) and described.status == "ACTIVE":
                say(f"{table}: {what} is ready")
                return
            states = ", ".join(
                f"{index.name} {index.status}" for index in described.indexes if index.status != "ACTIVE"
            )
            state = f"{described.status}{', ' + states if states else ''}"
        if not said:
            say(
                f"{table}: waiting for {what}, {WAIT_S_MAX / 60:g} min at most; Ctrl-C ends the waiting, not the change"
            )
        waited_s = clock.monotonic() - began
        if state != said or waited_s - said_at >= SAY_AGAIN_S:
            say(f"{table}: {state}, after {waited_s:.0f} s")
            said, said_at = state, waited_s
        if waited_s >= WAIT_S_MAX:
            raise TwinrowError(
                f"{what} is not ready after {waited_s / 60:.0f} min ({state}); DynamoDB goes on by itself",
                where=f"table {table}", remedy="twinrow check, later",
            )  # fmt: skip
        if stop.wait(POLL_S):
            raise TwinrowError(
                f"stopped waiting for {what}; DynamoDB goes on by itself", where=f"table {table}",
                remedy="twinrow check",
            )  # fmt: skip
