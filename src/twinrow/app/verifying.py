"""A table under verify or repair: the means to read it, and the result that is remembered."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from twinrow.config import Config, TableConfig

if TYPE_CHECKING:
    from twinrow.clock import Stop
    from twinrow.mysql import Connection
    from twinrow.protect.guard import TableProtection
    from twinrow.table.context import TableContext
    from twinrow.verify.reading import Reader
    from twinrow.verify.verdict import Verdict

DIFFERENCES: Final = ("missing", "extra", "different", "unlinked", "misplaced")
SIDES: Final = (*DIFFERENCES, "unsettled")


def look_at(
    config: Config, table: TableConfig, stop: Stop, work: Callable[[Reader, TableContext], Verdict],
    context: TableContext | None = None,
) -> Verdict:  # fmt: skip
    """Run `work` on a table, within its read budget, and remember the verdict for `status`. Raises TwinrowError.

    `context` is that of a sync of this process, whose budget is shared then; without it the table has its own.
    """
    from twinrow.app.wiring import connect, contexts_of, few_tries
    from twinrow.mysql_error import BY_HAND_CODES, MySQLError
    from twinrow.sink import by_hand
    from twinrow.verify.reading import Reader, schemas_of

    own = context is None
    context = context or contexts_of(config, [table], stop)[0]
    with closing(connect(context.table.mysql)) as session:
        if context.settings.protection is not None:
            _refuse_other_rules(session, context.name, context.settings.protection)
        if own:  # else the sync has set the budget
            few_tries(context.table.describe)
        reader = Reader(
            context.settings, context.table.dynamodb, session, context.table.read_budget, stop, context.table.mysql
        )
        try:
            verdict = work(reader, context)
        except MySQLError as error:
            if error.code in BY_HAND_CODES:  # the server's words tell no remedy
                for schema in schemas_of(session, context.name):
                    by_hand.stop_changed(session, schema)
            raise
        _remember(reader, verdict)
        return verdict


def document(verdict: Verdict) -> dict[str, Any]:
    """The JSON form of a verdict."""
    names = ("items", "filtered", "rows", "kept", *SIDES, "dead_letters", "seconds")
    counts = {name: getattr(verdict, name) for name in names}
    examples = [
        {"kind": example.kind, "key": example.key, "row_id": example.row_id, "attributes": list(example.attributes)}
        for example in verdict.examples
    ]
    return {"table": verdict.table, **counts, "in_step": verdict.in_step, "examples": examples}


def _refuse_other_rules(session: Connection, table: str, protection: TableProtection) -> None:
    """Raise StartRefused where the rows were made by other rules, or hashed with another secret: all would differ."""
    from twinrow.errors import StartRefused
    from twinrow.state import tables

    registered = tables.load(session, table)
    made_by = registered.settings.get("protection") if registered is not None else None
    if registered is not None and made_by != protection.summary:
        raise StartRefused(
            "its rows were made by other rules of protection, or with another secret", where=f"table {table}",
            remedy="set them back, or let a sync apply them first", commands=(f"twinrow sync --once {table}",),
        )  # fmt: skip


def _remember(reader: Reader, verdict: Verdict) -> None:
    from twinrow.state import tables

    remembered = {name: value for name, value in document(verdict).items() if name not in ("table", "examples")}
    if not reader.stop:
        tables.update(
            reader.connection, verdict.table, verified=json.dumps({"at": reader.connection.now(), **remembered})
        )
