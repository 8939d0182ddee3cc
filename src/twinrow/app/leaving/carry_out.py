"""The steps of leaving a table, done while its lease is held; each may be done twice, so a killed run goes on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Final

from twinrow.app.check import fixes
from twinrow.app.leaving.items import PART, Pass, TakenOff, leaving_fence
from twinrow.app.leaving.look import is_half_dropped
from twinrow.app.leaving.plan import LeavingPlan, LeftTable, Part, Wanted
from twinrow.app.wiring import connect, few_tries
from twinrow.capture_kind import TableChange
from twinrow.errors import StartRefused, TwinrowError
from twinrow.link.settle import LATE_RECHECK_S
from twinrow.mysql import Connection, MySQL
from twinrow.schema.naming import quote
from twinrow.sink import inspect
from twinrow.state import checkpoint, directory, lease, made, meta, outbox, recheck, tables
from twinrow.sync import start
from twinrow.table.context import TableContext
from twinrow.workers.held import held

Tell = Callable[[str], None]
DESTINATION_IS_ON: Final = frozenset({"ACTIVE", "ENABLING", "UPDATING"})


def carry_out(
    context: TableContext, mysql: MySQL, standing: LeftTable, plan: LeavingPlan, wanted: Wanted, tell: Tell
) -> None:
    """Do the plan's steps in their order; `tell` is given a sentence for each that is done.

    Raises StartRefused while a sync holds the table, or while a link write of a killed sync may still arrive;
    TwinrowError when it cannot go on, with all that was done standing.
    """
    parts = [step.part for step in plan.steps]
    with closing(connect(mysql)) as session:
        fence = _refuse_late_links(session, context.name) if "items" in parts and meta.installed(session) else None
    with held(context, mysql):
        if fence is not None and context.tenure.lease.fence != fence + 1:
            raise TwinrowError(
                "another process has held the table meanwhile", where=f"table {context.name}", remedy="run it again"
            )
        for part in parts:
            if context.table.stop:
                raise TwinrowError("stopped before the end", remedy="run it again: it goes on where it was")
            _STEPS[part](context, standing, wanted, tell)


def finish_dropping(mysql: MySQL) -> None:
    """Drop what an interrupted run has left of the state's tables: a command that meets them would fail."""
    with closing(connect(mysql)) as session:
        half = is_half_dropped(meta.tables_there(session))
    if half:
        drop_state(mysql)


def drop_state(mysql: MySQL) -> str:
    """Drop Twinrow's own tables where no table is registered and no process holds any; else why they stay.

    In a single statement, and the table that says that there is a state last: a run that is killed meanwhile is
    followed by another that still finds it.
    """
    with closing(connect(mysql)) as session:
        there = meta.tables_there(session)
        registered = [known.table_name for known in tables.load_all(session)] if "_twinrow_table" in there else []
        if registered:
            return f"they remember {', '.join(registered)}"
        if {"_twinrow_lease", "_twinrow_heartbeat"} <= {*there} and lease.anyone_alive(session):
            return "a sync is running"
        if there:
            few_tries(lambda: session.execute(f"DROP TABLE IF EXISTS {', '.join(quote(name) for name in there)}"))
    return ""


def _refuse_late_links(session: Connection, table: str) -> int:
    """The fence now. Raises StartRefused while a link write of a sync that was killed may arrive after the pass.

    A sync that ended in good order has noted every answer. Any other leaves its name in the lease, and what it
    had not settled in the outbox. An uninstall that was killed has sent nothing but removals.
    """
    fence, holder, since_s = lease.last_held(session, table)
    if leaving_fence(checkpoint.load(session, table, PART)) == fence:
        return fence
    owed, _ = outbox.count(session, table)
    wait_s = LATE_RECHECK_S - since_s if holder and owed and since_s is not None else 0.0
    late_at = recheck.last_late_look(session, table)
    if late_at is not None:
        wait_s = max(wait_s, late_at - session.now())
    if wait_s > 0:
        raise StartRefused(
            "its last sync did not end in good order: a link write of it may still arrive, and bring an id back",
            where=f"table {table}", remedy=f"run this again in {max(1, round(wait_s / 60))} min",
        )  # fmt: skip
    return fence


