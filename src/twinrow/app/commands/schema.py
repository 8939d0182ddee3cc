"""`twinrow schema`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twinrow.app.observe.troubles import many
from twinrow.app.options import ConfigOption, JsonOption, TablesArgument, load_config
from twinrow.app.terminal import complain, out, out_json, say
from twinrow.app.typed import as_typed
from twinrow.errors import ConfigError, TwinrowError

if TYPE_CHECKING:
    from twinrow.config import Config, TableConfig
    from twinrow.mysql import Connection
    from twinrow.schema.table import TableSchema

EXTRA_ROWS_LOOKED_AT = 10_000
ALTER_S_MAX = 86_400.0
"""A rebuild of a large table takes its time; this bounds how long its answer is waited for."""


def schema(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    views: Annotated[
        bool, typer.Option("--views", help="The SQL of views instead: nested maps as columns, lists and sets as rows.")
    ] = False,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply",
            help="Run the DDL that waits for a person (a rebuild of a large table); with --views: make the views.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --apply: print that DDL, run nothing.")] = False,
    suggest: Annotated[
        bool,
        typer.Option("--suggest", help="Print overrides by which more shows in SQL: times, short texts, mixed types."),
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="With --suggest: put them into the configuration's file.")
    ] = False,
) -> None:
    """Show the column of each attribute, and the DDL of the table.

    --suggest looks at the copy: attributes with values of mixed types, times that are epoch numbers or ISO-8601 texts,
    numbers of small scale, and texts of at most 191 characters.

    \b
    Example:
      twinrow schema reviews
      twinrow schema reviews --json | jq '.tables[0].columns[].column'
      twinrow schema reviews --views | mysql analytics
      twinrow schema reviews --views --apply
      twinrow schema reviews --apply --dry-run
      twinrow schema reviews --suggest --write
    """
    from twinrow.app.wiring import connect, mysql_of

    loaded = load_config(config)
    chosen = loaded.chosen(tables or [])
    if apply and as_json:
        raise ConfigError("--apply has no JSON form", remedy="run it, then `twinrow schema --json`")
    if suggest and (apply or views):
        raise ConfigError(
            "--suggest is asked for beside --apply or --views", remedy="run the commands after each other"
        )
    if write and not suggest:
        raise ConfigError("--write is for --suggest", remedy="twinrow schema --suggest --write")
    if apply and views:
        _apply_views(loaded, chosen, dry_run=dry_run)
        return
    if apply:
        raise typer.Exit(max([_apply(loaded, table, dry_run=dry_run) for table in chosen]))
    documents = []
    with closing(connect(mysql_of(loaded))) as session:
        for table in chosen:
            known = _load(session, table)
            documents.append(_document(table, known, session))
            if views:
                documents[-1]["views"] = _views(table, known, session)
            if suggest:
                documents[-1]["suggestions"] = _suggest(loaded, table, known, session, write=write, as_json=as_json)
            elif views and not as_json:
                _show_views(documents[-1]["views"])
            elif not as_json:
                _show_all(table, known, documents[-1], session)
    if as_json:
        out_json({"tables": documents})


def _load(session: Connection, table: TableConfig) -> tuple[TableSchema, ...]:
    """The schemas of the copy's tables, the rest of a split first; none where nothing is copied yet."""
    from twinrow.state import meta
    from twinrow.state import tables as register
    from twinrow.verify.reading import schemas_of

    known = register.load(session, table.name) if meta.check_version(session) else None
    if known is None or known.phase == "NEW":
        return ()
    return tuple(replace(schema, page_bytes=session.page_bytes) for schema in schemas_of(session, table.name))


