"""`twinrow init`."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twinrow.app.options import CaptureOption, ConfigOption, YesOption, check_capture, config_path, following
from twinrow.app.signals import asking
from twinrow.app.terminal import out, say
from twinrow.errors import ConfigError, StartRefused

if TYPE_CHECKING:
    from twinrow.app.setup.choices import Choice
    from twinrow.config import Config
    from twinrow.dynamodb import DynamoDB
    from twinrow.table_description import TableDescription

URL_QUESTION = "MySQL, as mysql://user:password@host:port/database (${NAME} takes an environment variable)"
QUESTION = """Which tables? Enter takes them all as shown.
To change: TABLE capture=… link=yes|no into=…; to leave out: -TABLE; to take only these: TABLE TABLE… (* is any letters)
"""


SEGMENTS_READ = 20
"""See `setup.sampling`, which takes longer to import than the help may take."""
SampleOption = Annotated[
    int,
    typer.Option(
        "--sample", min=0, max=1_000, metavar="PAGES",
        help="Pages of each table that are read to propose a split into kinds of items; 0 reads none.",
    ),
]  # fmt: skip
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="FILE", show_default=False,
        help="A NoSQL Workbench model or a dynamodb-onetable schema that says the kinds of items of a table.",
    ),
]  # fmt: skip


def init(
    tables: Annotated[
        list[str] | None, typer.Argument(metavar="TABLE...", help="Tables to copy.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    mysql: Annotated[str | None, typer.Option("--mysql", help="mysql://user:password@host:port/database.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="The AWS Region.")] = None,
    endpoint_url: Annotated[str | None, typer.Option("--endpoint-url", help="The URL of a DynamoDB Local.")] = None,
    table: Annotated[list[str] | None, typer.Option("--table", help="A table to copy, too; may be repeated.")] = None,
    capture: CaptureOption = None,
    take_all: Annotated[bool, typer.Option("--all", help="Take all tables as proposed, without a question.")] = False,
    sample: SampleOption = SEGMENTS_READ,
    model: ModelOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a configuration that is there.")] = False,
    yes: YesOption = False,
) -> None:
    """Write a configuration: proposes tables and how to copy them, to be taken, changed or left out; tries MySQL.

    A table with several kinds of items (single-table design) is proposed with a MySQL table for each kind.

    A password in --mysql is not written into the file: ${MYSQL_PASSWORD} takes its place.

    \b
    Example:
      twinrow init --mysql mysql://user:secret@127.0.0.1:3306/analytics
      twinrow init --mysql 'mysql://user:${MYSQL_PASSWORD}@db/analytics' reviews --capture stream --yes
      twinrow init --mysql 'mysql://user:${MYSQL_PASSWORD}@db/analytics' --all
    """
    from twinrow.app.setup import files
    from twinrow.app.setup import init as writing
    from twinrow.app.setup.choices import described
    from twinrow.app.wiring import few_tries
    from twinrow.config import parse
    from twinrow.dynamodb import DynamoDB

    table = [*(tables or []), *(table or [])]
    path = config_path(config)
    _check(path, table, capture, take_all=take_all, force=force)
    asks = not yes and sys.stdin.isatty()
    settled = yes or take_all or bool(table and capture)
    if not yes and not asks and not (mysql and settled):
        raise StartRefused("nobody is there to be asked", remedy="say --yes or --all, with --mysql and the tables")
    where = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    url = mysql or (_ask(URL_QUESTION) if asks else None)
    if url is None:
        raise ConfigError("which MySQL?", remedy="say --mysql mysql://user:password@host:port/database")
    given_url, password = writing.without_password(url)
    _try_mysql(url)
    dynamodb = DynamoDB(where, endpoint_url)
    found = few_tries(lambda: described(dynamodb, list(dict.fromkeys(table) or dynamodb.tables())))
    say(f"DynamoDB {endpoint_url or where}: {_tables(len(found))}")
    choices = _proposed(found, capture)
    if found and not settled:
        choices = _answered(choices)
    else:
        for description in found:
            say(f"  {writing.line(description)}")
    choices = _with_times(dynamodb, choices)
    variables = {**os.environ, writing.PASSWORD_VARIABLE: password} if password else os.environ

    def render(tables: list[Choice]) -> tuple[str, Config]:
        text = writing.render(where, endpoint_url, given_url, tables)
        return text, parse(text, str(path), variables)  # what no command could read is not written

    _, whole = render(choices)
    choices = _split(choices, whole, dynamodb, sample, model, asks=asks and not take_all)
    text, _ = render(choices)
    files.write(path, text)
    _next(path, [choice.description.name for choice in choices], password)


def _check(path: Path, table: list[str], capture: str | None, *, take_all: bool, force: bool) -> None:
    """Refuse what no answer could mend, before any question is asked."""
    if path.exists() and not force:
        raise StartRefused("is there already", where=str(path), remedy="name another with -c FILE, or say --force")
    if path.is_dir() or not path.parent.is_dir():
        raise StartRefused("no file can be written there", where=str(path), remedy="name another with -c FILE")
    check_capture(capture)
    if take_all and table:
        raise ConfigError("--all and names of tables at once", remedy="leave one of them out")


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


def _proposed(found: list[TableDescription], capture: str | None) -> list[Choice]:
    from twinrow.app.setup.choices import Choice, suggested, with_intos

    return with_intos([Choice(description, capture or suggested(description)) for description in found])


def _with_times(dynamodb: DynamoDB, choices: list[Choice]) -> list[Choice]:
    from twinrow.app.setup.sampled import with_times
    from twinrow.app.wiring import few_tries

    looked_at = [few_tries(partial(with_times, dynamodb, choice)) for choice in choices]
    for _, why in looked_at:
        if why:
            say(why)
    return [choice for choice, _ in looked_at]


def _answered(choices: list[Choice]) -> list[Choice]:
    """The tables that a person takes of those proposed; shown again after each change, until Enter takes them."""
    from twinrow.app.setup.choices import answered, shown

    while True:
        say("\n".join(f"  {row}" for row in shown(choices)))
        answer = _ask(QUESTION, default="", show_default=False).strip()
        if not answer:
            return choices
        try:
            choices = answered(choices, answer)
        except ValueError as error:
            say(f"Error: {error}")


def _split(
    choices: list[Choice], whole: Config, dynamodb: DynamoDB, sample: int, model: Path | None, *, asks: bool
) -> list[Choice]:
    """The tables, those with several kinds of items split by them; `whole` is the configuration without a split."""
    from twinrow.app.setup import proposing

    def ask(question: str) -> bool:
        with asking():
            return typer.confirm(question, default=True, err=True)

    asked = ask if asks else None
    if model is not None:
        return proposing.by_model(choices, model, asked)
    return proposing.by_samples(choices, dynamodb, proposing.own_attributes(whole), sample, asked)


def _tables(count: int) -> str:
    return "1 table" if count == 1 else f"{count} tables"


def _next(path: Path, names: list[str], password: str) -> None:
    out(f"{path}: {_tables(len(names))} ({', '.join(names)})")
    if password:
        # a variable is put in after the URL is parsed, so it holds the password itself
        plain = ", not percent-encoded" if "%" in password else ""
        out(f"next: export MYSQL_PASSWORD=… (the password you gave{plain}), then")
    out(f"next: {following(path)} check --fix")