def _items(context: TableContext, standing: LeftTable, wanted: Wanted, tell: Tell) -> None:
    description, ids = standing.description, standing.takes_ids
    if description is None:
        return
    context.live.load()
    about = description.items

    def progress(so_far: TakenOff) -> None:
        tell(f"{so_far.items:,} of about {about:,} items: {so_far.ids:,} ids, {so_far.marks:,} marks are off")

    taken = Pass(context, start.keys_of(description), ids=ids, marks=wanted.marks, on_progress=progress).run()
    found = [f"{taken.ids:,} ids"] * ids + [f"{taken.marks:,} marks"] * wanted.marks
    stay = f"; {taken.other_ids:,} ids stay: they are not their row's" if taken.other_ids else ""
    tell(f"taken off {taken.items:,} items: {' and '.join(found)}{stay}")
    if taken.moving:
        raise TwinrowError(
            f"{taken.moving:,} items were written again and again while their id was to go",
            where=f"table {context.name}", remedy="run it again",
        )  # fmt: skip


def _index(context: TableContext, standing: LeftTable, wanted: Wanted, tell: Tell) -> None:  # noqa: ARG001 - as its neighbours
    name, description = standing.index, standing.description
    if name is None or description is None:
        return
    change = TableChange(
        f"delete the index {name}", "", {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]},
        f"the end of index {name}", lambda now: now.index(name) is None,
    )  # fmt: skip
    current = context.table.dynamodb.describe(context.name).index(name)
    if current is not None and current.status == "DELETING":  # an earlier run has begun it
        change = TableChange(change.what, "", None, change.waits_for, change.is_there)
    if current is not None:
        fixes.fix_of(context.table.dynamodb, description, change).act(context.table.stop)
    made.forget(context.tenure.open_writer(), context.name, "index")
    tell(f"index {name} is deleted")


def _stream(context: TableContext, standing: LeftTable, wanted: Wanted, tell: Tell) -> None:  # noqa: ARG001 - as its neighbours
    description = standing.description
    if description is None:
        return
    change = TableChange(
        "turn the stream off", "", {"StreamSpecification": {"StreamEnabled": False}}, "the end of the stream",
        lambda now: now.stream_arn is None,
    )  # fmt: skip
    if context.table.dynamodb.describe(context.name).stream_arn == description.stream_arn:
        fixes.fix_of(context.table.dynamodb, description, change).act(context.table.stop)
    made.forget(context.tenure.open_writer(), context.name, "stream")
    tell("the stream is off")


def _destination(context: TableContext, standing: LeftTable, wanted: Wanted, tell: Tell) -> None:  # noqa: ARG001 - as its neighbours
    arn, dynamodb, where = standing.destination, context.table.dynamodb, f"table {context.name}"
    if arn is None:
        return
    answer = dynamodb.call("describe_kinesis_streaming_destination", where=where, TableName=context.name)
    states = {
        found.get("StreamArn"): found.get("DestinationStatus")
        for found in answer.get("KinesisDataStreamDestinations", ())
    }
    if states.get(arn) in DESTINATION_IS_ON:  # DynamoDB refuses to turn off what is off
        dynamodb.call(
            "disable_kinesis_streaming_destination", where=where, TableName=context.name, StreamArn=arn
        )  # fmt: skip
    made.forget(context.tenure.open_writer(), context.name, "destination")
    tell(f"DynamoDB writes no more changes to {arn}")


def _pitr(context: TableContext, standing: LeftTable, wanted: Wanted, tell: Tell) -> None:  # noqa: ARG001 - as its neighbours
    context.table.dynamodb.call(
        "update_continuous_backups", where=f"table {context.name}", TableName=context.name,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
    )  # fmt: skip
    made.forget(context.tenure.open_writer(), context.name, "pitr")
    tell("point-in-time recovery is off")


def _rows(context: TableContext, standing: LeftTable, wanted: Wanted, tell: Tell) -> None:  # noqa: ARG001 - as its neighbours
    for into in (standing.into, *standing.others_into):
        there = few_tries(lambda into=into: inspect.columns(context.tenure.open_writer(), into))  # type: ignore[misc]
        if inspect.is_ours(there):
            drop = f"DROP TABLE IF EXISTS {quote(into)}"
            few_tries(lambda drop=drop: context.tenure.open_writer().execute(drop))  # type: ignore[misc]
        tell(f"MySQL table {into} is dropped")
    if standing.others_into:
        few_tries(lambda: directory.drop(context.tenure.open_writer(), context.name))


def _state(context: TableContext, standing: LeftTable, wanted: Wanted, tell: Tell) -> None:  # noqa: ARG001 - as its neighbours
    with context.tenure.transaction() as tx:
        tables.forget(tx, context.name)
        made.forget(tx, context.name)
    tell("what Twinrow remembered of it is forgotten")


_STEPS: dict[Part, Callable[[TableContext, LeftTable, Wanted, Tell], None]] = {
    "items": _items, "index": _index, "stream": _stream, "destination": _destination, "pitr": _pitr, "rows": _rows,
    "state": _state,
}  # fmt: skip
