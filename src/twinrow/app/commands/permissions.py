"""`twinrow iam-policy` and `twinrow grants`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.options import ConfigOption, TablesArgument, load_config
from twinrow.app.terminal import out, say
from twinrow.config import Config, TableConfig
from twinrow.errors import ConfigError, TwinrowError

if TYPE_CHECKING:
    from twinrow.app.setup.permissions import Holder


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
    number: Annotated[
        int | None, typer.Option("--policy", metavar="N", help="Print the Nth policy only.", show_default=False)
    ] = None,
) -> None:
    """Print the IAM policies with the least rights that the configuration needs.

    The rights to the tables of a source with `role_arn` are for that role, in its account.

    Writes are limited to the keys, the link attribute and the mark. The key attributes come from DescribeTable, or
    from --keys. A managed policy of AWS has at most 6,144 characters: the rights for many tables are several policies,
    and the role needs all of them.

    \b
    Example:
      twinrow iam-policy --account 123456789012 > policy.json
      twinrow iam-policy --account 123456789012 --policy 2 > policy-2.json
      twinrow iam-policy --keys reviews=username,reviewed_at
    """
    from twinrow.app.setup import permissions

    if not re.fullmatch(r"[0-9]{12}|\*", account):
        raise ConfigError(f"--account {account!r} is no AWS account", remedy="write its 12 digits, or * for any")
    loaded = load_config(config, new_tables=True)
    chosen = loaded.chosen(tables or [])
    known = dict(_key_option(text) for text in keys or [])
    for table in chosen:
        if permissions.writes(table) and table.name not in known:
            known[table.name] = _described_keys(loaded, table)
    policies = permissions.iam_policies(loaded, chosen, account, known, fix=fix)
    if number is not None and not 1 <= number <= len(policies):
        raise ConfigError(f"there is no policy {number}", remedy=f"--policy takes 1 to {len(policies)}")
    for policy in policies if number is None else policies[number - 1 : number]:
        out(json.dumps(policy.document, indent=2))
    _say_whose([policy.holder for policy in policies], number)


def _say_whose(holders: Sequence[Holder], number: int | None) -> None:
    """Say which of the policies is for whom, where they are for several."""
    from twinrow.app.setup import permissions

    several = len(set(holders)) > 1
    if number is not None:
        if several:
            say(f"policy {number}: for {holders[number - 1]}")
        return
    for holder in dict.fromkeys(holders):
        count = holders.count(holder)
        first = holders.index(holder) + 1
        which = f"policy {first}" if count == 1 else f"policies {first} to {first + count - 1}"
        if several:
            say(f"{which}: for {holder}")
        if count > permissions.POLICIES_A_ROLE_MAX:
            most = permissions.POLICIES_A_ROLE_MAX
            say(f"AWS attaches {most} managed policies to a role: ask for a higher quota (20)")
    if len(holders) > len(set(holders)):
        say(f"{len(holders)} policies, since AWS takes 6,144 characters for each: attach all (--policy N prints one)")
    elif several:
        say("attach each where it belongs (--policy N prints the Nth)")


def _key_option(text: str) -> tuple[str, list[str]]:
    table, equals, names = text.partition("=")
    if not (table and equals and all(names.split(",")) and names.count(",") <= 1):
        raise ConfigError(f"--keys {text!r} is not TABLE=HASH or TABLE=HASH,RANGE")
    return table, names.split(",")


def _described_keys(loaded: Config, table: TableConfig) -> list[str]:
    from twinrow.app.wiring import dynamodb_of

    try:
        description = dynamodb_of(loaded, table.source).describe(table.name)
    except TwinrowError as error:
        raise TwinrowError(
            f"its key attributes cannot be asked for: {error.what}", where=f"table {table.name}",
            remedy=f"name them: --keys {table.name}=HASH,RANGE",
        ) from error  # fmt: skip
    return [name for name, _ in description.keys]


def grants(
    config: ConfigOption = None,
    reader: Annotated[
        str | None,
        typer.Option(
            "--reader", help="And a user (NAME or NAME@HOST) who only reads the copies, which are there by then."
        ),
    ] = None,
    views_only: Annotated[
        bool,
        typer.Option("--views-only", help="With --reader: the views that Twinrow has made, and not the copies."),
    ] = False,
) -> None:
    """Print the GRANT statements for the user of `mysql.url`. Connects to MySQL with --views-only alone.

    \b
    Example:
      twinrow grants | mysql --user=root --password
      twinrow grants --reader analyst
      twinrow grants --reader 'analyst@10.%'
      twinrow grants --reader analyst --views-only
    """
    from twinrow.app.setup import permissions

    if views_only and reader is None:
        raise ConfigError("--views-only is for --reader", remedy="twinrow grants --reader NAME --views-only")
    loaded = load_config(config, new_tables=True)
    names = _made_views(loaded) if views_only else None
    for statement in permissions.grants(loaded, reader, names):
        out(statement)
    for table in loaded.tables if reader is not None else ():
        if table.split is not None:
            say(f"{table.name}: [tables.split] makes tables later; grant them too, or SELECT on the whole database")
    if names == []:
        say("no view is made yet: set `views = true`, or run `twinrow schema --views --apply`")


def _made_views(config: Config) -> list[str]:
    from contextlib import closing

    from twinrow.app.wiring import connect, mysql_of
    from twinrow.sync.views import noted

    with closing(connect(mysql_of(config))) as session:
        return sorted(name for table in config.tables for name in noted(session, table.name))
