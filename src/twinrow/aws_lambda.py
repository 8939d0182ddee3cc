"""Twinrow in AWS Lambda: `handler` for event source mappings, `scheduled` for a run each minute.

An event is believed only as far as its keys. They are entered to be rechecked, which is durable and may be done twice;
then the batch is over for Lambda. Whoever holds the table's lease reads the keys under its lock: this invocation where
nobody does, else a `sync`, another invocation, or the scheduled run. Configuration comes from the file that
`TWINROW_CONFIG` names, or is its text.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from twinrow import clock
from twinrow.app import wiring
from twinrow.app.library import SyncFailed, Twinrow
from twinrow.aws_watch import mappings, units_written
from twinrow.capture.key_hint import FoldedHints, fold
from twinrow.capture.lambda_event import EventHint, dropped_from, hints_of
from twinrow.capture.lambda_mapping import judge, mapping_of
from twinrow.clock import Stop
from twinrow.config import Config, parse
from twinrow.errors import ConfigError, ConnectionLost, StartRefused, TransactionRetry, TwinrowError
from twinrow.mysql import Connection, MySQL
from twinrow.retry import back_off_s
from twinrow.schema.table import KeyAttribute
from twinrow.state import events, gap, meta, recheck, tables
from twinrow.sync.shard_positions import NOT_UNDERSTOOD, RECREATED
from twinrow.sync.start import keys_of
from twinrow.table.context import TableContext
from twinrow.table_description import name_in_dynamodb
from twinrow.workers.held import work_off_rechecks

CONFIG_VARIABLE: Final = "TWINROW_CONFIG"
HANDLER_VARIABLE: Final = "TWINROW_HANDLER"
"""The name or ARN of the function with `handler`, for the scheduled run: it then looks at the mappings' states."""
CAPTURE: Final = "events"
CAUSE: Final = "event"
LATE: Final = "EVENTS_LATE"
DROPPED: Final = "EVENTS_DROPPED"
SILENT: Final = "EVENTS_SILENT"
LATE_S: Final = 23 * 3600.0
"""A stream keeps records for 24 hours: when so old a record comes, older records may have gone before."""
SILENT_MARGIN_S: Final = 900.0
"""Writes of the last minutes may be on their way still."""
TIME_LEFT_S_MIN: Final = 5.0
"""An invocation ends its work so long before its time-out; a table's lease would else stand until it runs out."""
HELD_WAIT_S_MAX: Final = 2.0
"""How long an invocation waits for whoever holds the lease to read its keys. They are durable: it need not wait."""
ENTER_TRIES_MAX: Final = 6
"""A second or two in all; after that Lambda sends the batch again."""
HELD_POLL_S: Final = 0.05
TIME_S_DEFAULT: Final = 60.0

_log = logging.getLogger("twinrow.aws_lambda")


class LambdaContext(Protocol):
    """The part of the context that Lambda hands to a function which is used here."""

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass
class _Warm:
    """Everything that a process keeps between its invocations."""

    config: Config
    mysql: MySQL
    contexts: dict[str, TableContext]
    session: Connection | None = None
    keys: dict[str, tuple[KeyAttribute, ...]] = field(default_factory=dict)

    def connection(self) -> Connection:
        """A session for entering keys, made anew when it was lost."""
        if self.session is None or not self.session.open:
            self.session = self.mysql.connect()
            meta.install(self.session)
        return self.session


def handler(event: Any, lambda_context: LambdaContext | None = None) -> dict[str, Any]:
    """For an event source mapping with ReportBatchItemFailures: enter the keys of an event, and work them off.

    Returns the answer that Lambda expects. A batch whose keys could not be entered fails from its first record on.
    Where no record can be named, raises the TwinrowError, after which Lambda sends the whole batch again.
    """
    hints = hints_of(event)
    try:
        entered = _entered(hints, dropped_from(event))
    except TwinrowError as error:
        _log.error("the keys of %d records could not be entered: %s", len(hints), error)
        if not hints or not hints[0].hint.sequence:
            raise
        return {"batchItemFailures": [{"itemIdentifier": hints[0].hint.sequence}]}
    with _until_the_end(lambda_context) as stop:
        for table, key_hashes in entered.items():
            _work_off(table, key_hashes, stop)
    return {"batchItemFailures": []}


