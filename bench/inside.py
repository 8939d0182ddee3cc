"""Twinrow run inside this process: for times without Python's start, and for DynamoDB requests and units counted."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.ground import Ground
from twinrow.app.wiring import contexts_of, mysql_of
from twinrow.clock import Stop
from twinrow.config import parse
from twinrow.table_description import TableDescription
from twinrow.workers.fleet import Listener, run_tables


@dataclass(frozen=True, slots=True)
class Pass:
    """One `sync --once`: seconds of work after start-up, DynamoDB requests, capacity units read and written.

    Start-up (botocore's client, sessions, the lease) ends when the table has been described.
    """

    seconds: float
    requests: int
    read_units: float
    write_units: float


def once(here: Ground, capture: str, *, link: bool) -> Pass:
    """`sync --once` in this process. Raises the error it ended with."""
    config = parse(here.text(capture, link=link))
    mysql = mysql_of(config)
    contexts = contexts_of(config, config.chosen([]), Stop(), mysql=mysql)
    began = time.perf_counter()

    def started(_description: TableDescription) -> None:
        nonlocal began
        began = time.perf_counter()

    outcomes = run_tables(contexts, mysql, once=True, listener=Listener(on_described=started))
    took = time.perf_counter() - began
    for outcome in outcomes.values():
        if outcome.error is not None:
            raise outcome.error
    return Pass(
        took,
        sum(contexts[0].table.dynamodb.requests.values()),
        sum(context.table.read_budget.used for context in contexts),
        sum(context.table.write_budget.used for context in contexts),
    )
