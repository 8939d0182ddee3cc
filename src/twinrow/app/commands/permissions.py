"""`twinrow iam-policy` and `twinrow grants`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from twinrow.app.options import ConfigOption, TablesArgument, load_config
from twinrow.app.terminal import out


def iam_policy(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    account: Annotated[str, typer.Option("--account", help="The AWS account's number; * is any.")] = "*",
    fix: Annotated[bool, typer.Option("--fix", help="With the right that `check --fix` needs.")] = False,
) -> None:
    """The IAM policy with the least rights that the configuration needs. Nothing is asked of AWS.

    \b
    Example:
      twinrow iam-policy --account 123456789012 > policy.json
    """
    from twinrow.app import permissions

    loaded = load_config(config)
    out(json.dumps(permissions.iam_policy(loaded, loaded.chosen(tables or []), account, fix=fix), indent=2))


def grants(
    config: ConfigOption = None,
    reader: Annotated[str | None, typer.Option("--reader", help="And a user who only reads the copies.")] = None,
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
