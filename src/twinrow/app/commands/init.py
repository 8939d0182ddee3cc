"""`twinrow init`."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from twinrow.app.options import ConfigOption, YesOption, config_path
from twinrow.app.signals import asking
from twinrow.app.terminal import out, say
from twinrow.capture_kind import KINDS
from twinrow.errors import ConfigError, StartRefused, TwinrowError

if TYPE_CHECKING:
    from twinrow.app.setup.init import Choice
    from twinrow.table_description import TableDescription

URL_QUESTION = "MySQL, as mysql://user:password@host:port/database (${NAME} takes an environment variable)"
CAPTURES: Final = tuple(KINDS)
ALL = "*"
"""No table is called so."""


def init(
    tables: Annotated[
        list[str] | None, typer.Argument(metavar="TABLE...", help="Tables to copy.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    mysql: Annotated[str | None, typer.Option("--mysql", help="mysql://user:password@host:port/database.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="The AWS Region.")] = None,
    endpoint_url: Annotated[str | None, typer.Option("--endpoint-url", help="The URL of a DynamoDB Local.")] = None,
    table: Annotated[list[str] | None, typer.Option("--table", help="A table to copy, too; may be repeated.")] = None,
    capture: Annotated[str | None, typer.Option("--capture", help="pending-index, stream or scan.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a configuration that is there.")] = False,
    yes: YesOption = False,
) -> None:
    """Write a configuration: lists the tables, asks which tables to copy and how, tries MySQL.

    A password in --mysql is not written into the file: ${MYSQL_PASSWORD} takes its place.

    \b
    Example:
      twinrow init --mysql mysql://user:secret@127.0.0.1:3306/analytics
      twinrow init --mysql 'mysql://user:${MYSQL_PASSWORD}@db/analytics' reviews --capture stream --yes
    """
    from twinrow.app.setup import init as writing
    from twinrow.app.wiring import few_tries
    from twinrow.dynamodb import DynamoDB

    table = [*(tables or []), *(table or [])]
    path = config_path(config)
    if path.exists() and not force:
        raise StartRefused("is there already", where=str(path), remedy="name another with -c FILE, or say --force")
    if path.is_dir() or not path.parent.is_dir():
        # refused before any question is asked: the answers would be lost
        raise StartRefused("no file can be written there", where=str(path), remedy="name another with -c FILE")
    if capture is not None and capture not in CAPTURES:
        raise ConfigError(f"--capture {capture} is none of {', '.join(CAPTURES)}")
    asks = not yes and sys.stdin.isatty()
    if not yes and not asks and not (mysql and table and capture):
        raise StartRefused("nobody is there to be asked", remedy="say --yes, with --mysql and the tables")
    where = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    url = mysql or (_ask(URL_QUESTION) if asks else None)
    if url is None:
        raise ConfigError("which MySQL?", remedy="say --mysql mysql://user:password@host:port/database")
    given_url, password = writing.without_password(url)
    _try_mysql(url)
    dynamodb = DynamoDB(where, endpoint_url)
    found = few_tries(lambda: list(writing.describe_all(dynamodb, list(dict.fromkeys(table)))))
    say(f"DynamoDB {endpoint_url or where}: {_tables(len(found))}")
    for description in found:
        say(f"  {writing.line(description)}")
    wanted = _which(found) if asks and found and not table else found
    choices = [_choose(name, capture, asks=asks) for name in wanted]
    text = writing.render(where, endpoint_url, given_url, choices)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as refused:
        raise TwinrowError(
            f"cannot be written: {refused.strerror}", where=str(path), remedy="name another with -c FILE"
        ) from refused
    _next(path, [choice.description.name for choice in choices], password)


def _ask(question: str, **how: Any) -> Any:
    """A person's answer; Ctrl-C ends the command, also where this process inherited that SIGINT is ignored."""
    with asking():
        return typer.prompt(question, err=True, **how)


def _try_mysql(url: str) -> None:
    from twinrow.app.wiring import connect
    from twinrow.config import mysql_config
    from twinrow.mysql import MySQL

    settings = mysql_config(url, "--mysql", os.environ)
    with closing(connect(MySQL(settings))) as session:
        say(f"MySQL {settings.place}: {session.version.text}")


def _which(found: list[TableDescription]) -> list[TableDescription]:
    """The tables that the user names; asked again while a name is wrong."""
    known = {description.name: description for description in found}

    def tables_of(text: str) -> list[TableDescription]:
        names = list(known) if text.strip() == ALL else text.split()
        wrong = [name for name in names if name not in known]
        if wrong or not names:
            raise typer.BadParameter(f"there is no table {wrong[0]!r}" if wrong else "name at least one table")
        return [known[name] for name in dict.fromkeys(names)]

    chosen: list[TableDescription] = _ask(
        f"Which tables (names with spaces between, {ALL} for all)", default=ALL, value_proc=tables_of
    )
    return chosen


def _choose(description: TableDescription, capture: str | None, *, asks: bool) -> Choice:
    from twinrow.app.setup.init import Choice, suggested

    wanted = capture or suggested(description)
    if asks and capture is None:
        question = f"How to follow {description.name} ({', '.join(CAPTURES)})"
        return Choice(description, _ask(question, default=wanted, value_proc=_capture))
    return Choice(description, _capture(wanted))


def _capture(text: str) -> str:
    for known in CAPTURES:
        if text.strip() == known:
            return known
    raise typer.BadParameter(f"{text!r} is none of {', '.join(CAPTURES)}")


def _tables(count: int) -> str:
    return "1 table" if count == 1 else f"{count} tables"


def _next(path: Path, names: list[str], password: str) -> None:
    out(f"{path}: {_tables(len(names))} ({', '.join(names)})")
    if password:
        # a variable is put in after the URL is parsed, so it holds the password itself
        plain = ", not percent-encoded" if "%" in password else ""
        out(f"next: export MYSQL_PASSWORD=… (the password you gave{plain}), then")
    option = "" if path.name == "twinrow.toml" and path.parent == Path() else f" -c {shlex.quote(str(path))}"
    out(f"next: twinrow{option} check --fix")
