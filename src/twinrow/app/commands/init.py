"""`twinrow init`."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.options import ConfigOption, YesOption, config_path
from twinrow.app.terminal import out, say
from twinrow.errors import ConfigError, StartRefused, TwinrowError

if TYPE_CHECKING:
    from twinrow.app.init import Choice
    from twinrow.config import Capture
    from twinrow.table_description import TableDescription

CAPTURES = ("pending-index", "stream", "scan")


def init(
    config: ConfigOption = None,
    mysql: Annotated[str | None, typer.Option("--mysql", help="mysql://user:password@host:port/database.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="The AWS Region.")] = None,
    endpoint_url: Annotated[str | None, typer.Option("--endpoint-url", help="Of a DynamoDB Local.")] = None,
    table: Annotated[list[str] | None, typer.Option("--table", help="A table to copy; may be repeated.")] = None,
    capture: Annotated[str | None, typer.Option("--capture", help="pending-index, stream or scan.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a configuration that is there.")] = False,
    yes: YesOption = False,
) -> None:
    """Write a configuration from what is there: lists the tables, asks which and how, tries MySQL.

    A password in --mysql is not written into the file: ${MYSQL_PASSWORD} stands in its place.

    \b
    Example:
      twinrow init --mysql mysql://user:secret@127.0.0.1:3306/analytics
      twinrow init --mysql 'mysql://user:${MYSQL_PASSWORD}@db/analytics' --table reviews --capture stream --yes
    """
    from twinrow.app import init as writing
    from twinrow.app.wiring import few_tries
    from twinrow.dynamodb import DynamoDB

    path = config_path(config)
    if path.exists() and not force:
        raise StartRefused("is there already", where=str(path), remedy="name another with -c FILE, or say --force")
    if path.is_dir() or not path.parent.is_dir():
        # told before any question is asked: the answers would be lost
        raise StartRefused("no file can be written there", where=str(path), remedy="name another with -c FILE")
    if capture is not None and capture not in CAPTURES:
        raise ConfigError(f"--capture {capture} is none of {', '.join(CAPTURES)}")
    asks = not yes and sys.stdin.isatty()
    if not yes and not asks:
        raise StartRefused("nobody is there to be asked", remedy="say --yes, with --mysql and --table")
    where = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    url = mysql or (typer.prompt("MySQL, as mysql://user:password@host:port/database", err=True) if asks else None)
    if url is None:
        raise ConfigError("which MySQL?", remedy="say --mysql mysql://user:password@host:port/database")
    told, password = writing.without_password(url)
    _try_mysql(url)
    dynamodb = DynamoDB(where, endpoint_url)
    found = few_tries(lambda: list(writing.describe_all(dynamodb, list(dict.fromkeys(table or [])))))
    say(f"DynamoDB {endpoint_url or where}: {_tables(len(found))}")
    for one in found:
        say(f"  {writing.line(one)}")
    choices = [choice for one in found if (choice := _choose(one, capture, asks=asks, named=bool(table))) is not None]
    text = writing.render(where, endpoint_url, told, choices)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as refused:
        raise TwinrowError(
            f"cannot be written: {refused.strerror}", where=str(path), remedy="name another with -c FILE"
        ) from refused
    _next(path, [one.description.name for one in choices], password)


def _try_mysql(url: str) -> None:
    from twinrow.app.wiring import connect
    from twinrow.config import mysql_config
    from twinrow.mysql import MySQL

    settings = mysql_config(url, "--mysql", os.environ)
    with closing(connect(MySQL(settings))) as session:
        say(f"MySQL {settings.place}: {session.version.text}")


def _choose(one: TableDescription, capture: str | None, *, asks: bool, named: bool) -> Choice | None:
    from twinrow.app.init import Choice, suggested

    if asks and not named and not typer.confirm(f"Copy {one.name}?", default=True, err=True):
        return None
    wanted = capture or suggested(one)
    if asks and capture is None:
        wanted = typer.prompt(f"  how ({', '.join(CAPTURES)})?", default=wanted, err=True)
        if wanted not in CAPTURES:
            raise ConfigError(f"{wanted!r} is none of {', '.join(CAPTURES)}")
    chosen: Capture = next(known for known in ("pending-index", "stream", "scan") if known == wanted)
    return Choice(one, chosen)


def _tables(count: int) -> str:
    return "1 table" if count == 1 else f"{count} tables"


def _next(path: Path, names: list[str], password: str) -> None:
    out(f"{path}: {_tables(len(names))} ({', '.join(names)})")
    if password:
        # a variable is put in after the URL is parsed, so it holds the password itself
        plain = ", not percent-encoded" if "%" in password else ""
        out(f"next: export MYSQL_PASSWORD=… (the password you gave{plain}), then")
    option = "" if path.name == "twinrow.toml" and path.parent == Path() else f" -c {path}"
    out(f"next: twinrow{option} check --fix")
