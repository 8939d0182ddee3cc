"""`twinrow iam-policy` and `twinrow grants`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from twinrow.app.options import ConfigOption, TablesArgument, load_config
from twinrow.app.terminal import out
from twinrow.config import Config
from twinrow.errors import ConfigError, TwinrowError


def iam_policy(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    account: Annotated[str, typer.Option("--account", help="The AWS account's number; * is any.")] = "*",
    fix: Annotated[bool, typer.Option("--fix", help="With the right that `check --fix` needs.")] = False,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--keys",
            help="TABLE=HASH or TABLE=HASH,RANGE: the key attributes, so that AWS is not asked; once for each table.",
        ),
    ] = None,
) -> None:
    """The IAM policy with the least rights that the configuration needs.

    Writes are limited to the keys, the link attribute and the mark. The key attributes come from DescribeTable, or
    from --keys.

    \b
    Example:
      twinrow iam-policy --account 123456789012 > policy.json
      twinrow iam-policy --keys reviews=username,reviewed_at
    """
    from twinrow.app import permissions

    loaded = load_config(config)
    chosen = loaded.chosen(tables or [])
    known = dict(_key_option(one) for one in keys or [])
    for table in chosen:
        if permissions.writes(table) and table.name not in known:
            known[table.name] = _described_keys(loaded, table.name)
    out(json.dumps(permissions.iam_policy(loaded, chosen, account, known, fix=fix), indent=2))


def _key_option(text: str) -> tuple[str, list[str]]:
    table, equals, names = text.partition("=")
    if not (table and equals and all(names.split(",")) and names.count(",") <= 1):
        raise ConfigError(f"--keys {text!r} is not TABLE=HASH or TABLE=HASH,RANGE")
    return table, names.split(",")


def _described_keys(loaded: Config, table: str) -> list[str]:
    from twinrow.dynamodb import DynamoDB

    try:
        description = DynamoDB(loaded.dynamodb.region, loaded.dynamodb.endpoint_url).describe(table)
    except TwinrowError as error:
        raise TwinrowError(
            f"its key attributes cannot be asked for: {error.what}", where=f"table {table}",
            remedy=f"name them: --keys {table}=HASH,RANGE",
        ) from error  # fmt: skip
    return [name for name, _ in description.keys]


def grants(
    config: ConfigOption = None,
    reader: Annotated[
        str | None, typer.Option("--reader", help="And a user who only reads the copies, which must be there by then.")
    ] = None,
) -> None:
    """The GRANT statements for the user of `mysql.url`. Nothing is asked of MySQL.

    \b
    Example:
      twinrow grants | mysql --user=root --password
      twinrow grants --reader analyst
    """
    from twinrow.app import permissions

    for statement in permissions.grants(load_config(config), reader):
        out(statement)
