"""`twinrow verify` and `twinrow repair`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twinrow.app.options import ConfigOption, JsonOption, TablesArgument, load_config
from twinrow.app.signals import stop_on_signals
from twinrow.app.terminal import complain, out, out_json
from twinrow.config import Config, TableConfig
from twinrow.errors import TwinrowError

if TYPE_CHECKING:
    from twinrow.clock import Stop
    from twinrow.sync.copy import Copy
    from twinrow.verify.verify import Reader, Verdict

EXAMPLES_SHOWN_MAX = 10
SIDES = ("missing", "extra", "different", "unlinked")

Progress = Callable[[int, int], None]


def verify(tables: TablesArgument = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Compare every item with its row, both ways: missing, extra, different, unlinked.

    The app may go on writing: what differs is looked at again until it stands still. Reads within the budget; changes
    nothing. Exit code 3 when something differs or a dead letter stands.

    \b
    Example:
      twinrow verify
      twinrow verify reviews --json | jq .in_step
    """

    def one(reader: Reader, _copy: Copy, progress: Progress) -> Verdict:
        from twinrow.verify.verify import verify_table

        verdict = verify_table(reader, progress)
        _note(reader, verdict)
        return verdict

    raise typer.Exit(_each(load_config(config), tables or [], one, as_json=as_json))


def repair(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    execute: Annotated[bool, typer.Option("--execute", help="Mend what differs; without it this only looks.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find what differs, and with --execute bring each such row to what its item is now.

    Goes by a consistent read under the table's lock, so it undoes no newer change, also while a sync runs. What is
    told with --execute is what is left after it. Exit code 3 when something differs (or is left).

    \b
    Example:
      twinrow repair reviews
      twinrow repair reviews --execute
    """
    loaded = load_config(config)

    def one(reader: Reader, copy: Copy, progress: Progress) -> Verdict:
        from twinrow.app.wiring import limit_budgets
        from twinrow.verify.repair import repair_table
        from twinrow.workers.held import work_off_rechecks

        limit = limit_budgets(loaded)
        repaired = repair_table(
            reader, execute=execute, work_off=lambda: work_off_rechecks(copy, copy.mysql, limit, reader.stop),
            progress=progress,
        )  # fmt: skip
        verdict = repaired.left or repaired.found
        _note(reader, verdict)
        return verdict

    raise typer.Exit(_each(loaded, tables or [], one, as_json=as_json))


def _each(config: Config, names: list[str], work: Callable[[Reader, Copy, Progress], Verdict], *, as_json: bool) -> int:
    """Verify or repair table after table, and report; the exit code. One's error does not stop the others."""
    from twinrow.app.progress import Bars

    chosen, stop = config.chosen(names), stop_on_signals()
    verdicts: list[Verdict] = []
    worst = 0
    with Bars("items") as bars:
        for table in chosen:
            if stop:
                break
            try:
                verdicts.append(_one(config, table, stop, work, partial(bars.tell, table.name)))
            except TwinrowError as error:
                complain(error)
                worst = 1 if worst == 1 else error.exit_code
    whole = not worst and not stop
    in_step = whole and all(one.in_step for one in verdicts)
    if as_json:
        out_json({"in_step": in_step, "tables": [_document(one) for one in verdicts]})
    else:
        for verdict in verdicts:
            _show(verdict)
    if stop and not worst:
        complain(TwinrowError("stopped before the end", remedy="what is told above is not the whole"))
        return 1
    return worst or (0 if in_step else 3)


def _one(
    config: Config, table: TableConfig, stop: Stop, work: Callable[[Reader, Copy, Progress], Verdict], tell: Progress
) -> Verdict:
    from twinrow.app.wiring import connect, copies_of, few_tries, limit_budgets
    from twinrow.verify.verify import Reader

    (copy,) = copies_of(config, [table], stop)
    with closing(connect(copy.mysql)) as session:
        description = few_tries(lambda: copy.dynamodb.describe(table.name))
        limit_budgets(config)(copy, description)
        reader = Reader(copy.settings, copy.dynamodb, session, copy.read_budget, stop)
        return work(reader, copy, tell)


def _document(verdict: Verdict) -> dict[str, Any]:
    counts = {name: getattr(verdict, name) for name in ("items", "rows", "kept", *SIDES, "dead_letters", "seconds")}
    examples = [
        {"kind": one.kind, "key": one.key, "row_id": one.row_id, "attributes": list(one.attributes)}
        for one in verdict.examples
    ]
    return {"table": verdict.table, **counts, "in_step": verdict.in_step, "examples": examples}


def _note(reader: Reader, verdict: Verdict) -> None:
    """Remember the result for `status`."""
    from twinrow import clock
    from twinrow.state import tables

    told = {name: value for name, value in _document(verdict).items() if name not in ("table", "examples")}
    if not reader.stop:
        tables.update(reader.connection, verdict.table, verified=json.dumps({"at": clock.now(), **told}))


def _show(verdict: Verdict) -> None:
    differences = ", ".join(f"{getattr(verdict, name):,} {name}" for name in SIDES if getattr(verdict, name))
    kept = f" (and {verdict.kept:,} kept after their delete)" if verdict.kept else ""
    found = differences or "no difference"
    letters = f", {verdict.dead_letters:,} dead letters" if verdict.dead_letters else ""
    sides = f"{verdict.items:,} items, {verdict.rows:,} rows{kept}"
    out(f"{verdict.table}: {sides}: {found}{letters}, {verdict.seconds:.1f} s")
    for one in verdict.examples[:EXAMPLES_SHOWN_MAX]:
        where = f" row {one.row_id}" if one.row_id is not None else ""
        names = f" in {', '.join(one.attributes)}" if one.attributes else ""
        out(f"  {one.kind} {json.dumps(one.key)}{where}{names}")
    if differences:
        out(f"  → twinrow repair {verdict.table} --execute")