def _document(table: TableConfig, schemas: Sequence[TableSchema], session: Connection) -> dict[str, Any]:
    """The document of a table; the tables of a split's entities stand in `entities`, and in `tables` its rest."""
    if not schemas:
        return {"table": table.name, "into": table.into_name, "version": 0, "columns": [], "in_extra": [], "mixed": []}
    rest, *others = schemas
    found = _document_of(table, rest, session)
    if others:
        found["entities"] = [{"entity": known.entity, **_document_of(table, known, session)} for known in others]
    return found


def _document_of(table: TableConfig, known: TableSchema, session: Connection) -> dict[str, Any]:
    from twinrow.app.columns.apply import columns_left_out, plain_type
    from twinrow.app.columns.mixed import mixed_columns
    from twinrow.schema.table import DERIVED
    from twinrow.state import mixed

    columns = [
        {
            "attribute": "" if column.derived else column.attribute, "column": column.column,
            "type": plain_type(column, session.flavour), "key": column.key, "kind": column.kind,
            "overridden": column.overridden and not column.derived,
        } | ({"part": column.attribute.removeprefix(DERIVED)} if column.derived else {})
        for column in known.columns
    ]  # fmt: skip
    in_extra = columns_left_out(session, known, EXTRA_ROWS_LOOKED_AT)
    counted = [entry for entry in mixed.of_table(session, table.name) if entry.reported]
    return {
        "table": table.name, "into": known.into, "version": known.version, "columns": columns, "in_extra": in_extra,
        "mixed": [asdict(column) for column in mixed_columns(known, tuple(counted))],
    }  # fmt: skip


def _views(table: TableConfig, schemas: Sequence[TableSchema], session: Connection) -> list[str]:
    from twinrow.sync.views import wanted

    if not schemas:
        say(f"{table.name}: not copied yet ({as_typed(f'twinrow sync {table.name} --once')})")
        return []
    return [view.sql for known in schemas for view in wanted(session, known, definer=False)]


def _suggest(
    config: Config,
    table: TableConfig,
    schemas: Sequence[TableSchema],
    session: Connection,
    *,
    write: bool,
    as_json: bool,
) -> list[dict[str, Any]]:
    from twinrow.app.columns import suggested

    if not schemas:
        say(f"{table.name}: not copied yet ({as_typed(f'twinrow sync {table.name} --once')})")
        return []
    found = suggested.suggested(config, table, schemas[0], session)
    if found.unknown:
        say(f"{table.name}: {found.unknown}")
    say(f"{table.name}: {many(len(found.lines), 'suggestion')}, from {many(found.rows, 'row')}")
    for line in () if as_json else found.lines:
        out(line.text)
    if write and found.lines:
        place, new = suggested.write(config, table, found.lines)
        say(f"{place}: {many(len(new), 'line')} put in; the next start of a sync applies them, inside MySQL")
    return [
        {"attribute": line.attribute, "settings": dict(line.settings), "why": line.comment, "line": line.text}
        for line in found.lines
    ]


def _apply_views(config: Config, chosen: Sequence[TableConfig], *, dry_run: bool) -> None:
    from twinrow.app.wiring import connect, mysql_of
    from twinrow.sync.views import apply, wanted

    with closing(connect(mysql_of(config))) as session:
        for table in chosen:
            schemas = _load(session, table)
            if not schemas:
                say(f"{table.name}: not copied yet ({as_typed(f'twinrow sync {table.name} --once')})")
            elif dry_run:
                _show_views([view.sql for known in schemas for view in wanted(session, known, definer=True)])
            else:
                made = [name for known in schemas for name in apply(session, known, takes_over=True)]
                out(f"{table.name}: {', '.join(made)}")


def _show_views(statements: list[str]) -> None:
    for statement in statements:
        out(statement + ";")
        out("")


def _show_all(
    table: TableConfig, schemas: Sequence[TableSchema], document: dict[str, Any], session: Connection
) -> None:
    """The rest of a split first, then its entities; a table without a split is shown alone."""
    for schema_known, shown in zip(schemas, [document, *document.get("entities", [])], strict=False):
        _show(table, schema_known, shown, session)
    if not schemas:
        out(f"{table.name}: not copied yet ({as_typed(f'twinrow sync {table.name} --once')})")


