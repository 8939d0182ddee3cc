"""The indexes of `index` in a table's settings: built after the first copy, dropped when the setting goes.

Only an index that Twinrow has made, and has noted so (`state.made`), is ever dropped.
"""

from __future__ import annotations

from typing import Final

from twinrow import clock
from twinrow.errors import Reason, SchemaBusy, StartRefused, TransactionRetry
from twinrow.failpoint import fail_point
from twinrow.mysql import MySQLError
from twinrow.schema.table import TableSchema
from twinrow.sink import indexes
from twinrow.state import made
from twinrow.state.made import MadeKind
from twinrow.table.context import TableContext
from twinrow.table.live_schema import DDL_RETRY_S
from twinrow.table.settings import Settings

KIND: Final[MadeKind] = "mysql-index"


class Indexes:
    """Builds the indexes of a table, each at a step of its own."""

    def __init__(self, context: TableContext) -> None:
        self._context = context
        self._looked_at_version = -1
        self._try_at = 0.0
        self.trouble = Reason()

    def step(self) -> bool:
        """Build an index that is owed; whether one was built. A table that asks for none costs no query."""
        context = self._context
        if not context.settings.index or context.state.first_copy or clock.monotonic() < self._try_at:
            return False
        if self._looked_at_version == context.live.version:
            return False
        wanted = [indexes.index_of(context.live.rest, attributes) for attributes in context.settings.index]
        refused = next((index for index in wanted if index.refused), None)
        self.trouble = Reason(_refusal(refused)) if refused is not None else Reason()
        there = indexes.names_there(context.tenure.open_writer(), context.live.rest.into)
        owed = [index for index in wanted if index.parts and index.name not in there]
        if not owed:
            self._looked_at_version = context.live.version
            return False
        return self._build(owed[0])

    def _build(self, index: indexes.WantedIndex) -> bool:
        context = self._context
        self._try_at = clock.monotonic() + DDL_RETRY_S
        try:
            with context.live.ddl_session() as session:
                made.note(session, context.name, KIND, index.name, "")  # before it is there: else nobody takes it off
                indexes.build(session, context.live.rest.into, index)
        except (SchemaBusy, TransactionRetry):
            return False
        except MySQLError as error:  # nothing hangs on it
            self.trouble = Reason(f"the index on {', '.join(index.attributes)} cannot be built: {error.what}")
            return False
        fail_point("after-index")
        self._try_at = 0.0
        return True


def refuse(settings: Settings, schema: TableSchema) -> None:
    """Raise StartRefused for an index on a JSON column."""
    for attributes in settings.index:
        index = indexes.index_of(schema, attributes)
        if index.refused:
            raise StartRefused(
                _refusal(index), where=f"table {settings.table}",
                remedy=f"take {index.refused!r} out of `index`; a generated column of your own can be indexed",
            )  # fmt: skip


def _refusal(index: indexes.WantedIndex) -> str:
    return f"`index` names {index.refused!r}, whose column is JSON, which MySQL does not index"


def drop_given_up(context: TableContext) -> None:
    """Drop the indexes that Twinrow has made and that the settings do not name any more."""
    session, wanted = context.tenure.open_writer(), {indexes.name_of(names) for names in context.settings.index}
    ours = [thing.name for thing in made.of(session, context.name) if thing.what == KIND and thing.name not in wanted]
    if not ours:
        return
    with context.live.ddl_session() as ddl_session:
        indexes.drop(ddl_session, context.live.rest.into, ours)
        for name in ours:
            made.forget_thing(ddl_session, context.name, KIND, name)
