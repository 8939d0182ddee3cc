"""`twinrow verify` and `twinrow repair`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from twinrow.app.options import (
    AcceptDeletesOption,
    ConfigOption,
    JsonOption,
    TablesArgument,
    accepted_deletes,
    load_config,
)
from twinrow.app.signals import stop_on_signals
from twinrow.app.terminal import complain, out, out_json, say
from twinrow.app.typed import as_typed
from twinrow.app.verifying import DIFFERENCES, SIDES, document, look_at
from twinrow.config import Config
from twinrow.errors import TwinrowError

if TYPE_CHECKING:
    from twinrow.table.context import TableContext
    from twinrow.verify.reading import Reader
    from twinrow.verify.verdict import Verdict

EXAMPLES_SHOWN_MAX = 10

Progress = Callable[[int, int], None]


class _Work(Protocol):
    """Verify or repair of a table."""

    def __call__(self, reader: Reader, context: TableContext, progress: Progress) -> Verdict: ...


def verify(tables: TablesArgument = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Compare every item with its row, both ways: missing, extra, different, unlinked.

    The app may go on writing: items that differ are read again until they are proved equal or different. An item that
    keeps changing while no sync writes its row is unsettled after a minute. Reads within the budget; changes nothing.
    Exit code 3 when something differs or is unsettled, or when there is a dead letter.

    \b
    Example:
      twinrow verify
      twinrow verify reviews --json | jq .in_step
    """

    def compare_table(reader: Reader, context: TableContext, progress: Progress) -> Verdict:
        from twinrow.verify.verify import verify_table

        del context
        return verify_table(reader, progress)

    raise typer.Exit(_each(load_config(config, new_tables=True), tables or [], compare_table, as_json=as_json))


def repair(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    execute: Annotated[bool, typer.Option("--execute", help="Mend what differs; without it this only looks.")] = False,
    accept_deletes: AcceptDeletesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the rows that differ, and with --execute write each of them from its item as it is now.

    Reads each item consistently under the table's lock, so it undoes no newer change, also while a sync runs. With
    --execute it reports the differences that are left. Exit code 3 when something differs (or is left).

    \b
    Example:
      twinrow repair reviews
      twinrow repair reviews --execute
    """
    loaded = load_config(config, new_tables=True)
    accepted = accepted_deletes(accept_deletes, loaded)

    def mend_table(reader: Reader, context: TableContext, progress: Progress) -> Verdict:
        from twinrow.verify.repair import repair_table
        from twinrow.workers.held import work_off_rechecks

        repaired = repair_table(
            reader, execute=execute, work_off=lambda: work_off_rechecks(context, context.table.mysql, reader.stop),
            progress=progress, accept_deletes=accepted.get(context.name),
        )  # fmt: skip
        met = _differences(repaired.found)
        if repaired.left is not None and met:
            say(f"{context.name}: found {met}; still left:")
        return repaired.left or repaired.found

    raise typer.Exit(_each(loaded, tables or [], mend_table, as_json=as_json))


def _each(config: Config, names: list[str], work: _Work, *, as_json: bool) -> int:
    """Verify or repair table after table, and report; the exit code. An error of a table does not stop the others."""
    from twinrow.app.output.progress import Bars

    chosen, stop = config.chosen(names), stop_on_signals()
    verdicts: list[Verdict] = []
    worst = 0
    with Bars("items") as bars:
        for table in chosen:
            if stop:
                break
            try:
                verdicts.append(look_at(config, table, stop, partial(work, progress=partial(bars.tell, table.name))))
            except TwinrowError as error:
                complain(error)
                worst = 1 if worst == 1 else error.exit_code
    whole = not worst and not stop
    in_step = whole and all(verdict.in_step for verdict in verdicts)
    if as_json:
        out_json({"in_step": in_step, "tables": [document(verdict) for verdict in verdicts]})
    else:
        for verdict in verdicts:
            _show(verdict)
    if stop and not worst:
        complain(TwinrowError("stopped before the end", remedy="the report above is not complete"))
        return 1
    return worst or (0 if in_step else 3)


def _differences(verdict: Verdict) -> str:
    return ", ".join(f"{getattr(verdict, name):,} {name}" for name in SIDES if getattr(verdict, name))


def _show(verdict: Verdict) -> None:
    differences = _differences(verdict)
    kept = f" (and {verdict.kept:,} kept after their delete)" if verdict.kept else ""
    found = differences or "no difference"
    letters = f", {verdict.dead_letters:,} dead letters" if verdict.dead_letters else ""
    filtered = f" (and {verdict.filtered:,} that `where` leaves out)" if verdict.filtered else ""
    sides = f"{verdict.items:,} items{filtered}, {verdict.rows:,} rows{kept}"
    out(f"{verdict.table}: {sides}: {found}{letters}, {verdict.seconds:.1f} s")
    for example in verdict.examples[:EXAMPLES_SHOWN_MAX]:
        where = f" row {example.row_id}" if example.row_id is not None else ""
        names = f" in {', '.join(example.attributes)}" if example.attributes else ""
        out(f"  {example.kind} {json.dumps(example.key)}{where}{names}")
    if any(getattr(verdict, name) for name in DIFFERENCES):
        out(f"  → {as_typed(f'twinrow repair {verdict.table} --execute')}")
    if verdict.unsettled:
        status = as_typed(f"twinrow status {verdict.table}")
        out(f"  UNSETTLED items kept changing, and the sync did not write their rows; is it behind? → {status}")
