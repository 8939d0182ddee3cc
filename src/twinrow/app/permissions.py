"""The least rights that a configuration needs: an IAM policy for DynamoDB, GRANT statements for MySQL (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twinrow.config import Config, TableConfig
from twinrow.schema.naming import quote

MYSQL_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "CREATE TEMPORARY TABLES")
"""The last is for speed alone: many changed rows are staged. No INDEX: ALTER TABLE … ADD KEY asks for ALTER only."""
WRITES = ["dynamodb:PartiQLUpdate", "dynamodb:UpdateItem"]


def writes(table: TableConfig) -> bool:
    """Whether Twinrow writes to items of the table at all: links, or marks that it clears."""
    return table.linked or table.capture == "pending-index"


def iam_policy(
    config: Config, chosen: Sequence[TableConfig], account: str, keys: Mapping[str, Sequence[str]], *, fix: bool
) -> dict[str, Any]:
    """The policy for these tables; `fix` adds what `check --fix` needs. `account` may be `*`.

    `keys` are the key attributes of each table that is written to: writes are limited to them, the link attribute and
    the mark (AWS, "Using IAM policy conditions for fine-grained access control": `dynamodb:Attributes`).
    """
    statements = []
    for table in chosen:
        arn = f"arn:aws:dynamodb:{config.dynamodb.region}:{account}:table/{table.name}"
        actions = ["dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:BatchGetItem"]
        if table.ttl_kind != table.deletes:  # only then it matters which attribute is the TTL's
            actions.append("dynamodb:DescribeTimeToLive")
        if fix and table.capture != "scan":
            actions.append("dynamodb:UpdateTable")
        statements.append(_allow(actions, arn))
        if writes(table):
            statements.append(_allow(WRITES, arn) | {"Condition": _limited_to(table, keys[table.name])})
        if table.capture == "pending-index" and table.pending_index is not None:
            statements.append(_allow(["dynamodb:Query"], f"{arn}/index/{table.pending_index.index}"))
        if table.capture == "stream":
            reading = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]
            statements.append(_allow(reading, f"{arn}/stream/*"))
    return {"Version": "2012-10-17", "Statement": statements}


def _limited_to(table: TableConfig, keys: Sequence[str]) -> dict[str, Any]:
    names = {*keys}
    if table.linked:
        names.add(table.link_name)
    if table.pending_index is not None and table.capture == "pending-index":
        names.add(table.pending_index.attribute)
    return {"ForAllValues:StringEquals": {"dynamodb:Attributes": sorted(names)}}


def _allow(actions: list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def grants(config: Config, reader: str | None) -> list[str]:
    """The GRANT statements for the user of `mysql.url`, and for a `reader` of the copies only."""
    database = quote(config.mysql.database)
    statements = [f"GRANT {', '.join(MYSQL_RIGHTS)} ON {_alone(database)}.* TO {_user(config.mysql.user)};"]
    if reader is not None:
        copies = [f"{database}.{quote(table.into_name)}" for table in config.tables]
        statements += [f"GRANT SELECT, SHOW VIEW ON {copy} TO {_user(reader)};" for copy in copies]
    return statements


def _alone(database: str) -> str:
    """The database as GRANT takes it for itself alone: `_` and `%` there stand for other names, too."""
    return database.replace("_", "\\_").replace("%", "\\%")


def _user(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'@'%'"