def _show(table: TableConfig, known: TableSchema, document: dict[str, Any], session: Connection) -> None:
    from twinrow.app.columns.mixed import MixedColumn, sentence
    from twinrow.sink import statements
    from twinrow.state import schema_log

    entity = f":{known.entity}" if known.entity else ""
    out(f"{table.name}{entity} → {known.into}, version {known.version}")
    names = [column["attribute"] or f"{{{column['part']}}}" for column in document["columns"]]
    width = max(map(len, names))
    for name, column in zip(names, document["columns"], strict=True):
        marks = (" key" if column["key"] else "") + (" overridden" if column["overridden"] else "")
        out(f"  {name:{width}}  {column['kind']:4}  → {column['column']}  {column['type']}{marks}")
    if document["in_extra"]:
        out(f"  without a column, exact in _twinrow_extra: {', '.join(document['in_extra'])}")
    for column in document["mixed"]:
        out(f"  {sentence(MixedColumn(**column))}")
    if document["mixed"]:
        out(
            "  To use such a line, put it below the table's `name` in twinrow.toml; the next start of a sync applies it"
        )
    for change in schema_log.history(session, table.name) if not known.entity else ():
        before = f", before {change.before_type}" if change.before_type else ""
        out(f"  version {change.version}: {change.column_name} {change.column_type}{before}: {change.why}")
    out("")
    out(statements.create_table(known, session.flavour) + ";")
    out("")


def _apply(config: Config, table: TableConfig, *, dry_run: bool) -> int:
    try:
        _apply_to(config, table, dry_run=dry_run)
    except TwinrowError as error:
        complain(error)
        return error.exit_code
    return 0


def _apply_to(config: Config, table: TableConfig, *, dry_run: bool) -> None:
    from twinrow.app.columns import apply as schema_apply
    from twinrow.app.wiring import connect, contexts_of, mysql_of
    from twinrow.clock import Stop
    from twinrow.state import deferred
    from twinrow.sync.start import resume_ddl
    from twinrow.workers.held import held

    mysql = mysql_of(config, read_timeout_s=ALTER_S_MAX)
    with closing(connect(mysql)) as session:
        schemas = _load(session, table)
        if not schemas:
            raise TwinrowError(
                "was never copied", where=f"table {table.name}", remedy=f"twinrow sync {table.name} --once"
            )
        if schemas[0].reshape is not None:
            raise TwinrowError(
                "columns are being changed, because a setting was", where=f"table {table.name}",
                remedy=f"let a sync end it: twinrow sync {table.name} --once",
                commands=(f"twinrow sync {table.name} --once",),
            )  # fmt: skip
        steps: list[str] = []
        for known in schemas:
            lost = schema_apply.missing(session, known)
            evolution = schema_apply.pending(session, known, lost)
            steps += schema_apply.described(evolution, lost, session)
            if dry_run:
                for statement in schema_apply.statements_of(known, evolution, lost, session):
                    out(statement + ";")
        for line in steps:
            say(f"{table.name}: {line}")
        waits = bool(steps) or bool(deferred.of_table(session, table.name))
        if dry_run or not waits:
            say(f"{table.name}: {'nothing was run' if steps else 'nothing waits'}")
            return
    (context,) = contexts_of(config, [table], Stop(), mysql=mysql)
    count = 0
    with held(context, mysql):
        resume_ddl(context)
        writer = context.tenure.open_writer()
        for entity in context.live.catalogue.entities:
            known = context.live.catalogue.entities[entity]  # each change makes a new catalogue
            lost = schema_apply.missing(writer, known)
            count += schema_apply.apply(context, known, schema_apply.pending(writer, known, lost), lost)
    out(f"{table.name}: applied; {count:,} rows show values that waited")