def scheduled(event: Any, lambda_context: LambdaContext | None = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's
    """For a schedule: the first copy in slices, links put off, late rechecks, and gaps; ends before the time-out.

    Returns `{"through": …, "reason": …}`. Raises TwinrowError where a table failed or was refused.
    """
    left_s, config = _time_left_s(lambda_context), _warm().config
    chosen = [table.name for table in config.tables if table.capture == CAPTURE]
    if not chosen:
        raise ConfigError(f"no table has `capture = {CAPTURE}`", where=CONFIG_VARIABLE)
    _look_at_mappings(_warm(), chosen)
    _look_for_silence(_warm())
    try:
        Twinrow(config).sync_once(*chosen, timeout_s=left_s)
    except SyncFailed:
        raise
    except TwinrowError as error:  # it ran out of time: the next run goes on from what is committed
        return {"through": False, "reason": str(error)}
    return {"through": True, "reason": ""}


def _warm() -> _Warm:
    """Kept by thread: Lambda runs an invocation at a time in a process, and tests run some side by side."""
    if not hasattr(_kept, "warm"):
        _kept.warm = _cold()
    warm: _Warm = _kept.warm
    return warm


_kept = threading.local()


def _cold() -> _Warm:
    config = _config(os.environ.get(CONFIG_VARIABLE, ""))
    mysql = wiring.mysql_of(config)
    chosen = [table for table in config.tables if table.capture == CAPTURE]
    contexts = wiring.contexts_of(config, chosen, Stop(), mysql=mysql)
    return _Warm(config, mysql, {name_in_dynamodb(context.name): context for context in contexts})


@cache
def _config(text: str) -> Config:
    """The configuration; a rebuild of a table may outlast an invocation, so none runs here. Raises ConfigError."""
    if not text:
        raise ConfigError(f"{CONFIG_VARIABLE} is not set", remedy="set it to the path of twinrow.toml, or to its text")
    if "\n" in text or "[" in text:
        config = parse(text, CONFIG_VARIABLE)
    else:
        config, _ = wiring.read_config(Path(text))
    if config.patterns:
        raise ConfigError(
            f"{config.patterns[0].title}: a function serves tables by name",
            where=config.path,
            remedy="give each table a [[tables]] part with `name`",
        )
    return replace(
        config, tables=tuple(msgspec.structs.replace(table, rebuild_rows_max=0) for table in config.tables)
    )  # fmt: skip


def _entered(hints: tuple[EventHint, ...], dropped: tuple[str, ...]) -> dict[str, set[bytes]]:
    """`_enter`, at most ENTER_TRIES_MAX times.

    Invocations side by side enter the same keys, so that they may wait for each other (deadlock). And MySQL closes a
    session that stood still between two invocations.
    """
    tried = 0
    while True:
        tried += 1
        try:
            return _enter(hints, dropped)
        except ConnectionLost:
            _warm().session = None
            if tried == ENTER_TRIES_MAX:
                raise
        except TransactionRetry:
            if tried == ENTER_TRIES_MAX:
                raise
        Stop().wait(back_off_s(tried))


def _enter(hints: tuple[EventHint, ...], dropped: tuple[str, ...]) -> dict[str, set[bytes]]:
    """Make the keys of hints durable, with the gaps that the event shows; the fingerprints by table.

    `dropped`: ARNs of streams of which Lambda has given up a batch.
    """
    warm = _warm()
    by_table: defaultdict[str, list[EventHint]] = defaultdict(list)
    for hint in hints:
        for table in [hint.hint.table] if hint.hint.table else warm.contexts:
            if table in warm.contexts:
                by_table[table].append(hint)
    entered = {}
    for table, found in by_table.items():
        context = warm.contexts[table]
        folded = fold(_keys(warm, context), [each.hint for each in found], context.table.dynamodb.seen_key)
        _count(context, folded)
        with warm.connection().transaction() as tx:
            # in the same order everywhere, so that two invocations seldom wait for each other
            keys = [(key_hash, folded.keys[key_hash].key) for key_hash in sorted(folded.keys)]
            recheck.add(tx, context.name, keys, CAUSE)
            _note(tx, context, found, folded)
        entered[table] = set(folded.keys)
    for arn in dropped:
        for context in _tables_of(warm, arn):
            session = warm.connection()
            gap.record(session, context.name, DROPPED, at=session.now(), to_at=session.now())
    return entered


def _keys(warm: _Warm, context: TableContext) -> tuple[KeyAttribute, ...]:
    """The table's key attributes, asked for once in the life of a process."""
    known = warm.keys.get(context.name)
    if known is None:
        described = context.table.describe()
        known = keys_of(described)
        warm.keys[context.name] = known
    return known


def _count(context: TableContext, folded: FoldedHints) -> None:
    for doubt in (*folded.lost, *folded.foreign):
        context.counters.doubt(1, f"a record of an event: {doubt}")
        _log.warning("table %s: a record is not understood: %s", context.name, doubt)


def _note(tx: Connection, context: TableContext, found: list[EventHint], folded: FoldedHints) -> None:
    """When the last event came and from where; gaps: another stream, an old record, a record without its key."""
    now = tx.now()
    arn = found[-1].arn
    known = events.of(tx, context.name)
    if known.source_arn and arn and known.source_arn != arn:
        gap.record(tx, context.name, RECREATED, at=now, from_at=known.event_at, to_at=now)
    events.note(tx, context.name, source_arn=arn or known.source_arn, event_at=now)
    oldest_at = min((each.hint.at for each in found if each.hint.at), default=None)
    if oldest_at is not None and oldest_at < context.table.dynamodb.clock.now() - LATE_S:
        gap.record(tx, context.name, LATE, at=now, to_at=now)
    if folded.lost:
        gap.record(tx, context.name, NOT_UNDERSTOOD, at=now, to_at=now)


def _tables_of(warm: _Warm, arn: str) -> Iterator[TableContext]:
    """The tables that a stream may carry: that of a DynamoDB stream, all tables of a Kinesis stream."""
    for name, context in warm.contexts.items():
        if ":kinesis:" in arn or f":table/{name}/stream/" in arn:
            yield context


def _work_off(table: str, key_hashes: set[bytes], stop: Stop) -> None:
    """Read the keys and write their rows, unless somebody else holds the table; then wait a moment for that.

    Nothing is raised: the keys are durable, and the scheduled run comes to what is left here.
    """
    warm = _warm()
    context, session = warm.contexts[table], warm.connection()
    registered = tables.load(session, context.name)
    if registered is None or not registered.snapshot_done_at:
        return  # the first copy is the scheduled run's, or a sync's
    began = clock.monotonic()
    while not stop:
        try:
            work_off_rechecks(context, warm.mysql, stop)
            return
        except StartRefused:
            waits = recheck.waiting_among(session, context.name, list(key_hashes))
            if not waits or clock.monotonic() - began > HELD_WAIT_S_MAX or stop.wait(HELD_POLL_S):
                return
        except TwinrowError as error:
            _log.warning("table %s: keys wait to be read: %s", context.name, error)
            return


def _look_at_mappings(warm: _Warm, chosen: list[str]) -> None:
    """Note that the scheduled run came, and how the mapping of each table stands, with the gap that follows from it."""
    session, function = warm.connection(), os.environ.get(HANDLER_VARIABLE, "")
    for context in warm.contexts.values():
        if context.name not in chosen:
            continue
        events.note(session, context.name, scheduled_at=session.now())
        if not function:
            continue
        try:
            found = mappings(context.table.dynamodb, function)
        except TwinrowError as error:
            _log.warning("table %s: %s", context.name, error)
            continue
        with session.transaction() as tx:
            known, now = events.of(tx, context.name), tx.now()
            mapping = mapping_of(name_in_dynamodb(context.name), known.source_arn, found)
            judged = judge(known.mapping_id, known.mapping_state, known.mapping_at, mapping, now)
            events.note(tx, context.name, mapping_id=judged.id, mapping_state=judged.state, mapping_at=judged.at)
            if judged.gap:
                gap.record(tx, context.name, judged.gap, at=now, from_at=known.event_at, to_at=now)


def _look_for_silence(warm: _Warm) -> None:
    """A table that is written, and of which no event came for a day: its mapping is off, or was."""
    session = warm.connection()
    for context in warm.contexts.values():
        last_at = events.of(session, context.name).event_at
        now = session.now()
        found_at = gap.last_found(session, context.name, SILENT) or 0.0
        if last_at is None or now - max(last_at, found_at) < LATE_S:
            continue
        try:
            written = units_written(context.table.dynamodb, context.name, now - LATE_S, now - SILENT_MARGIN_S)
        except TwinrowError as error:
            _log.warning("table %s: CloudWatch does not say whether it is written: %s", context.name, error)
            continue
        if written > 0:
            gap.record(session, context.name, SILENT, at=now, from_at=last_at, to_at=now)


def _time_left_s(lambda_context: LambdaContext | None) -> float:
    if lambda_context is None:
        return TIME_S_DEFAULT
    return max(1.0, lambda_context.get_remaining_time_in_millis() / 1000 - TIME_LEFT_S_MIN)


@contextmanager
def _until_the_end(lambda_context: LambdaContext | None) -> Iterator[Stop]:
    """A request to stop that comes by itself shortly before the invocation's time-out."""
    stop = Stop()
    timer = threading.Timer(_time_left_s(lambda_context), stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()


__all__ = ["handler", "scheduled"]
